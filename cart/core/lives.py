"""The changes of load that are still under judgement: which there are, in which order, and what built on what.

Lives are kept in the order in which their changes began to be told; `judge.py` explains them.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import basket
from cart.core.catalog import WEIGHT, Product
from cart.core.choice import WEIGH_AGAIN
from cart.core.evidence import Look, Moment
from cart.core.state import Live, State
from cart.core.trip import Doubt, Scan, Trip

LIVES_MAX = 64
"""Most changes that are remembered; the oldest is forgotten, its doubt is not."""

SCAN_AFTER_NS = 500_000_000
"""A scan this much later than an explained change belongs to another item."""

HAPPENS_NS = 3_500_000_000
"""A change is over so long after it began; one that is told later was held while the cart rolled."""

CARRIED_NS = 5_000_000_000
"""Longest way of a thing from the camera's view into the basket."""


def forget_settled(state: State) -> State:
    """Return the state without the changes whose evidence is complete, and the lines that are gone for good."""
    wait_ns = state.setup.limits.evidence_ms * 1_000_000
    unseen_ns = max(wait_ns, CARRIED_NS)  # the code that explains it may be that of a thing which is still on its way
    lives = tuple(
        live
        for live in state.lives
        if live.doubt_id or not live.final or state.t_ns - live.t_final_ns < (wait_ns if live.seen else unseen_ns)
    )
    trip = basket.forget_gone(state.trip, state.t_ns)
    if len(lives) == len(state.lives) and trip is state.trip:
        return state
    return replace(state, lives=lives, trip=trip)


def moment_of(state: State, live: Live) -> Moment:
    """Return when this change happened, among the changes that are still remembered."""
    before = [x.t_accept_ns for x in state.lives if x.t_accept_ns < live.t_start_ns]
    # What was held in motion is told long after: what passed the camera meanwhile is something else.
    until_ns = min(live.t_accept_ns, live.t_start_ns + HAPPENS_NS)
    return Moment(live.t_start_ns, until_ns, max(before, default=0), live.delta_mg > 0)


def live_of_doubt(state: State, doubt: Doubt) -> Live:
    """Return the change that left this doubt; made anew from the doubt should it be forgotten."""
    return next((live for live in state.lives if live.doubt_id == doubt.id), None) or live_of(doubt)


def settle(state: State, live: Live, trip: Trip, lines: tuple[int, ...] = ()) -> State:
    """Return the state in which a person explained the change; `trip` holds the consequence."""
    live = replace(live, settled=True, doubt_id=0, lines=lines, key=("answered",))
    return with_live(replace(state, trip=trip), live)


def with_doubts_taken_up(state: State) -> State:
    """Return the state with a change for each doubt that a restart brought back.

    What the camera thought of it is forgotten, so it counts as one that nobody saw: a lot is weighed again. What
    waited and did not explain it then never does.
    """
    trip = state.trip
    waiting = tuple(scan.id for scan in trip.scans)
    doubts = tuple(
        replace(doubt, seen=False, refused=waiting) if doubt.seen and doubt.kind != "own" else doubt
        for doubt in trip.doubts
    )
    lives = tuple(live_of(doubt) for doubt in doubts if doubt.kind != "own")
    return replace(state, trip=replace(trip, doubts=doubts), lives=lives)


def live_of_step(state: State, step_id: int) -> Live | None:
    """Return the change of this weight step, or None."""
    return next((live for live in state.lives if live.step_id == step_id), None)


def later(state: State, live: Live) -> tuple[Live, ...]:
    """Return the changes after this one, oldest first: lives are kept in their order."""
    number = next((n for n, x in enumerate(state.lives) if x.step_id == live.step_id), len(state.lives))
    return state.lives[number + 1 :]


def scans_for(state: State, live: Live) -> tuple[Scan, ...]:
    """Return the scans that may explain the change: an explained one is not open to later scans.

    Nor is any open to a name that waits for its own lot to be weighed again, or a change to a code of another.
    """
    trip = state.trip
    if not live.scans:
        others = {x.product_id for x in trip.doubts if x.id != live.doubt_id and not x.seen and x.kind != "own"}
        return tuple(
            scan
            for scan in trip.scans
            if (scan.source == "code" or scan.product_id not in others) and not is_closed_to(state, live, scan)
        )
    used = {scan.id for scan in live.scans}
    limit_ns = live.t_accept_ns + SCAN_AFTER_NS
    return tuple(
        scan
        for scan in trip.scans
        if (scan.id in used or scan.t_ns <= limit_ns) and (live.seen or not is_closed_to(state, live, scan))
    )


def looks_for(state: State, live: Live) -> tuple[Look, ...]:
    """Return the looks that may be of this change: not passes in which others showed a code after their drop.

    A pass in which a code was read that may be its own stays: its look may tell that the label is another thing's.
    """
    others = (x for x in state.lives if x.step_id != live.step_id)
    shown = {scan.track for x in others for scan in x.scans if scan.t_ns > x.t_accept_ns}
    own = {scan.track for scan in scans_for(state, live)} if live.delta_mg > 0 else set()
    return tuple(look for look in state.looks if look.track not in shown - own)


def misled(state: State) -> tuple[int, ...]:
    """Return the numbers of changes that nobody saw and that were explained by what is a code of another."""
    unseen = (x for x in state.lives if not x.seen and not x.settled)
    return tuple(x.step_id for x in unseen if any(is_closed_to(state, x, scan) for scan in x.scans))


def is_closed_to(state: State, live: Live, scan: Scan) -> bool:
    """Return True if this change may not be explained by this scan.

    Not by one that did not explain it before a restart, when more was known. Nor by a code that was shown after it, and
    right before something landed that it does not explain: it is that thing's code, or a wrong label on it, and to
    take it for what was in doubt before would charge for a thing that nobody showed.
    """
    if scan.id in live.refused:
        return True
    if scan.source != "code" or scan.t_ns <= live.t_accept_ns:
        return False
    landed = [x.t_accept_ns for x in later(state, live) if x.seen and x.delta_mg > 0 and not x.lines]
    nearer = [x.t_ns for x in state.trip.scans if x.source == "code" and x.t_ns > scan.t_ns]  # what landed has that one
    return any(0 <= t_ns - scan.t_ns <= CARRIED_NS and not any(n <= t_ns for n in nearer) for t_ns in landed)


def things_lifted(state: State, doubts: tuple[Doubt, ...]) -> list[tuple[Doubt, Product | None]]:
    """Return what left at once, each with its product: of two names two things, else one that was found in parts."""
    names = sorted({doubt.product_id for doubt in doubts if doubt.product_id})
    if len(names) > 1:
        return [(doubt, lot_of(state, doubt)) for doubt in doubts]
    delta_mg = sum(doubt.delta_mg for doubt in doubts)
    thing = replace(doubts[0], delta_mg=delta_mg, product_id=names[0] if names else "")
    return [(thing, lifted(state, thing))]


def lifted(state: State, doubt: Doubt) -> Product | None:
    """Return the lot that was lifted out: the one asked for, whichever of several lots was called by its name.

    None for what has no lot's name: what comes back then is asked about.
    """
    prompt = state.trip.prompt
    asked = basket.doubt_of(state.trip, prompt.doubt_id) if prompt and prompt.kind == WEIGH_AGAIN else None
    lot = lot_of(state, doubt)
    return lot_of(state, asked) if lot and asked else lot


def lot_of(state: State, doubt: Doubt) -> Product | None:
    """Return the lot whose name this doubt has, None for anything else: a piece's name may be a mere suspicion."""
    product = state.setup.catalog.product(doubt.product_id)
    return product if product is not None and product.sold_by == WEIGHT else None


def followers(state: State, live: Live) -> list[Live]:
    """Return the later changes that built on what this one did, directly or not, oldest first."""
    built = [live]
    for follower in later(state, live):
        took, brought = {line.id for line in follower.gone}, {x.line.id for x in follower.back}
        if any(took & set(x.lines) or brought & {line.id for line in x.gone} for x in built):
            built.append(follower)
    return built[1:]


def live_of(doubt: Doubt) -> Live:
    """Return a change as this doubt remembers it: final, at rest, and explained by nothing."""
    own = doubt.kind == "own"
    return Live(
        step_id=doubt.step_id,
        delta_mg=doubt.delta_mg,
        sigma_mg=doubt.sigma_mg,
        standing=True,
        final=True,
        t_start_ns=doubt.t_ns,
        t_accept_ns=doubt.t_ns,
        t_final_ns=doubt.t_ns,
        key=("unknown", doubt.product_id),
        doubt_id=0 if own else doubt.id,
        settled=own,
        seen=doubt.seen,
        refused=doubt.refused,
    )


def with_live(state: State, live: Live) -> State:
    """Return the state with this change in place of the one of its step, or as the newest."""
    known = any(x.step_id == live.step_id for x in state.lives)
    lives = (
        tuple(live if x.step_id == live.step_id else x for x in state.lives)
        if known
        else (*state.lives, live)[-LIVES_MAX:]
    )
    return replace(state, lives=lives)


def owns_another(state: State, live: Live) -> bool:
    """Return True if this may count as the shopper's own thing: bounded by mass and number."""
    limits = state.setup.limits
    owned = sum(doubt.kind == "own" for doubt in state.trip.doubts)
    return owned < limits.own_count_max and live.delta_mg <= limits.own_mg_max
