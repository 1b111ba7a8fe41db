"""What is too small to be told in motion: found, kept apart, and told one by one at the standstill."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from cart.core import weight_trail
from cart.core.weight import Limits, Standstill, initial
from cart.core.weight_detector import Change
from cart.core.weight_held import HELD_MAX, POURED_MS, Held, joined, may_undo, with_held
from cart.core.weight_noise import BLOCK
from cart.core.weight_steps import _Detection
from cart.core.weight_trail import FULL, MARK_BOX, Mark, Trail
from cart.sim.physics import Params
from cart.sim.weighing.items import item_scene
from cart.sim.weighing.matching import AT_ONCE, HELD, MISSED
from tests.core.test_weight_inertia import CALIBRATION, Cart

GRAM_UG = 1_000_000
SMALLEST_MG = 6_000


def held(grams, sigma_mg, start_ms=0, *, linked=False, unseen=False):
    """A change of which 0.36 of the variance are of the level before it."""
    return Held(start_ms, 0, grams * GRAM_UG, sigma_mg**2, (sigma_mg * 6 // 10) ** 2, "rough", linked, unseen)


def rolling(seed, load_mg=9_000_000):
    """A cart that has rolled over tiles for 6 s."""
    cart = Cart(load_mg=load_mg, seed=seed).wait(8)
    return cart.over_tiles()


def shown(cart, *parts, seed=3):
    """Return the detection of a cart whose trail shows loads of (grams over its level, marks), the last just now.

    None for grams leaves room for so many marks.
    """
    old, random = cart.weight.detector, Random(seed)
    loads = [grams for grams, count in parts for _ in range(count)]
    first = old.position - (len(loads) - 1) * MARK_BOX
    marks = tuple(
        Mark(first + MARK_BOX * n, old.level_ug + grams * GRAM_UG + int(random.gauss(0, 3_000)) * 1_000, FULL)
        for n, grams in enumerate(loads)
        if grams is not None
    )
    trail = Trail(old.level_ug, 500**2, first - 1, marks)
    new = replace(old, trail=trail, level_mg2=500**2, anchored=False, held=(), followed=old.position - 200)
    return _Detection(new, [0], [(1_000_000, 0, 0)], CALIBRATION.counts_per_kg, Limits())


def test_a_standstill_says_exactly_what_the_last_one_led_to():
    right = held(20, 1_000).put_right(-3 * GRAM_UG, 300**2)
    assert (right.delta_ug, right.mg2) == (17 * GRAM_UG, 600**2 + 300**2)


def test_no_more_are_kept_apart_than_may_be():
    kept = ()
    for number in range(HELD_MAX + 2):
        kept = with_held(kept, held(10 + number, 1_000, start_ms=number))
    assert len(kept) == HELD_MAX
    assert (kept[-1].start_ms, kept[-1].delta_ug, kept[-1].mg2) == (HELD_MAX - 1, (17 + 18 + 19) * GRAM_UG, 3_000_000)


def test_the_pieces_of_what_was_poured_are_one_again():
    pieces = tuple(held(grams, 1_000, start_ms=5_000 * n, linked=True) for n, grams in enumerate((8, 9, 12, 7)))
    (one,) = joined(pieces, SMALLEST_MG)
    assert (one.start_ms, one.delta_ug) == (0, 36 * GRAM_UG)
    assert one.mg2 == 1_000**2
    for apart in (
        held(-9, 1_000, start_ms=1_000, linked=True),
        held(16, 1_000, start_ms=1_000, linked=True),
        held(9, 1_000, start_ms=POURED_MS, linked=True),
        held(9, 1_000, start_ms=1_000),
    ):
        assert joined((held(8, 1_000), apart), SMALLEST_MG) == (held(8, 1_000), apart)


def test_what_is_no_more_than_an_error_of_two_levels_is_taken_out():
    assert joined((held(6, 1_000),), SMALLEST_MG) == ()
    assert joined((held(7, 2_300),), SMALLEST_MG) == ()
    assert joined((held(7, 1_000),), SMALLEST_MG) == (held(7, 1_000),)


def test_what_never_was_makes_the_next_one_wrong_by_its_share_of_the_level_between():
    """Weighed by what is known of each: 0.36 of the variance lie before it, so the mean is 0.36 of the way up."""
    (one,) = joined((held(-5, 1_000), held(20, 1_000, linked=True)), SMALLEST_MG)
    assert one.delta_ug == pytest.approx((20 - 5 * 0.64) * GRAM_UG)
    assert one.before_mg2 == pytest.approx(0.36 * 0.64 * 1_000**2)
    assert one.mg2 == pytest.approx((0.36 * 0.64 + 0.64) * 1_000**2)
    (one,) = joined((held(20, 1_000), held(-5, 1_000, linked=True)), SMALLEST_MG)
    assert one.delta_ug == pytest.approx((20 - 5 * 0.36) * GRAM_UG)
    assert one.mg2 == pytest.approx((0.36 + 0.36 * 0.64) * 1_000**2)


def test_what_never_was_says_nothing_of_a_level_that_another_change_led_to():
    assert joined((held(-5, 1_000), held(20, 1_000)), SMALLEST_MG) == (held(20, 1_000),)
    first, last = joined((held(20, 1_000), held(3, 1_000), held(30, 1_000, linked=True)), SMALLEST_MG)
    assert first == held(20, 1_000)
    assert last.delta_ug == pytest.approx((30 + 3 * 0.64) * GRAM_UG)
    assert not last.linked


def test_what_the_next_one_takes_back_must_be_surer():
    """A level that was seen wrong for a while does so."""
    taken_back = (held(9, 2_100), held(-12, 2_000, linked=True))
    (one,) = joined(taken_back, 2_000)
    assert one.delta_ug == pytest.approx((-12 + 9 * 0.64) * GRAM_UG, rel=0.01)
    apart = (held(9, 2_100), held(-12, 2_000))
    assert joined(apart, SMALLEST_MG) == apart
    along = (held(9, 2_100), held(12, 2_000, linked=True))
    assert joined(along, SMALLEST_MG)[0].delta_ug == 21 * GRAM_UG, "poured"
    sure = (held(9, 1_900), held(-12, 2_000, linked=True))
    assert joined(sure, SMALLEST_MG) == sure
    back = (held(-12, 2_000), held(9, 2_100, linked=True))
    assert len(joined(back, 2_000)) == 1


def test_beside_what_is_more_than_twice_as_heavy_it_need_not_be_as_sure():
    for heavier in (-19, -50):
        both = (held(9, 2_100), held(heavier, 2_000, linked=True))
        assert joined(both, SMALLEST_MG) == both
        unsure = (held(9, 2_500), held(heavier, 2_000, linked=True))
        assert len(joined(unsure, SMALLEST_MG)) == 1
    along = (held(9, 2_500), held(20, 2_000, linked=True))
    assert joined(along, SMALLEST_MG) == along


def test_what_begins_where_a_level_was_taken_must_be_surer():
    """That level may have been seen wrong, as after something heavy."""
    assert joined((held(7, 2_000, unseen=True),), SMALLEST_MG) == ()
    for told in (held(7, 2_000), held(8, 2_000, unseen=True)):
        assert joined((told,), SMALLEST_MG) == (told,)


def test_a_change_may_undo_what_goes_the_other_way_and_is_as_heavy():
    kept = (held(40, 1_000), held(50, 1_000), held(-30, 1_000))
    assert may_undo(kept, -80_000)
    assert not may_undo(kept, -140_000)
    assert may_undo(kept, 30_000)
    assert not may_undo(kept, 80_000)
    assert not may_undo((), -1)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_told_to_leave_before_it_was_told_to_come(seed):
    cart = rolling(seed)
    cart.put(80_000)
    cart.platform.push_to(0)
    cart.wait(2.6)
    cart.put(-80_000, "lift")
    finals = [step.delta_mg for step in cart.stop().steps()]
    assert finals == [pytest.approx(80_000, abs=6_000), pytest.approx(-80_000, abs=6_000)]


@pytest.mark.parametrize("seed", range(2))
def test_nor_on_a_smooth_floor_where_it_would_have_been_told_at_once(seed):
    cart = rolling(seed)
    cart.put(80_000)
    cart.platform.ground(0.3)
    cart.platform.push_to(500)
    cart.wait(8)
    cart.put(-80_000, "lift")
    assert [step.delta_mg > 0 for step in cart.steps(final=False)] == [True, False]
    assert [step.delta_mg for step in cart.stop().steps()] == [pytest.approx(mg, abs=6_000) for mg in (80_000, -80_000)]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_poured_in_while_the_cart_rolls_is_not_told_in_crumbs(seed):
    cart = rolling(seed)
    cart.platform.pour(60_000, 60_000_000)
    cart.wait(66)
    finals = [step.delta_mg for step in cart.stop().steps()]
    assert min(finals) > 12_000
    assert sum(finals) == pytest.approx(60_000, abs=8_000)


def test_beyond_the_safe_load_nothing_is_held():
    cart = Cart(load_mg=45_000_000, seed=1).wait(8).over_tiles()
    cart.put(8_000_000, seconds=4)
    cart.put(-8_000_000, "lift", seconds=8)
    assert cart.stop().steps() == []


@pytest.mark.parametrize("seed", range(3))
def test_what_came_in_motion_is_told_one_by_one_when_the_cart_stands(seed):
    cart = rolling(seed)
    released_ms = [cart.put(mass_mg, seconds=8) for mass_mg in (20_000, -30_000, 50_000)]
    assert cart.steps() == []
    cart.stop()
    finals = cart.steps()
    assert [step.delta_mg for step in finals] == [pytest.approx(mg, abs=5_000) for mg in (20_000, -30_000, 50_000)]
    assert [step.t_start_ms for step in finals] == [pytest.approx(t_ms, abs=2_500) for t_ms in released_ms]
    assert {step.motion for step in finals} == {"rough"}
    assert len({step.t_accept_ms for step in finals}) == 1


def test_what_comes_and_goes_again_in_motion_is_told_as_both():
    cart = rolling(4)
    cart.put(40_000, seconds=8)
    cart.put(-40_000, seconds=8)
    cart.stop()
    assert [step.delta_mg for step in cart.steps()] == [pytest.approx(mg, abs=4_000) for mg in (40_000, -40_000)]


@pytest.mark.parametrize("seed", range(2))
def test_what_came_just_before_the_stop_is_no_drift_of_the_way(seed):
    """After minutes of rolling 10 g are no more than a zero may have wandered: only what was seen on the way tells."""
    cart = rolling(seed).wait(120)
    cart.put(10_000, seconds=1.5)
    assert [step.delta_mg for step in cart.stop().steps()] == [pytest.approx(10_000, abs=3_000)]


def test_no_mark_is_left_in_a_shock():
    """A fist strikes the goods: what swings then errs the same way for some marks in a row."""
    cart = rolling(3).wait(6)
    struck_at = cart.weight.detector.position
    cart.platform.lean(80_000, 60_000)
    trail = cart.wait(3).weight.detector.trail
    positions = [mark.position for mark in trail.marks]
    assert len(positions) > 50
    (gap,) = [(one, later) for one, later in pairwise(positions) if later - one > BLOCK]
    assert struck_at - BLOCK <= gap[0] < gap[1] < struck_at + 8 * BLOCK


def test_without_the_accelerometer_no_trail_goes_on():
    """What comes meanwhile leaves no mark: the trail would have a hole in it that nobody sees."""
    cart = rolling(1)
    assert cart.weight.detector.trail is not None
    cart.felt = False
    assert cart.wait(1).weight.detector.trail is None
    back_at = cart.weight.detector.position
    cart.felt = True
    assert cart.wait(8).weight.detector.trail.marks[0].position > back_at


@pytest.mark.parametrize(
    ("last_mg", "seed", "apart_s", "stop_s"), [(70_000, 1, 1.4, 0.4), (40_000, 2, 1.4, 0.4), (12_000, 2, 1.1, 0)]
)
def test_two_in_a_row_just_before_the_stop_are_told_once(last_mg, seed, apart_s, stop_s):
    """The second comes as the first rings, the first is final when the cart stands."""
    cart = rolling(seed)
    begun = cart.weight.detector
    cart.put(30_000, seconds=6)
    cart.put(1_000_000, seconds=apart_s)
    cart.put(last_mg, seconds=stop_s)
    finals = [step.delta_mg for step in cart.stop().steps()]
    assert len(finals) <= 3
    assert sum(finals) == pytest.approx(1_030_000 + last_mg, abs=8_000)
    assert abs(cart.weight.detector.drifted_ug - begun.drifted_ug) < 8 * GRAM_UG


def test_it_waits_for_a_standstill_that_lasts():
    cart = rolling(1)
    cart.put(30_000, seconds=8)
    cart.platform.push_to(0)
    cart.wait(1)
    cart.platform.push_to(1_000)
    cart.wait(8)
    assert cart.steps() == []
    cart.stop()
    assert [step.delta_mg for step in cart.steps()] == [pytest.approx(30_000, abs=4_000)]


@pytest.mark.parametrize("seed", range(2))
def test_a_hand_that_presses_on_a_rolling_cart_leaves_nothing(seed):
    cart = rolling(seed)
    for _ in range(3):
        cart.platform.lean(400, 1_500_000)
        cart.wait(7)
    cart.stop()
    assert cart.steps() == []


def test_a_zero_that_wanders_while_the_cart_rolls_is_nothing_that_was_put_in():
    cart = rolling(2)
    cart.platform.kelvin_per_s = 0.04
    cart.wait(150)
    cart.stop()
    assert cart.steps() == []


def test_what_a_standstill_does_not_bear_out_is_not_told(monkeypatch):
    monkeypatch.setattr(weight_trail, "SURE_SQUARED", 2)
    monkeypatch.setattr(weight_trail, "AGREES_SQUARED", 1)
    told, most = [], 0
    for seed in range(3):
        cart = Cart(load_mg=9_000_000, seed=seed)
        cart.weight = initial(CALIBRATION, Limits(step_mg=1_000))
        begun = cart.wait(8).weight.detector
        cart.over_tiles()
        for _ in range(10):
            cart.wait(3)
            most = max(most, len(cart.weight.detector.held))
        told += cart.stop().steps()
        ended = cart.weight.detector
        # It is in the level, and so in the ledger.
        assert ended.level_ug - begun.level_ug == ended.drifted_ug - begun.drifted_ug
    assert most
    assert told == []


@pytest.mark.parametrize("seed", range(3))
def test_a_standstill_puts_right_what_was_held(seed):
    cart = Cart(load_mg=9_000_000, seed=seed).wait(8)
    stood_mg = cart.weight.detector.level_ug // 1_000
    cart.over_tiles()
    cart.put(40_000, seconds=5)
    cart.wait(1)
    (kept,) = cart.weight.detector.held
    trail = cart.weight.detector.trail
    assert trail.mg2 is None
    assert trail.taken_at < trail.marks[0].position < kept.position, "its marks may show two levels yet"
    cart.stop()
    (final,) = cart.steps()
    gross_mg = [event.gross_mg for event in cart.told if isinstance(event, Standstill)][-1]
    assert final.delta_mg == pytest.approx(gross_mg - stood_mg, abs=1_000)
    assert final.sigma_mg**2 < kept.mg2


@pytest.mark.parametrize("seed", range(4))
def test_what_a_hand_does_now_is_in_no_level_that_is_held(seed):
    """It is at the next thing already, and moves the load by less than a mark's neighbours would notice."""
    work = shown(rolling(1), (0, 40), (20, 36), (8, 5), seed=seed)
    work._follow()
    (kept,) = work.held
    assert kept.delta_ug == pytest.approx(20 * GRAM_UG, abs=1_200_000)


def test_what_seems_to_come_and_go_is_judged_anew_when_more_was_seen():
    work = shown(rolling(1), (0, 40), (None, 7), (30, 10), (None, 7), (60, 16))
    marks = work.trail.marks
    assert len(work.trail.without_transients(work.unit_mg2()).marks) < len(marks)
    work._follow()
    assert work.held == ()
    assert len(work.trail.marks) == len(marks)


def test_a_hand_just_before_the_stop_is_no_part_of_the_level_that_was_seen_on_the_way():
    cart = rolling(1).stop()
    work = shown(cart, (0, 40), (40, 40), (100, 16), (40, 14))
    base_mg = work.level_ug // 1_000
    work.part_before(work.position - 40, base_mg + 40_000, 800**2)
    (kept,) = work.held
    assert kept.delta_ug == pytest.approx(40 * GRAM_UG, abs=1_500_000)


@pytest.mark.parametrize("stood", [False, True])
def test_a_level_that_was_seen_standing_is_kept_and_marks_in_motion_are_laid_beside_it(stood):
    work = shown(rolling(1), (2, 14))
    level_ug, marks = work.level_ug, work.trail.marks
    work.change = Change(1, 0, 0, marks[0].position, 0, 500**2, level_ug // 1_000, "standing", stood=stood)
    work.trail = replace(work.trail, mg2=None)
    work.know_landed(work.position)
    if stood:
        assert (work.level_ug, work.level_mg2, work.trail.mg2) == (level_ug, 500**2, 500**2)
        assert [mark.position for mark in work.trail.marks] == [mark.position for mark in marks]
    else:
        assert work.level_ug > level_ug + GRAM_UG
        assert work.trail.marks == ()


def test_marks_of_a_push_are_judged_with_the_share_that_is_known_now():
    work = shown(rolling(1), (0, 20))
    share_ppm = work.senses.inertia.sway.share_ppm
    pushed = tuple(replace(mark, pull_mg=2_000_000, share_ppm=share_ppm - 1_000) for mark in work.trail.marks)
    work.trail = replace(work.trail, marks=pushed)
    work._follow()
    assert {mark.share_ppm for mark in work.trail.marks} == {share_ppm}
    assert work.trail.marks[0].ug == pushed[0].ug - 2 * GRAM_UG


def test_the_share_of_pushing_is_learned_with_no_less_than_the_noise_of_marks():
    work = shown(rolling(1), (0, 20))
    for unit_mg2, least_mg2 in ((10**12, 10**12), (1, 2)):
        work.senses.learn_sway(work.position, work.level_ug // 1_000, unit_mg2)
        assert work.senses.inertia.sway.waiting[-1].mg2 >= least_mg2


def test_changes_are_linked_by_the_level_between_them():
    cart = rolling(1)
    for mass_mg in (30_000, -20_000, 1_000_000, 30_000):
        cart.put(mass_mg, seconds=6)
    assert [one.linked for one in cart.weight.detector.held] == [False, True, False]
    assert not any(one.unseen for one in cart.weight.detector.held)


@pytest.mark.parametrize("seconds", [2.5, 4])
def test_what_a_later_change_led_to_says_nothing_of_one_before_it(seconds):
    cart = rolling(1)
    cart.put(30_000, seconds=seconds)
    cart.put(1_000_000, seconds=5)
    (kept,) = cart.weight.detector.held
    cart.stop()
    assert [step.delta_mg for step in cart.steps()] == [pytest.approx(1_000_000, abs=9_000), kept.delta_ug // 1_000]


def test_what_a_level_does_long_after_a_change_is_drift():
    cart = rolling(1)
    cart.put(30_000, seconds=20)
    (kept,) = cart.weight.detector.held
    cart.platform.kelvin_per_s = 0.04
    cart.wait(60)
    cart.stop()
    assert [step.delta_mg for step in cart.steps()] == [kept.delta_ug // 1_000]


@pytest.mark.parametrize("seed", range(3))
def test_each_gram_of_the_level_was_told_or_is_in_the_ledger_of_drift(seed):
    cart = Cart(load_mg=9_000_000, seed=seed).wait(3)
    begun = cart.weight.detector
    cart.over_tiles()
    for mass_mg in (20_000, 1_000_000, 8_000, -30_000, 300_000, 15_000):
        cart.put(mass_mg, seconds=5)
    cart.stop()
    ended = cart.weight.detector
    assert ended.held == ()
    told_mg = sum(step.delta_mg for step in cart.steps())
    drifted_ug = ended.drifted_ug - begun.drifted_ug
    assert (ended.level_ug - begun.level_ug - drifted_ug) / 1_000 == pytest.approx(told_mg, abs=10)


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(9, 5100, id="a hand pressed before it put something in"),
        pytest.param(38, 5004, id="one that came before the stop is not told in two"),
        pytest.param(20, 5300, id="what the floor does to all windows"),
        pytest.param(3, 5002, id="three in one stretch"),
        pytest.param(13, 90417, id="less than the level is known to is no longer left unsaid"),
        pytest.param(30, 5500, id="goods that land as the cart stops tilt nothing"),
        pytest.param(9, 6002, id="a first window with a hand in it"),
        pytest.param(12, 515151, id="what lands must not be learned as a moving mass before it is believed"),
        pytest.param(1, 91003, id="no mark of the motion before the standstill"),
        pytest.param(36, 91003, id="one that came before the one before it was final"),
        pytest.param(29, 5000, id="all of it had come before the stop"),
        pytest.param(15, 5000, id="two in a row that go different ways"),
        pytest.param(21, 5620, id="what a later change led to puts right none before it"),
        pytest.param(8, 515151, id="only what is of one level was poured"),
        pytest.param(26, 424242, id="no mark before the moving mass is known"),
        pytest.param(7, 91004, id="a hand at work when the one before it is seen as well"),
        pytest.param(19, 95004, id="the next one comes as soon as it is told, and the window between is short"),
        pytest.param(16, 95005, id="something heavy was told wrong, and the rest is no item"),
        pytest.param(33, 94007, id="bumps hide for two seconds that something heavy has landed"),
        pytest.param(8, 102007, id="what is believed late is known by all that was seen since it landed"),
        pytest.param(36, 105002, id="what comes now bears no witness to the level before it"),
        pytest.param(36, 105008, id="pushed hard when little was known of pushing"),
        pytest.param(13, 105009, id="the rest of an error of a level in motion is nothing that came at the standstill"),
        pytest.param(8, 115006, id="one that comes as the cart stands and the one before it must be final"),
        pytest.param(35, 114001, id="a cart that is stopped trembles like a hand"),
        pytest.param(0, 113003, id="a share of pushing that was learned wrong errs in all marks alike"),
        pytest.param(17, 106002, id="a level that was seen standing is not taken anew in motion"),
    ],
)
def test_small_changes_on_tiles_are_all_told_and_nothing_else(number, seed):
    result = item_scene("tiles", number, seed, Params()).weight
    assert result.false == ()
    assert MISSED not in {outcome.how for outcome in result.outcomes if abs(outcome.change.delta_mg) >= 10_000}


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(5, 105007, id="one that was seen in motion, and one as the cart stood"),
        pytest.param(3, 105002, id="one that was seen for two seconds with a stop between"),
    ],
)
def test_what_was_seen_by_itself_is_told_by_itself(number, seed):
    result = item_scene("tiles", number, seed, Params()).weight
    assert {outcome.how for outcome in result.outcomes} <= {AT_ONCE, HELD}


def test_what_a_hand_does_before_the_final_is_in_no_window_of_it():
    """It pulls 90 g at a thing of 10 g while the one before is not final: its 50 g were told as 26."""
    result = item_scene("tiles", 2, 97002, Params()).weight
    (fifty,) = [outcome for outcome in result.outcomes if outcome.change.delta_mg == 50_000]
    assert fifty.error_mg < 3 * fifty.claim.sigma_mg


def test_a_hand_at_work_when_the_one_before_becomes_final_is_no_part_of_it():
    """What the marks showed before it counts, not the newest window."""
    result = item_scene("tiles", 22, 94008, Params()).weight
    (hundred,) = [outcome for outcome in result.outcomes if outcome.change.delta_mg == 100_000]
    assert hundred.error_mg < 3 * hundred.claim.sigma_mg
