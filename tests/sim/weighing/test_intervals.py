"""Intervals on inputs whose answers stand in books, and how often they hold what they promise."""

from math import inf, log
from random import Random

import pytest

from cart.sim.weighing.intervals import quantile, quantile_interval, rate_interval, share_interval


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (15, 148, 0.06239, 0.16049),
        (0, 0, 0, 1),
    ],
)
def test_a_share_has_wilsons_interval(found, of, low, high):
    assert share_interval(found, of) == pytest.approx((low, high), abs=2e-5)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.68888), (1, 0.02532, 5.57164), (3, 0.61867, 8.76727), (10, 4.79539, 18.39036), (100, 81.36, 121.63)],
)
def test_a_rate_has_the_exact_poisson_interval(count, low, high):
    assert rate_interval(count, 1.0) == pytest.approx((low, high), rel=1e-4, abs=1e-5)
    assert rate_interval(count, 10.0) == pytest.approx((low / 10, high / 10), rel=1e-4, abs=1e-6)


def test_a_median_of_a_hundred_lies_between_the_40th_and_the_61st():
    assert quantile_interval(list(range(1, 101)), 0.5) == (40, 61)
    assert quantile_interval(list(range(1, 11)), 0.5) == (2, 9)


def test_an_end_that_so_few_cannot_tell_is_open():
    assert quantile_interval([], 0.5) == (-inf, inf)
    assert quantile_interval([1, 2, 3], 0.5) == (-inf, inf)
    assert quantile_interval(list(range(20)), 0.95) == (16, inf)


@pytest.mark.parametrize(("q", "count"), [(0.5, 25), (0.95, 80)])
def test_intervals_of_quantiles_hold_95_of_100_times(q, count):
    random = Random(1)
    held = 0
    for _ in range(600):
        low, high = quantile_interval([random.expovariate(1) for _ in range(count)], q)
        held += low <= log(1 / (1 - q)) <= high
    assert 0.94 <= held / 600 <= 1.0


def test_quantiles_are_values_of_the_list():
    assert quantile([], 0.5) is None
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(list(range(1, 101)), 0.95) == 95
    assert quantile([7], 0.95) == 7
