"""DataBar codes that are too blurred for an engine.

An engine has to tell bars from gaps first, and gives up where narrow bars have run together. Here nothing is told
apart: the two finders say where the code lies, and the code that most likely gave these grey values is taken if it
fits well, and far better than any other. Only bars in one row are looked for, without a 2-D component: those of tills.
About 20 ms for a region.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cart.ports import RawRead
from cart.vision import check, drawn
from cart.vision.likeliest import SAMPLES, Guess, Lens, finder_modules, most_likely, seen_rows
from cart.vision.profile import profile_across
from cart.wire import databar

LEADS_MIN = ((0.98, 1.25), (0.92, 1.4))
"""How many times as far from the picture the next code has to be, by the least correlation of this one with it.

Besides, each character has to be the nearest by itself (Guess.agreed). Set with the shared photos and generated codes
in sight, where no wrong guess of which all this held led by 1.1.
"""

BLUR_MAX_MODULES = 0.9
"""With more blur than this, other codes sometimes lead as far as the right one."""

MODULE_PX_MIN, PART_MIN, WIDTH_STEP = 1.2, 0.22, 1.04
"""The code is looked for in widths from so many pixels a module, or this part of the picture, up to the whole."""

FINER_WIDTHS = (0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03)
"""Then in parts of the widths that were best."""

SEARCH_PER_MODULE = 2
SEARCH_LENS: Lens = (0.75, 0.0)

PLACES, FINDERS_MIN = 2, 0.9
"""So many places are looked at, if the mean correlation of their two finders is at least this."""

REFITS, HOPE_MIN = 3, 0.9
"""Fits of a place, and the least correlation after one of them with which going on is worth it."""

_FINDERS_APART = 45
_BEFORE_FINDER = 17
"""Modules from the first finder to the second, and of the code before the first and the module beside it."""

_NOISE_LEVELS = 2.0


class Place(NamedTuple):
    """Where a code may lie: correlation of its finders, first and last edge in pixels; backwards if start > end."""

    score: float
    start: float
    end: float


class Found(NamedTuple):
    """The most likely code at a place, how well it correlates with the picture, and through which lens."""

    score: float
    lens: Lens
    guess: Guess


class BlurredDatabarEngine:
    """The search behind the port BarcodeEngine; for pictures with upright bars across their whole height."""

    name = "blurred"

    def read(self, grey: np.ndarray, symbologies: frozenset[str]) -> list[RawRead]:
        """Return the DataBar code of a uint8 (height, width) array, at most one."""
        if "DATABAR" not in symbologies or not grey.size:
            return []
        bottom = grey.shape[0] - 1
        for place in places_of(grey.mean(axis=0, dtype=np.float32)):
            corners = ((place.start, 0), (place.end, 0), (place.end, bottom), (place.start, bottom))
            found = best_guess(grey, np.array(corners, np.float64))
            gtin = databar.gtin_of(found.guess.characters)
            if gtin and is_firm(found):
                return [RawRead("DATABAR", gtin, tuple((round(x), y) for x, y in corners), self.name)]
        return []


def is_firm(found: Found) -> bool:
    """Return True where the code fits well enough, and far better than any other."""
    if not found.guess.agreed or found.lens[0] > BLUR_MAX_MODULES:
        return False
    return any(found.score >= score and found.guess.lead >= lead for score, lead in LEADS_MIN)


def places_of(row: np.ndarray) -> list[Place]:
    """Return where both finders of a code are seen in a row of grey levels, (pixels,), the best first."""
    narrowest_px = databar.MODULES * max(MODULE_PX_MIN, PART_MIN * len(row) / databar.MODULES)
    if narrowest_px > len(row):
        return []
    steps = int(math.log(len(row) / narrowest_px) / math.log(WIDTH_STEP))
    # A width is a guess: the finders may be a sample nearer or farther.
    rough = [place for n in range(steps + 1) for place in _at_width(row, narrowest_px * WIDTH_STEP**n, slack=1)]
    found = []
    for place in sorted(rough, reverse=True)[:PLACES]:
        finer = [_at_width(row, abs(place.end - place.start) * times) for times in FINER_WIDTHS]
        found.append(max(both[place.start > place.end] for both in finer))
    return [place for place in sorted(found, reverse=True) if place.score >= FINDERS_MIN]


def _at_width(row: np.ndarray, width_px: float, slack: int = 0) -> tuple[Place, Place]:
    """Return the best place of a code of this width, read forwards and backwards.

    slack  samples by which the finders may be nearer or farther apart
    """
    sample_px = width_px / (databar.MODULES * SEARCH_PER_MODULE)
    scaled = cv2.resize(row[None, :], (round(len(row) / sample_px), 1))[0]
    near, far = _correlations(scaled)
    if slack:
        far = cv2.dilate(far, np.ones((1, 1 + 2 * slack), np.uint8))
    apart = _FINDERS_APART * SEARCH_PER_MODULE
    places = []
    for backwards, scores in enumerate((near[:, :-apart] + far[:, apart:]) / 2):
        at = int(scores.argmax())
        start = (at - _BEFORE_FINDER * SEARCH_PER_MODULE) * sample_px
        ends = (start, start + width_px)
        places.append(Place(float(scores[at]), *(ends[::-1] if backwards else ends)))
    return places[0], places[1]


def best_guess(grey: np.ndarray, quad: np.ndarray) -> Found:
    """Return the most likely code at a place, with start, end, bend and lens fitted to what it says.

    Fitting and guessing in turn is repeated until the code stays the same, at most REFITS times.
    """
    profile = profile_across(grey, quad, evened=False).astype(np.float32)
    found = Found(0.0, SEARCH_LENS, most_likely(check.straight(profile, SAMPLES), SEARCH_LENS))
    for _ in range(REFITS):
        before = found.guess.characters
        templates = drawn.templates_of(drawn.parts_of([databar.drawn(before)])[0])
        score, seen, lens = check.seen_as(profile, templates)
        if score < HOPE_MIN:
            return found._replace(score=score)
        found = Found(score, drawn.LENSES[lens], most_likely(seen, drawn.LENSES[lens]))
        if found.guess.characters == before:
            break
    return found


def _correlations(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how well finders fit at each sample: of the near end and of the far one, (2, samples), forwards first."""
    templates = _finder_templates()
    windows = sliding_window_view(row, templates.shape[2])
    length = templates.shape[2]
    spread = np.einsum("ij,ij->i", windows, windows) - windows.sum(axis=1) ** 2 / length
    # Where there is next to no contrast, there is no finder.
    products = (
        windows @ templates.reshape(-1, length).T / np.sqrt(np.maximum(spread, _NOISE_LEVELS**2 * length))[:, None]
    )
    # The best of nine finders, all windows at once: window by window takes five times as long.
    best = np.ascontiguousarray(products.T).reshape(4, -1, len(windows)).max(axis=1)
    return best[::2], best[1::2]


@lru_cache(maxsize=1)
def _finder_templates() -> np.ndarray:
    """Return the blurred finders with a module on both sides, (4, 9, samples): near, far, and both read backwards."""
    near = np.pad(finder_modules(right=False), ((0, 0), (1, 1)), constant_values=0.0)
    far = np.pad(finder_modules(right=True), ((0, 0), (1, 1)), constant_values=1.0)
    read = (near, far, far[:, ::-1], near[:, ::-1])
    return np.stack([drawn.unit_rows(seen_rows(rows, SEARCH_LENS, SEARCH_PER_MODULE)) for rows in read])
