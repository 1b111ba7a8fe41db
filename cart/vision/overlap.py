"""Of several codes read in one place, which one is there: the overlap rule.

Engines report, next to the right code, one from the few rows where the printed digits cut the bars, or a UPC-E from
the middle of a longer code. Both stand in a place where a code with more rows stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cart.ports import RawRead

SHORT = frozenset({"UPCE", "EAN8"})
"""Formats that turn up as phantoms inside longer codes."""

MATRIX = frozenset({"QR", "DATAMATRIX"})

SLIVER = 3
"""A read with less than this fraction (1/3) of the rows of its neighbour above or below counts as in its place."""


def surviving(raws: Sequence[RawRead]) -> list[RawRead]:
    """Return one read for each place: the one with the largest span, longer formats before short ones.

    The same code read twice in one place counts once, as the better of the two.
    """
    kept: list[RawRead] = []
    for raw in sorted(raws, key=_rank):
        if not any(_yields(raw, better) for better in kept):
            kept.append(raw)
    return kept


def span_px(raw: RawRead) -> float:
    """Return how far along the bars the code was read, in pixels: the number of rows that agree on it.

    zbar's corners are the outermost of its hits, which may come from two rows far apart; its own count of rows
    limits them.
    """
    top_left, top_right, bottom_right, bottom_left = raw.corners
    side = max(math.dist(top_left, bottom_left), math.dist(top_right, bottom_right))
    return min(side, float(raw.rows)) if raw.rows else side


def box_of(raw: RawRead) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the corners."""
    xs, ys = [x for x, _ in raw.corners], [y for _, y in raw.corners]
    return min(xs), min(ys), max(xs), max(ys)


def _rank(raw: RawRead) -> tuple[bool, bool, float]:
    # A matrix code is protected by its error correction, and zxing knows more text encodings: it goes first there.
    return raw.symbology in SHORT, raw.engine != "zxing" and raw.symbology in MATRIX | {"CODE128"}, -span_px(raw)


def _yields(raw: RawRead, better: RawRead) -> bool:
    """Return True if `raw` stands in the place of `better`."""
    if _overlap(box_of(raw), box_of(better)):
        return True
    if SLIVER * span_px(raw) > span_px(better):
        return False
    # Rows cut by the digits lie just below the rows that were read well.
    reach = span_px(better) / 2
    left, top, right, bottom = box_of(better)
    return _overlap(box_of(raw), (int(left - reach), int(top - reach), int(right + reach), int(bottom + reach)))


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Return True if the boxes share more than a quarter of the smaller one; a line counts as 2 px wide."""
    width = min(one[2], other[2]) - max(one[0], other[0]) + 2
    height = min(one[3], other[3]) - max(one[1], other[1]) + 2
    if width <= 2 or height <= 2:
        return width > 0 and height > 0 and (_is_line(one) or _is_line(other))
    return 4 * width * height > min(_area(one), _area(other))


def _is_line(box: tuple[int, int, int, int]) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) <= 2


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0] + 2) * (box[3] - box[1] + 2)
