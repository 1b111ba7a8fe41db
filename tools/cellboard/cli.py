"""Arguments of tools/cell.py. Exit codes: 0 done, 1 something is wrong, 2 usage, 3 settings, 4 board or port."""

import argparse
import sys
from pathlib import Path

from tools.cellboard import check, flash, render
from tools.cellboard.refused import Refused

PORT = Path("/dev/cart-loadcell")
VERBS = {"render": render, "flash": flash, "check": check}


def main(argv: list[str] | None = None, description: str | None = None) -> int:
    """Run one verb and return the exit code."""
    args = _arguments(argv, description)
    try:
        return int(args.verb(args))
    except Refused as refused:
        print(f"cell: {refused}", file=sys.stderr)
        return refused.exit_code


def _arguments(argv: list[str] | None, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="cell", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, module in VERBS.items():
        added = verbs.add_parser(name, help=module.run.__doc__, description=module.run.__doc__)
        added.set_defaults(verb=module.run)
        added.add_argument("--settings", type=Path, default=render.SETTINGS, metavar="FILE")
        if module is render:
            added.add_argument("--out", type=Path, default=Path("-"), metavar="FILE", help="- prints it")
        else:
            added.add_argument("--port", type=Path, default=PORT)
    return parser.parse_args(argv)
