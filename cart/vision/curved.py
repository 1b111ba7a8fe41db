"""QR codes on cloth, bags and bottles: seen by the engine, but bent so much that it takes modules for their neighbours.

The engine says where such a code lies. It is flattened as if its sides bulged, in every combination of a few bulges,
the smallest first, until the engine can read it: for photos, about a millisecond a try, and only where there is a code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from cart.ports import BarcodeEngine, RawRead

Quad = tuple[tuple[int, int], ...]

BULGES = (0.02, 0.01)
"""How far the middle of a side lies off the straight line, in sides of the code: half a module of a middling code."""

SIDE_PX, QUIET_PX = 200, 24
"""Of the flattened code and the ground around it: 6 px a module for most that are printed on things."""

AREA_MIN_PX = 21 * 21
"""Of a code that is worth a try: the smallest have 21 modules a side."""


@runtime_checkable
class SeesUnread(Protocol):
    """An engine that also tells of QR codes that it found and could not decode."""

    def unread_qr(self, grey: np.ndarray) -> list[Quad]:
        """Return their corners in reading order."""


def read_bent(grey: np.ndarray, engines: Sequence[BarcodeEngine]) -> list[RawRead]:
    """Return the QR code of a uint8 (height, width) array that an engine saw and could not read, at most one.

    The largest of what it saw is taken: parts of a code look like smaller ones.
    """
    for engine in engines:
        if isinstance(engine, SeesUnread) and (seen := engine.unread_qr(grey)):
            corners = max(seen, key=_area_px)
            if _area_px(corners) < AREA_MIN_PX:
                return []
            for flat in flattened(grey, corners):
                for raw in engine.read(flat, frozenset({"QR"})):
                    return [RawRead("QR", raw.text, corners, raw.engine, gs1=raw.gs1)]
    return []


def _area_px(corners: Quad) -> float:
    return cv2.contourArea(np.array(corners, np.float32))


def flattened(grey: np.ndarray, corners: Quad) -> Iterator[np.ndarray]:
    """Yield the code inside the corners as a square, its sides taken to bulge in one way after the other."""
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    view = cv2.getPerspectiveTransform(unit, np.array(corners, np.float32))
    places = (np.arange(SIDE_PX + 2 * QUIET_PX) - QUIET_PX + 0.5) / SIDE_PX
    x, y = np.meshgrid(places, places)
    over_x, over_y = 4 * x * (1 - x), 4 * y * (1 - y)
    for to_right, wider, lower, taller in _bulges():
        bent_x, bent_y = x + to_right * over_y + wider * over_x, y + lower * over_x + taller * over_y
        depth = view[2, 0] * bent_x + view[2, 1] * bent_y + view[2, 2]
        at_x = (view[0, 0] * bent_x + view[0, 1] * bent_y + view[0, 2]) / depth
        at_y = (view[1, 0] * bent_x + view[1, 1] * bent_y + view[1, 2]) / depth
        yield cv2.remap(
            grey, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )


def _bulges() -> list[tuple[float, ...]]:
    """Return the ways to bulge, flat first: how far the middle moves along x by y and x, along y by x and y."""
    found: list[tuple[float, ...]] = []
    for bulge in BULGES:
        ways = itertools.product((0.0, -bulge, bulge), repeat=4)
        found += sorted(ways, key=lambda way: sum(map(abs, way)))[1 if found else 0 :]
    return found
