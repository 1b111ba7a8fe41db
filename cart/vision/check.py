"""Does the picture really show this number? The check that stands between a read and a charge.

A till code has one check digit, so every tenth misread passes it, and some packages are misread the same way in
every frame and by both engines: neither voting nor agreement helps. So the grey profile across the code is compared
with the code as it would have been drawn, and with every code that differs in one digit. If any of those fits
better, the read is refused (digit-exchange margin).

Fitted are the lens (`drawn`), start, end and bend of the label: about 3 ms for a new code.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from cart.vision.drawn import (
    LENSES,
    QUIET_MODULES,
    SAMPLES_PER_MODULE,
    best_exchange,
    parts_of,
    templates_of,
    unit_rows,
)
from cart.vision.profile import AROUND, SAMPLES, axes_of, profile_across, square_up, upright_box
from cart.wire import bars

# Corners are off by up to 3 % of the width; a label on a can bends the middle by up to 4 %.
_COARSE_SHIFTS = np.array([-0.03, -0.015, 0.0, 0.015, 0.03])
_COARSE_BENDS = np.array([-0.04, -0.02, 0.0, 0.02, 0.04])
_FINE = 0.35

BEND_WINDOWS, BEND_WINDOW_MODULES, STRAIGHTENINGS = 8, 24, 3
"""Places along the code at which its bend is measured, how wide each is, and how often it is taken out at most."""

FOUND_WIDTHS = tuple(0.85 * 1.03**i for i in range(32))
"""Widths at which a code is looked for again, in widths of the quad: 0.85 to 2.1."""

GOOD_SCORE = 0.8
"""From here on better corners are not looked for."""


class Fit(NamedTuple):
    """How well a code explains the picture.

    score   correlation of the profile with the drawn code, 1 is perfect
    margin  score less the best score of a code with one digit exchanged; below 0 another code fits better
    """

    score: float
    margin: float


def fit_of(grey: np.ndarray, corners: tuple[tuple[float, float], ...], symbology: str, text: str) -> Fit:
    """Return how well a retail code explains the picture at its corners.

    grey     uint8 (height, width)
    corners  top left, top right, bottom right, bottom left in reading order

    The corners are taken as they are. Where the code does not fit there (engines give them coarsely on tilted
    codes) they are squared up with the direction of the bars, then looked for again; the best score counts.
    """
    quad = np.asarray(corners, np.float64)
    templates = templates_of(parts_of([bars.modules(symbology, text)])[0])
    best = _best_warp(profile_across(grey, quad), templates)
    for mend in (square_up, partial(find_again, template=templates[_FINDING_LENS])):
        if best[0] >= GOOD_SCORE:
            break
        mended = mend(grey, quad)
        if mended is not None:
            best = max(best, _best_warp(profile_across(grey, mended), templates), key=lambda found: found[0])
    score, lens, seen = _straighten(best, templates)
    return Fit(score, score - best_exchange(seen, lens, symbology, text))


def warm_up() -> None:
    """Make the pictures of parts of all formats, 0.1 s of work, before a shopper waits for the first code."""
    blank = np.full((8, 128), 128, np.uint8)
    for symbology, digits in (("EAN13", 13), ("EAN8", 8), ("UPCE", 8)):
        fit_of(blank, ((8, 0), (120, 0), (120, 8), (8, 8)), symbology, "0" * digits)


def find_again(grey: np.ndarray, quad: np.ndarray, template: np.ndarray) -> np.ndarray | None:
    """Return the place near `quad` where the code fits best, at any width and in both directions, or None.

    zbar often knows only half a code's place, or its direction wrongly. The profile reaches a whole width to both
    sides and is compared with the drawn code at FOUND_WIDTHS times the width of the quad.
    """
    axes = axes_of(grey, quad)
    if axes is None:
        return None
    across, along = axes
    u, v = quad @ across, quad @ along
    left, right, width = u.min(), u.max(), u.max() - u.min()
    if width < 16:
        return None
    wide = upright_box(left - width, right + width, v.min(), v.max(), axes)
    profile = profile_across(grey, wide, around=0.0).astype(np.float32)[None, :]
    template = template.astype(np.float32)[None, :]
    count = template.shape[1] // SAMPLES_PER_MODULE - 2 * QUIET_MODULES
    best, place = -1.0, None
    for times, direction in itertools.product(FOUND_WIDTHS, (1, -1)):
        # One profile is three widths long; its scale makes a code of `times` widths as long as the template.
        samples = round(3 / times * count * SAMPLES_PER_MODULE)
        if samples < template.shape[1]:
            continue
        scaled = cv2.resize(profile[:, ::direction], (samples, 1), interpolation=cv2.INTER_LINEAR)
        _, score, _, (x, _) = cv2.minMaxLoc(cv2.matchTemplate(scaled, template, cv2.TM_CCOEFF_NORMED))
        if score > best:
            first = x + QUIET_MODULES * SAMPLES_PER_MODULE
            ends = np.array([first, first + count * SAMPLES_PER_MODULE]) / samples
            best, place = score, ends if direction > 0 else 1.0 - ends
    if place is None:
        return None
    start, end = left - width + 3 * width * place
    return upright_box(start, end, v.min(), v.max(), axes)


def _best_warp(profile: np.ndarray, templates: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Return score, lens and the profile on the code's own grid, for the best start, end and bend."""
    coarse = _search(profile, templates, _grid(_COARSE_SHIFTS, _COARSE_BENDS))
    fine = _grid(_COARSE_SHIFTS * _FINE, np.array([-0.01, 0.0, 0.01])) + coarse[3]
    refined = _search(profile, templates, fine)
    return max(coarse, refined, key=lambda found: found[0])[:3]


def _straighten(best: tuple[float, int, np.ndarray], templates: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Return score, lens and profile after bends that one parabola does not describe are taken out, if that helps.

    Around a can the modules shrink towards both sides. The shift that fits best is found for windows along the code;
    a cubic through the shifts straightens the whole. No window is as narrow as a digit, so no digit can be bent into
    another.
    """
    score, lens, seen = best
    template = templates[lens]
    for _ in range(STRAIGHTENINGS):
        moved = unit_rows(_bent(seen, template)[None, :])[0]
        moved_score = float(moved @ template)
        if moved_score <= score:
            break
        score, seen = moved_score, moved
    return score, lens, seen


def _bent(seen: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Return the profile moved along itself by the cubic through the best shifts of its windows."""
    places = np.arange(len(seen))
    shifts = np.arange(-SAMPLES_PER_MODULE, SAMPLES_PER_MODULE + 1)
    window = np.hanning(BEND_WINDOW_MODULES * SAMPLES_PER_MODULE)
    centres = np.linspace(len(window) / 2, len(seen) - len(window) / 2, BEND_WINDOWS)
    found, trust = [], []
    # Rows: shifts; columns: how well each sample agrees with the template under that shift.
    agreement = np.stack([np.roll(seen, -shift) * template for shift in shifts])
    for centre in centres:
        first = int(centre - len(window) / 2)
        sums = agreement[:, first : first + len(window)] @ window
        which = int(sums.argmax())
        found.append(shifts[which])
        trust.append(max(0.0, float(sums[which])))
    if sum(trust) == 0.0:
        return seen
    middle = len(seen) / 2
    cubic = np.polyfit((centres - middle) / middle, found, 3, w=np.sqrt(trust) + 1e-6)
    return np.interp(places + np.polyval(cubic, (places - middle) / middle), places, seen)


def _search(profile: np.ndarray, templates: np.ndarray, warps: np.ndarray) -> tuple[float, int, np.ndarray, np.ndarray]:
    """Return score, lens, resampled profile and warp of the best of `warps`, rows of (start, end, bend)."""
    samples = templates.shape[1]
    reach = QUIET_MODULES / (samples / SAMPLES_PER_MODULE - 2 * QUIET_MODULES)
    grid = np.linspace(-reach, 1 + reach, samples)
    start, end, bend = (column[:, None] for column in warps.T)
    places = start + (1 + end - start) * grid + bend * 4 * grid * (1 - grid)
    seen = np.interp((places + AROUND) * _SAMPLES_PER_WIDTH, _SAMPLE_NUMBERS, profile)
    seen = unit_rows(seen)
    correlations = seen @ templates.T
    which, lens = np.unravel_index(int(correlations.argmax()), correlations.shape)
    return float(correlations[which, lens]), int(lens), seen[which], warps[which]


def _grid(shifts: np.ndarray, bends: np.ndarray) -> np.ndarray:
    return np.array(list(itertools.product(shifts, shifts, bends)))


_FINDING_LENS = LENSES.index((0.9, 0.0))
_SAMPLE_NUMBERS = np.arange(SAMPLES, dtype=np.float64)
_SAMPLES_PER_WIDTH = (SAMPLES - 1) / (1 + 2 * AROUND)
