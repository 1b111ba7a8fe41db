#!/usr/bin/env python3
"""The load cell's microcontroller: settings, firmware, and what it says.

  ./tools/cell.py render --out loadcell.cfg      firmware_config/loadcell/loadcell.toml as the board reads it
  ./tools/cell.py flash                          firmware and settings onto the board; needs mpremote
  ./tools/cell.py check                          listen for 3 s: who it is, its rate, flags and faults

Each takes --settings FILE; flash and check take --port. The board needs MicroPython first: see
firmware_config/loadcell/README.md. Stop cart.service before flash and check: it holds the port.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


def main() -> int:
    """Run one verb with the Python that has pyserial, and return the exit code."""
    if find_spec("serial") is None:
        if not PYTHON.exists() or Path(sys.prefix) == PYTHON.parent.parent:
            print(
                "cell: needs the environment of this checkout: run ./tools/test once, which makes it", file=sys.stderr
            )
            return 2
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.path.insert(0, str(ROOT))
    from tools.cellboard import cli

    return cli.main(description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
