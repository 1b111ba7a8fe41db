"""What is tried on a region that no engine could read as it is: one rung after the other, the cheap ones first.

A rung makes another picture of the same region and says what may be read from it. Rungs are made for one cause each:
uneven light, too few pixels, a lens out of focus, light bars on a dark ground. Every rung adds wrong reads, so codes
that the check cannot hold against the picture (`check` knows the retail codes) are taken from the gentle rungs only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from cart.vision.locate import Crop
from cart.vision.overlap import MATRIX
from cart.wire.gs1 import RETAIL, SYMBOLOGIES

LINEAR = SYMBOLOGIES - MATRIX

ROWS_MAX = 64
"""Bars that stand upright are averaged along themselves to so many rows: less noise, and less to decode."""

LIGHT_TILES, LIGHT_CLIP = 4, 3.0
"""Of the evened light (CLAHE): tiles in each direction, and how steep it may become."""

ENLARGED_PX_MAX = 2_000_000

TONES_WINDOW_PX = 31
"""Of the neighbourhood that is compared with: several modules of a matrix code."""


class Rung(NamedTuple):
    """One more try.

    picture      makes it, from the region with its bars upright
    symbologies  what may be read from it
    engines      names of the engines that see it, () for all
    inverted     light and dark are exchanged in it
    """

    name: str
    picture: Callable[[np.ndarray], np.ndarray]
    symbologies: frozenset[str]
    engines: tuple[str, ...] = ()
    inverted: bool = False

    def crop(self, crop: Crop) -> Crop:
        """Return the rung's picture of a crop, with its own way back to the frame."""
        pixels = self.picture(crop.pixels)
        scale = np.diag(np.divide(crop.pixels.shape[::-1], pixels.shape[::-1]))
        back = np.concatenate([crop.to_frame[:, :2] @ scale, crop.to_frame[:, 2:]], axis=1)
        return Crop(np.ascontiguousarray(pixels), back)


def collapsed(grey: np.ndarray) -> np.ndarray:
    """Return upright bars averaged along themselves to at most ROWS_MAX rows."""
    height, width = grey.shape
    return cv2.resize(grey, (width, ROWS_MAX), interpolation=cv2.INTER_AREA) if height > ROWS_MAX else grey


def evenly_lit(grey: np.ndarray) -> np.ndarray:
    """Return the picture with its light evened out: it brings back bars in shine and in shadow."""
    return cv2.createCLAHE(LIGHT_CLIP, (LIGHT_TILES, LIGHT_TILES)).apply(grey)


def enlarged(grey: np.ndarray, across: int, along: int) -> np.ndarray:
    """Return the picture so many times as wide and as high, or less so where it would exceed ENLARGED_PX_MAX."""
    height, width = grey.shape
    while across * along * grey.size > ENLARGED_PX_MAX and across > 1:
        across, along = across - 1, max(1, along - 1)
    return cv2.resize(grey, (across * width, along * height), interpolation=cv2.INTER_CUBIC)


def sharpened(grey: np.ndarray, blur_px: float, strength: float) -> np.ndarray:
    """Return the picture with an unsharp mask: what a blur of about `blur_px` took away is given back."""
    return cv2.addWeighted(grey, 1 + strength, cv2.GaussianBlur(grey, (0, 0), blur_px), -strength, 0.0)


def inverted(grey: np.ndarray) -> np.ndarray:
    """Return the picture with light and dark exchanged."""
    return cv2.bitwise_not(grey)


def two_tones(grey: np.ndarray) -> np.ndarray:
    """Return each pixel as dark or light, compared with its neighbourhood."""
    method = cv2.ADAPTIVE_THRESH_GAUSSIAN_C
    return cv2.adaptiveThreshold(grey, 255, method, cv2.THRESH_BINARY, TONES_WINDOW_PX, 0)


def refocused(grey: np.ndarray) -> np.ndarray:
    """Return upright bars as a sharper lens would show them, four times as wide: for blur of a module or more."""
    wide = enlarged(evenly_lit(collapsed(grey)), 4, 1)
    soft = cv2.GaussianBlur(wide, (0, 0), sigmaX=6.0, sigmaY=0.01)
    return cv2.addWeighted(wide, 4.0, soft, -3.0, 0.0)


LINEAR_RUNGS = (
    Rung("upright", collapsed, LINEAR),
    Rung("lit", lambda grey: evenly_lit(collapsed(grey)), RETAIL | {"CODE128"}),
    Rung("sharp", lambda grey: sharpened(enlarged(collapsed(grey), 2, 1), 1.5, 1.0), LINEAR),
    Rung("lit, sharp", lambda grey: sharpened(enlarged(evenly_lit(collapsed(grey)), 2, 1), 1.5, 1.0), RETAIL),
    Rung("refocused", refocused, RETAIL),
    Rung("inverted", lambda grey: inverted(collapsed(grey)), RETAIL, (), True),
)
"""For a region with bars."""

WHOLE_RUNGS = (
    Rung("inverted", inverted, RETAIL, (), True),
    Rung("lit, sharp", lambda grey: sharpened(enlarged(evenly_lit(grey), 2, 2), 1.5, 1.0), RETAIL),
    Rung("refocused", lambda grey: sharpened(enlarged(grey, 4, 4), 5.0, 3.0), RETAIL, ("zxing",)),
)
"""For a whole picture: bars that no region was found for, in a direction that is not known."""

MATRIX_RUNGS = (
    Rung("large", lambda grey: enlarged(grey, 2, 2), MATRIX),
    Rung("two tones", two_tones, MATRIX),
    Rung("soft", lambda grey: cv2.GaussianBlur(grey, (0, 0), 1.0), MATRIX),
    Rung("softer", lambda grey: cv2.GaussianBlur(grey, (0, 0), 2.0), MATRIX),
)
"""For a whole picture: modules of a matrix that are small, badly lit, printed as dots or over a picture."""
