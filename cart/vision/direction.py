"""Whether a thing went into the basket or came out of it, where the view tells.

The view has a side at which the basket's inside lies (`[camera] basket_side`); things come over the opposite side. A
thing that entered at one of the two and left at the other went that way, and so did one whose code was last read close
to the one side after it had come from the other. A hand that stays in the view and one that shows a code and takes it
back tell nothing: "" then, never a guess, for the core believes what it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.vision.motion import Box

IN, OUT, UNKNOWN = "in", "out", ""
SIDES = ("left", "right", "top", "bottom")
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}

EDGE_PERCENT = 4
"""A box that comes so near to a side of the view touches it: boxes are padded and found in cells."""

NEAR_PERCENT, TRAVEL_PERCENT = 30, 25
"""A code that was last read within this part of the view from a side, and came at least that part of it towards it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the thing of a pass moved so far.

    entered, left          sides of the view that its box touched in the first frame, and in the latest
    code_first, code_last  middle of a code where it was read first and last, (x, y) in percent of the view
    """

    entered: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    begun: bool = False
    code_first: tuple[int, int] | None = None
    code_last: tuple[int, int] | None = None


def moved(way: Way, box: Box, width_px: int, height_px: int) -> Way:
    """Return the way after a frame in which the thing was in this box."""
    touched = _touched(box, width_px, height_px)
    return replace(way, entered=way.entered if way.begun else touched, left=touched, begun=True)


def code_at(way: Way, corners: tuple[tuple[int, int], ...], width_px: int, height_px: int) -> Way:
    """Return the way after a code was read between these corners."""
    if not corners:
        return way
    x = 100 * sum(corner[0] for corner in corners) // (len(corners) * width_px)
    y = 100 * sum(corner[1] for corner in corners) // (len(corners) * height_px)
    return replace(way, code_first=way.code_first or (x, y), code_last=(x, y))


def direction(way: Way, basket_side: str) -> str:
    """Return IN, OUT or UNKNOWN; basket_side is one of SIDES, or "none" where the view does not tell."""
    if basket_side not in SIDES:
        return UNKNOWN
    far, near = basket_side, _OPPOSITE[basket_side]
    by_box = _sense(near in way.entered, far in way.entered, near in way.left, far in way.left)
    by_code = _code_sense(way, far)
    if by_box and by_code and by_box != by_code:
        return UNKNOWN
    return by_box or by_code


def _sense(near_first: bool, far_first: bool, near_last: bool, far_last: bool) -> str:
    if (near_first, far_first, near_last, far_last) == (True, False, False, True):
        return IN
    if (near_first, far_first, near_last, far_last) == (False, True, True, False):
        return OUT
    return UNKNOWN


def _code_sense(way: Way, far: str) -> str:
    if way.code_first is None or way.code_last is None:
        return UNKNOWN
    first, last = _depth(way.code_first, far), _depth(way.code_last, far)
    if last - first >= TRAVEL_PERCENT and last >= 100 - NEAR_PERCENT:
        return IN
    if first - last >= TRAVEL_PERCENT and last <= NEAR_PERCENT:
        return OUT
    return UNKNOWN


def _depth(place: tuple[int, int], far: str) -> int:
    """Return how far towards the basket a place lies, in percent of the view."""
    along = place[0] if far in ("left", "right") else place[1]
    return along if far in ("right", "bottom") else 100 - along


def _touched(box: Box, width_px: int, height_px: int) -> frozenset[str]:
    x, y = width_px * EDGE_PERCENT // 100, height_px * EDGE_PERCENT // 100
    near = {"left": box.left <= x, "top": box.top <= y, "right": box.right >= width_px - x,
            "bottom": box.bottom >= height_px - y}  # fmt: skip
    return frozenset(side for side, touches in near.items() if touches)
