"""The weight against the truth, in short; `tools/bars` runs the long form."""

from cart.core.weight import Step
from cart.sim.weigh_scenes import GROUNDS, Score, _match, false_events, percentile, score


def test_every_change_is_found_quickly_and_right_while_standing():
    found = score(GROUNDS["standing"], (10_000, 50_000, 250_000, 1_000_000), scenes=4)
    figures = found.summary()
    assert figures["found"] == figures["changes"] == 24
    assert found.false == []
    assert figures["delay_ms_median"] <= 500
    assert figures["delay_ms_p95"] <= 800
    assert figures["error_mg_median"] <= 1_000
    assert figures["error_mg_p95"] <= 3_000


def test_five_minutes_without_a_change_tell_nothing():
    assert false_events(GROUNDS["standing"], 300, seed=5) == []


def test_the_score_counts_what_was_missed_and_what_was_made_up():
    total = Score(changes=2)
    near = Step(1, 900, 1_200, 49_000, 900, "standing", False)
    wrong = Step(2, 9_000, 9_100, 20_000, 900, "standing", False)
    _match(total, [(1_000, 50_000), (5_000, -30_000)], [(1_200, near), (9_100, wrong)])
    assert total.delays_ms == [200]
    assert total.missed == [(5_000, -30_000)]
    assert total.false == [wrong]


def test_percentiles_are_values_of_the_list():
    assert percentile([], 50) == -1
    assert percentile([3, 1, 2], 50) == 2
    assert percentile(list(range(100)), 95) == 95
