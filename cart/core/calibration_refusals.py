"""Every reason for which a calibration is refused: what it means, and what to do about it.

docs/OPERATING.md holds the same table for people, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from cart.core import calibration_rest as rest

SILENT = "silent"
NOTHING_CHANGED = "nothing_changed"
WRONG_DIRECTION = "wrong_direction"
WRONG_MASS = "wrong_mass"
SHORT_SPAN = "short_span"
NON_LINEAR = "non_linear"
OFFSET = "offset"
HEADROOM = "headroom"
HYSTERESIS = "hysteresis"
ZERO_MOVED = "zero_moved"
CORNER = "corner"
BAD_CELL = "bad_cell"
NOT_VERIFIED = "not_verified"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a point, or all of them, cannot be used.

    code    key of REFUSALS
    detail  the figures met, with units
    redo    number of the task to do again, from 0; the points from there on are dropped
    """

    code: str
    detail: str
    redo: int


# In the order in which they can be met: (what it means, what to do).
REFUSALS: dict[str, tuple[str, str]] = {
    rest.SETTLING: (
        "the load does not come to rest",
        "keep hands and cables off the basket, stand the cart on a firm floor with its brakes on, then again",
    ),
    rest.DRIFTING: (
        "the load creeps one way: it is not at rest",
        "let the cart warm up for 10 minutes, look for goods or a cable leaning on the basket, then again",
    ),
    rest.NOISY: (
        "the readings scatter: six standard deviations of a second's mean reach e",
        "keep away from fans and doors; check the cell's shield and supply; or calibrate with a larger --e-g",
    ),
    rest.SATURATED: (
        "the converter is at the end of its range",
        "take load off; if the basket is empty, check the cell's wires and the gain",
    ),
    rest.UNUSABLE: (
        "readings are lost or flagged as unusable",
        "cart scale watch shows the flags; check the cable and the converter's supply",
    ),
    rest.STUCK: (
        "every reading is the same: no living converter does that",
        "unplug the converter and plug it in again; check the cell's wires",
    ),
    rest.WRONG_RATE: (
        "the converter does not run at the rate it names",
        "check the rate strap and loadcell.toml, then: cart scale watch",
    ),
    SILENT: (
        "no reading comes any more",
        "check the cable; the calibration goes on where it stopped when it is back",
    ),
    NOTHING_CHANGED: (
        "the load did not change",
        "put on (or take off) what is asked for before pressing Enter",
    ),
    WRONG_DIRECTION: (
        "the reading went the wrong way",
        "do exactly what is asked; if a mass was put on, a cell is mounted upside down or wired the other way round",
    ),
    WRONG_MASS: (
        "this is not the mass that was asked for, or an earlier one was not",
        "check what lies in the basket; `back` returns to the point before",
    ),
    SHORT_SPAN: (
        "the largest mass moves the reading by less than 1 % of full scale",
        "use heavier masses, a higher gain, or cells of a smaller capacity",
    ),
    NON_LINEAR: (
        "a point lies further from the line than half the permitted error",
        "look for something that touches or carries the basket; check the masses; then from zero again",
    ),
    OFFSET: (
        "the empty reading is more than 2 % of full scale away from what the platform weighs",
        "empty the basket; correct [weight] platform_mg; else a cell is overloaded or bent",
    ),
    HEADROOM: (
        "at the largest load the converter would be within 10 % of the end of its range",
        "name a smaller --max-kg, or use a lower gain or larger cells",
    ),
    HYSTERESIS: (
        "the same mass reads otherwise going down than going up",
        "look for friction: a guard, a cable, a screw that touches the basket; then from zero again",
    ),
    ZERO_MOVED: (
        "the empty basket no longer reads what it read at the start",
        "empty the basket, let the cart warm up, then from zero again",
    ),
    CORNER: (
        "the same mass reads otherwise on this corner",
        "trim the summing box, or shim the cell of that corner, then calibrate again",
    ),
    BAD_CELL: (
        "no trims make the four corners equal: a cell hardly answers",
        "check the order of the corners, then the wires and the mounting of each cell",
    ),
    NOT_VERIFIED: (
        "the finished calibration does not weigh the last mass right",
        "from zero again; if it stays so, have the cells tested",
    ),
}
