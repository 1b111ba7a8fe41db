"""The slope that the cart stands or rolls on, from what is felt across the cell."""

from dataclasses import replace

from cart.core.weight_slope import BLOCKS, RAMP_UG, Slope, felt, levelled, on_ramp, with_block

BLOCK = 8


def after(slope, fore_ug, tenths, side_ug=0):
    """Return the slope after so many tenths of a second in which this was felt, and how often a ramp was met."""
    met = 0
    for _ in range(tenths):
        for _ in range(BLOCK):
            slope = felt(slope, (fore_ug, side_ug))
        slope, came = on_ramp(with_block(slope))
        met += came
    return slope, met


def level(bias_ug=20_000):
    """Return a slope whose sensor is askew and whose level is known."""
    slope, _ = after(Slope(), bias_ug, 10)
    return levelled(slope)


def test_a_sensor_that_sits_askew_is_on_no_slope():
    slope, met = after(level(40_000), 40_000, 100)
    assert (slope.leaning_ug(), slope.weighs_mg(16_000_000), met) == (0, 0, 0)


def test_a_ramp_is_met_once_and_again_after_even_ground():
    slope, met = after(level(), 80_000, 120)
    assert met == 1
    slope, met = after(slope, 20_000, 60)
    assert met == 0
    assert after(slope, -40_000, 60)[1] == 1


def test_pushing_off_and_stopping_are_no_ramp():
    slope, met = after(level(), 20_000 + 102_000, 10)  # to 1 m/s in a second
    slope, more = after(slope, 20_000, 20)
    _, stopped = after(slope, 20_000 - 204_000, 5)
    assert met + more + stopped == 0


def test_a_ramp_to_the_side_is_one_too():
    assert after(level(0), 0, BLOCKS, side_ug=RAMP_UG + 1_000)[1] == 1


def test_tilting_explains_what_the_cosine_takes_and_no_more_than_a_multiple_of_it():
    slope, _ = after(level(0), 60_000, 10)
    cosine_mg = 16_000_000 * 60_000**2 // 2 // 10**12
    assert cosine_mg < slope.weighs_mg(16_000_000) < 5 * cosine_mg


def test_a_cart_that_is_tilted_now_is_not_steady():
    slope, _ = after(level(0), 0, 6)
    assert slope.steady()
    tilting, _ = after(slope, 10_000, 3)
    assert not tilting.steady()
    assert after(tilting, 10_000, 3)[0].steady()


def test_a_cart_leans_from_4_in_1000_or_where_nobody_knows():
    assert not after(level(0), 3_000, 6)[0].leans()
    assert after(level(0), 5_000, 6)[0].leans()
    assert after(level(0), 0, 6, side_ug=5_000)[0].leans()
    assert Slope().leans()
    assert replace(level(0), blocks=()).leans()


def test_without_an_accelerometer_nothing_is_known():
    assert with_block(Slope()) == Slope()
    assert levelled(Slope()).even is None
    assert Slope().leaning_ug() == 0
