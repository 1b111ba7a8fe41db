"""Which photos a product can be learnt from, and what is wrong with the others.

The limits are far outside what 500 of the training photos show: of those, none is refused.
"""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

SIDE_PX_MIN = 112
"""Well under half of what the network takes: a smaller photo is mostly interpolation."""

JUDGED_SIDE_PX = 224

DARK, BRIGHT, FLAT = 30, 225, 12
"""Mean grey below and above which nothing is to be seen, and a standard deviation that an empty view has."""

BLURRED = 5.0
"""Standard deviation of the Laplacian: sharp photos have 9 to 50, the same blurred by 2.5 pixels of 224 up to 3.5."""

ALIKE_SIDE_PX, ALIKE = 32, 5.0
"""Mean difference in grey levels of two small pictures that are one: a copy has 1, the nearest of other photos 9."""


class Named(NamedTuple):
    """A photo with the name that people know it by. pixels: uint8 (height, width, 3) in B, G, R order."""

    name: str
    pixels: np.ndarray


class Refused(NamedTuple):
    """A photo that is not used, and why."""

    name: str
    reason: str


def judged(photos: Iterable[Named]) -> tuple[list[Named], list[Refused]]:
    """Return the photos that a product can be learnt from, in order, and the others with what is wrong with each."""
    kept: list[Named] = []
    small: list[np.ndarray] = []
    refused: list[Refused] = []
    for photo in photos:
        picture = tiny(photo.pixels)
        reason = fault_of(photo.pixels) or _alike(picture, small, kept)
        if reason:
            refused.append(Refused(photo.name, reason))
        else:
            kept.append(photo)
            small.append(picture)
    return kept, refused


def fault_of(pixels: np.ndarray) -> str:
    """Return what makes a photo unusable by itself, "" for nothing."""
    if min(pixels.shape[:2]) < SIDE_PX_MIN:
        return f"smaller than {SIDE_PX_MIN} pixels"
    grey = _square(pixels, JUDGED_SIDE_PX)
    if grey.mean() < DARK:
        return "too dark"
    if grey.mean() > BRIGHT:
        return "too bright"
    if grey.std() < FLAT:
        return "shows nothing"
    return "blurred" if cv2.Laplacian(grey, cv2.CV_32F).std() < BLURRED else ""


def tiny(pixels: np.ndarray) -> np.ndarray:
    """Return a photo as the few grey pixels by which copies are known, float32."""
    return _square(pixels, ALIKE_SIDE_PX).astype(np.float32)


def is_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Return True for two results of `tiny` that show the same picture."""
    return float(np.abs(one - other).mean()) < ALIKE


def _alike(picture: np.ndarray, small: list[np.ndarray], kept: list[Named]) -> str:
    same = next((photo.name for photo, other in zip(kept, small, strict=True) if is_alike(picture, other)), "")
    return f"the same picture as {same}" if same else ""


def _square(pixels: np.ndarray, side_px: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    grey = cv2.cvtColor(pixels[top : top + side, left : left + side], cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_AREA)
