"""Does the picture really show this number? The check that stands between a read and a charge.

A till code has one check digit, so every tenth misread passes it, and some packages are misread the same way in
every frame and by both engines: neither voting nor agreement helps. So the grey profile across the code is compared
with the code as it would have been drawn, and with every code that differs in one digit. If any of those fits
better, the read is refused (digit-exchange margin).

What is rendered is linear in the modules and their edges: a code seen through a lens is `parts @ basis`, so the
correlations of 170 exchanged codes with the profile are one small matrix product. Blur and ink spread are fitted:
a spread that is taken for something else makes a 1 out of a 7 and a 2 out of an 8, which have their edges in the
same places.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import cv2
import numpy as np

from cart.wire import bars

QUIET_MODULES = 4
"""Modules of quiet zone on each side that take part."""

SAMPLES_PER_MODULE = 4
PROFILE_SAMPLES = 640
PROFILE_LINES = 9

ENVELOPE_SAMPLES = 81
"""Width of the window of the light and dark envelopes: 15 modules of an EAN-13, so there is always a bar in it."""

MARGIN_AROUND = 0.12
"""How far the profile reaches beyond the code on both sides, in widths of the code."""

BLURS_MODULES = (0.35, 0.6, 0.9, 1.25, 1.7)
"""Standard deviations of the blurs tried, in modules."""

INK_SPREADS_MODULES = (-0.15, 0.0, 0.15, 0.3)
"""By how much each edge of a dark bar is moved outwards, in modules; negative where light eats into the bars."""

LENSES = tuple(itertools.product(BLURS_MODULES, INK_SPREADS_MODULES))

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
    drawn = _parts([bars.modules(symbology, text)])[0]
    templates = _templates(drawn)
    best = _best_warp(profile_across(grey, quad), templates)
    for mend in (square_up, partial(find_again, template=templates[_FINDING_LENS])):
        if best[0] >= GOOD_SCORE:
            break
        mended = mend(grey, quad)
        if mended is not None:
            best = max(best, _best_warp(profile_across(grey, mended), templates), key=lambda found: found[0])
    score, lens, seen = _straighten(best, templates)
    return Fit(score, score - _best_exchange(seen, lens, symbology, text))


def profile_across(grey: np.ndarray, quad: np.ndarray, around: float = MARGIN_AROUND) -> np.ndarray:
    """Return the mean grey along the code, PROFILE_SAMPLES of float64, from `around` widths before it to as far after."""
    top_left, top_right, bottom_right, bottom_left = quad
    # Not to the very ends of the bars: corners are coarse, and digits are printed there.
    down = np.linspace(0.15, 0.85, PROFILE_LINES)[:, None, None]
    along = np.linspace(-around, 1 + around, PROFILE_SAMPLES)[None, :, None]
    start = top_left + (bottom_left - top_left) * down
    end = top_right + (bottom_right - top_right) * down
    points = (start + (end - start) * along).astype(np.float32)
    lines = cv2.remap(grey, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _evenly_lit(lines.mean(axis=0, dtype=np.float32)[None, :])[0].astype(np.float64)


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
    axes = _axes(grey, quad)
    if axes is None:
        return None
    across, along = axes
    u, v = quad @ across, quad @ along
    return _upright_box((u[0] + u[3]) / 2, (u[1] + u[2]) / 2, v.min(), v.max(), axes)


def find_again(grey: np.ndarray, quad: np.ndarray, template: np.ndarray) -> np.ndarray | None:
    """Return the place near `quad` where the code fits best, at any width and in both directions, or None.

    zbar often knows only half a code's place, or its direction wrongly. The profile reaches a whole width to both
    sides and is compared with the drawn code at FOUND_WIDTHS times the width of the quad.
    """
    axes = _axes(grey, quad)
    if axes is None:
        return None
    across, along = axes
    u, v = quad @ across, quad @ along
    left, right, width = u.min(), u.max(), u.max() - u.min()
    if width < 16:
        return None
    wide = _upright_box(left - width, right + width, v.min(), v.max(), axes)
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
    return _upright_box(start, end, v.min(), v.max(), axes)


def _axes(grey: np.ndarray, quad: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
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


def _upright_box(
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
        moved = _unit_rows(_bent(seen, template)[None, :])[0]
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
    seen = np.interp((places + MARGIN_AROUND) * _SAMPLES_PER_WIDTH, _SAMPLE_NUMBERS, profile)
    seen = _unit_rows(seen)
    correlations = seen @ templates.T
    which, lens = np.unravel_index(int(correlations.argmax()), correlations.shape)
    return float(correlations[which, lens]), int(lens), seen[which], warps[which]


def _best_exchange(seen: np.ndarray, lens: int, symbology: str, text: str) -> float:
    """Return the best correlation of the resampled profile with a code that has one digit exchanged."""
    others = _parts(bars.exchanges(symbology, text))
    basis, gram = _basis(_module_count(others[0]), lens)
    lengths = np.sqrt(np.einsum("ij,ij->i", others @ gram, others))
    return float(((others @ (basis @ seen)) / lengths).max())


def _templates(drawn: np.ndarray) -> np.ndarray:
    """Return the code as each lens shows it, (lenses, samples), of mean 0 and length 1."""
    return _unit_rows((drawn @ _bases(_module_count(drawn))).reshape(len(LENSES), -1))


@lru_cache(maxsize=3)
def _bases(count: int) -> np.ndarray:
    """Return the bases of all lenses side by side, so that one product gives all templates."""
    return np.concatenate([_basis(count, lens)[0] for lens in range(len(LENSES))], axis=1)


@lru_cache(maxsize=3 * len(LENSES))
def _basis(count: int, lens: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture of each part of a code, (parts, samples) and centred, and the parts' inner products."""
    blur, spread = LENSES[lens]
    modules = count + 2 * QUIET_MODULES
    # Light goes on beyond the quiet zone, so the outermost modules have no outer edge.
    edges = np.arange(modules + 1.0)
    edges[0], edges[-1] = -99.0, modules + 99.0
    places = (np.arange(modules * SAMPLES_PER_MODULE) + 0.5) / SAMPLES_PER_MODULE
    away = places[None, :] - edges[:, None]
    steps = np.vectorize(math.erf)(away / (blur * math.sqrt(2.0))) / 2
    inner = away[1:-1]
    # An edge that moves outwards takes away a strip of light, `spread` wide, at the edge.
    strips = -spread * np.exp(-((inner / blur) ** 2) / 2) / (blur * math.sqrt(2.0 * math.pi))
    basis = np.concatenate([steps[:-1] - steps[1:], strips])
    basis -= basis.mean(axis=1, keepdims=True)
    return basis, basis @ basis.T


def _parts(codes: Sequence[str]) -> np.ndarray:
    """Return what of each code takes part in its picture, (codes, parts): light modules, then edges between modules."""
    dark = np.frombuffer("".join(codes).encode("ascii"), np.uint8).reshape(len(codes), -1) == ord("1")
    light = np.pad(1.0 - dark, ((0, 0), (QUIET_MODULES, QUIET_MODULES)), constant_values=1.0)
    return np.concatenate([light, np.abs(np.diff(light, axis=1))], axis=1)


def _module_count(parts: np.ndarray) -> int:
    """Return how many modules a code of so many parts has between its quiet zones."""
    return (len(parts) + 1) // 2 - 2 * QUIET_MODULES


def _grid(shifts: np.ndarray, bends: np.ndarray) -> np.ndarray:
    return np.array(list(itertools.product(shifts, shifts, bends)))


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


_FINDING_LENS = LENSES.index((0.9, 0.0))
_SAMPLE_NUMBERS = np.arange(PROFILE_SAMPLES, dtype=np.float64)
_SAMPLES_PER_WIDTH = (PROFILE_SAMPLES - 1) / (1 + 2 * MARGIN_AROUND)
