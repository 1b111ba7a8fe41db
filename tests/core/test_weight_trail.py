"""Marks left in motion: how far they may be trusted, and where they part into levels."""

from dataclasses import replace
from random import Random
from statistics import fmean
from types import SimpleNamespace

import pytest

from cart.core.weight_rest import LANDS, Resting
from cart.core.weight_sway import PRIOR, Sway
from cart.core.weight_trail import (
    APART,
    FEW_MARKS,
    FULL,
    HAND_MARKS,
    LEARN_MARKS,
    LEAST_MARKS,
    MARK_BOX,
    MARKS_MAX,
    MIDDLE_PERMILLE,
    PRIOR_MARKS,
    UNIT_PERMILLE,
    Mark,
    Rest,
    Trail,
    Usual,
    weighed,
)

GRAM_UG = 1_000_000
UNIT_MG2 = 5_000**2
"""A mark is known to 5 g: a cart with some 15 kg of goods."""

MOVING_MG = 23_000_000


def marks(*levels, seed=1, sigma_mg=5_000, weight=FULL):
    """Return marks of (grams, number) each, a block apart, with white noise."""
    random = Random(seed)
    load = [grams for grams, number in levels for _ in range(number)]
    return tuple(
        Mark(8 * n, grams * GRAM_UG + int(random.gauss(0, sigma_mg)) * 1_000, weight) for n, grams in enumerate(load)
    )


def grams_of(levels):
    return [level.ug / GRAM_UG for level in levels]


def learned(values, moving_mg=MOVING_MG):
    usual = Usual()
    trail = Trail(0, None, -1)
    for mark in values:
        trail = trail.with_mark(mark, UNIT_MG2)
        square = trail.square_mg2()
        if square is not None:
            usual = usual.with_mark(square, moving_mg)
    return usual


@pytest.mark.parametrize("seed", range(5))
def test_the_noise_is_learned_from_marks_that_share_no_reading(seed):
    """A window's own variance is less than what it adds to a mean, by the share of its neighbours."""
    usual = learned(marks((100, 400), seed=seed))
    assert usual.unit_mg2(0, MOVING_MG) == pytest.approx(UNIT_MG2 * UNIT_PERMILLE / 1_000, rel=0.35)


def test_neither_a_hand_nor_a_change_is_learned_as_noise():
    calm = learned(marks((100, 200)))
    pressed = learned(marks((100, 80), (140, 15), (100, 50), (600, 55)))
    assert pressed.unit_mg2(0, MOVING_MG) == pytest.approx(calm.unit_mg2(0, MOVING_MG), rel=0.25)


def test_a_fuller_cart_is_noisier_by_its_mass():
    usual = learned(marks((100, 200)))
    assert usual.unit_mg2(0, 2 * MOVING_MG) == pytest.approx(4 * usual.unit_mg2(0, MOVING_MG), rel=1e-6)
    swung = Usual().with_swing(900, MOVING_MG)
    assert swung.swing_mg2(2 * MOVING_MG) == pytest.approx(3_600, abs=2)


def test_noise_where_a_mark_weighs_less_is_learned_as_that_of_a_full_one():
    """A weight of an eighth is eight times the variance."""
    loud = tuple(Mark(one.position, one.ug, FULL // 8) for one in marks((100, 200), sigma_mg=14_142))
    usual = learned(loud)
    assert usual.unit_mg2(0, MOVING_MG) == pytest.approx(UNIT_MG2 * UNIT_PERMILLE / 1_000, rel=0.35)


def test_what_was_believed_before_counts_until_enough_was_seen():
    assert Usual().unit_mg2(77, MOVING_MG) == 77
    few, many = learned(marks((100, 8))), learned(marks((100, PRIOR_MARKS + APART)))
    assert few.unit_mg2(10**12, MOVING_MG) > 10**11
    assert many.unit_mg2(10**12, MOVING_MG) == many.unit_mg2(0, MOVING_MG)


def test_a_noise_that_few_marks_showed_counts_for_more():
    square_mg2, usual, units = 5_000**2, Usual(), {}
    for count in range(1, LEARN_MARKS + 1):
        usual = usual.with_mark(square_mg2, MOVING_MG)
        units[count] = usual.unit_mg2(square_mg2, MOVING_MG) * MIDDLE_PERMILLE // 1_000
    assert units[48] == pytest.approx(square_mg2 * (48 + FEW_MARKS) / 48, rel=0.01)
    assert units[LEARN_MARKS] == pytest.approx(square_mg2, rel=0.06)
    assert units[PRIOR_MARKS] > units[48] > units[LEARN_MARKS]


def test_noise_of_long_ago_is_forgotten():
    usual = learned(marks((100, 200), sigma_mg=50_000) + marks((100, LEARN_MARKS + 8)))
    assert len(usual.squares) == LEARN_MARKS
    assert usual.unit_mg2(0, MOVING_MG) < 4 * UNIT_MG2


@pytest.mark.parametrize("seed", range(20))
def test_one_level_is_not_parted(seed):
    (level,) = Trail(0, None, -1, marks((100, 60), seed=seed)).levels(UNIT_MG2)
    assert level.ug / GRAM_UG == pytest.approx(100, abs=3.5 * 5 / 60**0.5)
    assert (level.marks, level.first, level.last) == (60, 0, 8 * 59)
    assert level.mg2(UNIT_MG2) == pytest.approx(UNIT_MG2 / 60, rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_a_small_change_parts_it_where_it_came(seed):
    before, after = Trail(0, None, -1, marks((100, 40), (110, 40), seed=seed)).levels(UNIT_MG2)
    assert after.ug - before.ug == pytest.approx(10 * GRAM_UG, abs=5 * GRAM_UG)
    assert before.last == pytest.approx(8 * 40, abs=8 * 2 * HAND_MARKS)
    assert after.first - before.last == 8 * (HAND_MARKS + 1)


def test_between_two_levels_a_hand_may_have_been_at_work_that_bears_no_witness():
    """Its marks are far off, and those beside them may have it in their windows."""
    before, after = Trail(0, None, -1, marks((100, 40), (400, 3), (140, 40))).levels(UNIT_MG2)
    assert grams_of([before, after]) == pytest.approx([100, 140], abs=3)
    assert after.first - before.last == 8 * (HAND_MARKS + 1)


def test_where_marks_of_a_hand_were_taken_out_none_beside_them_is():
    """The hand had its time already."""
    all_marks = marks((100, 40), (400, HAND_MARKS), (140, 40))
    trail = Trail(0, None, -1, all_marks).without(8 * 39, 8 * (40 + HAND_MARKS))
    before, after = trail.levels(UNIT_MG2)
    assert (before.marks, after.marks) == (40, 40)


def test_two_changes_make_three_levels():
    levels = Trail(0, None, -1, marks((100, 40), (130, 40), (110, 40))).levels(UNIT_MG2)
    assert grams_of(levels) == pytest.approx([100, 130, 110], abs=3)


def test_fewer_marks_than_a_level_needs_make_none():
    needed = 2 * LEAST_MARKS + HAND_MARKS
    assert len(Trail(0, None, -1, marks((100, needed // 2), (140, needed // 2 - 1))).levels(UNIT_MG2)) == 1
    assert len(Trail(0, None, -1, marks((100, needed // 2), (140, needed // 2))).levels(UNIT_MG2)) == 2


def test_the_level_as_it_was_taken_is_one_of_them():
    """No hand is in it: the marks right after it count."""
    trail = Trail(100 * GRAM_UG, 500**2, -3, marks((120, LEAST_MARKS)))
    before, after = trail.levels(UNIT_MG2)
    assert (before.ug, before.marks, before.first, before.last) == (100 * GRAM_UG, 0, -3, -3)
    assert before.mg2(UNIT_MG2) == pytest.approx(500**2, rel=0.01)
    assert after.marks == LEAST_MARKS
    (both,) = Trail(120 * GRAM_UG, 500**2, -1, marks((120, 40))).levels(UNIT_MG2)
    assert both.mg2(UNIT_MG2) < 500**2


def test_what_the_load_rests_at_now_bears_witness_to_the_last():
    now = Rest(110 * GRAM_UG, FULL * UNIT_MG2 // 600**2, 0, 999, 999)
    before, after = Trail(0, None, -1, marks((100, 40))).levels(UNIT_MG2, now)
    assert (after.ug, after.marks, after.last) == (110 * GRAM_UG, 0, 999)
    assert before.ug / GRAM_UG == pytest.approx(100, abs=3)
    (only,) = Trail(0, None, -1, marks((110, 40))).levels(UNIT_MG2, now)
    assert (only.marks, only.last) == (40, 999)
    assert Trail(0, None, -1).levels(UNIT_MG2, now) == [now]
    assert Trail(0, None, -1).levels(UNIT_MG2) == []


def test_a_shock_bears_no_witness():
    calm = marks((100, 60))
    shocked = tuple(
        Mark(one.position, one.ug + 400 * GRAM_UG, FULL) if n in {20, 21} else one for n, one in enumerate(calm)
    )
    (level,) = Trail(0, None, -1, shocked).levels(UNIT_MG2)
    assert level.marks == 58
    assert level.ug / GRAM_UG == pytest.approx(100, abs=3)


def test_a_first_level_that_was_not_at_rest_yet_is_taken_out():
    trail = Trail(0, None, -1, marks((160, 12), (100, 40))).without_transients(UNIT_MG2)
    assert grams_of(trail.levels(UNIT_MG2)) == pytest.approx([100], abs=3)
    kept = Trail(0, None, -1, marks((160, 30), (100, 40)))
    assert kept.without_transients(UNIT_MG2) == kept


@pytest.mark.parametrize("taken_mg2", [None, 500**2])
def test_what_came_and_went_is_taken_out_and_what_stayed_is_not(taken_mg2):
    seen = (100, 30) if taken_mg2 is None else (100, 0)
    trail = Trail(100 * GRAM_UG, taken_mg2, -1, marks(seen, (140, 24), (100, 30))).without_transients(UNIT_MG2)
    assert grams_of(trail.levels(UNIT_MG2)) == pytest.approx([100], abs=2)
    for stayed in (marks(seen, (140, 40), (100, 30)), marks(seen, (140, 24), (170, 30))):
        kept = Trail(100 * GRAM_UG, taken_mg2, -1, stayed)
        assert kept.without_transients(UNIT_MG2) == kept


def test_of_marks_that_were_left_before_a_change_was_believed_those_of_a_hand_are_taken_out_too():
    landed = 10  # marks before it are of the level before
    seen = Trail(0, None, -1, marks((0, landed), (160, 12), (100, 30)))
    late = SimpleNamespace(level_ug=100 * GRAM_UG, motion="rough", position=seen.marks[-1].position)
    Resting.begin_landed(late, seen, seen.marks[landed].position - LANDS - 3 * MARK_BOX)
    assert len(late.trail.marks) == 42
    left = late.trail.without_transients(UNIT_MG2)
    assert grams_of(left.levels(UNIT_MG2)) == pytest.approx([100], abs=3)
    assert len(left.marks) == 30 - HAND_MARKS


def test_a_second_of_the_next_level_does_not_say_that_the_one_before_it_came_and_went():
    """A hand at work may look like the level before for as long."""
    for last, decided in ((100, [100]), (170, [100, 140])):
        trail = Trail(100 * GRAM_UG, 500**2, -1, marks((100, 0), (140, 24), (last, 10)))
        assert trail.without_transients(UNIT_MG2) == trail
        levels = trail.levels(UNIT_MG2)
        assert grams_of(levels) == pytest.approx([100, 140, last], abs=3)
        assert grams_of(trail.decided(levels, UNIT_MG2)) == pytest.approx(decided, abs=3)


def test_marks_in_more_noise_weigh_less():
    light = tuple(Mark(one.position, one.ug, FULL // 8) for one in marks((160, 40)))
    trail = Trail(100 * GRAM_UG, UNIT_MG2 // 40, -1, light)
    before, after = trail.levels(UNIT_MG2)
    assert after.mg2(UNIT_MG2) == pytest.approx(8 * UNIT_MG2 / 40, rel=0.01)
    assert before.mg2(UNIT_MG2) == pytest.approx(UNIT_MG2 / 40, rel=0.01)


def test_marks_of_a_push_are_as_they_would_be_left_with_the_share_that_is_known_now():
    rolled, pushed = Mark(8, 100 * GRAM_UG, FULL), Mark(16, 100 * GRAM_UG, 10, FULL, 2_000_000, 1_000)
    known = Sway(sums=(100 * PRIOR, 0), share_ppm=4_000)
    for mark in (rolled, pushed):
        assert mark.seen_with(Sway(share_ppm=mark.share_ppm), UNIT_MG2).ug == 100 * GRAM_UG
    seen = Trail(0, None, 0, (rolled, pushed)).seen_with(known, UNIT_MG2).marks
    assert seen[0] == rolled, "nobody pushed"
    assert (seen[1].ug, seen[1].share_ppm) == (94 * GRAM_UG, 4_000)
    assert 10 < seen[1].weight < FULL, "the share is known better, not for sure"
    assert seen[1].weight == weighed(FULL, known.unknown_mg2(2_000_000), UNIT_MG2)


def test_what_is_not_known_of_pushing_errs_in_all_marks_of_a_push_alike():
    rolled = marks((100, 24))
    pushed = tuple(
        replace(mark, position=mark.position + 400, ug=mark.ug + 10 * GRAM_UG, pull_mg=2_000_000) for mark in rolled
    )
    trail = Trail(0, None, -1, rolled + pushed)
    assert grams_of(trail.levels(UNIT_MG2)) == pytest.approx([100, 110], abs=3)
    unknown = replace(trail, unknown=100)
    assert len(unknown.levels(UNIT_MG2)) == 1
    alone = replace(unknown, marks=pushed).mean(UNIT_MG2)
    assert alone.mg2(UNIT_MG2) == pytest.approx(10_000**2 + UNIT_MG2 / 24, rel=0.1)
    assert replace(unknown, marks=rolled).mean(UNIT_MG2).mg2(UNIT_MG2) == pytest.approx(UNIT_MG2 / 24, rel=0.05)


def test_a_long_trail_folds_its_oldest_marks_into_the_level():
    trail = Trail(100 * GRAM_UG, 10**12, -1)
    values = marks((100, MARKS_MAX + 40))
    for mark in values:
        trail = trail.with_mark(mark, UNIT_MG2)
    assert len(trail.marks) <= MARKS_MAX
    assert trail.taken_at == trail.marks[0].position - 8
    level = trail.mean(UNIT_MG2)
    assert level.ug == pytest.approx(fmean(mark.ug for mark in values), abs=GRAM_UG // 20)
    assert level.mg2(UNIT_MG2) == pytest.approx(UNIT_MG2 / len(values), rel=0.05)


def test_what_was_wrong_for_all_is_put_right_for_all():
    trail = Trail(100 * GRAM_UG, 500**2, -1, marks((100, 20)))
    moved = trail.shifted(3 * GRAM_UG)
    assert moved.mean(UNIT_MG2).ug == pytest.approx(trail.mean(UNIT_MG2).ug + 3 * GRAM_UG, abs=2)


def test_a_level_that_was_taken_may_wander_and_marks_do_not():
    assert Trail(0, 400, -1).wandered(30).mg2 == 400 + 900
    assert Trail(0, None, -1).wandered(30).mg2 is None


def test_marks_are_taken_out_by_position():
    trail = Trail(0, None, -1, marks((100, 10)))
    assert [mark.position for mark in trail.between(16, 40).marks] == [16, 24, 32, 40]
    assert [mark.position for mark in trail.without(0, 64).marks] == [0, 64, 72]


def test_a_trail_without_marks_shows_what_was_taken():
    assert Trail(100 * GRAM_UG, 500**2, -1).mean(UNIT_MG2).ug == 100 * GRAM_UG
    assert Trail(100 * GRAM_UG, None, -1).mean(UNIT_MG2) == Rest(100 * GRAM_UG, 0)
