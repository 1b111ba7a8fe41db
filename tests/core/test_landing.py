"""Where an item landed, told by four cells."""

from dataclasses import replace
from random import Random

import pytest

from cart.core import landing
from cart.core.landing import Corners
from cart.core.weight_values import RIM, Case, Limits, Step
from cart.sim.physics import Params, Platform
from cart.sim.weighing.feed import Feed
from cart.sim.weighing.landings import LandingRow, landings, rows

FOUR = replace(Params(), cells=4)
LIMITS = Limits()
SECOND = 1_000_000


class Basket:
    """A cart with four cells and 7 kg in it."""

    def __init__(self, seed, params=FOUR, with_imu=True):
        self.platform = Platform(seed, params, 7_000_000)
        self.feed = Feed(self.platform, with_imu=with_imu)
        self.wait(4)

    def wait(self, seconds):
        self.feed.run(int(seconds * SECOND))
        return self

    def put(self, mass_g, where, seconds=5):
        self.platform.add(mass_g * 1_000, "place" if mass_g > 0 else "lift", where=where)
        return self.wait(seconds)

    def finals(self):
        return [h.event for h in self.feed.told if getattr(h.event, "final", False)]

    def cases(self):
        return [h.event.case for h in self.feed.told if isinstance(h.event, Case)]


def off_mm(place, where):
    fore_mm, left_mm = where[0] * LIMITS.cells_fore_mm / 2, where[1] * LIMITS.cells_left_mm / 2
    return max(abs(place.x_mm - fore_mm), abs(place.y_mm - left_mm))


@pytest.mark.parametrize("where", [(0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7), (0.0, 0.0)])
def test_an_item_is_told_at_the_place_where_it_was_put_whatever_lies_there_already(where):
    basket = Basket(seed=5).put(2_000, (-0.5, 0.4)).put(100, where)
    final = basket.finals()[-1]
    assert off_mm(final.place, where) <= 10
    assert off_mm(final.place, where) <= 3 * final.place.sigma_mm
    assert not final.place.outside
    assert basket.cases() == []


def test_an_item_is_told_at_its_place_when_it_is_taken_out_again():
    basket = Basket(seed=6).put(500, (0.6, -0.3)).put(-500, (0.6, -0.3))
    assert [off_mm(step.place, (0.6, -0.3)) <= 10 for step in basket.finals()] == [True, True]


def test_cells_that_are_wired_the_other_way_round_tell_the_same_place():
    params = replace(FOUR, counts_per_kg=-FOUR.counts_per_kg)
    basket = Basket(seed=5, params=params).put(100, (0.7, -0.4))
    assert off_mm(basket.finals()[-1].place, (0.7, -0.4)) <= 10


def test_one_channel_tells_no_place():
    basket = Basket(seed=5, params=Params()).put(100, (0.7, 0.7))
    assert [step.place for step in basket.finals()] == [None]


def test_of_two_things_put_in_so_fast_that_nothing_rests_between_them_no_place_is_made_up():
    basket = Basket(seed=8).put(300, (0.8, 0.8), seconds=0.9).put(400, (-0.8, -0.8))
    for step, where in zip(basket.finals(), [(0.8, 0.8), (-0.8, -0.8)], strict=False):
        assert step.place is None or off_mm(step.place, where) <= 3 * step.place.sigma_mm


def test_what_hangs_over_the_rim_or_leans_on_it_is_outside_and_has_a_name():
    basket = Basket(seed=9).put(800, (-1.4, 0.0))
    assert basket.finals()[-1].place.outside
    assert basket.cases() == [RIM]
    # Along the edge of the cells it is still in the basket.
    basket = Basket(seed=9).put(800, (-1.0, 0.0))
    assert not basket.finals()[-1].place.outside
    assert basket.cases() == []


@pytest.mark.parametrize("seconds", [0.6, 3])
def test_after_a_silence_nothing_of_before_is_taken_for_the_rest_before_a_change(seconds):
    basket = Basket(seed=4)
    basket.feed.spoil = lambda sample, lines: b""
    basket.platform.add(600_000, "place", where=(0.5, 0.5))
    basket.wait(seconds)
    basket.feed.spoil = None
    basket.wait(5)
    assert [step.place for step in basket.finals()] == [None]


def test_a_place_is_told_on_a_rolling_cart_only_as_well_as_it_is_known():
    random, told = Random(1), []
    for seed in range(4):
        basket = Basket(seed=20 + seed)
        basket.platform.ground(FOUR.smooth_roughness)
        basket.platform.push_to(500)
        basket.wait(5)
        where = random.uniform(-0.8, 0.8), random.uniform(-0.8, 0.8)
        basket.put(1_000, where, seconds=6)
        told += [(step.place, where) for step in basket.finals() if step.place]
    assert len(told) == 4
    assert all(off_mm(place, where) <= 3 * place.sigma_mm for place, where in told)


def test_the_bench_judges_places_by_where_the_world_put_things():
    found = landings(0, 31, Params())
    assert found == landings(0, 31, Params())
    table = {row.mass_mg: row for row in rows(found)}
    assert isinstance(table[100_000], LandingRow)
    assert table[100_000].items == table[100_000].placed == 1
    assert table[100_000].error_mm.value < 10
    wrong = [replace(x, x_mm=x.x_mm + 100) for x in found]
    assert rows(wrong)[2].error_mm.value > 90
    assert sum(row.outside_sigma for row in rows(wrong)) == len(found)


def test_each_cell_is_taken_with_its_trim():
    gains = (1.05, 0.96, 1.03, 0.95)
    middle = told_by(gains, tuple(round(1e6 / gain) for gain in gains))
    assert (middle.x_mm, middle.y_mm) == (0, 0)
    assert told_by(gains, ()).x_mm != 0


def told_by(gains, trims_ppm):
    """Return where 500 g in the middle are told to be by cells of these gains."""
    corners, step = Corners(), Step(1, 3_000, 3_300, 500_000, 100, "standing", False)
    for number in range(500):
        t_ms = round(number * 12.5)
        load = 400_000 + 25_000 * (t_ms >= 3_000) + 30 * (number % 5)
        corners = landing.read(corners, t_ms, tuple(round(load * gain) for gain in gains), trims_ppm, 8)
        if number == 300:
            corners, _ = landing.placed(corners, [step], t_ms, LIMITS)
    return landing.placed(corners, [replace(step, final=True)], t_ms, LIMITS)[1][0].place
