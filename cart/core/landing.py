"""Where on the platform an item landed, from what each of four cells has taken on: no camera is asked.

A load lies on the cells by the law of the lever, so of the changes d of the four corners

    x = half the distance fore and aft * (front - rear) / all of them,    y = half of that across * (left - right) / all

whatever else is in the basket. Each change is the mean after it less the mean before it, over tenths of a second in
which nobody touched the load; their scatter gives the sigma. Only a ratio is taken, so neither slope nor zero matter,
and trims only where the calibration has them.

A place outside the rectangle of the cells is no place on the basket's floor: something hangs over the rim, leans on it
or holds it. That is told as a case, and the mass stands as it was weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from cart.core.calibration_fit import rounded
from cart.core.weight_values import RIM, Case, Limits, Place, Step, Told

CELLS = 4
"""Front left, front right, rear left, rear right, as in the calibration's corners."""

FORE, LEFT = (1, 1, -1, -1), (1, -1, 1, -1)
BLOCK_MS = 100
KEPT = 60
"""Tenths of a second that are kept: the longest wait for a change to be believed, and a rest before it."""

HAND_MS = 300  # a hand is on it for so long before the middle of a change
SETTLED_MS = 600  # ... and after it, and the basket swings
REST_MS = 1_500  # before a change no more than this is looked at: older rest knows of older drift
FINAL_REST_MS = 1_000  # so long nothing moved when a final is told
BLOCKS_MIN = 3
CORRELATED = 2
"""Tenths of a second beside each other are not independent: the variance of their mean is so many times larger."""

SIGMA_MM_MIN, SIGMA_MM_MAX = 2, 100
"""No place is ever trusted further than the one; one that is known no better than the other is not told."""

OUTSIDE_SIGMAS, OUTSIDE_MM = 3, 20


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over tenths of a second: all cells, front less rear, left less right; as mean times `blocks`.

    variances  of the three means
    """

    blocks: int
    totals: tuple[int, int, int]
    variances: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Corners:
    """What is kept of the four cells between two calls.

    gathered  number of readings of the unfinished tenth of a second, and their sums by cell
    blocks    (time of its end in ms, means as `_moments_of` has them), oldest first, at most KEPT
    rests_ms  since when the load rested before the change that comes next
    open_id   the change that is not final yet, 0 for none;  open_ms: its middle
    before    the load at rest before it, None where there was no such time
    """

    gathered: tuple[int, tuple[int, ...]] = (0, (0,) * CELLS)
    blocks: tuple[tuple[int, tuple[int, int, int]], ...] = ()
    rests_ms: int = 0
    open_id: int = 0
    open_ms: int = 0
    before: Moments | None = None


def read(corners: Corners, t_ms: int, cells: tuple[int, ...], trims_ppm: tuple[int, ...], size: int) -> Corners:
    """Return the corners after one usable reading of four cells; of fewer, as they were.

    size  readings to a tenth of a second
    """
    if len(cells) != CELLS:
        return corners
    if len(trims_ppm) == CELLS:
        cells = tuple(cell * trim for cell, trim in zip(cells, trims_ppm, strict=True))
    number, sums = corners.gathered
    number, sums = number + 1, tuple(total + cell for total, cell in zip(sums, cells, strict=True))
    if number < size:
        return replace(corners, gathered=(number, sums))
    block = (t_ms, _moments_of(sums))
    return replace(corners, gathered=(0, (0,) * CELLS), blocks=(*corners.blocks[1 - KEPT :], block))


def interrupted(corners: Corners, t_ms: int) -> Corners:
    """Return the corners after a gap: what comes next has no rest before it yet."""
    return Corners(rests_ms=t_ms)


def placed(corners: Corners, told: Sequence[Told], t_ms: int, limits: Limits) -> tuple[Corners, tuple[Told, ...]]:
    """Return the corners after what the weight told at `t_ms`, and the same with a place in each final that has one."""
    if not corners.blocks:
        return corners, tuple(told)
    out: list[Told] = []
    for number, value in enumerate(told):
        out.append(value)
        if not isinstance(value, Step):
            continue
        if not value.final:
            before = _over(
                corners, max(corners.rests_ms, value.t_start_ms - HAND_MS - REST_MS), value.t_start_ms - HAND_MS
            )
            corners = replace(corners, open_id=value.id, open_ms=value.t_start_ms, before=before)
            continue
        # One that is final because another began ends with the rest between the two.
        later = [x.t_start_ms for x in told[number + 1 :] if isinstance(x, Step) and not x.final]
        begin_ms = corners.open_ms + SETTLED_MS if later else t_ms - FINAL_REST_MS
        after = _over(corners, begin_ms, later[0] - HAND_MS if later else t_ms)
        if value.id == corners.open_id and (place := _place(corners.before, after, limits)):
            out[-1] = replace(value, place=place)
            if place.outside:
                out.append(Case(value.t_accept_ms, RIM))
        corners = replace(corners, rests_ms=begin_ms, open_id=0, before=None)
    return corners, tuple(out)


def _moments_of(sums: tuple[int, ...]) -> tuple[int, int, int]:
    fore = sum(sign * cell for sign, cell in zip(FORE, sums, strict=True))
    left = sum(sign * cell for sign, cell in zip(LEFT, sums, strict=True))
    return sum(sums), fore, left


def _over(corners: Corners, begin_ms: int, end_ms: int) -> Moments | None:
    """Return the moments over the tenths of a second that lie between two times; None for too few of them."""
    blocks = [moments for t_ms, moments in corners.blocks if t_ms - BLOCK_MS >= begin_ms and t_ms <= end_ms]
    n = len(blocks)
    if n < BLOCKS_MIN:
        return None
    series = tuple(zip(*blocks, strict=True))
    all_of, fore, left = (sum(values) for values in series)
    apart = (n * sum(x * x for x in values) - sum(values) ** 2 for values in series)
    variances = tuple(CORRELATED * square // (n * n * (n - 1)) for square in apart)
    return Moments(n, (all_of, fore, left), (variances[0], variances[1], variances[2]))


def _place(before: Moments | None, after: Moments | None, limits: Limits) -> Place | None:
    """Return where the difference of two rests lies; None without both, or where that is not known well."""
    if before is None or after is None:
        return None
    # All over the same denominator, so that nothing is rounded before the ratio.
    all_of, fore, left = (
        new * before.blocks - old * after.blocks for new, old in zip(after.totals, before.totals, strict=True)
    )
    if all_of == 0:
        return None
    scale = before.blocks * after.blocks
    variances = [a + b for a, b in zip(before.variances, after.variances, strict=True)]
    axes = []
    for moment, variance, apart_mm in (
        (fore, variances[1], limits.cells_fore_mm),
        (left, variances[2], limits.cells_left_mm),
    ):
        at_mm = rounded(apart_mm * moment, 2 * all_of)
        # Of a ratio r = m / a: (var m + r * r * var a) / (a * a), and half the distance of the cells.
        square = variance * all_of * all_of + moment * moment * variances[0]
        sigma_mm = isqrt(apart_mm * apart_mm * square * scale * scale // (4 * all_of**4))
        axes.append((at_mm, max(SIGMA_MM_MIN, sigma_mm), apart_mm // 2))
    sigma_mm = max(sigma for _, sigma, _ in axes)
    if sigma_mm > SIGMA_MM_MAX:
        return None
    outside = any(abs(at) > half + OUTSIDE_SIGMAS * sigma + OUTSIDE_MM for at, sigma, half in axes)
    return Place(axes[0][0], axes[1][0], sigma_mm, outside)
