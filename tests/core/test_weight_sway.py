"""Pushing and braking pull at the gauges; what was held in motion is told apart from what came after it."""

import pytest

from cart.core.weight_detector import interrupted
from cart.core.weight_inertia import Corrected, Inertia
from cart.core.weight_noise import Smoothing, Track
from cart.core.weight_sway import UNKNOWN_PERCENT_MIN, WAITING, Pulled, Sway, learned, noted, settled
from cart.sim.physics import Params
from cart.sim.weighing.items import item_scene
from cart.sim.weighing.matching import AT_ONCE
from tests.core.test_weight_inertia import Cart

HALF_KG = 500_000
NOISE_MG2 = 7_000**2


def pushed(sway, share_ppm, times, put_in_mg=0):
    for n in range(times):
        pull_mg = HALF_KG if n % 2 else -HALF_KG
        sway = learned(sway, Pulled(0, pull_mg, pull_mg * share_ppm // 1_000_000 + put_in_mg, NOISE_MG2))
    return sway


def test_the_share_that_the_load_reads_of_a_push_is_learned_and_how_well_it_is_known():
    assert Sway().unknown_percent() == 100
    little, much = pushed(Sway(), 4_000, 8), pushed(Sway(), 4_000, 400)
    assert little.share_ppm == pytest.approx(2_000, abs=50)
    assert little.unknown_percent() == pytest.approx(50, abs=2)
    assert much.share_ppm == pytest.approx(4_000, abs=150)
    assert much.unknown_percent() == UNKNOWN_PERCENT_MIN


def test_a_thing_that_is_put_in_meanwhile_teaches_little():
    share_ppm = pushed(Sway(), 4_000, 400).share_ppm
    once = learned(pushed(Sway(), 4_000, 400), Pulled(0, HALF_KG, 5_000_000, NOISE_MG2))
    assert once.share_ppm == pytest.approx(share_ppm, abs=100)


def test_a_heavy_cart_teaches_the_whole_share():
    sway = Sway()
    for n in range(40):
        pull_mg = 13 * HALF_KG if n % 2 else -13 * HALF_KG
        sway = learned(sway, Pulled(0, pull_mg, pull_mg * 4_000 // 1_000_000, NOISE_MG2))
    assert sway.share_ppm == pytest.approx(4_000, abs=100)


def test_what_is_known_well_is_not_lost_to_a_block_full_of_shaking():
    known = pushed(Sway(), 4_000, 400)
    spoilt = learned(known, Pulled(0, HALF_KG, -HALF_KG, (500 * 7_000) ** 2))
    assert spoilt.share_ppm == pytest.approx(known.share_ppm, abs=1)


def test_a_block_in_whose_windows_something_came_teaches_nothing():
    sway = Sway()
    for position in range(0, 8 * WAITING, 8):
        sway = noted(sway, Pulled(position, HALF_KG, 2_000, NOISE_MG2))
    assert sway.share_ppm == 0, "nothing is learned before it is known that nothing came"
    last = sway
    for position in range(8 * WAITING, 12 * WAITING, 8):
        last = noted(last, Pulled(position, HALF_KG, 20_000, NOISE_MG2))
    told = settled(last, before=8 * WAITING)
    assert told.waiting == ()
    assert told.share_ppm == settled(sway, before=8 * WAITING).share_ppm
    assert told.share_ppm == pytest.approx(4_000, abs=1_000)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_sensor_that_is_wrong_for_a_second_teaches_nothing(seed):
    cart = rolling(seed)
    before = cart.weight.detector.inertia.sway
    cart.fore_off_ug = 8_000_000
    cart.wait(1)
    cart.fore_off_ug = 0
    after = cart.wait(3).weight.detector.inertia.sway
    assert after.wild is not None
    assert after.waiting == ()
    # What came before it and waited is learned from in its turn.
    assert after.sums[0] < 1.3 * before.sums[0]
    assert after.share_ppm == pytest.approx(before.share_ppm, abs=1_000)
    assert cart.wait(8).weight.detector.inertia.sway.sums[0] > before.sums[0], "and then it goes on learning"


def test_after_a_gap_nothing_is_learned_from_what_waits():
    cart = rolling(1)
    assert cart.weight.detector.inertia.sway.waiting
    assert interrupted(cart.weight.detector).inertia.sway.waiting == ()


def test_what_a_push_makes_of_the_load_is_taken_off():
    load, up, fore = [4_000_000 // 1_000 + 40] * 200, [1_000_000] * 200, [100_000] * 200
    known = Inertia(rest_ug=1_000_000, sway=Sway(even_ug=0, share_ppm=4_000))
    means = Corrected(Track(), Smoothing(Track(), load, 1_000_000 // 1_000), known, up, 6_000_000, fore)
    means.learn(known, 6_000_000, 4_000_000)
    # 10 kg pulled at with a tenth of g: a kilogram, of which 4 g are read.
    assert means.pull_mg(32, 150) == 1_000_000
    assert means.pulled_mean_mg(32, 150) - means.mean_mg(32, 150) == 4_000


def rolling(seed):
    """A cart with 9 kg in it that has rolled over tiles for 12 s."""
    cart = Cart(load_mg=9_000_000, seed=seed).wait(4)
    cart.platform.ground(1.0, 0.5, 6.0)
    cart.platform.push_to(1_000)
    return cart.wait(12)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_held_stays_out_of_what_falls_in_after_it_however_hard_that_shakes(seed):
    cart = rolling(seed)
    cart.put(50_000)
    cart.put(5_000_000, "drop")
    cart.stop()
    finals = [step.delta_mg for step in cart.steps()]
    assert finals == [pytest.approx(5_000_000, abs=12_000), pytest.approx(50_000, abs=12_000)]


@pytest.mark.parametrize("seed", range(3))
def test_what_was_held_stays_out_of_what_comes_as_soon_as_the_cart_stands(seed):
    cart = rolling(seed)
    cart.put(60_000)
    cart.platform.push_to(0)
    cart.wait(2)
    cart.put(2_000_000, seconds=11)
    finals = [step.delta_mg for step in cart.steps()]
    assert finals == [pytest.approx(2_000_000, abs=12_000), pytest.approx(60_000, abs=12_000)]


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(0, 5232, id="stopping pulled before its share was known"),
        pytest.param(0, 5001, id="what was held was known to half of it"),
        pytest.param(2, 5080, id="two small ones before a large one"),
        pytest.param(2, 5083, id="a stop of a second"),
        pytest.param(1, 5009, id="less than the level before was known to"),
        pytest.param(5, 100003, id="what came while pushing was learned"),
        pytest.param(34, 100004, id="five kilograms that fall in as the cart stops"),
    ],
)
def test_nothing_that_is_held_is_told_wrong(number, seed):
    assert item_scene("tiles", number, seed, Params()).weight.false == ()


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(0, 5004, id="what was carried from change to change"),
        pytest.param(0, 5009, id="the same, less of it"),
    ],
)
def test_what_is_held_through_several_changes_spoils_none_of_them(number, seed):
    outcomes = item_scene("tiles", number, seed, Params()).weight.outcomes
    errors_mg = [outcome.error_mg for outcome in outcomes if outcome.claim and outcome.how == AT_ONCE]
    assert len(errors_mg) >= 5
    assert max(errors_mg) < 15_000
