"""Check, show or explain the configuration.

check   reads the file the way start-up does and lists every fault with its line
show    prints the values in use with unit, range and meaning, as a file that can be edited
schema  prints the JSON Schema, for editors
"""

import argparse
import json
import os
import sys
from pathlib import Path

from cart import config
from cart.faults import EXIT_OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart config` takes."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="check|show|schema")
    check = verbs.add_parser("check", help="list every fault")
    show = verbs.add_parser("show", help="print the values in use")
    verbs.add_parser("schema", help="print the JSON Schema")
    for sub in (check, show):
        sub.add_argument("file", nargs="?", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
        sub.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    show.add_argument("--defaults", action="store_true", help="the values of a cart without a file")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; faults of the file exit with 3."""
    return {"check": _check, "show": _show, "schema": _schema}[args.action](args)


def file_in_use(named: str | None) -> Path:
    """Return the configuration file: the one named, else $CART_CONFIG, else the system's."""
    return Path(named or os.environ.get("CART_CONFIG") or config.SYSTEM_FILE)


def _check(args: argparse.Namespace) -> int:
    path = file_in_use(args.file)
    try:
        config.load(path)
    except config.ConfigFault as fault:
        if args.output == "json":
            print(json.dumps({"file": str(path), "faults": fault.lines}))
        else:
            print("\n".join(fault.lines))
            print(f"{len(fault.lines)} to mend in {path}", file=sys.stderr)
        return fault.text.exit_code
    if args.output == "json":
        print(json.dumps({"file": str(path), "faults": []}))
    else:
        print(f"{path}: ok")
    return EXIT_OK


def _show(args: argparse.Namespace) -> int:
    values = config.default() if args.defaults else config.load(file_in_use(args.file))
    if args.output == "json":
        print(json.dumps(config.to_dict(values), indent=2))
    else:
        print(config.render(values), end="")
    return EXIT_OK


def _schema(args: argparse.Namespace) -> int:
    print(json.dumps(config.json_schema(), indent=2))
    return EXIT_OK
