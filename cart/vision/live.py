"""Codes of live frames within their budget: what is tried on which frame of a pass.

Every frame: the 1-D codes of the moving region, upright. Every second: regions with tilted bars, turned. Every
fourth: QR and DataMatrix, which cost as much again. What a pass leaves unread is given to both engines afterwards,
enlarged and sharpened, when nothing moves and nobody waits for a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cart.ports import BarcodeEngine, RawRead
from cart.vision import locate, overlap
from cart.vision.motion import Box
from cart.vision.reader import Read, read_region, read_unread

MATRIX = overlap.MATRIX
LINEAR = frozenset({"EAN13", "UPCA", "EAN8", "UPCE", "CODE128", "DATABAR", "DATABAREXP"})

TURNED_EVERY, MATRIX_EVERY = 2, 4
UPRIGHT_DEG = 15
"""Up to this angle from upright or lying the engine reads bars without help."""

REGIONS_A_FRAME = 2


@dataclass(frozen=True, slots=True, eq=False)
class Leftover:
    """A region with bars of a pass that was not read; sharpness orders them."""

    track: int
    t_frame_ns: int
    grey: np.ndarray
    angle_deg: float
    sharpness: float


def read_frame(
    grey: np.ndarray, box: Box, number: int, engine: BarcodeEngine, *, hurried: bool = False
) -> tuple[list[RawRead], list[locate.Region]]:
    """Return the raw reads of the box, and the regions with bars if this frame looked for them; frame coordinates.

    grey     uint8 (height, width), the whole frame
    number   of the frame in its pass, from 0
    hurried  the frame before took too long: only what every frame gets
    """
    part = np.ascontiguousarray(grey[box.top : box.bottom, box.left : box.right])
    wanted = LINEAR | MATRIX if number % MATRIX_EVERY == 0 and not hurried else LINEAR
    raws = engine.read(part, wanted)
    regions: list[locate.Region] = []
    if number % TURNED_EVERY == 1 and not hurried:
        regions = locate.find_regions(part, REGIONS_A_FRAME)
        for region in regions:
            if is_tilted(region.angle_deg):
                raws += read_region(part, region, (engine,), LINEAR)
    return [_moved(raw, box) for raw in raws], [_region_in_frame(region, box) for region in regions]


def is_tilted(angle_deg: float) -> bool:
    """Return True for bars that stand further than UPRIGHT_DEG from both axes."""
    return UPRIGHT_DEG < abs(angle_deg) % 90 < 90 - UPRIGHT_DEG


def leftover(grey: np.ndarray, region: locate.Region, track: int, t_frame_ns: int) -> Leftover:
    """Return a copy of the region of a frame, to be read later."""
    patch = grey[region.top : region.bottom, region.left : region.right].copy()
    sharpness = float(cv2.Laplacian(patch, cv2.CV_16S).std())
    return Leftover(track, t_frame_ns, patch, region.angle_deg, sharpness)


def read_leftover(left: Leftover, engines: Sequence[BarcodeEngine]) -> list[Read]:
    """Return the codes of a leftover, on the full ladder."""
    return read_unread(left.grey, left.angle_deg, engines)


def _moved(raw: RawRead, box: Box) -> RawRead:
    return replace(raw, corners=tuple((x + box.left, y + box.top) for x, y in raw.corners))


def _region_in_frame(region: locate.Region, box: Box) -> locate.Region:
    left, top, right, bottom, angle_deg = region
    return locate.Region(left + box.left, top + box.top, right + box.left, bottom + box.top, angle_deg)
