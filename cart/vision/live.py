"""Codes of live frames within their budget: what is tried on which frame of a pass.

Every frame: the 1-D codes of the moving region, as it is, and strips through its bars, turned upright and enlarged,
until the pass has a code; then strips on every second. Every fourth: QR and DataMatrix. A loop that is behind the
camera tries less (`pace`). What a pass leaves unread is given to both engines afterwards, on the whole ladder, when
nothing moves and nobody waits for a frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cart.ports import BarcodeEngine, RawRead
from cart.vision import locate
from cart.vision.ladder import LINEAR, sharpened
from cart.vision.motion import Box
from cart.vision.overlap import MATRIX
from cart.vision.pace import Tasks
from cart.vision.reader import Read, in_frame, read_unread

REGIONS_A_FRAME = 2

STRIP_ACROSS, STRIP_ALONG = 1.5, 0.75
STRIP_PART, STRIP_ROWS_MIN = 0.35, 24
"""A strip is the middle of a region, so many times as large across and along its bars. Enlarged in one step from the
frame: turned at its own size first, a code of 1.5 px a module is lost to the interpolation."""

SHARPEN_PX, SHARPEN = 1.5, 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Leftover:
    """A region with bars of a pass that was not read; sharpness orders them."""

    track: int
    t_frame_ns: int
    grey: np.ndarray
    angle_deg: float
    sharpness: float


def read_frame(
    grey: np.ndarray, box: Box, engine: BarcodeEngine, tasks: Tasks
) -> tuple[list[RawRead], list[locate.Region]]:
    """Return the raw reads of the box, and the regions with bars if this frame looked for them; frame coordinates.

    grey  uint8 (height, width), the whole frame
    """
    part = np.ascontiguousarray(grey[box.top : box.bottom, box.left : box.right])
    raws = engine.read(part, LINEAR | MATRIX if tasks.matrix else LINEAR)
    regions: list[locate.Region] = []
    if tasks.strips:
        regions = locate.find_regions(part, REGIONS_A_FRAME)
        for region in regions:
            raws += read_strip(part, region, engine)
    return [_moved(raw, box) for raw in raws], [_region_in_frame(region, box) for region in regions]


def read_strip(grey: np.ndarray, region: locate.Region, engine: BarcodeEngine) -> list[RawRead]:
    """Return the raw 1-D reads of a strip through the middle of a region, in the coordinates of `grey`."""
    strip = strip_of(grey, region)
    pixels = sharpened(strip.pixels, SHARPEN_PX, SHARPEN)
    return [in_frame(raw, strip.to_frame) for raw in engine.read(pixels, LINEAR)]


def strip_of(grey: np.ndarray, region: locate.Region) -> locate.Crop:
    """Return the middle of a region with its bars upright, enlarged across them."""
    patch = grey[region.top : region.bottom, region.left : region.right]
    height, width = patch.shape
    cosine, sine = math.cos(math.radians(region.angle_deg)), math.sin(math.radians(region.angle_deg))
    across_px = round(STRIP_ACROSS * (width * abs(cosine) + height * abs(sine)))
    along_px = round(STRIP_ALONG * STRIP_PART * (width * abs(sine) + height * abs(cosine)))
    size = (max(1, across_px), max(STRIP_ROWS_MIN, along_px))
    turn = np.array([[STRIP_ACROSS * cosine, STRIP_ACROSS * sine, 0], [-STRIP_ALONG * sine, STRIP_ALONG * cosine, 0]])
    turn[:, 2] = np.divide(size, 2) - turn[:, :2] @ (width / 2, height / 2)
    pixels = cv2.warpAffine(patch, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(turn)
    back[:, 2] += (region.left, region.top)
    return locate.Crop(pixels, back)


def leftover(grey: np.ndarray, region: locate.Region, track: int, t_frame_ns: int) -> Leftover:
    """Return a copy of the region of a frame, to be read later."""
    patch = grey[region.top : region.bottom, region.left : region.right].copy()
    return Leftover(track, t_frame_ns, patch, region.angle_deg, sharpness(patch))


def sharpness(grey: np.ndarray) -> float:
    """Return how much fine structure a picture has: the spread of its second derivative, grey levels."""
    return float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1].max())


def read_leftover(left: Leftover, engines: Sequence[BarcodeEngine]) -> list[Read]:
    """Return the codes of a leftover: the full ladder, by all engines."""
    return read_unread(left.grey, left.angle_deg, engines, LINEAR)


def _moved(raw: RawRead, box: Box) -> RawRead:
    return replace(raw, corners=tuple((x + box.left, y + box.top) for x, y in raw.corners))


def _region_in_frame(region: locate.Region, box: Box) -> locate.Region:
    left, top, right, bottom, angle_deg = region
    return locate.Region(left + box.left, top + box.top, right + box.left, bottom + box.top, angle_deg)
