"""What the end of the daemon, or a rolling cart, left half weighed: what it must weigh, and what to do if it does not.

Goods may land while the daemon is down, so the rest of a weighing that was cut short is never simply believed. A piece
is held against its catalogue mass, and what left against what the scale saw arrive. A lot, or a thing that nobody has
named, can be held against nothing: it counts as goods that nobody saw land, which are asked about and weighed again.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

from cart.core import basket, judge, lives
from cart.core.catalog import WEIGHT
from cart.core.effects import Effect, Note
from cart.core.state import Live, State
from cart.core.trip import Line, Scan, Trip
from cart.core.weight import Standstill

SPREADS = 3
"""How many standard deviations a piece may be off its catalogue mass before other goods must have landed with it."""

MISSED_SIGMA_MG = 4_000

# -- over the end of the daemon --------------------------------------------------


def foreseen(state: State) -> tuple[int | None, int]:
    """Return the load to expect once all is weighed, and how much farther than others it may be off, both in mg.

    This is what is stored: after a restart nobody knows more of the weighing that was cut short.
    """
    ahead = [_ahead(state, live) for live in state.lives if not live.final]
    loose_mg = state.loose_mg + sum(spread_mg for _, spread_mg in ahead)
    if state.expected_mg is None:
        return None, loose_mg
    return state.expected_mg + sum(rest_mg for rest_mg, _ in ahead), loose_mg


def _ahead(state: State, live: Live) -> tuple[int, int]:
    """Return what the final weighing of this change will add to the first one, and how far its pieces may be off."""
    if live.gone or live.cleared:
        left_mg = sum(line.mass_mg for line in live.gone) + sum(doubt.delta_mg for doubt in live.cleared)
        return -left_mg - live.delta_mg, 0
    products = [state.setup.catalog.product(x.product_id) for x in state.trip.lines if x.id in live.lines]
    pieces = [x for x in products if x is not None and x.sold_by != WEIGHT]
    if not pieces:
        return 0, 0
    spread_mg = SPREADS * isqrt(MISSED_SIGMA_MG**2 + sum(x.mass_sd_mg**2 for x in pieces))
    beyond_mg = max(0, spread_mg - state.setup.limits.residual_mg)
    return sum(x.mass_mg for x in pieces) - live.delta_mg, beyond_mg


def taken_up(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Return the state of a restored trip: its pieces at their catalogue mass, other half-weighed goods off the books.

    The first standstill finds those, whole, and with them whatever landed meanwhile.
    """
    effects: tuple[Effect, ...] = ()
    for line in [x for x in state.trip.lines if not x.settled]:
        product = state.setup.catalog.product(line.product_id)
        if product is not None and line.sold_by != WEIGHT:
            state = replace(state, trip=basket.change_line(state.trip, replace(line, mass_mg=product.mass_mg)))
        else:
            state = _off_the_books(state, _unnamed(state, line, ()), line.mass_mg)
            effects += (_note(line.name, line.mass_mg),)
    for doubt in [x for x in state.trip.doubts if not x.settled]:
        state = _off_the_books(state, basket.remove_doubt(state.trip, doubt.id), doubt.delta_mg)
        effects += (_note("a change", doubt.delta_mg),)
    return state, effects


def _note(what: str, mass_mg: int) -> Note:
    return Note("HALF-WEIGHED", "info", f"{what} of {mass_mg // 1000:+d} g was still being weighed")


# -- at a standstill -------------------------------------------------------------


def settled(state: State, rest: Standstill) -> State:
    """Return the state after a standstill that fits the books within noise: the masses are final.

    What little it differs by belongs to the one line that was half weighed; of several, it is known of none, and a lot
    among them is weighed again. A standstill that was cut short itself says nothing of a lot.
    """
    assert state.expected_mg is not None
    lines = _waiting(state)
    lots = any(line.sold_by == WEIGHT for line in lines)
    if lots and rest.sigma_mg > judge.CERTAIN_SIGMA_MG:
        return state
    if lots and len(lines) > 1:
        return unbooked(state)
    off_mg = rest.gross_mg - state.expected_mg
    for line in lines:
        product = state.setup.catalog.product(line.product_id)
        if product is not None:
            mass_mg = line.mass_mg + (off_mg if len(lines) == 1 else 0)
            trip = basket.change_line(state.trip, judge.weighed(state, line, product, mass_mg, True))
            state = _known_better(replace(state, trip=trip), line, mass_mg, rest.sigma_mg)
    return replace(state, expected_mg=rest.gross_mg, loose_mg=0)


def _known_better(state: State, line: Line, mass_mg: int, sigma_mg: int) -> State:
    """Return the state whose change that brought this line, and no other, is as heavy as the standstill says.

    Else evidence that comes later, and makes the line anew, would make it of what the step weighed in haste.
    """
    live = next((x for x in state.lives if x.lines == (line.id,)), None)
    if live is None:
        return state
    return lives.with_live(state, replace(live, delta_mg=mass_mg, sigma_mg=sigma_mg, standing=True))


def unbooked(state: State) -> State:
    """Return the state in which half-weighed lots are off the books: the standstill finds them, whole.

    A piece keeps its mass, so that what landed with it stands out.
    """
    for line in _waiting(state):
        if line.sold_by != WEIGHT:
            state = replace(state, trip=basket.change_line(state.trip, replace(line, settled=True)))
            continue
        bringer = next((live for live in state.lives if line.id in live.lines), None)
        trip = _unnamed(state, line, bringer.scans if bringer else ())
        state = replace(state, lives=tuple(live for live in state.lives if live is not bringer))
        state = _off_the_books(state, trip, line.mass_mg)
    return replace(state, loose_mg=0)


def blurred_lots(state: State) -> tuple[Line, ...]:
    """Return the lots that no sharp standstill has weighed yet: their price may still be off by more than half e."""
    return tuple(line for line in _waiting(state) if line.sold_by == WEIGHT)


def missed_sigma_mg(state: State) -> int:
    """Return the standard deviation of a missed change: the scale's, and that of the pieces that were half weighed."""
    pieces = [state.setup.catalog.product(x.product_id) for x in _waiting(state) if x.sold_by != WEIGHT]
    return isqrt(MISSED_SIGMA_MG**2 + sum(x.mass_sd_mg**2 for x in pieces if x is not None))


def _waiting(state: State) -> tuple[Line, ...]:
    """Return the lines whose mass is not final and which no change is still weighing."""
    weighing = {line_id for live in state.lives if not live.final for line_id in live.lines}
    return tuple(line for line in state.trip.lines if not line.settled and line.id not in weighing)


def _unnamed(state: State, line: Line, scans: tuple[Scan, ...]) -> Trip:
    """Return the trip without this line; the name that was given for it waits for its goods once more."""
    trip = basket.remove_lines(state.trip, (line.id,))
    if not scans:
        return basket.add_scan(trip, Scan(0, line.product_id, "pick", state.t_ns))
    return basket.restore_scans(trip, tuple(replace(scan, t_ns=state.t_ns) for scan in scans))


def _off_the_books(state: State, trip: Trip, mass_mg: int) -> State:
    expected_mg = None if state.expected_mg is None else state.expected_mg - mass_mg
    return replace(state, trip=trip, expected_mg=expected_mg)
