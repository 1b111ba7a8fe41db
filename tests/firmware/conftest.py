"""The microcontroller's own modules can be imported here as they are there: `from loadcell import line`."""

import sys

from tests.firmware.said import FOLDER

sys.path.insert(0, str(FOLDER / "loadcell" / "firmware"))
sys.path.insert(0, str(FOLDER.parent / "tests" / "firmware" / "mcu"))
