"""What the shopper's taps, the panel and the exit do. Nothing here charges but `left`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cart.core import basket, judge, lives, session, taps, trade
from cart.core.catalog import WEIGHT
from cart.core.effects import CommitSale, Effect, Note
from cart.core.events import ExitSeen, PanelPressed, Tapped
from cart.core.pricing import amount_minor
from cart.core.reminders import passing
from cart.core.state import State
from cart.core.trip import LINES_MAX, Doubt, Scan, Trip

Done = tuple[State, tuple[Effect, ...]]

REST_SPREADS = 4
"""How many standard deviations of a piece's mass the rest of a change must exceed to be another thing."""

START_WAIT_NS = 10_000_000_000
"""How long a touch on start waits for the first rest of the empty cart."""


def tapped(state: State, event: Tapped) -> Done:
    """Return the state after a tap; a repeated key acts once, an unknown action not at all."""
    if event.key and event.key in state.trip.taps:
        return state, ()
    act = _ACTS.get(event.action)
    if act is None:
        return state, (Note("TAP-UNKNOWN", "warning", f"unknown action {event.action[:40]!r}"),)
    state, effects = act(state, event)
    trip = basket.remember_tap(state.trip, event.key)
    return replace(state, trip=trip), effects


def pressed(state: State, event: PanelPressed) -> Done:
    """Return the state after a button of the panel."""
    if event.button == "help" and state.trip.trip_id:
        return replace(state, trip=replace(state.trip, help=True)), ()
    return state, ()


def left(state: State, event: ExitSeen) -> Done:
    """Return the state after the exit was seen: commits a fixed bill, flags goods without one."""
    trip = state.trip
    if trip.phase == "locked":
        return _commit(state, event)
    goods = trip.lines or any(doubt.kind != "own" for doubt in trip.doubts)
    if trip.phase in ("shopping", "closing") and event.source != "tap" and goods:
        note = Note("EXIT-UNPAID", "error", f"goods passed the exit unpaid ({event.source})")
        return replace(state, trip=basket.flag(trip, "exit_unpaid")), (note,)
    return state, ()


def _commit(state: State, event: ExitSeen) -> Done:
    trip, limits = state.trip, state.setup.limits
    total = basket.total_minor(trip)
    waiting = sum(charge.total_minor for charge in state.sync.outbox)
    if not trip.lines:
        return _phase(state, session.CANCEL), ()
    if state.save_failed:
        return state, (Note("SALE-NOT-STORED", "error", "no sale is made while the disk takes none"),)
    if total > limits.charge_minor_max or total + waiting > limits.unreceipted_minor_max:
        trip = replace(basket.flag(trip, "over_limit"), help=True)
        note = Note("CHARGE-LIMIT", "warning", f"{total} minor units need a member of staff")
        return replace(state, trip=trip), (note,)
    trip = replace(
        trip,
        phase=session.after(trip.phase, session.EXIT),
        charge_id=event.fresh_id,
        charge_seq=state.charge_seq + 1,
        receipt="saving",
    )
    return replace(state, trip=trip, charge_seq=state.charge_seq + 1), ()


# -- taps ------------------------------------------------------------------------


def _start(state: State, event: Tapped) -> Done:
    committing = any(isinstance(effect, CommitSale) for effect in state.unsaved)
    if state.save_failed or committing or not session.allows(state.trip.phase, session.START):
        return state, ()
    empty_mg = state.gross_mg if state.gross_mg is not None else state.expected_mg
    weighs = state.load_state == "ok" and "scale" not in state.lost
    if empty_mg is None and weighs:  # what is put in before the first rest would be taken for the empty cart
        return replace(passing(state, "hands_off"), starting=event), ()
    trip = Trip(
        trip_id=event.fresh_id,
        phase=session.after(state.trip.phase, session.START),
        started_ms=state.wall_ms,
        flags=() if empty_mg is not None else ("unweighed_start",),
    )
    state = replace(state, starting=None, trip=trip, lives=(), safe_id=1, expected_mg=empty_mg, own_until_ns=0)
    return state, ()


def start_when_weighed(state: State) -> Done:
    """Return the state whose trip begins, as somebody wished a moment ago, now that the empty cart is weighed."""
    wish = state.starting
    if wish is None:
        return state, ()
    if state.t_ns - wish.t_ns > START_WAIT_NS:
        return replace(state, starting=None), ()
    return _start(state, wish) if state.gross_mg is not None else (state, ())


def _pick(state: State, event: Tapped) -> Done:
    product = state.setup.catalog.product(event.value)
    if product is None or state.trip.phase not in ("shopping", "closing"):
        return state, ()
    if judge.must_be_weighed(state, product):
        return trade.weigh(state, event)
    scan = Scan(0, product.id, "pick", state.t_ns)
    return judge.rejudge_unexplained(replace(state, trip=basket.add_scan(state.trip, scan)))


def _withdraw(state: State, event: Tapped) -> Done:
    newest = [scan for scan in state.trip.scans if scan.product_id == event.value][-1:]
    trip = basket.remove_scans(state.trip, tuple(scan.id for scan in newest))
    return replace(state, trip=trip), ()


def _own(state: State, event: Tapped) -> Done:
    if state.trip.phase != "shopping":
        return state, ()
    opened = [x for x in state.trip.doubts if x.kind == "open" and x.delta_mg > 0]
    if opened:
        return _own_doubt(state, opened[-1]), ()
    return replace(state, own_until_ns=state.t_ns + state.setup.limits.own_ms * 1_000_000), ()


def _own_doubt(state: State, doubt: Doubt) -> State:
    """Return the state in which the doubt is the shopper's own, if that is allowed."""
    live = lives.live_of_doubt(state, doubt)
    if not lives.owns_another(state, live):
        return replace(state, trip=basket.flag(state.trip, "own_refused"))
    trip = basket.remove_doubt(state.trip, doubt.id)
    trip = replace(trip, doubts=(*trip.doubts, replace(doubt, kind="own")))
    if state.setup.catalog.product(doubt.product_id) is not None:
        trip = basket.flag(trip, "own_matches_product")
    return lives.settle(state, live, trip)


def _help(state: State, event: Tapped) -> Done:
    return replace(state, trip=replace(state.trip, help=bool(state.trip.trip_id))), ()


def _helped(state: State, event: Tapped) -> Done:
    return replace(state, trip=replace(state.trip, help=False)), ()


def _checkout(state: State, event: Tapped) -> Done:
    return _phase(state, session.CHECKOUT), ()


def _resume(state: State, event: Tapped) -> Done:
    return _phase(state, session.RESUME), ()


def _cancel(state: State, event: Tapped) -> Done:
    if state.trip.lines or any(doubt.kind != "own" for doubt in state.trip.doubts):
        return passing(state, "not_empty"), ()
    return _phase(state, session.CANCEL), ()


def _done(state: State, event: Tapped) -> Done:
    if state.trip.receipt in ("", "saving"):
        return state, ()
    return _phase(state, session.DONE), ()


def _phase(state: State, trigger: str) -> State:
    phase = session.after(state.trip.phase, trigger)
    return replace(state, trip=replace(state.trip, phase=phase))


# -- answers ---------------------------------------------------------------------


def _answer(state: State, event: Tapped) -> Done:
    prompt = state.trip.prompt
    if prompt is None or prompt.id != event.prompt:
        return state, ()
    doubt = basket.doubt_of(state.trip, prompt.doubt_id)
    assert doubt is not None, "a prompt outlived its doubt"
    offered = {option.value for option in prompt.options} | {"out", "help"}
    offered |= {"own"} if doubt.delta_mg > 0 else set()  # what left was in the cart, and so not the shopper's
    if event.value not in offered:
        return state, (Note("ANSWER-UNKNOWN", "warning", f"{event.value[:40]!r} was not offered"),)
    state = replace(state, trip=replace(state.trip, prompt=None))
    kind, _, value = event.value.partition(":")
    if kind == "own":
        return _own_doubt(state, doubt), ()
    if kind == "yes":
        return _confirm(state, doubt, value)
    if kind == "pick":
        return _name(state, doubt, value)
    if kind == "weigh":
        product = state.setup.catalog.product(value)
        assert product is not None, "a product of the catalogue was offered"
        return trade.open_weighing(state, product)
    if kind == "line":
        return _took_line(state, doubt, int(value))
    if kind == "help":
        return _help(state, event)
    return state, ()  # "out": it will be taken out, and that explains it


def _name(state: State, doubt: Doubt, product_id: str) -> Done:
    """The shopper says what the thing is that was asked about: judged like a scan, and for no other thing.

    Sealed produce is lifted and weighed instead.
    """
    product = state.setup.catalog.product(product_id)
    if product is not None and judge.must_be_weighed(state, product):
        return trade.open_weighing(state, product)
    scan = Scan(0, product_id, "pick", state.t_ns)
    state = replace(state, trip=basket.add_scan(state.trip, scan))
    return judge.judge(state, lives.live_of_doubt(state, doubt))


def _confirm(state: State, doubt: Doubt, product_id: str) -> Done:
    """The shopper insists, against mass or look: charged, marked for review, and flagged.

    What came to light at a standstill may be several things: what the named one cannot weigh stays in doubt.
    """
    live = lives.live_of_doubt(state, doubt)
    product = state.setup.catalog.product(product_id)
    if product is None or judge.must_be_weighed(state, product):
        return state, ()
    if len(state.trip.lines) >= LINES_MAX:
        return replace(state, trip=basket.flag(state.trip, "too_many_lines")), ()
    rest_mg = 0 if doubt.seen or product.sold_by == WEIGHT else doubt.delta_mg - product.mass_mg
    several = rest_mg > state.setup.limits.residual_mg + REST_SPREADS * product.mass_sd_mg
    mass_mg = product.mass_mg if several else doubt.delta_mg
    scan = [x.id for x in state.trip.scans if x.product_id == product_id][:1]
    trip, line = basket.add_line(
        basket.use_scans(state.trip, tuple(scan)),
        product,
        mass_mg=mass_mg,
        amount_minor=amount_minor(product, mass_mg, state.setup.limits.division_mg),
        reason=f"confirmed by the shopper; {doubt.reason}",
        step_id=doubt.step_id,
        review=True,
    )
    if several:
        trip = basket.change_doubt(trip, replace(doubt, delta_mg=rest_mg, asked=0))
        return judge.judge(replace(state, trip=trip), replace(live, delta_mg=rest_mg))
    trip = basket.flag(basket.remove_doubt(trip, doubt.id), "mismatch")
    return lives.settle(state, live, trip, (line.id,)), ()


def _took_line(state: State, doubt: Doubt, line_id: int) -> Done:
    """The shopper says which line left; staff see it where the mass says otherwise.

    Of what came to light at a standstill it may be a part: what the line did not weigh stays in doubt.
    """
    line = next((x for x in state.trip.lines if x.id == line_id), None)
    if line is None:
        return state, ()  # it has left the bill since: the question comes again
    live = lives.live_of_doubt(state, doubt)
    trip = basket.take_lines(state.trip, (line_id,), state.t_ns)
    rest_mg = line.mass_mg + doubt.delta_mg
    if abs(rest_mg) > state.setup.limits.residual_mg:
        if not doubt.seen:
            trip = basket.change_doubt(trip, replace(doubt, delta_mg=rest_mg, asked=0))
            return judge.judge(replace(state, trip=trip), replace(live, delta_mg=rest_mg))
        trip = basket.flag(trip, "mismatch")
    return lives.settle(state, replace(live, gone=(line,)), basket.remove_doubt(trip, doubt.id)), ()


_ACTS: dict[str, Callable[[State, Tapped], Done]] = {
    taps.START: _start,
    taps.ANSWER: _answer,
    taps.PICK: _pick,
    taps.WITHDRAW: _withdraw,
    taps.OWN: _own,
    taps.HELP: _help,
    taps.HELPED: _helped,
    taps.CHECKOUT: _checkout,
    taps.RESUME: _resume,
    taps.CANCEL: _cancel,
    taps.DONE: _done,
    **trade.ACTS,
}
assert _ACTS.keys() == taps.ACTIONS
