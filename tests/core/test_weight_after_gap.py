"""After the scale was away: unknown until the load stands, then all of what changed is there, told or in the level."""

import random

import pytest

from cart.core import weight
from cart.core.events import LoadSampled
from cart.core.weight_motion import motion_after
from cart.core.weight_values import Calibration, LoadState, Standstill, Step

CALIBRATION = Calibration(52_429, 335_432)


class Scale:
    """Readings of a resting load, with the converter's noise, in host and converter time."""

    def __init__(self, load_mg):
        self.load_mg = load_mg
        self.random = random.Random(5)
        self.t_ns = self.seq = self.t_us = 0
        self.weight = weight.initial(CALIBRATION)
        self.told = []

    def stand(self, seconds):
        for _ in range(seconds * 10):
            batch = []
            for _ in range(8):
                self.seq, self.t_us = self.seq + 1, self.t_us + 12_500
                self.t_ns += 12_500_000
                noise = round(self.random.gauss(0, 38))
                batch.append((self.t_us, 335_432 + self.load_mg * 52_429 // 1_000_000 + noise))
            self._take(
                weight.sampled(
                    self.weight,
                    LoadSampled(self.t_ns, self.seq, tuple(t for t, _ in batch), tuple(c for _, c in batch), (0,) * 8),
                )
            )
            self._take(weight.ticked(self.weight, self.t_ns))

    def away(self, seconds, added_mg):
        """The converter is unplugged, the load changes, and it begins anew."""
        for _ in range(seconds * 10):
            self.t_ns += 100_000_000
            self._take(weight.ticked(self.weight, self.t_ns))
        self.load_mg += added_mg
        self.seq = self.t_us = 0

    def _take(self, result):
        self.weight, told = result
        self.told += told


@pytest.mark.parametrize("added_mg", [0, 2_000, 3_500, 4_500, 5_500, 7_000, 9_000, 300_000, -3_500, -5_000, -2_000_000])
def test_whatever_changed_meanwhile_the_load_is_said_to_stand_at_what_it_weighs(added_mg):
    scale = Scale(2_000_000)
    scale.stand(4)
    scale.away(3, added_mg)
    scale.told.clear()
    scale.stand(8)
    names = [told.state for told in scale.told if isinstance(told, LoadState)]
    rests = [told.gross_mg for told in scale.told if isinstance(told, Standstill)]
    assert names == ["ok"]
    assert rests, "the load was never said to stand"
    assert abs(rests[-1] - scale.load_mg) < 1_000
    steps = [told.delta_mg for told in scale.told if isinstance(told, Step) and told.final]
    assert abs(sum(steps) - added_mg) < (1_500 if abs(added_mg) >= 6_500 else 6_000)
    assert bool(steps) == (abs(added_mg) >= 6_500)


@pytest.mark.parametrize("motion", ["standing", "rolling", "rough"])
def test_right_after_a_gap_the_cart_moves_as_before(motion):
    assert motion_after(motion, (), 8_000_000) == motion
