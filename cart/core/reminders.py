"""What happens because time passes: questions, expiries, flags, and the rest before paying."""

from __future__ import annotations

from dataclasses import replace

from cart.core import basket, half_weighed, judge, lives, session, weighing
from cart.core.catalog import WEIGHT
from cart.core.effects import Effect, KeepCrop, Note
from cart.core.evidence import look_at
from cart.core.screen import options_for
from cart.core.state import Live, State
from cart.core.trip import Doubt, Option
from cart.core.weight import Step

Done = tuple[State, tuple[Effect, ...]]

MS = 1_000_000
ASKS_MAX = 2
PASSING_NS = 5 * 1_000_000_000
RESIDUAL_NS = 1_000_000_000
RECHECK_NS = 5_000_000_000


def remind(state: State) -> Done:
    """Return the state after the time that its `t_ns` says has passed."""
    state = lives.forget_settled(_forget_passing(state))
    if state.trip.phase not in session.SHOPPING_PHASES:
        return state, ()
    state, effects = _missed_change(state)
    state, more = _recheck(state)
    effects += more
    state, more = _expire_scans(state)
    effects += more
    state, more = _ask_and_flag(state)
    effects += more
    return _lock(state), effects


def passing(state: State, code: str) -> State:
    """Return the state with a notice that vanishes after a few seconds."""
    others = tuple(x for x in state.passing if x[0] != code)
    return replace(state, passing=(*others, (code, state.t_ns + PASSING_NS)))


def at_rest(state: State) -> bool:
    """Return True if the load stands and no change is still being weighed."""
    weighing = any(not live.final for live in state.lives)
    return (
        state.load_state == "ok"
        and "scale" not in state.lost
        and state.gross_mg is not None
        and not weighing
        and state.standstill_ns >= state.changed_ns
    )


def residual_mg(state: State) -> int:
    """Return by how much the load differs from what the changes add up to; 0 if unknown."""
    if state.gross_mg is None or state.expected_mg is None:
        return 0
    return state.gross_mg - state.expected_mg


def tolerance_mg(state: State) -> int:
    """Return what a standstill may differ by before goods must have moved."""
    return state.setup.limits.residual_mg + state.loose_mg


def _forget_passing(state: State) -> State:
    if all(until_ns > state.t_ns for _, until_ns in state.passing):
        return state
    left = tuple(x for x in state.passing if x[1] > state.t_ns)
    return replace(state, passing=left)


def _missed_change(state: State) -> Done:
    """Conservation: a standstill that the steps do not add up to is a change like any other.

    This is how goods that moved while the scale or the daemon was down are found.
    """
    off_mg = residual_mg(state)
    if abs(off_mg) <= tolerance_mg(state) or not at_rest(state):
        return state, ()
    if state.t_ns - max(state.standstill_ns, state.changed_ns) < RESIDUAL_NS:
        return state, ()
    sigma_mg = half_weighed.missed_sigma_mg(state)
    state = half_weighed.unbooked(state)
    off_mg = residual_mg(state)
    if abs(off_mg) <= tolerance_mg(state):
        return state, ()
    number = state.trip.next_id
    state = replace(state, trip=replace(state.trip, next_id=number + 1))
    step = Step(-number, 0, 0, off_mg, sigma_mg, "standing", True)
    note = Note("MISSED-CHANGE", "warning", f"{off_mg // 1000:+d} g found at a standstill")
    state, effects = judge.stepped(state, step, state.standstill_ns, state.standstill_ns, seen=False)
    state = replace(state, standstill_ns=state.t_ns)
    return reopen(state), (note, *effects)


def _recheck(state: State) -> Done:
    """The first rest after a restart fits the books: scans that came before it may explain what is left in doubt."""
    weighs = state.load_state == "ok" and "scale" not in state.lost
    fits = at_rest(state) and abs(residual_mg(state)) <= tolerance_mg(state)
    dead = not weighs and state.t_ns > state.recheck_ns
    if not state.recheck_ns or not (fits or dead):
        return state, ()
    return judge.rejudge_unexplained(replace(state, recheck_ns=0))


def reopen(state: State) -> State:
    """Return the state in which a fixed bill is open again, because the load changed."""
    phase = session.after(state.trip.phase, session.CHANGED)
    return replace(state, trip=replace(state.trip, phase=phase))


def alarmed(state: State) -> State:
    """Return the state in which something happens to the load that stood: a fixed bill waits until it is known what."""
    if state.trip.phase not in session.SHOPPING_PHASES:
        return state
    return reopen(replace(state, alarm_ns=state.t_ns))


def _expire_scans(state: State) -> Done:
    if state.load_state != "ok":
        return state, ()  # without a scale nothing can be seen to land: scans wait
    limit_ns = state.t_ns - state.setup.limits.scan_wait_ms * MS
    old = tuple(scan for scan in state.trip.scans if max(scan.t_ns, state.weighing_ns) < limit_ns)
    if not old:
        return state, ()
    trip = basket.remove_scans(state.trip, tuple(scan.id for scan in old))
    notes = tuple(Note("SCAN-EXPIRED", "info", f"{scan.product_id} was scanned and never landed") for scan in old)
    return passing(replace(state, trip=trip), "scan_expired"), notes


def _ask_and_flag(state: State) -> Done:
    effects: tuple[Effect, ...] = ()
    for doubt in state.trip.doubts:
        if doubt.kind != "open":
            continue
        live = lives.live_of_doubt(state, doubt)
        if not live.final or weighing.holds(state.weighing, live.delta_mg, live.t_accept_ns):
            continue
        if _age_ms(state, doubt) >= state.setup.limits.flag_after_ms:
            state, more = _flag(state, doubt, live)
            effects += more
        elif state.trip.prompt is None and state.weighing is None and _is_due(state, doubt):
            kind, args, options = _question(state, doubt, live)
            state = replace(state, trip=basket.ask(state.trip, doubt, kind, options, args))
            effects += (Note("ASKED", "info", f"{kind}: {doubt.reason}"),)
    return state, effects


def _is_due(state: State, doubt: Doubt) -> bool:
    limits = state.setup.limits
    if doubt.asked >= ASKS_MAX:
        return False
    if doubt.asked == 1:
        return _age_ms(state, doubt) >= limits.ask_again_ms
    if doubt.product_id or state.trip.phase == "closing":
        return _age_ms(state, doubt) >= limits.ask_doubt_ms
    return _age_ms(state, doubt) >= limits.ask_after_ms


def _question(state: State, doubt: Doubt, live: Live) -> tuple[str, tuple[str, ...], tuple[Option, ...]]:
    """Return the kind, the words and the answers of the question about this doubt."""
    grams = str(abs(doubt.delta_mg) // 1000)
    if doubt.delta_mg < 0:
        newest = sorted(state.trip.lines, key=lambda line: abs(line.mass_mg + doubt.delta_mg))[:4]
        options = tuple(Option(f"line:{x.id}", x.name, x.product_id) for x in newest)
        return "what_removed", (grams,), options
    product = state.setup.catalog.product(doubt.product_id)
    if product is None:
        return "scan_it", (grams,), options_for(state, live)
    if judge.must_be_weighed(state, product):
        return "weigh_it", (product.name, grams), (Option(f"weigh:{product.id}", product.name, product.id),)
    least_mg = state.setup.limits.priced_mg_min
    if product.sold_by == WEIGHT and doubt.delta_mg < least_mg:
        return "too_light", (product.name, grams, str(least_mg // 1000)), ()
    if product.sold_by == WEIGHT and not doubt.seen:
        return "weigh_again", (product.name,), ()
    yes = (Option(f"yes:{product.id}", product.name, product.id),)
    others = tuple(x for x in options_for(state, live) if x.value != f"pick:{product.id}")
    expected = str(product.mass_mg // 1000)
    if product.sold_by != WEIGHT and _mass_is_off(doubt, product.mass_mg, product.mass_sd_mg):
        return "weight_differs", (product.name, expected, grams), (*yes, *others[:3])
    return "wrong_label", (product.name,), (*yes, *others[:3])


def _mass_is_off(doubt: Doubt, mass_mg: int, mass_sd_mg: int) -> bool:
    return abs(doubt.delta_mg - mass_mg) > 4 * (mass_sd_mg + doubt.sigma_mg)


def _flag(state: State, doubt: Doubt, live: Live) -> Done:
    """Nobody answered: the goods stay a doubt that blocks paying, and staff see it."""
    trip = basket.change_doubt(state.trip, replace(doubt, kind="flagged"))
    if trip.prompt is not None and trip.prompt.doubt_id == doubt.id:
        trip = replace(trip, prompt=None)
    code = "mismatch" if doubt.product_id else basket.flag_of(doubt)
    state = replace(state, trip=basket.flag(trip, code))
    effects: tuple[Effect, ...] = (Note("FLAGGED", "warning", f"{code}: {doubt.reason}"),)
    look = look_at(state.looks, lives.moment_of(state, live))
    return state, (*effects, KeepCrop(look.track, code)) if look else effects


def _lock(state: State) -> State:
    """Return the state with the bill fixed, if it may be: hands off, at rest, all explained."""
    trip = state.trip
    rested_ms = (state.t_ns - state.changed_ns) // MS
    if (
        trip.phase != "closing"
        or trip.prompt is not None
        or any(doubt.kind != "own" for doubt in trip.doubts)
        or rested_ms < state.setup.limits.hands_off_ms
        or (state.alarm_ns and state.t_ns - state.alarm_ns < state.setup.limits.hands_off_ms * MS)
        or not at_rest(state)
        or abs(residual_mg(state)) > tolerance_mg(state)
    ):
        return state
    blurred = half_weighed.blurred_lots(state)
    if blurred and rested_ms < state.setup.limits.flag_after_ms:
        return state
    for line in blurred:  # a scale that never comes to a sharp rest must not hold the shopper: staff see the line
        trip = basket.change_line(trip, replace(line, review=True))
    trip = basket.remove_scans(trip, tuple(scan.id for scan in trip.scans))
    trip = replace(trip, phase=session.after(trip.phase, session.SETTLED))
    return replace(state, trip=trip)


def _age_ms(state: State, doubt: Doubt) -> int:
    return (state.t_ns - doubt.t_ns) // MS
