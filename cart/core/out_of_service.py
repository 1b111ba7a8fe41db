"""The step of a cart that crashed three times in a minute: show the basket, call staff, decide nothing.

It stands in for `cart.core.step`, whose code or state may be what crashes, and so shares nothing with it. Events are
ignored; the trip stays in the database as it is, and the next start in order takes it up again.
"""

from __future__ import annotations

from cart.core.effects import Effect, Note, Screen, ScreenLine, SetPanel, Show
from cart.core.events import Event, Restored
from cart.core.setup import Setup
from cart.core.trip import Line, Trip


def initial(setup: Setup) -> str:
    """Return the state, which is the currency of the prices and never changes."""
    return setup.catalog.currency


def step(state: str, event: Event) -> tuple[str, tuple[Effect, ...]]:
    """Return the screen and the red light for the first event, and nothing for any other."""
    if not isinstance(event, Restored):
        return state, ()
    trip = event.trip or Trip()
    screen = Screen(
        revision=1,
        phase="out_of_service",
        lines=tuple(_row(line) for line in trip.lines),
        total_minor=sum(line.amount_minor for line in trip.lines),
        currency=state,
        notices=("out_of_service",),
        flags=trip.flags,
        help=True,
        charge_id=trip.charge_id,
    )
    note = Note("OUT-OF-SERVICE", "error", "the core crashed three times in a minute; staff are called")
    return state, (Show(screen), SetPanel("red", "attention"), note)


def _row(line: Line) -> ScreenLine:
    return ScreenLine(
        product_id=line.product_id,
        name=line.name,
        count=1,
        mass_mg=line.mass_mg,
        sold_by=line.sold_by,
        unit_price_minor=line.unit_price_minor,
        amount_minor=line.amount_minor,
        state="review" if line.review else "saved",
    )
