"""The basket: pure operations on the lines, scans and doubts of a trip.

Each returns a new trip. Nothing here decides; `judge.py` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cart.core.catalog import WEIGHT, Product
from cart.core.trip import LINES_MAX, Doubt, Entry, Gone, Line, Option, Prompt, Scan, Trip

LANDED_MAX = 8

GONE_NS = 60_000_000_000
"""How long a line that was taken out can simply be put back."""

GONE_MAX = 32
"""Most lines that can be put back; the oldest is forgotten, and would be asked about as an unscanned thing."""

TAPS_MAX = 32
"""How many idempotency keys a trip remembers."""


def total_minor(trip: Trip) -> int:
    """Return what the lines cost together."""
    return sum(line.amount_minor for line in trip.lines)


def add_line(
    trip: Trip,
    product: Product,
    *,
    mass_mg: int,
    amount_minor: int,
    reason: str,
    step_id: int,
    review: bool = False,
    settled: bool = True,
    alibi_id: int = 0,
) -> tuple[Trip, Line]:
    """Return the trip with one more line, and that line. The basket must have room."""
    assert len(trip.lines) < LINES_MAX
    line = Line(
        id=trip.next_id,
        product_id=product.id,
        name=product.name,
        sold_by=product.sold_by,
        mass_mg=mass_mg,
        unit_price_minor=product.price_minor,
        amount_minor=amount_minor,
        reason=reason,
        step_id=step_id,
        review=review,
        settled=settled,
        alibi_id=alibi_id,
    )
    return replace(trip, lines=(*trip.lines, line), next_id=trip.next_id + 1), line


def shares_mg(delta_mg: int, products: Sequence[Product]) -> list[int]:
    """Return the measured mass shared out in proportion to the catalogue masses."""
    if len(products) == 1 or any(product.sold_by == WEIGHT for product in products):
        return [delta_mg] * len(products)
    total_mg = sum(product.mass_mg for product in products)
    shares = [delta_mg * product.mass_mg // total_mg for product in products]
    shares[-1] += delta_mg - sum(shares)
    return shares


def change_line(trip: Trip, line: Line) -> Trip:
    """Return the trip with the line of this id replaced."""
    return replace(trip, lines=tuple(line if old.id == line.id else old for old in trip.lines))


def remove_lines(trip: Trip, ids: tuple[int, ...]) -> Trip:
    """Return the trip without these lines."""
    return replace(trip, lines=tuple(line for line in trip.lines if line.id not in ids))


def restore_lines(trip: Trip, lines: tuple[Line, ...]) -> Trip:
    """Return the trip with lines that had been removed, in their old places."""
    return replace(trip, lines=tuple(sorted((*trip.lines, *lines), key=lambda line: line.id)))


def take_lines(trip: Trip, ids: tuple[int, ...], t_ns: int) -> Trip:
    """Return the trip without these lines, which were taken out at `t_ns` and may come back."""
    taken = tuple(Gone(t_ns, line) for line in trip.lines if line.id in ids)
    return replace(remove_lines(trip, ids), gone=(*trip.gone, *taken)[-GONE_MAX:])


def await_back(trip: Trip, doubt: Doubt, product: Product, t_ns: int, step_id: int) -> Trip:
    """Return the trip that knows: what was in doubt is this product, and it was lifted out to be weighed again.

    Lifted out once more, as nobody saw it come back, it is still one thing.

    step_id  the change in which it left
    """
    mass_mg, price_minor = doubt.delta_mg, product.price_minor
    line = Line(trip.next_id, product.id, product.name, product.sold_by, mass_mg, price_minor, 0, doubt.reason, step_id)
    others = tuple(x for x in trip.gone if x.line.product_id != product.id or x.line.amount_minor)
    return replace(trip, gone=(*others, Gone(t_ns, line))[-GONE_MAX:], next_id=trip.next_id + 1)


def expect_none(trip: Trip, step_id: int) -> Trip:
    """Return the trip that waits for nothing to come back which left in doubt in this change."""
    return replace(trip, gone=tuple(x for x in trip.gone if x.line.amount_minor or x.line.step_id != step_id))


def forget_gone(trip: Trip, t_ns: int) -> Trip:
    """Return the trip without the lines that have been out too long to come back; itself if there are none."""
    left = tuple(x for x in trip.gone if t_ns - x.t_ns < GONE_NS)
    return trip if len(left) == len(trip.gone) else replace(trip, gone=left)


def add_scan(trip: Trip, scan: Scan) -> Trip:
    """Return the trip with one more waiting scan; its id is set here."""
    scan = replace(scan, id=trip.next_id)
    return replace(trip, scans=(*trip.scans, scan), next_id=trip.next_id + 1)


def change_scan(trip: Trip, scan: Scan) -> Trip:
    """Return the trip with the scan of this id replaced."""
    return replace(trip, scans=tuple(scan if old.id == scan.id else old for old in trip.scans))


def first_named(trip: Trip, product_id: str) -> tuple[int, ...]:
    """Return the number of the oldest name that was given by hand for this product, if one waits."""
    return tuple(scan.id for scan in trip.scans if scan.source != "code" and scan.product_id == product_id)[:1]


def use_scans(trip: Trip, ids: tuple[int, ...]) -> Trip:
    """Return the trip whose scans of these ids have found their items."""
    used = tuple(scan for scan in trip.scans if scan.id in ids)
    return replace(remove_scans(trip, ids), landed=(*trip.landed, *used)[-LANDED_MAX:])


def remove_scans(trip: Trip, ids: tuple[int, ...]) -> Trip:
    """Return the trip without these scans."""
    return replace(trip, scans=tuple(scan for scan in trip.scans if scan.id not in ids))


def restore_scans(trip: Trip, scans: tuple[Scan, ...]) -> Trip:
    """Return the trip with scans that had been used, in their old places."""
    ids = {scan.id for scan in scans}
    landed = tuple(scan for scan in trip.landed if scan.id not in ids)
    scans = tuple(sorted((*trip.scans, *scans), key=lambda scan: scan.id))
    return replace(trip, scans=scans, landed=landed)


def add_doubt(trip: Trip, doubt: Doubt) -> tuple[Trip, Doubt]:
    """Return the trip with one more doubt, and that doubt; its id is set here."""
    doubt = replace(doubt, id=trip.next_id)
    return replace(trip, doubts=(*trip.doubts, doubt), next_id=trip.next_id + 1), doubt


def change_doubt(trip: Trip, doubt: Doubt) -> Trip:
    """Return the trip with the doubt of this id replaced."""
    return replace(trip, doubts=tuple(doubt if old.id == doubt.id else old for old in trip.doubts))


def remove_doubt(trip: Trip, doubt_id: int) -> Trip:
    """Return the trip without this doubt, the prompt that asked about it, and the flag that only it stood for."""
    gone = doubt_of(trip, doubt_id)
    prompt = trip.prompt if trip.prompt and trip.prompt.doubt_id != doubt_id else None
    doubts = tuple(doubt for doubt in trip.doubts if doubt.id != doubt_id)
    trip = replace(trip, doubts=doubts, prompt=prompt)
    if gone is None or gone.kind != "flagged" or gone.product_id:
        return trip  # a mismatch stays on the record: somebody insisted, or nobody answered
    left = {flag_of(doubt) for doubt in doubts if doubt.kind == "flagged" and not doubt.product_id}
    return replace(trip, flags=tuple(x for x in trip.flags if x != flag_of(gone) or x in left))


def flag_of(doubt: Doubt) -> str:
    """Return the flag of a doubt that nobody explained in time."""
    return "unscanned" if doubt.delta_mg > 0 else "missing"


def doubt_of(trip: Trip, doubt_id: int) -> Doubt | None:
    """Return the doubt of this id, or None."""
    return next((doubt for doubt in trip.doubts if doubt.id == doubt_id), None)


def ask(trip: Trip, doubt: Doubt, kind: str, options: tuple[Option, ...], args: tuple[str, ...]) -> Trip:
    """Return the trip with this prompt on the screen; the doubt remembers how often it was asked."""
    doubt = replace(doubt, asked=doubt.asked + 1)
    prompt = Prompt(trip.next_id, kind, doubt.id, options, args, doubt.asked)
    trip = change_doubt(trip, doubt)
    return replace(trip, prompt=prompt, next_id=trip.next_id + 1, asked=trip.asked + 1)


def flag(trip: Trip, code: str) -> Trip:
    """Return the trip with a code that staff and the store must see."""
    return trip if code in trip.flags else replace(trip, flags=(*trip.flags, code))


def remember_tap(trip: Trip, key: str) -> Trip:
    """Return the trip that knows this idempotency key; the oldest is forgotten."""
    return replace(trip, taps=(*trip.taps, key)[-TAPS_MAX:]) if key else trip


def journal(before: Trip, after: Trip) -> tuple[Entry, ...]:
    """Return what changed from one trip to the next, as journal entries in a fixed order."""
    entries: list[Entry] = []
    if before.phase != after.phase:
        entries.append(Entry("phase", text=f"{before.phase} -> {after.phase}"))
    old, new = {x.id: x for x in before.lines}, {x.id: x for x in after.lines}
    for line in before.lines:
        if line.id not in new:
            entries.append(Entry("line_removed", line.id, line.product_id, -line.amount_minor))
    for line in after.lines:
        was = old.get(line.id)
        if was is None:
            entries.append(_line_entry("line_added", line, line.amount_minor))
        elif was != line:
            entries.append(_line_entry("line_changed", line, line.amount_minor - was.amount_minor))
    entries += _set_entries("scan", before.scans, after.scans)
    entries += _set_entries("doubt", before.doubts, after.doubts)
    entries += [Entry("flag", text=code) for code in after.flags if code not in before.flags]
    if after.prompt and after.prompt != before.prompt:
        entries.append(Entry("asked", after.prompt.doubt_id, text=after.prompt.kind))
    return tuple(entries)


def _line_entry(kind: str, line: Line, amount_minor: int) -> Entry:
    return Entry(kind, line.id, line.product_id, amount_minor, line.reason)


def _set_entries(what: str, before: tuple[Scan | Doubt, ...], after: tuple[Scan | Doubt, ...]) -> list[Entry]:
    old, new = {x.id for x in before}, {x.id for x in after}
    gone = [Entry(f"{what}_gone", x.id, x.product_id) for x in before if x.id not in new]
    came = [Entry(f"{what}_new", x.id, x.product_id) for x in after if x.id not in old]
    return gone + came
