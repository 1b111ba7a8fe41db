"""Many cards in an afternoon: a row of carts.csv after the other becomes an image with its identity, and a card."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cart.faults import Fault
from tools.imaging import (
    copying,
    facts,
    fleet_table,
    identity,
    image_facts,
    manifest,
    one_card,
    results,
    stamp,
    workroom,
)
from tools.imaging.fleet_table import Row
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options
from tools.imaging.results import CardResult
from tools.imaging.targets import Identity, Target

GO, SKIP, STOP = "go", "skip", "stop"


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


def run(plan: Plan, confirm_for: Callable[[Row], one_card.Confirm], wait: Wait, progress: Progress) -> list[CardResult]:
    """Return the results of all attempts of this run; a card that fails does not keep the next cart from its card."""
    done = set() if plan.again else carts_done(plan.folder)
    check(plan, [row for row in plan.rows if row.cart not in done])
    made: list[CardResult] = []
    used: frozenset[Identity] = frozenset()
    for row in plan.rows:
        if row.cart in done:
            progress.say(f"{row.cart}: has a good card already")
            continue
        result = None
        while (answer := wait(row, result)) == GO:
            shown: list[Identity] = []
            confirm = _remembered(confirm_for(row), shown)
            result = _one(replace(plan, options=_options(plan, row, used)), row, confirm, progress)
            made.append(result)
            if result.verdict == results.OK:
                used |= set(shown)
            if result.good or wait is no_wait:
                break
        if answer == STOP:
            break
    return made


def check(plan: Plan, rows: list[Row]) -> None:
    """Refuse a table of which a row could not become a card: FLEET-BAD with every reason, before the first card."""
    stamped = [row for row in rows if row.file is not None]
    if stamped and plan.base is None:
        raise Fault("FLEET-BAD", f"{stamped[0].cart}: its row names no image, and no --base is given")
    built = identity.look(facts.opened(plan.base)) if stamped and plan.base else None
    faults = []
    for row in rows:
        try:
            if row.file is not None and built is not None:
                identity.contents(built, row.file)
            else:
                _check_image(row)
        except Fault as fault:
            faults.append(f"{row.cart}: {fault.detail}")
    fleet_table.refuse(faults, "the table")


def carts_done(folder: Path) -> set[str]:
    """Return the carts that have a good card."""
    return {result.cart for result in results.all_of(folder) if result.verdict == results.OK}


def complete(plan: Plan, made: list[CardResult]) -> bool:
    """Return True when every cart of the table has a good card, by this run or an earlier one."""
    done = carts_done(plan.folder)
    # A card of this run that it overwrote again is no card.
    good = {result.cart for result in made if result.good and (plan.dry_run or result.cart in done)}
    return all(row.cart in good | (set() if plan.again else done) for row in plan.rows)


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


def _options(plan: Plan, row: Row, used: frozenset[Identity]) -> Options:
    """Return what is allowed for one cart; who writes all carts again may do so on their own cards."""
    own = {row.cart} if plan.again else set()
    return replace(plan.options, used=used, given_up=plan.options.given_up | own)


def _remembered(confirm: one_card.Confirm, shown: list[Identity]) -> one_card.Confirm:
    """Return what asks as `confirm` does, and keeps the identity that was agreed to in `shown`.

    Only that very card is written, and looking who it was afterwards could meet the next one.
    """

    def ask(target: Target) -> bool:
        agreed = confirm(target)
        if agreed:
            shown.append(target.identity)
        return agreed

    return ask


def _one(plan: Plan, row: Row, confirm: one_card.Confirm, progress: Progress) -> CardResult:
    """Make the cart's image and write it; faults on the way become its result."""
    attempt = one_card.attempt(row.image or plan.base or Path(), row.device, row.cart)
    try:
        if result := one_card.refused_at_once(attempt, plan.options, plan.folder):
            return result
        with _image_of(plan, row, progress) as path:
            image, known = image_facts.gather(path, progress, look=bool(plan.options.machine))
            job = one_card.Job(
                image, known, row.device, plan.options, plan.folder, row.cart, plan.dry_run, plan.restart
            )
            return one_card.put(job, confirm, progress)
    except OSError as error:  # no room for the stamped image, say: the next row may bring its own
        fault = copying.disk_fault(error)
    except Fault as met:
        if met.code == "CARD-RESULTS":
            raise  # no result could be kept of the next card either
        fault = met
    return _stored(plan, replace(attempt, code=fault.code, detail=fault.detail))


def _check_image(row: Row) -> None:
    assert row.image is not None
    if not row.image.is_file():
        raise Fault("FLEET-BAD", f"there is no image {row.image}")
    beside = manifest.beside(row.image, manifest.SUFFIX)
    made_for = manifest.load(beside).get("cart") if beside.is_file() else None
    if made_for and made_for["id"] != row.cart:
        raise Fault("FLEET-BAD", f"{row.image} is the image of {made_for['id']}")


@contextmanager
def _image_of(plan: Plan, row: Row, progress: Progress) -> Iterator[Path]:
    """Yield the cart's image; one that is stamped here holds secrets and is deleted after use."""
    if row.image is not None:
        yield row.image
        return
    assert row.file is not None
    assert plan.base is not None
    # Beside the base, so that a file system that can share blocks need not copy them; nobody else may look in.
    with workroom.room(plan.base) as folder:
        out = folder / f"{row.cart}.img"
        stamp.stamp(stamp.Order(plan.base, row.file, out), progress)
        yield out


def _stored(plan: Plan, result: CardResult) -> CardResult:
    results.add(plan.folder, result)
    return result
