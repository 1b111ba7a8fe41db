"""Acts on verdicts: turns changes of load into lines, and what they cannot explain into doubts.

A change stays `Live` until its evidence is complete. Whenever new evidence
touches it, what it did is undone and it is judged afresh, so that the order in
which scan, drop and look arrive makes no difference to the bill. Later changes
that built on what it did (a line put back, then taken again) are undone before
it and judged again after it; what came later never explains what came before.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import basket, decision, lives, weighing
from cart.core.catalog import WEIGHT, Product
from cart.core.choice import WEIGH_AGAIN, Verdict, withheld
from cart.core.effects import Effect, KeepCrop, Note
from cart.core.evidence import look_at
from cart.core.pricing import amount_minor
from cart.core.state import Live, State
from cart.core.trip import LINES_MAX, Doubt, Line, Scan
from cart.core.weight import Step

Judged = tuple[State, tuple[Effect, ...]]

REFINED_MG = 5_000
"""A final mass that differs by less from the provisional one only refines it: the load did not change."""

CERTAIN_SIGMA_MG = 1_250
"""At two of them half a division: the error that a lot of up to 500 e may have."""

NEVER_PRICED_MG = 1 << 62
"""No change of load is that heavy: a sealed build prices none of them."""

UNKNOWN, SLIGHT, UNDONE = ("unknown",), ("slight",), ("undone",)
CAME_BACK = (("put_back",), ("returned",))


def stepped(state: State, step: Step, t_start_ns: int, t_accept_ns: int, *, seen: bool = True) -> Judged:
    """Return the state with a weight step, provisional or final, judged.

    seen  False for a change that came to light at a standstill
    """
    old = lives.live_of_step(state, step.id)
    t_final_ns = state.t_ns if step.final else 0
    if old is None:
        live = Live(
            step.id,
            step.delta_mg,
            step.sigma_mg,
            step.motion == "standing",
            step.final,
            t_start_ns,
            t_accept_ns,
            t_final_ns,
            seen=seen,
        )
    else:
        live = replace(
            old,
            delta_mg=step.delta_mg,
            sigma_mg=step.sigma_mg,
            final=step.final,
            t_final_ns=t_final_ns,
        )
    moved_mg = step.delta_mg - (old.delta_mg if old else 0)
    expected = None if state.expected_mg is None else state.expected_mg + moved_mg
    if old is None or abs(moved_mg) > REFINED_MG:
        state = replace(state, changed_ns=state.t_ns)
    state = replace(state, expected_mg=expected)
    state, effects = judge(lives.with_live(state, live), live)
    for step_id in lives.misled(state):  # their code is rather that of what has just landed
        state, more = judge(state, lives.live_of_step(state, step_id) or live)
        state, again = judge(state, lives.live_of_step(state, live.step_id) or live)
        effects += (*more, *again)
    if all(doubt.seen for doubt in state.trip.doubts):
        return state, effects
    state, more = rejudge_unexplained(state)  # a part of what nobody saw come may have been weighed by now
    return state, (*effects, *more)


def rejudge_unexplained(state: State) -> Judged:
    """Return the state after a new scan or pick: it may explain what is still in doubt, the newest first.

    Or what just came: taken for something put back, it may be another thing that was scanned after the drop.
    """
    fresh_ns = state.t_ns - state.setup.limits.evidence_ms * 1_000_000
    effects: tuple[Effect, ...] = ()
    if state.recheck_ns:
        return state, ()  # it may be of what landed meanwhile, which comes to light first
    for step_id in [live.step_id for live in reversed(state.lives)]:
        live = lives.live_of_step(state, step_id)  # judging one change may change another
        if live is None or live.settled or live.delta_mg < 0:
            continue
        unscanned = live.key[:1] in CAME_BACK and not live.scans and live.t_accept_ns >= fresh_ns
        if live.doubt_id or unscanned:
            state, more = judge(state, live)
            effects += more
    return state, effects


def rejudge_recent(state: State) -> Judged:
    """Return the state after a new look: it may change any change that is still fresh."""
    effects: tuple[Effect, ...] = ()
    fresh_ns = state.t_ns - state.setup.limits.evidence_ms * 1_000_000
    for step_id in [live.step_id for live in state.lives]:
        live = lives.live_of_step(state, step_id)
        if live is not None and not live.settled and live.t_accept_ns >= fresh_ns:
            state, more = judge(state, live)
            effects += more
    return state, effects


def judge(state: State, live: Live) -> Judged:
    """Return the state in which this change is explained by the evidence that there is now."""
    followers = lives.followers(state, live)
    if live.settled or any(x.settled for x in followers):
        return _refresh(state, live), ()
    cleared = state
    for follower in reversed(followers):
        cleared = lives.with_live(_undone(cleared, follower), replace(_blank(follower), key=UNDONE))
    cleared = _undone(cleared, live)
    verdict = _verdict(cleared, live)
    suspect = verdict.suspect.products[0] if verdict.suspect and verdict.suspect.products else ""
    key = _key(verdict, suspect, slight=abs(live.delta_mg) < state.setup.limits.unscanned_mg)
    if key == live.key:
        return _refresh(state, live), ()
    if live.doubt_id and key[:1] == live.key[:1] == UNKNOWN:
        return _new_suspect(state, live, key, suspect, verdict), ()
    first = not live.key
    live = replace(_blank(live), key=key, t_final_ns=state.t_ns if live.final else 0)
    state, live = _apply(cleared, live, verdict, suspect)
    state = lives.with_live(state, live)
    if first:
        state = replace(state, decided=state.decided + 1, decided_drop_ns=live.t_accept_ns)
    effects = _effects(state, live, verdict)
    for follower in followers:
        state, more = judge(state, lives.live_of_step(state, follower.step_id) or follower)
        effects += more
    return state, effects


# -- one judgement ---------------------------------------------------------------


def _verdict(state: State, live: Live) -> Verdict:
    """Return what explains the change, among what was there when it happened."""
    if state.weighing is not None and weighing.holds(state.weighing, live.delta_mg, live.t_accept_ns):
        return withheld(state.weighing.product_id)
    setup, trip, later, looks = state.setup, state.trip, lives.later(state, live), lives.looks_for(state, live)
    came = {line_id for x in later for line_id in x.lines}
    left = {line.id for x in later for line in x.gone}
    changes = {x.step_id for x in later}
    doubts = tuple(x for x in trip.doubts if x.step_id not in changes)
    change = decision.Change(
        live.delta_mg,
        live.sigma_mg,
        lives.moment_of(state, live),
        live.final,
        NEVER_PRICED_MG if setup.sealed else setup.limits.priced_mg_min,
        live.seen,
    )
    if live.delta_mg < 0:
        lines = tuple(line for line in trip.lines if line.id not in came)
        return decision.judge_fall(change, lines, doubts, looks, setup.catalog, setup.costs)
    verdict = decision.judge_rise(
        change,
        lives.scans_for(state, live),
        tuple(x.line for x in trip.gone if x.line.id not in left),
        doubts,
        looks,
        setup.catalog,
        setup.costs,
    )
    room = len(trip.lines) + len(verdict.best.products) <= LINES_MAX
    return verdict if room else replace(verdict, accept=False, review=False)


def _key(verdict: Verdict, suspect: str, *, slight: bool) -> tuple[str, ...]:
    if not verdict.accept:
        return SLIGHT if slight else (*UNKNOWN, suspect)
    best = verdict.best
    numbers = (*best.scans, *best.lines, *best.doubts)
    return (best.kind, *best.products, *(f"#{number}" for number in numbers))


def _undone(state: State, live: Live) -> State:
    """Return the state as it was before this change was explained."""
    trip = basket.remove_lines(state.trip, live.lines)
    trip = basket.restore_lines(trip, live.gone) if live.gone else trip
    trip = basket.restore_scans(trip, live.scans) if live.scans else trip
    others = state.lives
    for doubt in live.cleared:
        trip = basket.expect_none(replace(trip, doubts=(*trip.doubts, doubt)), live.step_id)
        trip = basket.flag(trip, basket.flag_of(doubt)) if doubt.kind == "flagged" else trip
        lender = lives.live_of(doubt)
        known = any(x.step_id == lender.step_id for x in others)
        others = (
            tuple(lender if x.step_id == lender.step_id else x for x in others)
            if known
            else (lender, *others)[-lives.LIVES_MAX :]
        )
    if live.doubt_id:
        trip = basket.remove_doubt(trip, live.doubt_id)
    taken = {line.id for line in live.gone}
    gone = tuple(x for x in trip.gone if x.line.id not in taken)
    return replace(state, trip=replace(trip, gone=(*gone, *live.back)), lives=others)


def _blank(live: Live) -> Live:
    return replace(live, lines=(), gone=(), back=(), scans=(), cleared=(), doubt_id=0)


def _apply(state: State, live: Live, verdict: Verdict, suspect: str) -> tuple[State, Live]:
    best = verdict.best
    if not verdict.accept:
        return _doubt(state, live, suspect, verdict.reason)
    if best.kind == "returned":
        return _clear_doubts(state, live, best.doubts)
    if best.kind == "partly":
        return _lessen_doubt(state, live, best.doubts[0])
    if best.kind == "taken":
        return _clear_doubts(*_take(state, live, best.lines), best.doubts)
    trip = state.trip
    back = tuple(x for x in trip.gone if best.kind == "put_back" and x.line.id in best.lines)
    trip = replace(trip, gone=tuple(x for x in trip.gone if x not in back))
    used = tuple(scan for scan in trip.scans if scan.id in best.scans)
    trip = basket.use_scans(trip, best.scans)
    return _add(replace(state, trip=trip), replace(live, scans=used, back=back), best.products, verdict)


def _add(state: State, live: Live, product_ids: tuple[str, ...], verdict: Verdict) -> tuple[State, Live]:
    products = [p for x in product_ids if (p := state.setup.catalog.product(x)) is not None]
    trip, ids = state.trip, []
    for product, mass_mg in zip(products, basket.shares_mg(live.delta_mg, products), strict=True):
        trip, line = basket.add_line(
            trip,
            product,
            mass_mg=mass_mg,
            amount_minor=amount_minor(product, mass_mg, state.setup.limits.division_mg),
            reason=verdict.reason,
            step_id=live.step_id,
            review=verdict.review,
            settled=_is_settled(live, product),
        )
        ids.append(line.id)
    return replace(state, trip=trip), replace(live, lines=tuple(ids))


def _take(state: State, live: Live, ids: tuple[int, ...]) -> tuple[State, Live]:
    taken = tuple(line for line in state.trip.lines if line.id in ids)
    return replace(state, trip=basket.take_lines(state.trip, ids, state.t_ns)), replace(live, gone=taken)


def _clear_doubts(state: State, live: Live, ids: tuple[int, ...]) -> tuple[State, Live]:
    doubts = tuple(doubt for doubt in state.trip.doubts if doubt.id in ids)
    if not doubts:
        return state, live
    trip = state.trip
    for doubt in doubts:
        trip = basket.remove_doubt(trip, doubt.id)
    used: tuple[Scan, ...] = ()
    for thing, product in lives.things_lifted(state, doubts):
        if product is not None and not thing.seen and thing.delta_mg > 0:  # to be weighed again: it comes back
            named = basket.first_named(trip, product.id)
            used += tuple(scan for scan in trip.scans if scan.id in named)
            trip = basket.use_scans(basket.await_back(trip, thing, product, state.t_ns, live.step_id), named)
    others = tuple(
        replace(x, settled=True, doubt_id=0, key=("returned",)) if x.doubt_id in ids else x for x in state.lives
    )
    return replace(state, trip=trip, lives=others), replace(live, cleared=doubts, scans=used)


def _lessen_doubt(state: State, live: Live, doubt_id: int) -> tuple[State, Live]:
    """A hand that had been weighed with a thing let go: the thing is what remains.

    Or a lot that was asked for was lifted out to be weighed again, from among others: it comes back.
    """
    doubt = basket.doubt_of(state.trip, doubt_id)
    assert doubt is not None
    product = lives.lifted(state, doubt)
    if product is not None and product.sold_by == WEIGHT and doubt.asked and not doubt.seen:
        lifted, named = replace(doubt, delta_mg=-live.delta_mg), basket.first_named(state.trip, product.id)
        trip = basket.use_scans(basket.await_back(state.trip, lifted, product, state.t_ns, live.step_id), named)
        state = replace(state, trip=trip)
    lender = lives.live_of_doubt(state, doubt)
    delta_mg = doubt.delta_mg + live.delta_mg
    state = replace(state, trip=basket.change_doubt(state.trip, replace(doubt, delta_mg=delta_mg)))
    state, _ = judge(state, replace(lender, delta_mg=delta_mg))
    return state, replace(live, settled=True)


def _doubt(state: State, live: Live, suspect: str, reason: str) -> tuple[State, Live]:
    if live.key == SLIGHT:
        return state, live
    if len(state.trip.lines) >= LINES_MAX:
        state = replace(state, trip=basket.flag(state.trip, "too_many_lines"))
    own = live.delta_mg > 0 and state.t_ns <= state.own_until_ns and lives.owns_another(state, live)
    doubt = Doubt(
        id=0,
        step_id=live.step_id,
        delta_mg=live.delta_mg,
        kind="own" if own else "open",
        t_ns=live.t_accept_ns,
        product_id=suspect,
        reason=reason,
        sigma_mg=live.sigma_mg,
        settled=live.final,
        seen=live.seen,
        refused=live.refused,
    )
    trip, doubt = basket.add_doubt(state.trip, doubt)
    if own:
        return replace(state, trip=trip, own_until_ns=0), replace(live, settled=True)
    return replace(state, trip=trip), replace(live, doubt_id=doubt.id)


def must_be_weighed(state: State, product: Product) -> bool:
    """Return True if this product is priced by tare, then weigh, and by nothing else: it is sealed produce."""
    return state.setup.sealed and product.sold_by == WEIGHT


def _new_suspect(state: State, live: Live, key: tuple[str, ...], suspect: str, verdict: Verdict) -> State:
    """Return the state with the same doubt about another product.

    How often it was asked stays, but for the question that stands: the new product makes it another one. To weigh a
    thing again is a new question in any case: what it is has been answered. So is what is left without that thing.
    """
    doubt = basket.doubt_of(state.trip, live.doubt_id)
    assert doubt is not None
    trip, asked, prompt = state.trip, doubt.asked, state.trip.prompt
    kind = prompt.kind if prompt is not None and prompt.doubt_id == doubt.id else ""
    if kind and suspect != doubt.product_id and (suspect or kind == WEIGH_AGAIN):
        trip, asked = replace(trip, prompt=None), asked - 1
    asked = 0 if verdict.best.kind == WEIGH_AGAIN else asked
    doubt = replace(doubt, product_id=suspect, reason=verdict.reason, asked=asked)
    doubt = replace(doubt, delta_mg=live.delta_mg, settled=live.final)
    trip = basket.change_doubt(trip, doubt)
    return lives.with_live(replace(state, trip=trip), replace(live, key=key))


def _refresh(state: State, live: Live) -> State:
    """Return the state with the final mass in the lines and the doubt of an unchanged verdict."""
    trip = state.trip
    lines = [line for line in trip.lines if line.id in live.lines]
    products = [p for x in lines if (p := state.setup.catalog.product(x.product_id)) is not None]
    if lines and len(products) == len(lines):
        masses_mg = basket.shares_mg(live.delta_mg, products)
        for line, product, mass_mg in zip(lines, products, masses_mg, strict=True):
            trip = basket.change_line(trip, weighed(state, line, product, mass_mg, _is_settled(live, product)))
    doubt = next((x for x in trip.doubts if x.step_id == live.step_id), None)  # open, or the shopper's own
    if doubt is not None:
        trip = basket.change_doubt(
            trip, replace(doubt, delta_mg=live.delta_mg, sigma_mg=live.sigma_mg, settled=live.final)
        )
    return lives.with_live(replace(state, trip=trip), live)


def _is_settled(live: Live, product: Product) -> bool:
    """Return True if the mass stays: a lot that was weighed rolling or in haste has it from the next standstill."""
    certain = live.standing and live.sigma_mg <= CERTAIN_SIGMA_MG
    return live.final and (certain or product.sold_by != WEIGHT)


def weighed(state: State, line: Line, product: Product, mass_mg: int, final: bool) -> Line:
    """Return the line with this mass, and the price that follows from it; a trade weighing is final."""
    if line.alibi_id:
        return replace(line, settled=True)
    amount = amount_minor(product, mass_mg, state.setup.limits.division_mg)
    return replace(line, mass_mg=mass_mg, amount_minor=amount, settled=final)


# -- small things ----------------------------------------------------------------


def _effects(state: State, live: Live, verdict: Verdict) -> tuple[Effect, ...]:
    grams = live.delta_mg // 1000
    words = f"step {live.step_id} {grams:+d} g: {live.key[0]} {verdict.share_ppm // 10_000} %: "
    effects: tuple[Effect, ...] = (Note("VERDICT", "info", words + verdict.reason),)
    if verdict.review or not verdict.accept:
        look = look_at(state.looks, lives.moment_of(state, live))
        if look is not None:
            effects += (KeepCrop(look.track, live.key[0]),)
    return effects
