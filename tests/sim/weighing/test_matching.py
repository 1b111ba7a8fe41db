"""What was told against what happened, in small numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from cart.core.weight import LoadState, Step
from cart.sim.physics import Params
from cart.sim.weighing.alarms import delay_ms
from cart.sim.weighing.feed import Heard
from cart.sim.weighing.matching import (
    AT_ONCE,
    HAND_MS,
    HELD,
    MISSED,
    TOGETHER,
    Change,
    Claim,
    claims_of_weight,
    matched,
)


def step(number, delta_mg, *, final=False, sigma_mg=900):
    return Step(number, 0, 0, delta_mg, sigma_mg, "standing", final)


def hows(result):
    return [outcome.how for outcome in result.outcomes]


def test_provisional_and_final_under_one_id_are_one_claim():
    told = [Heard(100, step(1, 49_000)), Heard(150, LoadState("ok", 0)), Heard(1_500, step(1, 50_100, final=True))]
    words = ((100, 49_000), (1_500, 50_100))
    assert claims_of_weight(told) == [Claim(100, 49_000, 50_100, 900, True, words, start_ms=100)]


def test_a_claim_knows_when_its_change_is_said_to_have_come():
    late = Step(1, 8_000, 30_000, 20_000, 900, "rough", final=True)
    (claim,) = claims_of_weight([Heard(30_010, late)])
    assert (claim.t_ms, claim.start_ms) == (30_010, 8_010)


def test_a_final_of_nothing_takes_its_provisional_back():
    assert Claim(0, 80_000, 300).withdrawn
    assert not Claim(0, 80_000, 300, final=False).withdrawn
    assert not Claim(0, 80_000, 60_000).withdrawn


def test_a_change_is_found_with_its_delay_and_its_error():
    result = matched([Change(1_000, 50_000)], [Claim(1_300, 40_000, 51_000)])
    (outcome,) = result.outcomes
    assert (outcome.how, outcome.delay_ms, outcome.error_mg, result.false) == (AT_ONCE, 300, 1_000, ())


def test_a_first_word_that_is_far_off_is_not_when_the_change_was_known():
    claim = Claim(1_200, 900_000, 50_500, words=((1_200, 900_000), (2_600, 50_500)))
    (outcome,) = matched([Change(1_000, 50_000)], [claim]).outcomes
    assert (outcome.how, outcome.delay_ms) == (AT_ONCE, 1_600)


def test_what_is_said_to_have_come_long_before_is_not_what_came_just_now():
    """A standstill tells what was held in motion, just as the next thing is put in."""
    held = Claim(30_700, 10_800, 10_800, start_ms=20_100)
    late = Claim(45_700, 18_800, 18_800, start_ms=30_900)
    changes = [Change(20_000, 10_000), Change(31_000, 20_000)]
    result = matched(changes, [held, late])
    assert [(outcome.how, outcome.claim) for outcome in result.outcomes] == [(HELD, held), (HELD, late)]
    at_once = replace(held, start_ms=30_500)
    assert matched(changes[1:], [at_once]).outcomes[0].how == AT_ONCE


def test_a_claim_that_fits_another_change_better_is_of_that_one():
    """In mass and in time: nearer in one of the two says nothing."""
    changes = [Change(38_000, -20_000), Change(41_500, -10_000)]
    second = Claim(41_900, -12_300, -12_300, start_ms=41_400)
    first = Claim(42_000, -20_900, -20_900, start_ms=38_100)
    result = matched(changes, [second, first])
    assert [outcome.claim for outcome in result.outcomes] == [first, second]
    alone = matched(changes, [replace(second, last_mg=-16_000)])
    assert [outcome.how for outcome in alone.outcomes] == [AT_ONCE, MISSED]


def test_what_is_known_before_the_hand_is_off_has_no_delay():
    (outcome,) = matched([Change(1_000, 50_000)], [Claim(800, 50_000, 50_000)]).outcomes
    assert outcome.delay_ms == 0


@pytest.mark.parametrize(
    "claim",
    [
        Claim(599, 50_000, 50_000),  # too early: no hand was at it yet
        Claim(5_600, 50_000, 80_000),  # too late, and too much for a confirmation
        Claim(1_300, -50_000, -50_000),  # the wrong way
        Claim(1_300, 90_000, 90_000),  # too much
        Claim(1_300, 50_000, 0),  # taken back
    ],
)
def test_a_claim_that_does_not_fit_is_false_and_the_change_missed(claim):
    result = matched([Change(1_000, 50_000)], [claim])
    assert hows(result) == [MISSED]
    assert result.false == (claim,)


def test_a_claim_counts_from_when_the_hand_was_at_it():
    assert hows(matched([Change(1_000, 50_000)], [Claim(600, 50_000, 50_000)])) == [AT_ONCE]
    assert hows(matched([Change(1_000, 50_000, hand_ms=900)], [Claim(100, 50_000, 50_000)])) == [AT_ONCE]
    assert hows(matched([Change(1_000, 50_000, hand_ms=200)], [Claim(799, 50_000, 50_000)])) == [MISSED]
    assert Params().hand_ms_max == HAND_MS
    assert replace(Params(), lift_s_max=0.7).hand_ms_max == 700


def test_an_alarm_belongs_to_the_change_that_it_was_raised_for():
    change = Change(1_000, 50_000)
    assert [delay_ms(change, [t_ms]) for t_ms in (599, 600, 1_080, 2_500, 2_501)] == [None, 0, 80, 1_500, None]
    assert delay_ms(change, [100, 1_200, 1_400]) == 200


def test_a_placement_that_is_told_in_two_leaves_a_false_half():
    first, second = Claim(1_100, 600_000, 600_000), Claim(1_900, 400_000, 400_000)
    result = matched([Change(1_000, 1_000_000)], [first, second])
    assert hows(result) == [AT_ONCE]
    assert result.false == (second,)


def test_small_changes_that_were_held_are_confirmed_in_one():
    truth = [Change(1_000, 20_000), Change(6_000, 50_000), Change(12_000, -10_000)]
    result = matched(truth, [Claim(30_000, 61_000, 60_500)])
    assert hows(result) == [HELD, HELD, HELD]
    assert result.false == ()


def test_a_confirmation_of_some_leaves_the_others_missed():
    truth = [Change(1_000, 20_000), Change(6_000, 50_000), Change(12_000, -40_000)]
    assert hows(matched(truth, [Claim(30_000, 50_000, 50_500)])) == [MISSED, HELD, MISSED]


def test_what_is_told_later_is_known_by_when_it_came():
    truth = [Change(1_000, 10_000), Change(6_000, 20_000)]
    first, second = Claim(30_000, 14_600, 14_600, start_ms=2_000), Claim(30_000, 17_300, 17_300, start_ms=7_500)
    result = matched(truth, [first, second])
    assert [(outcome.how, outcome.claim) for outcome in result.outcomes] == [(HELD, first), (HELD, second)]


def test_when_it_came_says_more_than_what_it_weighs():
    truth = [Change(1_000, 20_000), Change(9_000, 25_000)]
    first, second = Claim(30_000, 24_000, 24_000, start_ms=2_000), Claim(30_000, 21_000, 21_000, start_ms=9_500)
    assert [outcome.claim for outcome in matched(truth, [first, second]).outcomes] == [first, second]


def test_a_sum_is_that_of_the_changes_it_is_nearest_to():
    truth = [Change(1_000, 20_000), Change(9_000, 50_000), Change(20_000, -10_000)]
    assert hows(matched(truth, [Claim(30_000, 71_000, 71_000)])) == [HELD, HELD, MISSED]


def test_a_sum_counts_what_came_before_its_last_word():
    truth = [Change(1_000, 20_000), Change(6_500, 30_000)]
    claim = Claim(5_000, 20_000, 50_000, words=((5_000, 20_000), (8_000, 50_000)))
    assert hows(matched(truth, [claim])) == [HELD, HELD]
    assert hows(matched(truth, [replace(claim, words=((5_000, 20_000), (6_000, 50_000)))])) == [MISSED, MISSED]


def test_a_change_that_is_in_the_sum_of_another_was_told_together_with_it():
    truth = [Change(1_000, 1_000_000), Change(5_300, 10_000)]
    words = ((1_500, 1_001_000), (5_600, 1_012_000))
    assert hows(matched(truth, [Claim(1_500, 1_001_000, 1_012_000, 3_900, words=words)])) == [AT_ONCE, TOGETHER]
    # Off by no more than its own sigmas allow it says nothing of the other.
    assert hows(matched(truth, [Claim(1_500, 1_001_000, 1_012_000, 4_100, words=words)])) == [AT_ONCE, MISSED]
    assert hows(matched(truth, [Claim(1_500, 1_001_000, 1_022_000, 3_900, words=words)])) == [AT_ONCE, MISSED]


def test_what_came_before_a_standstill_is_not_confirmed_after_it():
    truth, claim = [Change(1_000, 20_000)], Claim(30_000, 20_000, 20_000)
    assert hows(matched(truth, [claim], [10_000])) == [MISSED]
    assert hows(matched(truth, [claim], [10_000, 30_000])) == [MISSED]
    # A hand was at work at the one, and the other belongs to the claim.
    assert hows(matched(truth, [claim], [2_000])) == [HELD]
    assert hows(matched(truth, [claim], [30_000])) == [HELD]


def test_nothing_confirms_what_comes_later():
    claim = Claim(1_000, 50_000, 50_000)
    result = matched([Change(6_000, 50_000)], [claim])
    assert hows(result) == [MISSED]
    assert result.false == (claim,)


def test_two_equal_changes_need_two_claims():
    truth = [Change(1_000, 50_000), Change(3_000, 50_000)]
    assert hows(matched(truth, [Claim(1_200, 50_000, 50_000)])) == [AT_ONCE, MISSED]


def test_of_two_claims_that_fit_a_change_has_the_nearer_one():
    truth = [Change(1_000, 50_000), Change(7_000, 100_000)]
    late, right = Claim(6_700, 51_200, 51_200), Claim(7_100, 102_300, 102_300)
    result = matched(truth, [late, right])
    assert [(outcome.how, outcome.claim) for outcome in result.outcomes] == [(HELD, late), (AT_ONCE, right)]
    assert result.false == ()
