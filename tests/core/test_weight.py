"""Changes of load, told in the shopper's words on the simulated platform."""

from dataclasses import replace

import pytest

from cart.core.events import CellAccelerated, CellFault, LoadSampled
from cart.core.weight import (
    Calibration,
    Limits,
    LoadState,
    Standstill,
    Step,
    accelerated,
    faulted,
    initial,
    sampled,
    ticked,
)
from cart.sim.physics import Params, Platform

PARAMS = Params()
CALIBRATION = Calibration(PARAMS.counts_per_kg, PARAMS.zero_counts)
SECOND = 1_000_000


class Basket:
    """A simulated basket and the weight that listens to it; readings may be spoilt on their way."""

    def __init__(self, load_mg=5_000_000, seed=3, params=PARAMS, batch=4, imu=False, start_us=0):
        self.platform = Platform(seed, params, load_mg, start_us)
        limits = Limits(samples_per_s=params.samples_per_s)
        self.weight = initial(Calibration(params.counts_per_kg, params.zero_counts), limits)
        self.told, self.batch, self.imu = [], batch, imu

    def wait(self, seconds, spoil=lambda samples: samples):
        samples = spoil(self.platform.advance(int(seconds * SECOND)))
        for at in range(0, len(samples), self.batch):
            self.hear(samples[at : at + self.batch])
        return self

    def hear(self, samples):
        t_us = tuple(s.t_us for s in samples)
        counts, flags = tuple(s.counts for s in samples), tuple(s.flags for s in samples)
        self.weight, told = sampled(self.weight, LoadSampled(0, samples[-1].seq, t_us, counts, flags))
        self.told += told
        if self.imu:
            a = [tuple(getattr(s, name) for s in samples) for name in ("ax_ug", "ay_ug", "az_ug")]
            self.weight, told = accelerated(self.weight, CellAccelerated(0, t_us, *a))
            self.told += told

    def steps(self, final=True):
        return [event for event in self.told if isinstance(event, Step) and event.final == final]

    def deltas_g(self):
        return [round(step.delta_mg / 1_000) for step in self.steps()]

    def states(self):
        return [event.state for event in self.told if isinstance(event, LoadState)]


@pytest.mark.parametrize("mass_g", [10, 50, 250, 1_000, 5_000])
@pytest.mark.parametrize("kind", ["place", "drop", "lift"])
def test_an_item_is_told_twice_under_one_id_and_its_mass_is_right(mass_g, kind):
    basket = Basket(seed=mass_g).wait(3)
    delta_mg = mass_g * (-1_000 if kind == "lift" else 1_000)
    released_ms = basket.platform.add(delta_mg, kind) // 1_000
    basket.wait(4)
    (first,), (final,) = basket.steps(final=False), basket.steps()
    assert first.id == final.id
    assert first.delta_mg * delta_mg > 0
    assert abs(final.delta_mg - delta_mg) < max(3_000, mass_g // 2)
    assert abs(final.delta_mg - delta_mg) < 6 * final.sigma_mg
    assert first.t_accept_ms - released_ms < 1_300
    assert first.t_start_ms <= first.t_accept_ms
    assert final.motion == "standing"


def test_nothing_is_told_in_a_minute_in_which_nothing_happens():
    basket = Basket(seed=11).wait(60)
    assert basket.steps() == basket.steps(final=False) == []
    assert basket.states() == []
    (rest,) = [event for event in basket.told if isinstance(event, Standstill)]
    assert abs(rest.gross_mg - 5_000_000) < 5_000


def test_two_quick_placements_are_two():
    basket = Basket().wait(3)
    basket.platform.add(300_000, "place")
    basket.wait(1)
    basket.platform.add(500_000, "place")
    basket.wait(4)
    assert basket.deltas_g() == pytest.approx([300, 500], abs=3)


def test_a_hand_that_hesitates_makes_one_change():
    basket = Basket().wait(3)
    basket.platform.pour(200_000, 100_000)
    basket.wait(0.35)
    basket.platform.pour(300_000, 100_000)
    basket.wait(4)
    assert basket.deltas_g() == pytest.approx([500], abs=3)


def test_a_leaning_hand_comes_and_goes_and_leaves_nothing():
    basket = Basket().wait(3)
    basket.platform.lean(20_000, 4 * SECOND)
    basket.wait(9)
    assert sum(basket.deltas_g()) == pytest.approx(0, abs=3)
    assert abs(basket.weight.gross_mg - 5_000_000) < 5_000


def test_a_kick_against_the_cart_is_no_change():
    basket = Basket().wait(3)
    for _ in range(5):
        basket.platform.lean(40_000, 60_000, 20_000)
        basket.wait(3)
    assert basket.steps() == []


def test_drift_in_the_freezer_aisle_is_followed_and_kept_in_the_ledger():
    basket = Basket()
    basket.platform.kelvin_per_s = 0.04
    basket.wait(240)
    assert basket.steps() == []
    assert basket.weight.drifted_mg == pytest.approx(19_200, abs=3_000)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_the_size_of_the_batches_changes_nothing(batch):
    def run(size):
        basket = Basket(batch=size).wait(3)
        basket.platform.add(250_000, "drop")
        basket.wait(3)
        basket.platform.add(-250_000, "lift")
        return basket.wait(3).told

    assert run(batch) == run(4)


def test_a_converter_at_320_a_second_tells_the_same():
    basket = Basket(params=replace(PARAMS, samples_per_s=320, noise_counts_rms=76.0), batch=16).wait(3)
    basket.platform.add(250_000, "drop")
    basket.wait(3)
    assert basket.deltas_g() == [250]
    assert basket.states() == []


def test_the_converter_clock_may_wrap():
    basket = Basket(start_us=2**32 - 3_600_000).wait(3)
    basket.platform.add(250_000, "drop")
    basket.wait(3)
    (final,) = basket.steps()
    assert 3_000 <= final.t_start_ms < 3_300
    assert basket.states() == []


def test_lost_and_flagged_readings_are_bridged():
    def spoil(samples):
        kept = [s for n, s in enumerate(samples) if n % 9]
        return [replace(s, flags=0x02, counts=7_000_000) if n % 7 == 0 else s for n, s in enumerate(kept)]

    basket = Basket().wait(5, spoil)
    basket.platform.add(250_000, "drop")
    basket.wait(5, spoil)
    assert basket.deltas_g() == pytest.approx([250], abs=2)
    assert basket.states() == []


def test_an_item_put_in_while_the_line_was_dead_is_told_when_it_is_back():
    basket = Basket().wait(5)
    basket.platform.add(400_000, "place")
    basket.platform.advance(3 * SECOND)
    basket.wait(4)
    assert basket.states() == ["no_data", "ok"]
    assert basket.deltas_g() == pytest.approx([400], abs=3)


@pytest.mark.parametrize(
    ("state", "spoil"),
    [
        ("stuck", lambda samples: [replace(s, counts=samples[0].counts) for s in samples]),
        ("stuck", lambda samples: [replace(s, counts=0) for s in samples]),
        ("saturated", lambda samples: [replace(s, counts=0x7FFFFF, flags=1) for s in samples]),
        ("saturated", lambda samples: [replace(s, counts=-0x800000) for s in samples]),
        ("garbage", lambda samples: [replace(s, flags=0x02) for s in samples]),
        ("over_range", lambda samples: [replace(s, counts=s.counts + 60 * 52_429) for s in samples]),
        ("wrong_rate", lambda samples: [replace(s, t_us=s.t_us * 4 - 3 * samples[0].t_us) for s in samples]),
        ("wrong_rate", lambda samples: [replace(s, t_us=s.t_us + (s.t_us - samples[0].t_us) // 40) for s in samples]),
        ("no_data", lambda samples: [samples[-1]]),
    ],
)
def test_a_weight_that_is_none_gets_a_name_within_a_second_and_never_a_number(state, spoil):
    basket = Basket().wait(5)
    basket.wait(2, spoil)
    assert basket.states()[0] == state
    (named,) = [e for e in basket.told if isinstance(e, LoadState) and e.state == state]
    assert named.t_ms <= 6_900 if state == "wrong_rate" else named.t_ms <= 6_000
    assert basket.steps() == basket.steps(final=False) == []


def test_a_converter_that_is_off_by_less_than_two_percent_is_right():
    def spoil(samples):
        return [replace(s, t_us=s.t_us + (s.t_us - samples[0].t_us) * 15 // 1_000) for s in samples]

    assert Basket().wait(10, spoil).states() == []


def test_the_weight_comes_back_after_every_state():
    basket = Basket().wait(5).wait(2, lambda samples: [replace(s, counts=0) for s in samples])
    assert basket.weight.gross_mg is None
    basket.wait(3)
    assert basket.states() == ["stuck", "ok"]
    assert abs(basket.weight.gross_mg - 5_000_000) < 5_000
    assert basket.steps() == []


def test_silence_is_named_by_host_time_once():
    weight = initial(CALIBRATION)
    weight, told = ticked(weight, 0)
    weight, told = ticked(weight, 300_000_000)
    assert told == ()
    weight, told = ticked(weight, 300_000_001)
    assert told == (LoadState("no_data", 300),)
    assert ticked(weight, 10**10)[1] == ()


def test_garbage_on_the_line_is_a_state():
    weight, told = faulted(initial(CALIBRATION), CellFault(0, "GARBAGE"))
    assert [event.state for event in told] == ["garbage"]
    assert faulted(weight, CellFault(1, "GARBAGE"))[1] == ()
    assert faulted(weight, CellFault(1, "E17"))[1] == ()


def test_a_small_item_put_in_on_the_way_is_held_and_told_at_the_next_standstill():
    basket = Basket(imu=True).wait(3)
    basket.platform.ground(1.0)
    basket.platform.push_to(1_000)
    basket.wait(6)
    basket.platform.add(80_000, "place")
    basket.wait(6)
    assert basket.steps(final=False) == []
    basket.platform.push_to(0)
    basket.wait(6)
    (final,) = basket.steps()
    assert final.delta_mg == pytest.approx(80_000, abs=3_000)
    assert final.motion in ("rolling", "rough")


def test_a_heavy_item_is_told_on_the_way():
    basket = Basket(imu=True).wait(3)
    basket.platform.ground(0.3)
    basket.platform.push_to(500)
    basket.wait(8)
    basket.platform.add(1_000_000, "drop")
    basket.wait(5)
    (final,) = basket.steps()
    assert final.motion == "rolling"
    assert final.delta_mg == pytest.approx(1_000_000, abs=30_000)


def test_the_state_is_a_value():
    basket = Basket().wait(3)
    kept = basket.weight
    copy = replace(kept)
    basket.platform.add(1_000_000, "drop")
    basket.wait(3)
    assert kept == copy
    hash(kept)
