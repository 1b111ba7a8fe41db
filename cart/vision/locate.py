"""Where bars may be, in any direction, and how to turn such a region upright for an engine.

Bars are many edges of one direction close together: the structure tensor of the grey values, averaged over a small
window, says where edges are and how well their directions agree. It also answers to fine print, so regions are few
and the best come first. At a quarter of the size, about 3 ms for a 1280x720 frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

REGIONS_MAX = 3
SHRINK = 4
COHERENCE_MIN = 0.55
"""Share of the edges' energy that has to lie in one direction."""

_WINDOW = 9
_AREA_MIN, _LENGTH_MIN = 60, 12
_ENERGY_MIN = 600.0


class Region(NamedTuple):
    """A box of the frame with edges of one direction.

    left, top, right, bottom  pixels, right and bottom exclusive, padded for the quiet zone
    angle_deg                 direction across the bars, -90 to 90, y down; 0 is bars upright
    """

    left: int
    top: int
    right: int
    bottom: int
    angle_deg: float


class Crop(NamedTuple):
    """A region turned so that its bars are upright. to_frame: (2, 3), crop to frame coordinates."""

    pixels: np.ndarray
    to_frame: np.ndarray


def find_regions(grey: np.ndarray, count: int = REGIONS_MAX) -> list[Region]:
    """Return at most `count` regions of a uint8 (height, width) array that may hold bars, strongest first."""
    height, width = grey.shape
    if min(height, width) < SHRINK * _LENGTH_MIN:
        return []
    xx, yy, xy = _structure(grey)
    energy, difference = xx + yy, xx - yy
    coherence = np.sqrt(difference**2 + 4 * xy * xy)
    # The strongest hundredth of the picture sets the scale; a plain maximum would follow one glint. Averaged as the
    # energies are, every fourth tells as much as all.
    sample = energy[::2, ::2]
    strong = np.partition(sample, -(sample.size // 100) - 1, axis=None)[-(sample.size // 100) - 1]
    mask = ((coherence > COHERENCE_MIN * energy) & (energy > max(_ENERGY_MIN, 0.25 * strong))).astype(np.uint8)
    kernel = np.ones((5, 5), np.uint8)
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    labels, numbers, stats, _ = cv2.connectedComponentsWithStats(mask)
    found = []
    for label in range(1, labels):
        x, y, w, h, area = stats[label].tolist()
        if area < _AREA_MIN or max(w, h) < _LENGTH_MIN:
            continue
        window = np.s_[y : y + h, x : x + w]
        inside = numbers[window] == label
        strength = area * math.sqrt(float(energy[window][inside].mean()))
        angle = 0.5 * math.atan2(2 * float(xy[window][inside].sum()), float(difference[window][inside].sum()))
        found.append((strength, _padded(x, y, w, h, math.degrees(angle), grey.shape)))
    found.sort(key=lambda item: -item[0])
    return [region for _, region in found[:count]]


def turned_upright(grey: np.ndarray, region: Region, scale: float = 1.0) -> Crop:
    """Return the region with its bars upright, `scale` times as large."""
    patch = grey[region.top : region.bottom, region.left : region.right]
    height, width = patch.shape
    cosine, sine = abs(math.cos(math.radians(region.angle_deg))), abs(math.sin(math.radians(region.angle_deg)))
    size = (
        max(1, round(scale * (width * cosine + height * sine))),
        max(1, round(scale * (width * sine + height * cosine))),
    )
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), region.angle_deg, scale)
    turn[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    method = cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_LINEAR
    pixels = cv2.warpAffine(patch, turn, size, flags=method, borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(turn)
    back[:, 2] += (region.left, region.top)
    return Crop(pixels, back)


def across_bars(grey: np.ndarray, region: Region, reach: float, part: float) -> Crop:
    """Return a strip through the middle of a region with its bars upright.

    reach  its width, in widths of the region; it goes on into the rest of the picture
    part   its height, in heights of the region
    """
    width, height = region.right - region.left, region.bottom - region.top
    cosine, sine = math.cos(math.radians(region.angle_deg)), math.sin(math.radians(region.angle_deg))
    size = (
        max(1, round(reach * (width * abs(cosine) + height * abs(sine)))),
        max(1, round(part * (width * abs(sine) + height * abs(cosine)))),
    )
    turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])
    middle = ((region.left + region.right) / 2, (region.top + region.bottom) / 2)
    turn[:, 2] = np.divide(size, 2) - turn[:, :2] @ middle
    pixels = cv2.warpAffine(grey, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Crop(pixels, cv2.invertAffineTransform(turn))


def in_frame(corners: tuple[tuple[float, float], ...], to_frame: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return corners of a crop in the coordinates of its frame."""
    points = np.asarray(corners, np.float64) @ to_frame[:, :2].T + to_frame[:, 2]
    return tuple((round(float(x)), round(float(y))) for x, y in points)


def _structure(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the averaged products of the derivatives at a quarter of the size, float32."""
    height, width = grey.shape
    half = cv2.resize(grey, (width // SHRINK * 2, height // SHRINK * 2), interpolation=cv2.INTER_AREA)
    dx = cv2.Sobel(half, cv2.CV_16S, 1, 0, ksize=3).astype(np.float32)
    dy = cv2.Sobel(half, cv2.CV_16S, 0, 1, ksize=3).astype(np.float32)
    quarter = (width // SHRINK, height // SHRINK)

    def averaged(product: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(cv2.resize(product, quarter, interpolation=cv2.INTER_AREA), -1, (_WINDOW, _WINDOW))

    return averaged(dx * dx), averaged(dy * dy), averaged(dx * dy)


def _padded(x: int, y: int, w: int, h: int, angle_deg: float, shape: tuple[int, int]) -> Region:
    pad = round(0.18 * SHRINK * max(w, h)) + 12
    left, top = SHRINK * x - pad, SHRINK * y - pad
    right, bottom = SHRINK * (x + w) + pad, SHRINK * (y + h) + pad
    return Region(max(0, left), max(0, top), min(shape[1], right), min(shape[0], bottom), angle_deg)
