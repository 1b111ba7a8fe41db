"""What the cart does when something moved the reading and was no item: a line in the journal, words for the shopper.

No case adds or removes anything, and none stops a trip. Goods are scanned and weighed on, for a shopper can do nothing
about a cart that is held by a string but free it, or call for help. Only a price by weight is not made while a jam is
named: a load must lie on the cells alone (`legal_rules`), and the trip is marked, because what was weighed since may be
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core import basket, session
from cart.core.effects import Effect, Note
from cart.core.reminders import passing
from cart.core.state import State
from cart.core.weight import STANDING
from cart.core.weight_values import BUMP, CHILD, JAM, LEAN, RIM, TILT, Case, Step

Done = tuple[State, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Response:
    """What is done about one case.

    code, level, text  of the note
    notice             on the screen for some seconds, "" for none; of a jam there is one as long as it lasts
    standing           the notice is for a cart that stands: in motion the case is nothing worth a word
    flag               that the trip gets, "" for none
    """

    code: str
    level: str
    text: str
    notice: str = ""
    standing: bool = False
    flag: str = ""


RESPONSES = {
    BUMP: Response("SCALE-BUMP", "info", "a knock that left nothing", "bumped", standing=True),
    LEAN: Response("SCALE-LEAN", "info", "somebody leaned on the cart and let go again"),
    CHILD: Response("SCALE-CHILD", "info", "as heavy as a child, restless, and gone again"),
    TILT: Response("SCALE-TILT", "info", "the cart is on a slope; that is taken off"),
    JAM: Response(
        "SCALE-JAM",
        "warning",
        "the mass that moves is not the mass that is weighed: something carries or holds the platform",
        flag="scale_jammed",
    ),
    RIM: Response("SCALE-RIM", "warning", "a change outside the cells: over the rim, or held from outside", "over_rim"),
}


def named(state: State, value: Case) -> Done:
    """Return the state after a case, with its note; there is nothing of it in the basket."""
    response = RESPONSES[value.case]
    shopping = state.trip.phase in session.SHOPPING_PHASES
    if response.notice and shopping and not (response.standing and state.weight.motion != STANDING):
        state = passing(state, response.notice)
    if response.flag and shopping:
        state = replace(state, trip=basket.flag(state.trip, response.flag))
    return state, (Note(response.code, response.level, response.text),)


def landed(step: Step) -> tuple[Effect, ...]:
    """Return the note of where something landed or was taken from; none without a place."""
    place = step.place
    if place is None:
        return ()
    where = f"{place.x_mm:+d} mm fore, {place.y_mm:+d} mm left, +-{place.sigma_mm} mm"
    return (Note("LANDED-AT", "info", f"step {step.id}: {step.delta_mg // 1_000:+d} g at {where}"),)
