"""The grey profile across a code: where it lies in the picture, and the light taken out.

Functions on arrays. A quad is float64 (4, 2): top left, top right, bottom right, bottom left in reading order.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

SAMPLES = 640
LINES = 9

AROUND = 0.12
"""How far the profile reaches beyond the code on both sides, in widths of the code."""

ENVELOPE_SAMPLES = 81
"""Width of the window of the light and dark envelopes: 15 modules of an EAN-13, so there is always a bar in it."""


def profile_across(
    grey: np.ndarray, quad: np.ndarray, around: float = AROUND, *, evened: bool = True, samples: int = SAMPLES
) -> np.ndarray:
    """Return the mean light along the code, `samples` of float64, from `around` widths before it to as far after.

    evened  0 is dark and 1 is light as the neighbourhood goes; else grey levels
    """
    top_left, top_right, bottom_right, bottom_left = quad
    # Not to the very ends of the bars: corners are coarse, and digits are printed there.
    down = np.linspace(0.15, 0.85, LINES)[:, None, None]
    along = np.linspace(-around, 1 + around, samples)[None, :, None]
    start = top_left + (bottom_left - top_left) * down
    end = top_right + (bottom_right - top_right) * down
    points = (start + (end - start) * along).astype(np.float32)
    lines = cv2.remap(grey, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mean = lines.mean(axis=0, dtype=np.float32)
    return (_evenly_lit(mean[None, :])[0] if evened else mean).astype(np.float64)


def _evenly_lit(profile: np.ndarray) -> np.ndarray:
    """Return the profile, (1, samples), with shadow and shine taken out: between its own dark and light envelopes."""
    window = np.ones((1, ENVELOPE_SAMPLES), np.uint8)
    smooth = (4 * ENVELOPE_SAMPLES + 1, 1)
    light = cv2.GaussianBlur(cv2.dilate(profile, window), smooth, ENVELOPE_SAMPLES)
    dark = cv2.GaussianBlur(cv2.erode(profile, window), smooth, ENVELOPE_SAMPLES)
    # Noise is not blown up where there is hardly any contrast.
    contrast = np.maximum(light - dark, 0.2 * float((light - dark).max()) + 1.0)
    return (profile - dark) / contrast


def square_up(grey: np.ndarray, quad: np.ndarray) -> np.ndarray | None:
    """Return the quad with its sides turned along the bars, or None where no common direction of bars is seen.

    The direction comes from the structure tensor of the grey values inside the quad. First and last bar keep the
    place in which they were met; top and bottom become the outermost ones.
    """
    axes = axes_of(grey, quad)
    if axes is None:
        return None
    across, along = axes
    u, v = quad @ across, quad @ along
    return upright_box((u[0] + u[3]) / 2, (u[1] + u[2]) / 2, v.min(), v.max(), axes)


def axes_of(grey: np.ndarray, quad: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the unit vectors across and along the bars inside the quad's box, the first in reading direction."""
    left, top = np.floor(quad.min(axis=0)).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int) + 1
    patch = grey[max(0, top) : bottom, max(0, left) : right]
    direction = bar_direction(patch) if min(patch.shape) >= 4 else None
    if direction is None:
        return None
    across = np.array(direction)
    if across @ (quad[1] + quad[2] - quad[0] - quad[3]) < 0:
        across = -across
    return across, np.array([-across[1], across[0]])


def upright_box(
    start: float, end: float, upper: float, lower: float, axes: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the corners in reading order of a box given along the axes; start > end reads backwards."""
    across, along = axes
    if start > end:
        upper, lower = lower, upper
    ordered = ((start, upper), (end, upper), (end, lower), (start, lower))
    return np.array([across * a + along * b for a, b in ordered])


def bar_direction(patch: np.ndarray) -> tuple[float, float] | None:
    """Return the unit vector across the bars of a grey patch, or None where less than 3 tenths of the edges agree."""
    dx = cv2.Sobel(patch, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(patch, cv2.CV_32F, 0, 1, ksize=3)
    xx, yy, xy = cv2.norm(dx, cv2.NORM_L2SQR), cv2.norm(dy, cv2.NORM_L2SQR), float(np.vdot(dx, dy))
    if math.hypot(xx - yy, 2 * xy) < 0.3 * (xx + yy) or xx + yy == 0:
        return None
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    return math.cos(angle), math.sin(angle)
