"""What the screen shows of a weighing, and what trade weighing is told of the cart: functions of the state."""

from __future__ import annotations

from cart.core import legal, weighing
from cart.core.catalog import Product
from cart.core.effects import Weighed
from cart.core.legal import World
from cart.core.legal_rules import TARE
from cart.core.state import Live, State

NO_GOODS = ("idle", "cancelled", "cleared")
"""Phases without a session."""


def weighed(state: State) -> Weighed | None:
    """Return what the screen shows of the weighing, None while there is none."""
    product = product_of(state)
    if product is None:
        return None
    setup, world = state.setup, world_of(state)
    shown = legal.indication(state.legal, setup.legal, world)
    tared = state.legal.tare is not None
    weight, why = legal.trade_weight(state.legal, setup.legal, world)
    if not tared:
        why = lies_unexplained(state) or legal.refusal(state.legal, setup.legal, world, TARE)
    return Weighed(
        product_id=product.id,
        name=product.name,
        unit_price_minor=product.price_minor,
        state=shown.state,
        gross_mg=shown.gross_mg,
        tare_mg=shown.tare_mg,
        net_mg=shown.net_mg,
        e_mg=shown.e_mg or setup.legal.instrument.e_mg,
        min_mg=setup.legal.instrument.min_mg,
        stable=shown.stable,
        zero=shown.zero,
        tared=tared,
        price_minor=legal.price_minor(weight.net_mg, product.price_minor) if weight else None,
        refused=why,
        voided=state.legal.voided,
    )


def held(state: State) -> tuple[Live, ...]:
    """Return the changes of load that belong to the weighing, oldest first."""
    return tuple(x for x in state.lives if weighing.holds(state.weighing, x.delta_mg, x.t_accept_ns))


def changes(state: State) -> tuple[Live, ...]:
    """Return all changes of load since the tare, oldest first: more than one is one too many."""
    since_ns = state.weighing.tared_ns if state.weighing else 0
    return tuple(x for x in state.lives if x.t_accept_ns >= since_ns) if since_ns else ()


def lies_unexplained(state: State) -> str:
    """Return "lift_first" while something lies in the cart that is on no bill: it is lifted, and weighed after."""
    loose = any(x.kind == "open" and x.delta_mg > 0 for x in state.trip.doubts)
    return "lift_first" if loose else ""


def world_of(state: State) -> World:
    """Return what trade weighing must be told of the rest of the cart."""
    trip = state.trip
    return World(
        t_ns=state.t_ns,
        rolling=state.weight.motion != "standing",
        jammed=state.weight.jammed,
        session=trip.phase not in NO_GOODS,
        goods=bool(trip.lines or trip.doubts),
        storable=not state.save_failed,
        wall_ms=state.wall_ms,
    )


def product_of(state: State) -> Product | None:
    """Return the product that is being weighed."""
    return state.setup.catalog.product(state.weighing.product_id) if state.weighing else None
