"""The simulated basket obeys the physics it states, and nothing but its seed."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from cart.sim.physics import Params, Platform

PARAMS = Params()
SECOND = 1_000_000


def grams(samples, params=PARAMS):
    return [(s.counts - params.zero_counts) * 1_000 / params.counts_per_kg for s in samples]


def mean(values):
    return sum(values) / len(values)


def deviation(values):
    middle = mean(values)
    return mean([(value - middle) ** 2 for value in values]) ** 0.5


def eventful(platform, pieces):
    """Drive a platform through a scene, the time cut as `pieces` says."""
    platform.ground(1.0, 0.5, 6.0)
    platform.push_to(1_000)
    platform.add(500_000, "drop", 2 * SECOND)
    platform.add(300_000, "place", 3 * SECOND)
    platform.tilt_to(30)
    platform.lean(5_000, SECOND, where=(0.0, 1.0))
    platform.fidget(4_000, 2 * SECOND)
    platform.roll(800_000)
    platform.touch_rim(0.1)
    platform.kelvin_per_s = 0.1
    samples = []
    for piece_us in pieces:
        samples += platform.advance(piece_us)
    return samples


@pytest.mark.parametrize("cells", [1, 4])
def test_the_same_seed_gives_the_same_samples_however_time_is_cut(cells):
    cut, params = Random(1), replace(PARAMS, cells=cells)
    pieces = [cut.randrange(1, 200) * 625 for _ in range(100)]
    whole = eventful(Platform(9, params, 3_000_000), [sum(pieces)])
    assert eventful(Platform(9, params, 3_000_000), pieces) == whole
    assert eventful(Platform(10, params, 3_000_000), pieces) != whole


def test_samples_come_at_the_rate_and_with_the_clock_of_the_converter():
    samples = Platform(1, start_us=2**32 - SECOND).advance(3 * SECOND)
    assert len(samples) == 240
    assert [s.seq for s in samples] == list(range(240))
    assert {(b.t_us - a.t_us) % 2**32 for a, b in pairwise(samples)} == {12_500}
    assert samples[-1].t_us < samples[0].t_us


@pytest.mark.parametrize("load_g", [0, 5_000, 20_000])
def test_a_resting_load_reads_its_mass_at_the_noise_of_the_cell(load_g):
    read = grams(Platform(2, load_mg=load_g * 1_000).advance(20 * SECOND))
    assert mean(read) == pytest.approx(load_g, abs=2 + load_g * 4e-4)
    # The converter's own 0.72 g, and the hum of the shop on all that swings.
    assert 1 < deviation(read) < 12


def test_rough_ground_shakes_as_measured_by_the_prototype():
    platform = Platform(1, load_mg=10_000_000)
    platform.ground(0.3)
    platform.push_to(500)
    assert deviation(grams(platform.advance(30 * SECOND))[160:]) == pytest.approx(313, rel=0.25)


def test_mass_times_acceleration_explains_the_shaking():
    platform = Platform(1, load_mg=10_000_000)
    platform.ground(0.3)
    platform.push_to(500)
    samples = platform.advance(30 * SECOND)[160:]
    kept = [g - 18_000 * (s.az_ug / 1e6 - 1) for g, s in zip(grams(samples), samples, strict=True)]
    assert deviation(kept) < deviation(grams(samples)) / 3


@pytest.mark.parametrize("kind", ["drop", "place", "lift"])
def test_what_is_put_in_is_read_when_the_hand_is_off(kind):
    platform = Platform(4, load_mg=5_000_000)
    platform.advance(2 * SECOND)
    released_us = platform.add(-700_000 if kind == "lift" else 700_000, kind)
    platform.advance_to(released_us + SECOND)
    change = mean(grams(platform.advance(SECOND))) - 5_000
    assert change == pytest.approx(-700 if kind == "lift" else 700, abs=5)


def test_a_leaning_hand_presses_and_leaves_nothing_behind():
    platform = Platform(4, load_mg=5_000_000)
    platform.advance(SECOND)
    platform.lean(9_807, 3 * SECOND)
    read = grams(platform.advance(6 * SECOND))
    assert mean(read[80:200]) == pytest.approx(6_000, abs=5)
    assert mean(read[320:]) == pytest.approx(5_000, abs=5)


def test_too_much_saturates_and_says_so():
    platform = Platform(4, load_mg=200_000_000)
    assert {(s.counts, s.flags) for s in platform.advance(SECOND)} == {(0x7FFFFF, 1)}
