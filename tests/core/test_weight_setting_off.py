"""A cart that is set going just after something was put in: the gauges feel the pull, and it is no hand."""

from dataclasses import replace

import pytest

from cart.core.weight_slope import Slope, felt, levelled, with_block
from cart.sim.physics import Params
from cart.sim.weighing.items import item_scene
from cart.sim.weighing.matching import AT_ONCE
from tests.core.test_weight_inertia import Cart

BLOCK = 8


def walked_off(cart, after_s):
    """Push the cart over tiles so soon after what was done last."""
    cart.wait(after_s)
    cart.platform.ground(1.0, 0.5, 6.0)
    cart.platform.push_to(1_000)
    return cart


@pytest.mark.parametrize("seed", range(3))
def test_what_is_put_in_before_and_after_setting_off_stays_apart(seed):
    cart = Cart(load_mg=12_000_000, seed=seed).wait(4)
    cart.put(250_000, seconds=0)
    walked_off(cart, 0.8).wait(1.4)
    cart.put(1_000_000)
    cart.put(-2_000_000, "lift")
    cart.stop()
    finals = [step.delta_mg for step in cart.steps()]
    assert finals[:3] == [pytest.approx(mass_mg, abs=15_000) for mass_mg in (250_000, 1_000_000, -2_000_000)]
    assert "lean" not in cart.cases()


@pytest.mark.parametrize("seed", range(3))
def test_the_pull_of_setting_off_is_no_part_of_what_lay_there_before(seed):
    cart = Cart(load_mg=15_000_000, seed=seed).wait(4)
    cart.put(40_000, seconds=0)
    walked_off(cart, 1.0).wait(5)
    (final,) = cart.steps()
    assert final.delta_mg == pytest.approx(40_000, abs=4_000)


def test_who_leans_on_a_cart_that_stands_is_still_known_by_the_trembling():
    cart = walked_off(Cart(seed=4).wait(4), 0).wait(6).stop()
    cart.platform.lean(20_000, 5_000_000, 250_000)
    cart.platform.fidget(2_000, 5_000_000, 3.0)
    cart.wait(10)
    assert "lean" in cart.cases()


def felt_fore(slope, fore_ug, tenths):
    for _ in range(tenths):
        for _ in range(BLOCK):
            slope = felt(slope, (fore_ug, 0))
        slope = with_block(slope)
    return slope


def test_half_of_what_may_be_the_pull_is_too_much():
    even = levelled(felt_fore(Slope(), 15_000, 10))
    assert felt_fore(even, 15_000, 2).pulls_mg(20_000_000) == 0
    # 160 thousandths of g on 20 kg: 32 g at most by its hundredth.
    assert felt_fore(felt_fore(even, 175_000, 1), 15_000, 5).pulls_mg(20_000_000) == 64_000
    assert felt_fore(Slope(), 175_000, 10).pulls_mg(20_000_000) == 0
    assert replace(even, blocks=()).pulls_mg(20_000_000) == 0, "nothing was felt since a gap"


def test_a_pull_is_what_comes_within_two_tenths_of_a_second_and_a_slope_is_none():
    even = felt_fore(Slope(), 15_000, 10)
    assert not even.pulled()
    set_off = felt_fore(even, 45_000, 1)
    assert set_off.pulled()
    assert not felt_fore(set_off, 45_000, 5).pulled()
    tilted = even
    for tenth in range(1, 20):
        tilted = felt_fore(tilted, 15_000 + 4_000 * tenth, 1)
        assert not tilted.pulled()


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(1, 5000, id="set off within a second of stopping"),
        pytest.param(1, 5027, id="set off while a change was open, and two more went into it"),
        pytest.param(0, 5061, id="the same, and 2.6 kg went into it"),
        pytest.param(1, 5083, id="the level of a standstill was taken while a hand pulled"),
        pytest.param(2, 5088, id="what was held was told with the pull of setting off"),
    ],
)
def test_nothing_is_told_on_tiles_that_never_was(number, seed):
    scene = item_scene("tiles", number, seed, Params())
    assert scene.weight.false == ()
    assert [o.how for o in scene.weight.outcomes if abs(o.change.delta_mg) >= 250_000 and o.how != AT_ONCE] == []


@pytest.mark.parametrize(("number", "seed"), [(0, 5009), (2, 5004)])
def test_a_hand_that_comes_before_a_final_does_not_blur_what_was_known(number, seed):
    scene = item_scene("tiles", number, seed, Params())
    assert max(claim.sigma_mg for claim in scene.claims) < 8_000
