"""From points at rest to a slope, trims and errors: least squares in whole numbers, the same on every machine.

The line goes through the zero that was read, for a scale is zeroed before it weighs: the slope is the one that makes
the sum of squared errors least, sum(m * c) / sum(m * m) over masses m and counts above zero c.

With four cells the same mass on each corner gives four equations, one a corner: trim * counts of each cell, summed,
must be the same in all. They are solved exactly (Cramer's rule, determinants without fractions).
"""

from __future__ import annotations

from collections.abc import Sequence

from cart.core import legal_profile
from cart.core.calibration_rest import Mean
from cart.core.legal_profile import R76, Instrument, Range

MG_PER_KG = 1_000_000
PPM = 1_000_000
TRIM_PPM_MAX = 100_000
"""Cells of one set differ by a few per cent; one that needs more than 10 % is broken or wired wrongly."""


def mpe_mg(load_mg: int, e_mg: int) -> int:
    """Return the largest error that class III permits at a load: 0.5 e up to 500 e, 1 e up to 2,000 e, then 1.5 e.

    Always by OIML R 76, initial verification: Handbook 44 permits as much or more.
    """
    return legal_profile.mpe_mg(Instrument(R76, (Range(max(load_mg, e_mg), e_mg),)), load_mg)


def slope(points: Sequence[tuple[int, int]], zero_counts: int) -> int:
    """Return counts per kg of the line through zero that fits best; 0 where the counts do not tell.

    points  (mass_mg, counts), at least one with a mass
    """
    products = sum(mass_mg * (counts - zero_counts) for mass_mg, counts in points)
    squares = sum(mass_mg * mass_mg for mass_mg, _ in points)
    assert squares > 0
    return rounded(products * MG_PER_KG, squares)


def mass_mg(counts: int, zero_counts: int, counts_per_kg: int) -> int:
    """Return the mass that counts stand for, to the nearest mg."""
    return rounded((counts - zero_counts) * MG_PER_KG, counts_per_kg)


def trims_ppm(corners: Sequence[Mean], zero: Mean) -> tuple[int, ...] | None:
    """Return each cell's trim in millionths, 1,000,000 on the average, that makes four corners read the same.

    None where no trims do, or a cell would need more than TRIM_PPM_MAX: one of them does not work.
    """
    rows = [[cell - empty for cell, empty in zip(corner.cells, zero.cells, strict=True)] for corner in corners]
    whole = determinant(rows)
    if whole == 0:
        return None
    # With 1 on the right of each equation; what it must be does not matter, for the average is made 1 below.
    parts = [determinant([[*row[:n], 1, *row[n + 1 :]] for row in rows]) for n in range(len(rows))]
    total = sum(parts)
    if total == 0:
        return None
    trims = tuple(rounded(part * len(parts) * PPM, total) for part in parts)
    return trims if all(abs(trim - PPM) <= TRIM_PPM_MAX for trim in trims) else None


def trimmed(mean: Mean, trims: tuple[int, ...]) -> int:
    """Return the counts of a point with each cell trimmed; of one channel, the counts as they are."""
    if not trims:
        return mean.counts
    return rounded(sum(cell * trim for cell, trim in zip(mean.cells, trims, strict=True)), PPM)


def determinant(rows: Sequence[Sequence[int]]) -> int:
    """Return the determinant of a square matrix of whole numbers, by Bareiss: every division is exact."""
    matrix, sign, before = [list(row) for row in rows], 1, 1
    size = len(matrix)
    for at in range(size - 1):
        pivot = next((n for n in range(at, size) if matrix[n][at]), None)
        if pivot is None:
            return 0
        if pivot != at:
            matrix[at], matrix[pivot], sign = matrix[pivot], matrix[at], -sign
        for n in range(at + 1, size):
            for k in range(at + 1, size):
                matrix[n][k] = (matrix[n][k] * matrix[at][at] - matrix[n][at] * matrix[at][k]) // before
        before = matrix[at][at]
    return sign * matrix[-1][-1]


def rounded(value: int, by: int) -> int:
    """Return value / by to the nearest whole number, halves away from zero."""
    sign = -1 if (value < 0) != (by < 0) else 1
    return sign * ((2 * abs(value) + abs(by)) // (2 * abs(by)))
