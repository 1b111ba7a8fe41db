"""Show or check the catalogue, and teach the classifier its products.

lint      lists every fault of a file with its row, and what deserves a second look; exits with 1 on a fault
show      prints the products of the catalogue in use, or of a file
enroll    teaches the classifier a product from ten photos or from the camera
unenroll  makes it forget one
enrolled  lists what was enrolled, and goes back to an earlier version
"""

import argparse
import json

from cart import config
from cart.commands import catalog_enroll
from cart.commands.config import file_in_use
from cart.core.catalog import WEIGHT, Catalog, Product
from cart.edge.catalog_file import load_catalog, parse_file
from cart.faults import EXIT_FAILED, EXIT_OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart catalog` takes."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="lint|show|enroll|unenroll|enrolled")
    lint = verbs.add_parser("lint", help="list every fault of a catalogue file")
    lint.add_argument("file", metavar="FILE", help="a catalogue as CSV; its form is in docs/PROTOCOL.md")
    show = verbs.add_parser("show", help="print the products")
    show.add_argument("file", nargs="?", metavar="FILE", help="default: [catalog] path, else the packaged demo store")
    show.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    for sub in (lint, show):
        sub.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    text, raw = catalog_enroll.__doc__ or "", argparse.RawDescriptionHelpFormatter
    enroll = verbs.add_parser("enroll", help=text.splitlines()[0], description=text, formatter_class=raw)
    catalog_enroll.add_arguments(enroll)
    for name, text, add in (
        ("unenroll", "make the classifier forget a product that was enrolled", catalog_enroll.add_unenroll),
        ("enrolled", "list what was enrolled, or go back to a version", catalog_enroll.add_enrolled),
    ):
        add(verbs.add_parser(name, help=text, description=text))


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 0, or 1 when lint found a fault."""
    actions = {
        "lint": _lint,
        "show": _show,
        "enroll": catalog_enroll.run,
        "unenroll": catalog_enroll.run_unenroll,
        "enrolled": catalog_enroll.run_enrolled,
    }
    return actions[args.action](args)


def _lint(args: argparse.Namespace) -> int:
    parsed = parse_file(args.file)
    if args.output == "json":
        notes = {"faults": parsed.faults, "warnings": parsed.warnings}
        products = len(parsed.catalog.products) if parsed.catalog else 0
        print(json.dumps({"file": args.file, "products": products} | {k: _rows(v) for k, v in notes.items()}))
    else:
        for fault in parsed.faults:
            print(f"{args.file}: {fault}")
        for warning in parsed.warnings:
            print(f"{args.file}: {warning} (warning)")
        print(_verdict(parsed.catalog, len(parsed.faults), len(parsed.warnings)))
    return EXIT_FAILED if parsed.faults else EXIT_OK


def _rows(notes: tuple) -> list[dict]:
    return [{"row": note.row, "column": note.column, "text": note.text} for note in notes]


def _verdict(catalog: Catalog | None, faults: int, warnings: int) -> str:
    if catalog is None:
        return f"{faults} fault{'s' if faults != 1 else ''}: this catalogue is not used"
    return f"{len(catalog.products)} products, {warnings} warning{'s' if warnings != 1 else ''}, no fault"


def _show(args: argparse.Namespace) -> int:
    catalog = load_catalog(_path_in_use(args.config) if args.file is None else args.file)
    if args.output == "json":
        head = {"version": catalog.version, "currency": catalog.currency}
        print(json.dumps(head | {"products": [_fields(product) for product in catalog.products]}))
        return EXIT_OK
    print(f"catalogue {catalog.version}, {len(catalog.products)} products, prices in {catalog.currency}")
    for product in catalog.products:
        print(_line(product))
    return EXIT_OK


def _path_in_use(named: str | None) -> str:
    """Return [catalog] path, "" for the demo store where there is no configuration; Fault where that is faulty."""
    path = file_in_use(named)
    return config.load(path).catalog.path if path.exists() or path != config.SYSTEM_FILE else ""


def _fields(product: Product) -> dict:
    return {name: getattr(product, name) for name in Product.__dataclass_fields__}


def _line(product: Product) -> str:
    per = "/kg" if product.sold_by == WEIGHT else "   "
    price = f"{product.price_minor // 100}.{product.price_minor % 100:02}{per}"
    mass = f"{product.mass_mg / 1000:.0f} g ±{product.mass_sd_mg / 1000:.0f}"
    codes = " ".join((*product.gtins, *([f"PLU {product.plu}"] if product.plu else [])))
    return f"  {product.id:<40}{price:>10}  {mass:<12}  {codes or '-'}"
