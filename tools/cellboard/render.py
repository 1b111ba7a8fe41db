"""loadcell.toml -> the file that the board reads, checked by the microcontroller's own code."""

import argparse
import sys
import tomllib
from pathlib import Path

from tools.cellboard.refused import CONFIGURATION, DONE, Refused

FOLDER = Path(__file__).resolve().parent.parent.parent / "firmware_config" / "loadcell"
FIRMWARE = FOLDER / "firmware"
SETTINGS = FOLDER / "loadcell.toml"
sys.path.insert(0, str(FIRMWARE))

from loadcell import FIRMWARE as VERSION  # noqa: E402, F401
from loadcell import settings  # noqa: E402


def run(args: argparse.Namespace) -> int:
    """Write the board's settings file."""
    text = rendered(args.settings)
    if args.out == Path("-"):
        sys.stdout.write(text)
    else:
        args.out.write_text(text, encoding="ascii")
        print(f"{args.out}: settings {text[:4]}")
    return DONE


def rendered(path: Path) -> str:
    """Return the board's settings file for a loadcell.toml."""
    try:
        return str(settings.rendered(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", CONFIGURATION) from None
    except ValueError as error:
        raise Refused(f"{path}: {error}", CONFIGURATION) from None
