"""The verbs `write` and `fleet` of tools/image.py: what they take, what they ask, what they print."""

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cart.faults import EXIT_FAILED, EXIT_OK, FAULTS
from tools.imaging import fleet, fleet_table, image_facts, one_card, results
from tools.imaging.progress import Progress
from tools.imaging.refusal import MACHINE, MAX_SIZE_BYTES, Options
from tools.imaging.results import CardResult
from tools.imaging.targets import Target

UNITS = {"": 1, "M": 10**6, "G": 10**9, "T": 10**12, "MB": 10**6, "GB": 10**9, "TB": 10**12}
RESULTS = Path("card-results")

WRITE_TEXT = """\
Write an image to a card, read everything back, and only then make the card bootable.

The device is refused when it is mounted, holds this machine's system, swap or a volume, is neither removable nor on
USB or MMC, cannot be written, is too small or too large, or is the finished card of a cart in the results; the image
when it is cut off, is not what its manifest says, or is not for a cart. You are shown what would be erased and asked
for its serial. An interrupted write goes on when the same command is run again with the same card.

exit codes: 0 ok, 1 refused, 2 usage, 3 configuration, 4 card or reader
"""

FLEET_TEXT = """\
Write one card for each row of a table, with the cart's identity in it, and keep a result for each card.

carts.csv, with commas, semicolons or tabs, has a row for each cart. Columns: `cart`, its number; `device`, where
its card is (else --device); `serial`, what must be there (else you are asked); `image`, one that is stamped already
(else one is stamped from --base); and chain, store, token, wifi_ssid, wifi_passphrase, wifi_country, profile,
calibration, store_key, timezone as in the file that `stamp --cart` takes. What all carts share is in such a file,
given with --common.

All rows, and the files that they name, are checked before the first card is written. Carts that have a good card
are left out unless --again, and the finished card of another cart is not written over. Stamped images hold secrets
and are deleted once they are on the card.

exit codes: 0 every cart has a good card, 1 one has not, 2 usage, 3 configuration
"""


def add_write(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb `write`."""
    parser = _verb(subparsers, "write", "write an image to a card, and read it back", WRITE_TEXT)
    parser.add_argument("image", type=Path, help="the image: .img, or .img.xz")
    parser.add_argument("device", help="the card's device, such as /dev/sdX")
    parser.add_argument("--check", action="store_true", help="write nothing: compare the card with the image")
    parser.add_argument("--sha256", type=sha256, help="hash that the unpacked image must have")
    parser.add_argument("--manifest", type=Path, help="manifest of the image (default: the one beside it)")
    parser.add_argument(
        "--map",
        type=Path,
        metavar="BMAP",
        help="write only the blocks of this map. Only for a map made from the file systems' own bitmaps: with one made "
        "from the holes of a file, the card keeps old bytes where the image has zeros",
    )
    _add_common(parser)
    parser.set_defaults(run=run_write)


def add_fleet(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb `fleet`."""
    parser = _verb(subparsers, "fleet", "write a card for each cart of a table", FLEET_TEXT)
    parser.add_argument("carts", type=Path, help="the table: carts.csv")
    parser.add_argument(
        "--base", type=Path, help="image that `build` made; each cart's identity is stamped into a copy"
    )
    parser.add_argument("--common", type=Path, metavar="FILE", help="cart file with what all carts share")
    parser.add_argument("--device", default="", help="the reader's device, for rows that name none")
    parser.add_argument("--again", action="store_true", help="also carts that have a good card")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for Enter before each card")
    _add_common(parser)
    parser.set_defaults(run=run_fleet)


def run_write(args: argparse.Namespace) -> int:
    """Write or check one card; return the exit code."""
    progress = Progress(quiet=args.output == "json")
    options = options_of(args)
    results.check_folder(args.results)
    # What is wrong with the device is told at once, before minutes are spent on reading the image.
    cart = image_facts.cart_of(args.image, args.manifest)
    attempt = one_card.attempt(args.image, args.device, cart)
    result = None if args.check else one_card.refused_at_once(attempt, options, args.results)
    if result is None:
        image, facts = image_facts.gather(
            args.image,
            progress,
            sha256=args.sha256 or "",
            told=args.manifest,
            mapped=args.map,
            look=bool(options.machine),
        )
        job = one_card.Job(image, facts, args.device, options, args.results, cart, args.dry_run, args.restart)
        if args.check:
            result = one_card.check(job, progress)
        else:
            result = one_card.put(job, confirmation(args.yes, str(args.image)), progress)
    print(json.dumps(asdict(result)) if args.output == "json" else told(result))
    return exit_code(result)


def run_fleet(args: argparse.Namespace) -> int:
    """Write a card for each cart; return the exit code."""
    results.check_folder(args.results)
    progress = Progress(quiet=args.output == "json")
    plan = fleet.Plan(
        rows=fleet_table.read_rows(args.carts, args.device, args.common),
        options=options_of(args),
        folder=args.results,
        base=args.base,
        again=args.again,
        dry_run=args.dry_run,
        restart=args.restart,
    )
    wait = fleet.no_wait if args.no_wait or not sys.stdin.isatty() else fleet.wait_for_card
    made = fleet.run(plan, lambda row: confirmation((*args.yes, row.serial), row.cart), wait, progress)
    if args.output == "json":
        print(json.dumps([asdict(result) for result in made], indent=2))
    else:
        print("\n".join(told(result) for result in made) or "every cart has a good card already")
    return EXIT_OK if fleet.complete(plan, made) else EXIT_FAILED


def options_of(args: argparse.Namespace) -> Options:
    """Return what the command line allows."""
    machine = "" if args.machine == "any" else args.machine
    given_up = frozenset(args.overwrite)
    return Options(args.max_size, args.allow_fixed, args.allow_loop, machine=machine, given_up=given_up)


def confirmation(agreed: tuple[str, ...] | list[str], what: str) -> Callable[[Target], bool]:
    """Return what asks a person before `what` is written: shows the device, and takes only its serial for a yes.

    agreed  serials given beforehand; with any of them nobody is asked
    """

    def ask(target: Target) -> bool:
        given = [serial for serial in agreed if serial]
        if given or not sys.stdin.isatty():
            return target.word in given
        print(f"{described(target)}\n{what} goes there, and all that is on it is lost.", file=sys.stderr)
        print(f"Type {target.word} to write it: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() == target.word

    return ask


def described(target: Target) -> str:
    """Return what a person has to see of a device: model, serial, size, and what is on it."""
    identity = target.identity
    bus = target.transport or ("removable" if target.removable else "no known bus")
    serial = f"serial {identity.serial}" if identity.serial else "no serial"
    lines = [f"{target.path}: {identity.model or 'no model'}, {serial}, {size_text(target.size_bytes)}, {bus}"]
    for part in target.partitions:
        system, label = part.file_system or "no file system", f'"{part.label}"' if part.label else "no label"
        lines.append(f"  {part.name:<12} {size_text(part.size_bytes):>10}  {system}, {label}")
    return "\n".join(lines if target.partitions else [*lines, "  no partitions"])


def told(result: CardResult) -> str:
    """Return the result as a person reads it."""
    name = f"{result.cart}: " if result.cart else ""
    device = " ".join(filter(None, (result.device, result.model, result.serial)))
    if result.verdict == results.OK:
        went_on = f", gone on with at {size_text(result.resumed_bytes)}" if result.resumed_bytes else ""
        return (
            f"{name}ok: {result.image} is on {device}: written in {result.write_ms / 1_000:.1f} s{went_on},"
            f" read back in {result.read_back_ms / 1_000:.1f} s"
        )
    if result.verdict == results.CHECKED:
        return f"{name}ok: {device} holds {result.image}"
    meaning = f"{FAULTS[result.code].meaning}\n" if result.code in FAULTS else ""
    why = "\n".join(f"  {line}" for line in (meaning + result.detail).splitlines())
    return f"{name}{result.verdict}: {result.image} to {device}{f': {result.code}' if result.code else ''}\n{why}"


def exit_code(result: CardResult) -> int:
    """Return 0 for a good card, 1 for a refusal, and a fault's own code."""
    if result.good:
        return EXIT_OK
    return FAULTS[result.code].exit_code if result.code in FAULTS else EXIT_FAILED


def size_text(size_bytes: int) -> str:
    """Return a size as it is printed on cards: decimal."""
    return f"{size_bytes / 10**9:.1f} GB" if size_bytes >= 10**9 else f"{size_bytes / 10**6:.1f} MB"


def _verb(subparsers: argparse._SubParsersAction, name: str, line: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=line, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", metavar="SERIAL", action="append", default=[], help="for scripts: the serial to erase")
    parser.add_argument("--dry-run", action="store_true", help="say what would be refused, and write nothing")
    parser.add_argument(
        "--max-size", type=_size, default=MAX_SIZE_BYTES, metavar="SIZE", help="largest device (default 256GB)"
    )
    parser.add_argument("--allow-fixed", action="store_true", help="also a device that is not removable, USB or MMC")
    parser.add_argument("--allow-loop", action="store_true", help="also a loop device, for trials")
    parser.add_argument("--machine", default=MACHINE, help="what the image must be built for (any: do not look)")
    parser.add_argument(
        "--overwrite",
        metavar="CART",
        action="append",
        default=[],
        help="also the finished card of this cart; its result is marked as overwritten",
    )
    parser.add_argument("--restart", action="store_true", help="begin at the start, not where a write was interrupted")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help=f"where results go (default {RESULTS}/)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the result")


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([MGT]?B?)", text.strip().upper())
    if not found or found[2] not in UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64GB")
    return int(found[1]) * UNITS[found[2]]


def sha256(text: str) -> str:
    """Return a hash as it is compared, for argparse."""
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("a sha256 has 64 hexadecimal digits")
    return text.lower()
