"""The command line of `./tools/boot_test.py`."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cart.__main__ import describe
from cart.faults import EXIT_OK, Fault
from tools.booting import board, carted, debian, disk, journey, needs, shopping
from tools.booting.cell import Cell
from tools.booting.store import Store

CACHE = Path("~/.cache/smart-cart/boot")
CART = "boot-1"
SCREEN_PORT = 18_080
SEED = 3


def main(argv: list[str] | None = None, description: str | None = None) -> int:
    """Run the test, or only prepare it; a Fault is printed with its next step."""
    args = _parser(description).parse_args(argv)
    cache: Path = args.cache.expanduser()
    lacking = needs.missing(guest_cached=debian.is_cached(cache))
    if lacking:
        return _lacks(lacking, optional=args.optional)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        kernel, stock = debian.kernel(cache, _say), disk.stock_image(cache, args.port, _say)
        if args.prepare:
            _say(f"ready: {cache}")
            return EXIT_OK
        with _log(args.log) as log, tempfile.TemporaryDirectory(prefix="boot-") as folder:
            _test(args, kernel, stock, Path(folder), log)
            return EXIT_OK
    except Fault as fault:
        print(_described(fault), file=sys.stderr)
        return fault.text.exit_code
    except KeyboardInterrupt:
        return 130


def _test(args: argparse.Namespace, kernel: debian.Kernel, stock: Path, folder: Path, log: IO[str]) -> None:
    """Make the cart's image and let the shopper shop; what is started is ended."""

    def say(line: str) -> None:
        _say(line)
        print(f"== {line}", file=log, flush=True)

    with contextlib.ExitStack() as ending:
        if args.keep:
            ending.callback(_keep, folder, args.keep)
        store, cell = Store(folder / "store"), Cell(SEED)
        ending.callback(store.close)
        ending.callback(cell.stop)
        store.open()
        trip = journey.Journey(store, cell, CART, args.patience, say)
        wanted = carted.Wanted(CART, board.HOST_SEEN_FROM_GUEST, store.port, args.port, store.public_key)
        card = carted.make(stock, wanted, args.cache.expanduser(), folder, trip.step)
        machine = journey.Machine(kernel, disk.kernel_words(card), args.port, folder, log)
        try:
            trip.run(machine, card, shopping.Customer(cell, args.port, args.patience, say))
        finally:
            for fact in trip.facts:
                say(fact)
    say(f"PASSED in {trip.total_s:.0f} s")


def _lacks(lacking: needs.Missing, *, optional: bool) -> int:
    """Say what is missing; with `optional` that is no failure."""
    fault = Fault("BOOT-MISSING", f"\n{lacking.remedy()}")
    print(_described(fault), file=sys.stderr)
    if optional:
        print("SKIPPED: the boot test did not run")
        return EXIT_OK
    return fault.text.exit_code


def _keep(folder: Path, kept: Path) -> None:
    """Move what the test worked with to where it stays."""
    kept.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if not path.is_socket():
            shutil.move(path, kept / path.name)


def _described(fault: Fault) -> str:
    return describe(fault).replace("cart: ", "boot_test: ", 1)


@contextlib.contextmanager
def _log(path: Path | None) -> Iterator[IO[str]]:
    """Open the log of the guest's console; without a name it is thrown away."""
    with (path or Path("/dev/null")).open("w", encoding="utf-8") as log:
        yield log


def _say(line: str) -> None:
    print(line, flush=True)


def _interrupted(*_: object) -> None:
    """End like Ctrl-C, so that whatever runs ends, too."""
    raise KeyboardInterrupt


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="boot_test", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prepare", action="store_true", help="only make what is cached; needs root once")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the guest's console and the test's times here")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep cards, ledger and the store's logs here")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=SCREEN_PORT, help="of the cart's screen (default %(default)s)")
    parser.add_argument("--optional", action="store_true", help="missing programs are no failure: say SKIPPED")
    parser.add_argument(
        "--patience", type=float, default=1.0, metavar="TIMES", help="multiplies every limit in time (default 1)"
    )
    return parser
