#!/usr/bin/env python3
"""Boots a whole cart in an emulator: our image of it, a power cut in the middle of a trip, and the store's ledger.

  sudo ./tools/boot_test.py --prepare     once: the guest's Debian, about five minutes, kept in the cache
  ./tools/boot_test.py                    the test, about five minutes
  ./tools/boot_test.py --log boot.log     the guest's console too

A small Debian for arm64 stands for the stock image. `image.py build` and `stamp` put the cart on it; an emulated board
starts it; the scale is simulated outside and talks through the board's serial port; broker and back office run here.
One trip is charged, the power is cut in a second one, the cart starts again and finishes it: the ledger must then hold
exactly both. Camera, classifier and kiosk browser are left out: an emulated processor is too slow for them.

Exits 0 when all was right, 1 when not, 2 when programs are missing (with --optional: 0, and it says SKIPPED).
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


def main() -> int:
    """Run it with the Python that has what the cart needs, and return the exit code."""
    if find_spec("msgspec") is None:
        if not PYTHON.exists() or Path(sys.prefix) == PYTHON.parent.parent:
            print("boot_test: needs the environment of this checkout: run ./tools/test once", file=sys.stderr)
            return 2
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.path.insert(0, str(ROOT))
    from tools.booting import cli

    return cli.main(description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
