"""The store's side: `cart-backoffice VERB ...`.

    serve       take charges from the broker, keep the ledger, send signed receipts
    ledger      list the charges
    gaps        list what is missing or out of the chain, for each cart and incarnation; exit 1 if anything is
    quarantine  list the messages that were not believed
    keys        make the store's keys, register carts
    picture     open pictures that carts sealed for review

Exit codes are those of `cart`: 0 ok, 1 failed check, 2 usage, 3 configuration, 4 hardware.
"""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cart import logs, output
from cart.backoffice import keys, report
from cart.backoffice.ledger import open_ledger
from cart.clock import SystemClock
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE, FAULTS, Fault
from cart.wire.sealed_picture import FILE_BYTES_MAX

DEFAULT_DB = "sqlite:ledger.sqlite3"
"""Where the ledger is without --db and without $CART_LEDGER."""


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a Fault is printed with its next step."""
    try:
        with output.guarded():
            args = _parser().parse_args(argv)
            logs.set_up((logging.WARNING, logging.INFO, logging.DEBUG)[min(args.verbose, 2)])
            code: int = args.run(args)
            return code
    except Fault as fault:
        print(f"cart-backoffice: {fault.code}: {fault.text.meaning}: {fault.detail}", file=sys.stderr)
        print(f"  next:   {fault.text.next_step}", file=sys.stderr)
        return fault.text.exit_code
    except output.OutputLost as lost:
        if not lost.reader_left:
            print(f"cart-backoffice: OUTPUT-LOST: {FAULTS['OUTPUT-LOST'].meaning}: {lost}", file=sys.stderr)
        return EXIT_FAILED


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Prints one JSON line each time it is ready to take charges."""
    from cart.backoffice.broker import StoreBroker
    from cart.backoffice.consumer import Consumer

    ledger = open_ledger(args.db)
    consumer = Consumer(ledger, keys.Registry(args.keys), keys.load_store_key(args.keys), SystemClock())
    broker = StoreBroker(args.broker, consumer.take, lambda: _print({"state": "serving", "db": args.db}))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.stop())
    try:
        broker.serve()
    finally:
        ledger.close()
    return EXIT_OK


def show_ledger(args: argparse.Namespace) -> int:
    """List every charge by position."""
    rows = open_ledger(args.db, create=False).rows()
    if args.output == "json":
        _print_all(report.charge_report(row) for row in rows)
        return EXIT_OK
    for row in rows:
        received, total = report.utc_text(row.received_ms), f"{row.total_minor:>9} {row.currency}"
        print(f"{row.position:>6}  {received}  {row.cart:<12} {row.seq:>6} {total}  {row.charge_id}")
    return EXIT_OK


def show_gaps(args: argparse.Namespace) -> int:
    """List what is missing of each cart and incarnation; fail if anything is, or if a charge breaks the hash chain."""
    found = report.gap_reports(open_ledger(args.db, create=False).rows())
    if args.output == "json":
        _print_all(found)
    else:
        for gap in found:
            missing = ", ".join(f"{first}-{last}" for first, last in gap["missing"]) or "none"
            print(f"{gap['cart']:<12} {gap['incarnation']}  {gap['count']:>6} of {gap['highest']}, missing: {missing}")
            if gap["unchained"]:
                print(f"{'':12} these do not follow the one before them: {gap['unchained']}")
    return EXIT_FAILED if any(gap["missing"] or gap["unchained"] for gap in found) else EXIT_OK


def show_quarantine(args: argparse.Namespace) -> int:
    """List the messages that were not believed."""
    rows = [report.quarantine_report(row) for row in open_ledger(args.db, create=False).quarantined()]
    if args.output == "json":
        _print_all(rows)
        return EXIT_OK
    for row in rows:
        print(f"{row['received_at']}  {row['topic']}: {row['reason']}")
    return EXIT_OK


def init_keys(args: argparse.Namespace) -> int:
    """Make the store's key pairs unless they are there; print their ids and what to copy to the carts."""
    key, pictures = keys.make_store_key(args.keys), keys.make_picture_key(args.keys)
    made = {"key": key.key_id, "public": str(args.keys / "store.pub")}
    _print({**made, "pictures_key": pictures.key_id, "pictures_public": str(args.keys / "pictures.pub")})
    return EXIT_OK


def open_pictures(args: argparse.Namespace) -> int:
    """Open sealed pictures into a folder; one JSON line a file; exit 1 if one does not open, 2 for a bad folder."""
    key = keys.load_picture_key(args.keys)
    try:
        args.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        print(f"cart-backoffice: {args.out}: {error.strerror}: name another folder with --out", file=sys.stderr)
        return EXIT_USAGE
    code = EXIT_OK
    for path in args.files:
        try:
            about, jpeg = key.open(_picture_file(path))
            shown = args.out / f"{path.stem}.jpg"
            # Never over another picture, and for nobody else to read: it shows what a person bought.
            with os.fdopen(os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(jpeg)
            _print({"file": str(path), "picture": str(shown), **asdict(about)})
        except Fault as fault:
            _print({"file": str(path), "error": f"{fault.code}: {fault.text.meaning}: {fault.detail}"})
            code = EXIT_FAILED
        except FileExistsError:
            _print({"file": str(path), "error": f"{shown} is there already: opened before, or name another --out"})
            code = EXIT_FAILED
        except OSError as error:
            _print({"file": str(path), "error": error.strerror or str(error)})
            code = EXIT_FAILED
    return code


def _picture_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


def register_key(args: argparse.Namespace) -> int:
    """Let a cart charge with the public key in a file."""
    _print({"cart": args.cart, "key": keys.register_cart(args.keys, args.cart, args.public)})
    return EXIT_OK


def list_keys(args: argparse.Namespace) -> int:
    """List the registered carts."""
    _print_all({"cart": cart, "key": key} for cart, key in keys.Registry(args.keys).carts().items())
    return EXIT_OK


def broker_address(text: str) -> Any:
    """Return the address in HOST:PORT or mqtt://HOST:PORT; the port may be left out (1883)."""
    from cart.backoffice.broker import Address

    host, colon, port = text.removeprefix("mqtt://").rstrip("/").rpartition(":")
    if not colon:
        host, port = port, "1883"
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise argparse.ArgumentTypeError(f"not HOST:PORT or mqtt://HOST:PORT: {text}")
    return Address(host.strip("[]"), int(port))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cart-backoffice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for everything")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    served = verbs.add_parser("serve", help="take charges, keep the ledger, send receipts", description=serve.__doc__)
    served.add_argument("--broker", type=broker_address, required=True, metavar="HOST:PORT", help="or mqtt://HOST:PORT")
    _add_db(served)
    _add_keys(served)
    served.set_defaults(run=serve)
    for verb, run in (("ledger", show_ledger), ("gaps", show_gaps), ("quarantine", show_quarantine)):
        shown = verbs.add_parser(verb, help=run.__doc__.split(";")[0], description=run.__doc__)
        _add_db(shown)
        shown.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: one object a line")
        shown.set_defaults(run=run)
    _add_key_verbs(verbs.add_parser("keys", help="make the store's keys, register carts"))
    shown = verbs.add_parser("picture", help="open pictures that carts sealed", description=open_pictures.__doc__)
    shown.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .sealed file of a cart's spool")
    shown.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the pictures go")
    shown.add_argument("--keys", type=Path, required=True, metavar="DIR", help="pictures.key")
    shown.set_defaults(run=open_pictures)
    return parser


def _add_key_verbs(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    made = verbs.add_parser("init", help="make the store's key pairs", description=init_keys.__doc__)
    registered = verbs.add_parser("register", help="let a cart charge", description=register_key.__doc__)
    registered.add_argument("cart", help="the cart's id, as in its topics")
    registered.add_argument("public", type=Path, help="its public key file (cart.pub)")
    listed = verbs.add_parser("list", help="list the registered carts", description=list_keys.__doc__)
    for verb, run in ((made, init_keys), (registered, register_key), (listed, list_keys)):
        _add_keys(verb)
        verb.set_defaults(run=run)


def _add_db(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("CART_LEDGER", DEFAULT_DB)
    parser.add_argument("--db", default=default, metavar="URL", help="sqlite:PATH (default: $CART_LEDGER, %(default)s)")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="store.key and carts/*.pub")


def _print(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


def _print_all(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        _print(row)


if __name__ == "__main__":
    sys.exit(main())
