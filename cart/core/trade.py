"""Produce by tare, then weigh: taps and readings in, a line with its alibi record out.

    weigh PRODUCT -> tare -> put it in -> the screen shows weight, unit price and price -> price -> line

The line's mass and price come from `legal.trade_weight` alone. The change of load that the basket saw is only asked
whether there was one: what lands after the tare is this weighing's (`weighing.holds`), so that no scan explains it.
A sealed build prices nothing by weight in any other way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cart.core import basket, judge, legal, lives, session, taps
from cart.core.catalog import WEIGHT, Product
from cart.core.effects import Effect, KeepCrop, Note
from cart.core.events import (
    CellAccelerated,
    CellFault,
    CellIdentified,
    Event,
    LoadSampled,
    Restored,
    SourceLost,
    Tapped,
    Tick,
)
from cart.core.evidence import Look, look_at, suggestions, support_millinat
from cart.core.legal_reading import Scale
from cart.core.legal_record import Alibi, LegalEvent, TradeWeight
from cart.core.legal_rules import TARE, TRADE
from cart.core.reminders import passing
from cart.core.state import Live, State
from cart.core.trade_view import changes, held, lies_unexplained, product_of, weighed, world_of
from cart.core.trip import LINES_MAX
from cart.core.weighing import Weighing

Done = tuple[State, tuple[Effect, ...]]

CONTRADICTED_MILLINAT = -2_300
"""One to ten: the shopper's word stands, since the name was on the screen, and staff see it."""


def followed(state: State, event: Event) -> Done:
    """Return the state after any event, as far as trade weighing cares: readings, time, and the end of a weighing."""
    setup, world = state.setup, world_of(state)
    match event:
        case LoadSampled() | CellAccelerated() | CellIdentified():
            cell = setup.calibration
            # Of a sealed scale the record says the rate: no key of cart.toml makes its half second of rest shorter.
            samples_per_s = setup.legal.samples_per_s or setup.weight.samples_per_s
            scale = Scale(cell.counts_per_kg, cell.zero_counts, samples_per_s, cell.trims_ppm)
            state = replace(state, legal=legal.heard(state.legal, event, setup.legal, scale, world))
        case Tick():
            state = replace(state, legal=legal.ticked(state.legal, setup.legal, world))
        case CellFault(code="GARBAGE") | SourceLost(name="scale"):
            state = replace(state, legal=legal.lost(state.legal))
        case Restored():
            state = _restored(state, event)
        case _:
            pass
    return _ended(state)


# -- taps --------------------------------------------------------------------------------


def weigh(state: State, event: Tapped) -> Done:
    """Open the weighing of a product that is sold by weight."""
    product = state.setup.catalog.product(event.value)
    return open_weighing(state, product) if product is not None else (state, ())


def open_weighing(state: State, product: Product) -> Done:
    """Return the state in which this product is weighed; its waiting pick becomes the weighing."""
    if state.trip.phase not in ("shopping", "closing") or product.sold_by != WEIGHT:
        return state, ()
    phase = session.after(state.trip.phase, session.RESUME)
    picks = tuple(x.id for x in state.trip.scans if x.product_id == product.id and x.source == "pick")
    trip = replace(basket.remove_scans(state.trip, picks), prompt=None, phase=phase)
    return replace(_closed(state), trip=trip, weighing=Weighing(product.id)), ()


def tare(state: State, event: Tapped) -> Done:
    """Take the present load as tare, once for one weighing; the screen says why where it is refused."""
    if state.weighing is None:
        return state, ()
    why = lies_unexplained(state)
    if not why:
        legal_state, why = legal.tare(state.legal, state.setup.legal, world_of(state))
    if why:
        return state, (_refused(TARE, why),)
    return replace(state, legal=legal_state, weighing=replace(state.weighing, tared_ns=state.t_ns)), ()


def price(state: State, event: Tapped) -> Done:
    """Make the line at the price that the shopper saw; anything else than that price is refused."""
    product, shown = product_of(state), weighed(state)
    if product is None or shown is None:
        return state, ()
    weight, why = legal.trade_weight(state.legal, state.setup.legal, world_of(state))
    claims = held(state)
    if not why and not claims:
        why = "moving"  # the change of load has not been told yet: it would become a second item
    if not why and len(state.trip.lines) >= LINES_MAX:
        why = "too_many_lines"
    if not why and event.value != str(shown.price_minor):
        why = "changed"
    if weight is None or why:
        return passing(state, "weigh_again"), (_refused(TRADE, why),)
    return _line(state, product, weight, claims)


def unweigh(state: State, event: Tapped) -> Done:
    """Leave the weighing; what lies in the cart is judged like anything that was put in."""
    return judge.rejudge_unexplained(_closed(state))


def zero(state: State, event: Tapped) -> Done:
    """Staff say that the cart is empty; only while nobody shops."""
    legal_state, why = legal.zero(state.legal, state.setup.legal, world_of(state))
    if why:
        return passing(state, "zero_refused"), (_refused("zero", why),)
    return replace(state, legal=legal_state), (Note("SCALE-ZERO", "info", f"zero at {legal_state.zero_mg} mg"),)


ACTS: dict[str, Callable[[State, Tapped], Done]] = {
    taps.WEIGH: weigh,
    taps.TARE: tare,
    taps.PRICE: price,
    taps.UNWEIGH: unweigh,
    taps.ZERO: zero,
}
assert ACTS.keys() == taps.WEIGHING_ACTIONS


# -- inside ------------------------------------------------------------------------------


def _line(state: State, product: Product, weight: TradeWeight, claims: tuple[Live, ...]) -> Done:
    """Return the state with the weighed line and its record, which are stored in one transaction."""
    amount, number = legal.price_minor(weight.net_mg, product.price_minor), state.alibi_id + 1
    trip, look = state.trip, _contradicts(state, product, claims[-1])
    for live in claims:
        trip = basket.remove_doubt(trip, live.doubt_id) if live.doubt_id else trip
    trip, line = basket.add_line(
        trip,
        product,
        mass_mg=weight.net_mg,
        amount_minor=amount,
        reason=f"weighed: net {weight.net_mg // 1_000} g, tare {weight.tare_mg // 1_000} g, record {number}",
        step_id=claims[-1].step_id,
        review=look is not None,
        alibi_id=number,
    )
    trip = basket.flag(trip, "mismatch") if look else trip
    state = replace(_closed(state), trip=trip)
    for live in claims:
        state = lives.settle(state, live, state.trip, (line.id,) if live is claims[-1] else ())
    record = Alibi(
        id=number,
        wall_ms=state.wall_ms,
        trip_id=trip.trip_id,
        line_id=line.id,
        product_id=product.id,
        gross_mg=weight.gross_mg,
        tare_mg=weight.tare_mg,
        net_mg=weight.net_mg,
        e_mg=weight.e_mg,
        unit_price_minor=product.price_minor,
        price_minor=amount,
        currency=state.setup.catalog.currency,
        event_counter=state.legal_counter,
        software=state.setup.legal.software,
        for_trade=state.setup.sealed,
        indicator=weight.indicator,
    )
    note = Note("WEIGHED", "info", f"record {number}: {product.id} {line.reason}")
    kept = (KeepCrop(look.track, "mismatch"),) if look else ()
    return replace(state, alibi_id=number, alibis=(*state.alibis, record)), (note, *kept)


def _contradicts(state: State, product: Product, live: Live) -> Look | None:
    """Return the camera's look at what was weighed where it says clearly that it is another product."""
    look = look_at(state.looks, lives.moment_of(state, live))
    best = suggestions(look, state.setup.catalog, limit=1)
    doubted = support_millinat(look, product) <= CONTRADICTED_MILLINAT
    return look if best and best[0] != product and doubted else None


def _restored(state: State, event: Restored) -> State:
    """Take up the counters; what prices rest on has changed since the last record of it: that is recorded."""
    state = replace(state, alibi_id=event.alibi_id, legal_counter=event.legal_counter)
    now = state.setup.legal.parameters
    if now in ("", event.legal_parameters):
        return state
    change = LegalEvent(event.legal_counter + 1, event.wall_ms, event.legal_parameters, now)
    return replace(state, legal_counter=change.counter, legal_events=(*state.legal_events, change))


def _ended(state: State) -> Done:
    """Return the state in which a weighing ends with shopping, and its claim with its tare."""
    if state.weighing is None:
        return state, ()
    if state.trip.phase != "shopping":
        return judge.rejudge_unexplained(_closed(state))
    why = _disturbed(state)
    if why:
        state = replace(state, legal=legal.voided(state.legal, why))
    opened = state.weighing
    if opened is not None and opened.tared_ns and state.legal.tare is None:
        state = replace(state, weighing=replace(opened, tared_ns=0))
        note = Note("TARE-VOID", "info", f"the tare ended: {state.legal.voided}")
        state, effects = judge.rejudge_unexplained(state)
        return state, (note, *effects)
    return state, ()


def _disturbed(state: State) -> str:
    """Return what the basket knows of that ends the tare, "" for nothing.

    One thing is weighed at a time, also where two follow so fast that nothing rests between them; and what was scanned
    since the tare is probably what was put in.
    """
    since_ns = state.weighing.tared_ns if state.weighing else 0
    if since_ns and any(x.source == "code" and x.t_ns >= since_ns for x in state.trip.scans):
        return "scan"
    return "load" if len(changes(state)) > 1 else ""


def _closed(state: State) -> State:
    return replace(state, weighing=None, legal=legal.cleared(state.legal)) if state.weighing else state


def _refused(act: str, why: str) -> Note:
    return Note("WEIGH-REFUSED", "info", f"{act}: {why}")
