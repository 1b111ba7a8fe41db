"""How sure a measured figure is: 95 % intervals that hold for few observations, too. Standard library only.

shares     Wilson's score interval
quantiles  order statistics: exact for any distribution
rates      Garwood's exact interval of a Poisson count
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, exp, inf, lgamma, log, sqrt

Z = 1.959963984540054
TAIL = 0.025

Interval = tuple[float, float]


def share_interval(found: int, of: int) -> Interval:
    """Return the 95 % interval of a share, 0 to 1; (0, 1) when nothing was tried."""
    assert 0 <= found <= of
    if of == 0:
        return 0.0, 1.0
    share, z2 = found / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return (0.0 if found == 0 else middle - half), (1.0 if found == of else middle + half)


def quantile(values: Sequence[float], q: float) -> float | None:
    """Return the value below or at which a part q of the values lies (nearest rank); None for no values."""
    return sorted(values)[max(0, ceil(q * len(values)) - 1)] if values else None


def quantile_interval(values: Sequence[float], q: float) -> Interval:
    """Return the 95 % interval of the quantile q of what the values were drawn from.

    Its ends are two of the values; where there are too few of them, an end is infinite.
    """
    ordered = sorted(values)
    low, high = _ranks(len(values), q)
    return (ordered[low - 1] if low else -inf), (ordered[high - 1] if high else inf)


def rate_interval(count: int, exposure: float) -> Interval:
    """Return the 95 % interval of a rate, in counts per unit of exposure (> 0)."""
    assert count >= 0
    assert exposure > 0
    low = 0.0 if count == 0 else _root(lambda mean: 1 - _poisson_to(count - 1, mean) - TAIL, 0.0, float(count))
    high = _root(lambda mean: TAIL - _poisson_to(count, mean), float(count), count + 10 * sqrt(count + 1) + 10)
    return low / exposure, high / exposure


@lru_cache(maxsize=1_000)
def _ranks(n: int, q: float) -> tuple[int | None, int | None]:
    """Return the ranks, from 1, of the two of n ordered values that hold the quantile; None for an open end."""
    # X(r) lies above the quantile with P(Bin(n, q) < r), below or at it with P(Bin(n, q) >= r).
    below = [_binomial_below(n, q, r) for r in range(n + 1)]
    low = max((r for r in range(1, n + 1) if below[r] <= TAIL), default=None)
    high = min((r for r in range(1, n + 1) if 1 - below[r] <= TAIL), default=None)
    return low, high


def _binomial_below(n: int, q: float, r: int) -> float:
    """Return P(Bin(n, q) < r)."""
    logs = (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(q) + (n - k) * log(1 - q) for k in range(r))
    return min(1.0, sum(map(exp, logs))) if r <= n else 1.0


def _poisson_to(count: int, mean: float) -> float:
    """Return P(Poisson(mean) <= count)."""
    if mean <= 0:
        return 1.0
    return min(1.0, sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1)))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function crosses 0."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
