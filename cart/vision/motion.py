"""When a thing passes through the view: the motion gate, and where one pass ends and the next begins.

A frame is looked at 1/8 of its size. What differs from a slowly learned background is *there*; what differs from the
frame before *moves*. A pass begins when something moves, and ends when nothing is there any more (it left the view)
or nothing moved for a while (it was put down: the background then takes it in, so that it does not begin another
pass by lying there). Pure functions on values and arrays; time comes with the frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

CELL_PX = 8
"""Side of a cell of the small picture, in frame pixels."""

DIFFERENCE = 14.0
"""Grey levels by which a cell has to differ; sensor noise averaged over a cell is below 2."""

LIGHT_SHARE = 0.7
"""Share of the cells that have to agree on a change of light; with fewer it is a large thing that came."""

AREA_MIN_PERMILLE = 4
"""Share of the view that has to move: 36 cells of 1280x720, a thing of 5 cm at the usual height."""

BEGIN_FRAMES = 2
"""Frames in a row in which something has to be there, from the one in which it moved: a single one may be a flash."""

GONE_NS, STILL_NS, PASS_NS_MAX = 150_000_000, 1_000_000_000, 8_000_000_000
"""Nothing there, nothing moving, or too long: the pass is over. A hand that shows a code may be still for a second."""
LEARN_IDLE, LEARN_BUSY = 0.08, 0.004
"""Shares of a new frame that enter the background while nothing moves, and while something does."""

COVERED_SPREAD, COVERED_NS = 4.0, 700_000_000
"""A view flatter than this many grey levels (standard deviation), for so long, is covered or dark."""

SAME_SPREAD, SAME_CORRELATION = 8.0, 0.8
"""Two places with so much structure (standard deviation in grey levels), so alike, are one in another light: the bars
of a code differ from cell to cell by 15 and more."""

PADDING_CELLS = 2


class Box(NamedTuple):
    """A part of the frame in pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is known of the view after some frames.

    background  what it looks like with nothing moving, float32 small picture; None before the first frame
    previous    the small picture of the last frame
    track       number of the current or last pass, counted from 1; 0 before the first
    active      a pass is going on
    box         where the moving thing is, None when nothing is there; also in the frame before a pass begins
    there       uint8 mask of the cells that differ from the background
    covered     the camera sees nothing
    """

    background: np.ndarray | None = None
    previous: np.ndarray | None = None
    track: int = 0
    active: bool = False
    box: Box | None = None
    there: np.ndarray | None = None
    covered: bool = False
    streak: int = 0
    began_ns: int = 0
    moved_ns: int = 0
    there_ns: int = 0
    clear_ns: int = 0


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """Return the small grey picture of a frame, float32 (height / CELL_PX, width / CELL_PX).

    Of a frame, uint8 (height, width, 3), only every fourth pixel of both directions is touched: with nothing moving
    this is all that is done to it.
    """
    height, width = pixels.shape[:2]
    size = (max(1, width // CELL_PX), max(1, height // CELL_PX))
    sparse = np.ascontiguousarray(pixels[::4, ::4])
    return cv2.cvtColor(cv2.resize(sparse, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY).astype(np.float32)


def looked(view: View, small: np.ndarray, t_ns: int) -> View:
    """Return the view after a frame, given as its small picture, exposed at t_ns."""
    if view.background is None or view.previous is None or view.background.shape != small.shape:
        return View(background=small, previous=small, track=view.track, clear_ns=t_ns)
    if float(small.std()) >= COVERED_SPREAD:
        view = replace(view, clear_ns=t_ns)
    covered = t_ns - view.clear_ns > COVERED_NS
    there = _differs(small, view.background)
    moving = _differs(small, view.previous)
    area_min = small.size * AREA_MIN_PERMILLE / 1_000
    is_moving = int(np.count_nonzero(moving)) >= area_min
    is_there = int(np.count_nonzero(there)) >= area_min
    view = replace(
        view,
        previous=small,
        there=there,
        covered=covered,
        streak=view.streak + 1 if is_there and (is_moving or view.streak) else 0,
        moved_ns=t_ns if is_moving else view.moved_ns,
        there_ns=t_ns if is_there else view.there_ns,
    )
    if covered:
        return replace(view, active=False, box=None, background=small)
    view = _begun(view, t_ns) if not view.active else _perhaps_ended(view, small, t_ns)
    # From its very first frame a thing must not be learned, or its ghost stays when it is gone.
    learn = LEARN_BUSY if view.active or view.streak else LEARN_IDLE
    box = _around(there | moving) if is_there and (view.active or view.streak) else None
    return replace(view, box=box, background=cv2.addWeighted(view.background, 1 - learn, small, learn, 0))


Corners = tuple[tuple[int, int], ...]


def is_part_of_thing(view: View, corners: Corners) -> bool:
    """Return True if what the corners enclose came into the view: it is not the wall, nor the wall in a shadow.

    At least half of the cells inside differ from the background, and not by their light alone. Of a sliver, which has
    no cell inside, the cells around it must differ on both sides: it may be what a hand leaves of a code that lies
    still, and the hand is in the same cells.
    """
    if view.there is None or not corners:
        return False
    window = _inside(corners)
    differs = view.there[window].astype(bool)
    if differs.size == 0:
        window = _around_sliver(corners)
        differs = view.there[window].astype(bool)
        is_wide = differs.shape[1] > differs.shape[0]
        shares = differs.mean(axis=1 if is_wide else 0) if differs.size else np.zeros(1)
    else:
        shares = np.array([differs.mean()])
    return float(shares.min()) >= 0.5 and not _is_as_before(view, window)


def tells_place(view: View, corners: Corners) -> bool:
    """Return True if where a code was read tells something of its movement.

    It does not where the code lay before the pass, in whatever light, nor where so little of it was read that the
    cells cannot say whether it did.
    """
    window = _inside(corners) if corners else np.s_[:0, :0]
    return view.previous is not None and view.previous[window].size > 0 and not _is_as_before(view, window)


def _inside(corners: Corners) -> tuple[slice, slice]:
    """Return the cells that lie wholly in the box around the corners: what was read is what they show."""
    (left, right), (top, bottom) = _extent(corners)
    return np.s_[-(-top // CELL_PX) : bottom // CELL_PX, -(-left // CELL_PX) : right // CELL_PX]


def _around_sliver(corners: Corners) -> tuple[slice, slice]:
    """Return the cells that the box around the corners touches, and one more on each side."""
    (left, right), (top, bottom) = _extent(corners)
    return np.s_[max(0, top // CELL_PX - 1) : bottom // CELL_PX + 2, max(0, left // CELL_PX - 1) : right // CELL_PX + 2]


def _extent(corners: Corners) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return left and right, top and bottom; right and bottom exclusive."""
    xs, ys = [max(0, x) for x, _ in corners], [max(0, y) for _, y in corners]
    return (min(xs), max(xs) + 1), (min(ys), max(ys) + 1)


def _is_as_before(view: View, window: tuple[slice, slice]) -> bool:
    """Return True if the cells show what the background does; False where there is too little structure to tell."""
    if view.previous is None or view.background is None:
        return False
    return _is_same_in_other_light(view.previous[window], view.background[window])


def _is_same_in_other_light(now: np.ndarray, before: np.ndarray) -> bool:
    """Return True if two small pictures show the same: the hand's shadow on a code in the basket changes its light."""
    spreads = float(now.std()), float(before.std())
    if min(spreads) < SAME_SPREAD:
        return False
    together = float(((now - now.mean()) * (before - before.mean())).mean())
    return together >= SAME_CORRELATION * spreads[0] * spreads[1]


def _begun(view: View, t_ns: int) -> View:
    if view.streak < BEGIN_FRAMES:
        return view
    return replace(view, active=True, track=view.track + 1, began_ns=t_ns, there_ns=t_ns)


def _perhaps_ended(view: View, small: np.ndarray, t_ns: int) -> View:
    if t_ns - view.there_ns > GONE_NS:
        return replace(view, active=False, streak=0)
    if t_ns - view.moved_ns > STILL_NS or t_ns - view.began_ns > PASS_NS_MAX:
        # Put down, or the view changed for good: what lies there now is the background of the next pass.
        return replace(view, active=False, streak=0, background=small)
    return view


def _differs(small: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the uint8 mask of the cells that differ, after a change of light common to most of them is taken out."""
    difference = small - other
    # Every eighth cell tells the light well enough, at an eighth of the cost.
    sample = difference[::2, ::4]
    light = float(np.median(sample))
    if np.count_nonzero(np.abs(sample - light) < DIFFERENCE) < LIGHT_SHARE * sample.size:
        light = 0.0
    return (cv2.absdiff(difference, light) > DIFFERENCE).astype(np.uint8)


def _around(mask: np.ndarray) -> Box | None:
    """Return the padded box around the largest connected part of the mask, in frame pixels, None where it is empty."""
    joined = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    if count < 2:
        return None
    x, y, w, h, _ = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    rows, columns = mask.shape
    left, top = max(0, x - PADDING_CELLS), max(0, y - PADDING_CELLS)
    right, bottom = min(columns, x + w + PADDING_CELLS), min(rows, y + h + PADDING_CELLS)
    return Box(left * CELL_PX, top * CELL_PX, right * CELL_PX, bottom * CELL_PX)
