"""What the shopper sees, computed from the state: the screen has no memory of its own."""

from __future__ import annotations

from dataclasses import replace

from cart.core import basket, lives, session, trade_view, weighing
from cart.core.catalog import WEIGHT, Product
from cart.core.effects import Effect, Screen, ScreenLine, SetPanel, Show, Suggestion, Waiting
from cart.core.evidence import look_at, suggestions
from cart.core.state import Live, State
from cart.core.trip import Doubt, Line, Option

SUGGESTIONS_MAX = 4
WINK_NS = 1_000_000_000
"""A change is told within a second, or nothing came."""


def shown(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Return the state and the effects that bring screen and panel up to date."""
    effects: tuple[Effect, ...] = ()
    screen = _screen(state)
    if replace(screen, revision=state.screen.revision) != state.screen:
        screen = replace(screen, revision=state.screen.revision + 1)
        state = replace(state, screen=screen)
        effects += (Show(screen),)
    panel = _panel(state)
    if panel != state.panel:
        state = replace(state, panel=panel)
        effects += (SetPanel(*panel),)
    return state, effects


def options_for(state: State, live: Live) -> tuple[Option, ...]:
    """Return what to offer for an unexplained thing that landed: at most four products."""
    products = _suggested(state, live)
    return tuple(Option(f"pick:{p.id}", p.name, p.id) for p in products)


def _screen(state: State) -> Screen:
    trip = state.trip
    return Screen(
        revision=state.screen.revision,
        phase=trip.phase,
        lines=_lines(state),
        waiting=_waiting(state),
        total_minor=basket.total_minor(trip),
        currency=state.setup.catalog.currency,
        prompt=trip.prompt,
        suggestions=_passive_suggestions(state),
        notices=_notices(state),
        flags=trip.flags,
        help=trip.help,
        receipt=trip.receipt,
        charge_id=trip.charge_id,
        not_for_trade=state.setup.not_for_trade,
        decided=state.decided,
        decided_drop_ns=state.decided_drop_ns,
        weighed=trade_view.weighed(state),
    )


def _lines(state: State) -> tuple[ScreenLine, ...]:
    """Return one row for each product by piece and state, and one for each weighed lot."""
    rows: dict[tuple[str, str, int], ScreenLine] = {}
    for line in state.trip.lines:
        row = _row(state, line)
        key = (line.product_id, row.state, line.id if line.sold_by == WEIGHT else 0)
        old = rows.get(key)
        if old is not None:
            row = replace(
                row,
                count=old.count + 1,
                mass_mg=old.mass_mg + row.mass_mg,
                amount_minor=old.amount_minor + row.amount_minor,
            )
        rows[key] = row
    return tuple(rows.values())


def _row(state: State, line: Line) -> ScreenLine:
    saved = "review" if line.review else "saved"
    return ScreenLine(
        product_id=line.product_id,
        name=line.name,
        count=1,
        mass_mg=line.mass_mg,
        sold_by=line.sold_by,
        unit_price_minor=line.unit_price_minor,
        amount_minor=line.amount_minor,
        state=saved if line.id < state.safe_id else "saving",
    )


def _waiting(state: State) -> tuple[Waiting, ...]:
    catalog = state.setup.catalog
    rows = []
    for scan in state.trip.scans:
        product = catalog.product(scan.product_id)
        if product is not None:
            t_frame_ns = scan.t_ns if scan.source == "code" else 0
            rows.append(Waiting(product.id, product.name, product.price_minor, product.sold_by, t_frame_ns))
    return tuple(rows)


def _passive_suggestions(state: State) -> tuple[Suggestion, ...]:
    """Return pictures for the newest thing that landed unscanned, before anything is asked."""
    doubt = _newest_open(state)
    if doubt is None or state.trip.prompt is not None:
        return ()
    live = lives.live_of_doubt(state, doubt)
    return tuple(Suggestion(p.id, p.name, p.id) for p in _suggested(state, live))


def _newest_open(state: State) -> Doubt | None:
    opened = [
        x
        for x in state.trip.doubts
        if x.kind == "open" and x.delta_mg > 0 and not weighing.holds(state.weighing, x.delta_mg, x.t_ns)
    ]
    return opened[-1] if opened else None


def _suggested(state: State, live: Live) -> tuple[Product, ...]:
    catalog = state.setup.catalog
    look = look_at(state.looks, lives.moment_of(state, live))
    found = list(suggestions(look, catalog))
    for line in reversed(state.trip.lines[-3:]):  # one more of the same is common
        product = catalog.product(line.product_id)
        if product is None or product in found or product.sold_by == WEIGHT:
            continue
        if abs(live.delta_mg - product.mass_mg) <= 5 * product.mass_sd_mg:
            found.append(product)
    return tuple(found[:SUGGESTIONS_MAX])


def _notices(state: State) -> tuple[str, ...]:
    trip = state.trip
    standing = (
        ("over_capacity", state.load_state == "over_range"),
        ("scale_jammed", state.weight.jammed and trip.phase in session.SHOPPING_PHASES),
        ("scale_lost", state.load_state not in ("ok", "over_range") or "scale" in state.lost),
        ("camera_lost", "vision" in state.lost),
        ("camera_covered", "view" in state.lost and "vision" not in state.lost),
        ("offline", not state.sync.online),
        ("saving_failed", state.save_failed),
        ("not_scanned", _newest_open(state) is not None),
        ("hands_off", trip.phase == "closing" and not trip.doubts),
        ("unexplained", trip.phase == "closing" and any(x.kind != "own" for x in trip.doubts)),
        ("exit_unpaid", "exit_unpaid" in trip.flags and trip.phase != "paid"),
        ("help_called", trip.help),
    )
    codes = [code for code, on in standing if on]
    return (*codes, *(code for code, until_ns in state.passing if until_ns > state.t_ns))


def _panel(state: State) -> tuple[str, str]:
    trip = state.trip
    if state.save_failed or "exit_unpaid" in trip.flags or any(x.kind == "flagged" for x in trip.doubts):
        return ("red", "attention")
    if trip.prompt is not None or trip.help:
        return ("amber", "attention")
    if trip.phase in ("idle", "cleared", "cancelled"):
        return ("off", "")
    # The cart noticed something: the light winks until it is known what, long before there is a line to show.
    return ("off", "") if state.alarm_ns and state.t_ns - state.alarm_ns < WINK_NS else ("green", "")
