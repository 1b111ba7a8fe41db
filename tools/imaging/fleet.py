"""Many cards in an afternoon: a row of carts.csv after the other becomes an image with its identity, and a card."""

import csv
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.imaging import cart_file, image_facts, one_card, results, stamp
from tools.imaging.cart_file import CartFile
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options, decide
from tools.imaging.results import CardResult
from tools.imaging.targets import Identity, collect

ROWS_MAX = 10_000
OWN_COLUMNS = ("device", "serial", "image")  # the others are those of tools.imaging.cart_file
GO, SKIP, STOP = "go", "skip", "stop"


@dataclass(frozen=True, slots=True)
class Row:
    """One cart.

    device  where its card is written
    serial  the card or reader that must be there, "" for any that a person confirms
    image   an image that is stamped already, or None: one is stamped from the base
    file    what is stamped, or None
    """

    cart: str
    device: str
    serial: str = ""
    image: Path | None = None
    file: CartFile | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run should do."""

    rows: tuple[Row, ...]
    options: Options
    folder: Path
    base: Path | None = None
    again: bool = False
    dry_run: bool = False
    restart: bool = False


# Asked before each card, with what became of it when it is tried again; answers GO, SKIP or STOP.
Wait = Callable[[Row, CardResult | None], str]


def read_rows(path: Path, device: str, common: Path | None = None) -> tuple[Row, ...]:
    """Return the carts of a table, each checked; Fault FLEET-BAD or IMAGE-CART-FILE names what cannot be used.

    device  for rows that name none
    common  a cart file that says what all carts have in common
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Fault("FLEET-BAD", f"{path}: {error}") from None
    if not lines or len(lines) > ROWS_MAX:
        raise Fault("FLEET-BAD", f"{path} has {len(lines)} carts; 1 to {ROWS_MAX} are taken")
    shared = cart_file.load_tables(common) if common else {}
    rows = tuple(_row(path, number, line, device, shared) for number, line in enumerate(lines, 2))
    carts = [row.cart for row in rows]
    twice = sorted({cart for cart in carts if carts.count(cart) > 1})
    if twice:
        raise Fault("FLEET-BAD", f"{path} names a cart twice: {', '.join(twice)}")
    return rows


def run(plan: Plan, confirm_for: Callable[[Row], one_card.Confirm], wait: Wait, progress: Progress) -> list[CardResult]:
    """Return the results of all attempts of this run; a card that fails does not keep the next cart from its card."""
    lacking = [row.cart for row in plan.rows if row.image is None]
    if plan.base is None and lacking:
        raise Fault("FLEET-BAD", f"{lacking[0]}: its row names no image, and no --base is given")
    done = set() if plan.again else carts_done(plan.folder)
    made: list[CardResult] = []
    used: frozenset[Identity] = frozenset()
    for row in plan.rows:
        if row.cart in done:
            progress.say(f"{row.cart}: has a good card already")
            continue
        result = None
        while (answer := wait(row, result)) == GO:
            result = _one(replace(plan, options=replace(plan.options, used=used)), row, confirm_for(row), progress)
            made.append(result)
            if result.verdict == results.OK:
                used |= {collect(row.device).identity}
            if result.good or wait is no_wait:
                break
        if answer == STOP:
            break
    return made


def carts_done(folder: Path) -> set[str]:
    """Return the carts that have a good card."""
    return {result.cart for result in results.all_of(folder) if result.verdict == results.OK}


def complete(plan: Plan, made: list[CardResult]) -> bool:
    """Return True when every cart of the table has a good card, by this run or an earlier one."""
    good = {result.cart for result in made if result.good} | (set() if plan.again else carts_done(plan.folder))
    return all(row.cart in good for row in plan.rows)


def no_wait(_row: Row, _result: CardResult | None) -> str:
    """Go on at once: the cards are all in their readers."""
    return GO


def wait_for_card(row: Row, result: CardResult | None) -> str:
    """Ask a person to change the card, or what to do about one that is no good."""
    if result is not None:
        print(f"{row.cart}: {result.verdict} {result.code}\n{result.detail}", file=sys.stderr)
    verb = "Put the card for" if result is None else "Try again for"
    prompt = f"{verb} {row.cart} in {row.device} and press Enter (s: skip this cart, q: stop): "
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return {"s": SKIP, "q": STOP, "": GO}.get(line.strip().lower(), SKIP) if line else STOP


def _one(plan: Plan, row: Row, confirm: one_card.Confirm, progress: Progress) -> CardResult:
    """Make the cart's image and write it; faults on the way become its result."""
    attempt = one_card.attempt(row.image or plan.base or Path(), row.device, row.cart)
    try:
        target = collect(row.device)
        refusals = decide(target, None, plan.options)
        if refusals:
            return _stored(plan, one_card.refused(one_card.of_target(attempt, target), refusals))
        with _image_of(plan, row, progress) as path:
            image, facts = image_facts.gather(path, progress, look=bool(plan.options.machine))
            job = one_card.Job(
                image, facts, row.device, plan.options, plan.folder, row.cart, plan.dry_run, plan.restart
            )
            return one_card.put(job, confirm, progress)
    except Fault as fault:
        if fault.code == "CARD-RESULTS":
            raise  # no result could be kept of the next card either
        return _stored(plan, replace(attempt, code=fault.code, detail=fault.detail))


@contextmanager
def _image_of(plan: Plan, row: Row, progress: Progress) -> Iterator[Path]:
    """Yield the cart's image; one that is stamped here holds secrets and is deleted after use."""
    if row.image is not None:
        yield row.image
        return
    assert row.file is not None
    assert plan.base is not None
    # Beside the base, so that a file system that can share blocks need not copy them; nobody else may look in.
    with tempfile.TemporaryDirectory(prefix="cart-fleet-", dir=plan.base.absolute().parent) as folder:
        out = Path(folder) / f"{row.cart}.img"
        stamp.stamp(stamp.Order(plan.base, row.file, out), progress)
        yield out


def _stored(plan: Plan, result: CardResult) -> CardResult:
    results.add(plan.folder, result)
    return result


def _row(path: Path, number: int, line: dict, device: str, shared: dict[str, Any]) -> Row:
    if None in line or None in line.values():
        raise Fault("FLEET-BAD", f"{path}:{number}: it has more or fewer values than there are columns")
    values = {str(name).strip(): value.strip() for name, value in line.items()}
    own = {name: values.pop(name, "") for name in OWN_COLUMNS}
    cart, device = values.get("cart", ""), own["device"] or device
    if not cart:
        raise Fault("FLEET-BAD", f"{path}:{number}: no value in the column `cart`")
    if not device:
        raise Fault("FLEET-BAD", f"{path}:{number}: no device: give the column `device`, or --device")
    if own["image"]:
        return Row(cart, device, own["serial"], image=path.parent / own["image"])
    return Row(cart, device, own["serial"], file=cart_file.from_row(values, path.parent, shared))
