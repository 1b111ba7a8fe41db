#!/usr/bin/env python3
"""Device images: from a stock Raspberry Pi OS file to a working cart on a card.

  ./tools/image.py wheelhouse --release bookworm --out wheels-bookworm
  ./tools/image.py inspect raspios-lite-arm64.img.xz
  ./tools/image.py build raspios-lite-arm64.img.xz --wheels wheels-bookworm --out cart.img
  ./tools/image.py stamp cart.img --cart cart-0042.toml --out cart-0042.img
  ./tools/image.py verify cart-0042.img

No root and no mounting is needed up to here. `write` and `fleet` put images onto cards.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


def main() -> int:
    """Run one verb with the Python that has what it needs, and return the exit code."""
    if find_spec("msgspec") is None or find_spec("packaging") is None:
        if not PYTHON.exists() or Path(sys.prefix) == PYTHON.parent.parent:
            print("image: needs the environment of this checkout: bash tools/setup.sh makes it", file=sys.stderr)
            return 2
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.path.insert(0, str(ROOT))
    from tools.imaging import cli

    return cli.main(description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
