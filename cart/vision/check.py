"""Does the picture really show this number? The check that stands between a read and a charge.

A till code has one check digit, so every tenth misread passes it, and some packages are misread the same way in
every frame and by both engines: neither voting nor agreement helps. So the grey profile across the code is compared
with the code as it would have been drawn, and with every code that differs in one digit. If any of those fits
better, the read is refused (digit-exchange margin).

Fitted are the lens (`drawn`), start, end and bend of the label: about 3 ms for a new code.
"""

from __future__ import annotations

import itertools
from functools import lru_cache, partial
from typing import NamedTuple

import cv2
import numpy as np

from cart.vision.drawn import (
    LENSES,
    QUIET_MODULES,
    SAMPLES_PER_MODULE,
    best_correlation,
    parts_of,
    same_blur,
    templates_of,
    unit_rows,
)
from cart.vision.profile import AROUND, SAMPLES, axes_of, profile_across, square_up, upright_box
from cart.wire import bars

# Corners are off by up to 3 % of the width; a label on a can bends the middle by up to 4 %.
_SHIFTS = np.array([-0.03, -0.015, 0.0, 0.015, 0.03])
_BENDS = np.array([-0.04, -0.02, 0.0, 0.02, 0.04])
# Around a can, modules shrink towards both sides; these are arcs of 0, 60, 110 and 150 degrees.
_ROUNDS = np.array([0.0, 0.025, 0.08, 0.17])
_FINER, _FINE_BENDS, _FINE_ROUNDS = 0.35, np.array([-0.01, 0.0, 0.01]), np.array([-0.025, 0.0, 0.025])

BEND_WINDOWS, BEND_WINDOW_MODULES, STRAIGHTENINGS = 8, 24, 3
"""Places along the code at which its bend is measured, how wide each is, and how often it is taken out at most."""

FOUND_WIDTHS = tuple(0.85 * 1.03**i for i in range(32))
"""Widths at which a code is looked for again, in widths of the quad: 0.85 to 2.1."""

FOUND_REACH, FOUND_SAMPLES = 1.3, 1_600

CLEAR_SCORE = 0.97
"""From here on the warp needs no straightening, and no code with other thicknesses of its bars can fit as well."""

GOOD_SCORE = 0.8
"""From here on better corners are not looked for."""


ALONE_MODULES, ALONE_LIGHT = 5, 0.5
"""A short code has to have so many modules of nothing on both sides, lighter than this share of its own contrast."""

MODULE_COUNTS = {"EAN8": 67, "UPCE": 51}


class Fit(NamedTuple):
    """How well a code explains the picture.

    score   correlation of the profile with the drawn code, 1 is perfect
    margin  score less the best score of another code: one with a digit exchanged, or with several that differ only in
            how thick their bars are printed; below 0 another code fits better
    quad    where it fits, float64 (4, 2): top left, top right, bottom right, bottom left in reading order
    """

    score: float
    margin: float
    quad: np.ndarray


class _Warp(NamedTuple):
    """A profile on the code's own grid, and its correlation with the code through a lens.

    shape  start, end, bend and roundness of the warp
    """

    score: float
    lens: int
    seen: np.ndarray
    shape: np.ndarray
    quad: np.ndarray


def fit_of(grey: np.ndarray, corners: tuple[tuple[float, float], ...], symbology: str, text: str) -> Fit:
    """Return how well a retail code explains the picture at its corners.

    grey     uint8 (height, width)
    corners  top left, top right, bottom right, bottom left in reading order

    The corners are taken as they are. Where the code does not fit there (engines give them coarsely on tilted
    codes) they are squared up with the direction of the bars, then looked for again; the best score counts.
    """
    quad = np.asarray(corners, np.float64)
    templates = templates_of(parts_of([bars.modules(symbology, text)])[0])
    best = _best_warp(grey, quad, templates)
    for mend in (square_up, partial(find_again, template=templates[_FINDING_LENS])):
        if best.score >= GOOD_SCORE:
            break
        mended = mend(grey, quad)
        if mended is not None:
            best = max(best, _best_warp(grey, mended, templates), key=_score)
    score, seen = _straighten(best, templates[best.lens])
    other = best_correlation(seen, (best.lens,), bars.exchanges(symbology, text))
    if score < CLEAR_SCORE and (twins := bars.twins(symbology, text)):
        other = max(other, best_correlation(seen, same_blur(best.lens), twins))
    return Fit(score, score - other, _stretched(best.quad, best.shape))


def stands_alone(grey: np.ndarray, quad: np.ndarray, symbology: str) -> bool:
    """Return True if light lies on both sides of a short code, seen straight across its bars at the middle of the read.

    quad  where the code fits, as in Fit

    A slanting row may enter a long code at its side and leave it through the top, and so read a perfect short code
    with a quiet zone at both ends. Straight across the bars, the long code goes on there.
    """
    axes = axes_of(grey, quad)
    if axes is None:
        return False
    across, along = axes
    u, middle = quad @ across, float((quad @ along).mean())
    start, end = (u[0] + u[3]) / 2, (u[1] + u[2]) / 2
    seen = profile_across(grey, upright_box(start, end, middle - 2, middle + 2, axes), evened=False)
    code = seen[_FIRST_SAMPLE:_LAST_SAMPLE]
    dark, light = np.percentile(code, (10, 90))
    module = len(code) / MODULE_COUNTS[symbology]
    near, far = round(module), round(ALONE_MODULES * module)
    beside = np.concatenate(
        [seen[_FIRST_SAMPLE - far : _FIRST_SAMPLE - near], seen[_LAST_SAMPLE + near :][: far - near]]
    )
    return bool(beside.min() > dark + ALONE_LIGHT * (light - dark))


def warm_up() -> None:
    """Make the pictures of parts of all formats, 0.1 s of work, before a shopper waits for the first code."""
    blank = np.full((8, 128), 128, np.uint8)
    for symbology, digits in (("EAN13", 13), ("EAN8", 8), ("UPCE", 8)):
        fit_of(blank, ((8, 0), (120, 0), (120, 8), (8, 8)), symbology, "0" * digits)


def find_again(grey: np.ndarray, quad: np.ndarray, template: np.ndarray) -> np.ndarray | None:
    """Return the place near `quad` where the code fits best, at any width and in both directions, or None.

    zbar often knows only half a code's place, or its direction wrongly. The profile reaches FOUND_REACH widths to both
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
    reach = FOUND_REACH * width
    whole = 1 + 2 * FOUND_REACH
    wide = upright_box(left - reach, right + reach, v.min(), v.max(), axes)
    profile = profile_across(grey, wide, around=0.0, samples=FOUND_SAMPLES).astype(np.float32)[None, :]
    template = template.astype(np.float32)[None, :]
    count = template.shape[1] // SAMPLES_PER_MODULE - 2 * QUIET_MODULES
    best, place = -1.0, None
    for times, direction in itertools.product(FOUND_WIDTHS, (1, -1)):
        # The profile's scale makes a code of `times` widths as long as the template.
        samples = round(whole / times * count * SAMPLES_PER_MODULE)
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
    start, end = left - reach + whole * width * place
    return upright_box(start, end, v.min(), v.max(), axes)


def _best_warp(grey: np.ndarray, quad: np.ndarray, templates: np.ndarray) -> _Warp:
    """Return the best start, end, bend and roundness of the code at `quad`."""
    profile = profile_across(grey, quad).astype(np.float32)
    # Every other sample and lenses without ink spread are enough to find the place.
    shape, _, _ = _search(profile, templates[_PLAIN_LENSES, ::2], _COARSE, step=2)
    shape, seen, lens = _search(profile, templates, _FINE + shape)
    seen = unit_rows(seen[None, :])[0]
    return _Warp(float(seen @ templates[lens]), lens, seen, shape, quad)


def seen_as(profile: np.ndarray, templates: np.ndarray) -> tuple[float, np.ndarray, int]:
    """Return how well a code fits a profile at its best start, end and bend, the profile seen so, and the lens.

    profile    float32 (SAMPLES,), AROUND widths of the code beyond its ends
    templates  the code through all lenses, as drawn.templates_of gives it
    """
    # Every other sample and lenses without ink spread are enough to find the place.
    shape, _, _ = _search(profile, templates[_PLAIN_LENSES, ::2], _COARSE, step=2)
    _, seen, lens = _search(profile, templates, _FINE + shape)
    return float(unit_rows(seen[None, :])[0] @ templates[lens]), seen, lens


def straight(profile: np.ndarray, samples: int) -> np.ndarray:
    """Return a profile on the grid of its code, `samples` long with the quiet zones, as if its ends were right."""
    places = _shapes(samples, 1)[0][None, :]
    return cv2.remap(profile[None, :], places, np.zeros_like(places), cv2.INTER_LINEAR)[0]


def _score(warp: _Warp) -> float:
    return warp.score


def _stretched(quad: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the quad with its start and end moved as the warp says, in widths of the quad."""
    top_left, top_right, bottom_right, bottom_left = quad
    top, bottom = top_right - top_left, bottom_right - bottom_left
    start, end = float(shape[0]), float(shape[1])
    return np.array(
        [top_left + start * top, top_right + end * top, bottom_right + end * bottom, bottom_left + start * bottom]
    )


def _straighten(warp: _Warp, template: np.ndarray) -> tuple[float, np.ndarray]:
    """Return score and profile after bends that one parabola does not describe are taken out, if that helps.

    Around a can the modules shrink towards both sides. The shift that fits best is found for windows along the code;
    a cubic through the shifts straightens the whole. No window is as narrow as a digit, so no digit can be bent into
    another.
    """
    score, seen = warp.score, warp.seen
    for _ in range(STRAIGHTENINGS if score < CLEAR_SCORE else 0):
        moved = unit_rows(_bent(seen, template)[None, :])[0]
        moved_score = float(moved @ template)
        if moved_score <= score:
            break
        score, seen = moved_score, moved
    return score, seen


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


def _search(
    profile: np.ndarray, templates: np.ndarray, warps: np.ndarray, step: int = 1
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the best of `warps`, rows of (start, end, bend, roundness), the profile seen through it, and the lens.

    step  the templates have every `step`-th sample
    """
    shapes = _shapes(templates.shape[1], step)
    places = warps.astype(np.float32) @ shapes[1:] + shapes[0]
    seen = cv2.remap(profile[None, :], places, np.zeros_like(places), cv2.INTER_LINEAR)
    # The templates are of mean 0 and length 1, so this is the correlation.
    spread = np.einsum("ij,ij->i", seen, seen) - seen.sum(axis=1) ** 2 / seen.shape[1]
    correlations = (seen @ templates.T) / np.sqrt(np.maximum(spread, 1e-12))[:, None]
    which, lens = divmod(int(correlations.argmax()), len(templates))
    return warps[which], seen[which], lens


@lru_cache(maxsize=6)
def _shapes(samples: int, step: int) -> np.ndarray:
    """Return where the samples of a straight code lie in the profile, and what each part of a warp adds to that."""
    reach = QUIET_MODULES / (step * samples / SAMPLES_PER_MODULE - 2 * QUIET_MODULES)
    grid = np.linspace(-reach, 1 + reach, step * samples)[::step]
    middle = 2 * grid - 1
    parts = (grid + AROUND, 1 - grid, grid, 4 * grid * (1 - grid), middle * (1 - middle * middle))
    return (np.stack(parts) * _SAMPLES_PER_WIDTH).astype(np.float32)


def _grid(*values: np.ndarray) -> np.ndarray:
    return np.array(list(itertools.product(*values)))


_COARSE = _grid(_SHIFTS, _SHIFTS, _BENDS, _ROUNDS)
_FINE = _grid(_SHIFTS * _FINER, _SHIFTS * _FINER, _FINE_BENDS, _FINE_ROUNDS)
_PLAIN_LENSES = [lens for lens, (_, spread) in enumerate(LENSES) if spread == 0.0]
_FINDING_LENS = LENSES.index((0.9, 0.0))
_SAMPLES_PER_WIDTH = (SAMPLES - 1) / (1 + 2 * AROUND)
_FIRST_SAMPLE = round(AROUND * _SAMPLES_PER_WIDTH)
_LAST_SAMPLE = SAMPLES - _FIRST_SAMPLE
