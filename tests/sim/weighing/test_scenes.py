"""Scenes: the same for the same seed, judged as a person would, with the faults of the line named in time."""

from dataclasses import replace
from itertools import pairwise

import pytest

from cart.core.weight import LoadState, Standstill, Step
from cart.sim.physics import Params, Platform
from cart.sim.weighing import line_faults
from cart.sim.weighing.case_book import CASES, LINE_CASES
from cart.sim.weighing.cases import RIGHT, UNNAMED, WRONG, Case, judged, name_of
from cart.sim.weighing.feed import Feed, Heard
from cart.sim.weighing.figures import unaccounted
from cart.sim.weighing.hardship import fuzzed, memory_growth_bytes
from cart.sim.weighing.items import Balance, item_scene, quiet_scene
from cart.sim.weighing.matching import AT_ONCE, Change
from cart.wire.loadcell import FLAG_DESYNC, FLAG_FIRST, Decoder, WeightLine

SECOND = 1_000_000
WORLD = Params()
BY_NAME = {case.name: case for case in CASES}


def readings(feed_seconds, spoil):
    """Return what the host decodes of a spoilt line, and what the converter read."""
    platform = Platform(1, WORLD, 5_000_000)
    feed = Feed(platform)
    data, samples = [], []

    def tap(sample, lines):
        samples.append(sample)
        data.append(spoil(sample, lines))
        return data[-1]

    feed.spoil = tap
    feed.run(feed_seconds * SECOND)
    return [v for v in Decoder().feed(b"".join(data)) if isinstance(v, WeightLine)], samples


def test_the_same_seed_gives_the_same_scene_and_another_one_another():
    first = item_scene("standing", 0, 5, WORLD, (50_000,))
    assert item_scene("standing", 0, 5, WORLD, (50_000,)) == first
    assert item_scene("standing", 0, 6, WORLD, (50_000,)).trace != first.trace
    assert item_scene("standing", 1, 5, WORLD, (50_000,)).trace != first.trace
    assert item_scene("standing", 0, 5, replace(WORLD, damping=0.1), (50_000,)).trace != first.trace


def test_a_standing_scene_is_found_by_both_methods_and_adds_up():
    scene = item_scene("standing", 0, 2, WORLD, (50_000, 500_000))
    assert [outcome.how for outcome in scene.weight.outcomes] == [AT_ONCE] * 2
    assert [outcome.how for outcome in scene.plateau.outcomes] == [AT_ONCE] * 2
    assert len(scene.standstills) >= 2
    assert unaccounted([scene]) == []
    lost = Balance(9_000, -50_000, 20_000)
    assert unaccounted([replace(scene, standstills=(*scene.standstills, lost))]) == [lost]


def test_a_quiet_scene_has_no_truth_and_nothing_is_told():
    scene = quiet_scene("standing", 0, 2, 30, WORLD)
    assert (scene.weight.outcomes, scene.weight.false, scene.plateau.false) == ((), (), ())
    assert scene.seconds == pytest.approx(34, abs=1)


def test_the_weight_hears_the_wire_in_the_order_and_time_of_the_daemon():
    feed = Feed(Platform(1, WORLD, 5_000_000))
    feed.run(3 * SECOND)
    released_ms = feed.platform.add(500_000, "drop") // 1_000
    feed.run(3 * SECOND)
    times = [heard.t_ms for heard in feed.told]
    assert times == sorted(times)
    assert any(released_ms < t_ms < released_ms + 1_000 for t_ms in times)
    assert feed.trace[-1][1] == pytest.approx(5_500_000, abs=20_000)


# -- judging ------------------------------------------------------------------------------


def put_unasked(stage):
    stage.platform.add(500_000)
    stage.wait(5)


def put(stage):
    stage.put(500_000)
    stage.wait(6)


def promise_too_much(stage):
    put(stage)
    stage.truth.append(replace(stage.truth[0], delta_mg=-300_000))


def weighed_all_the_same(stage):
    stage.break_line(line_faults.silent, 3)
    stage.stale = True
    stage.wait(3)


def back_too_late(stage):
    stage.break_line(line_faults.silent, 3)
    stage.feed.spoil = line_faults.silent
    stage.wait(3)
    stage.feed.spoil = None
    stage.wait(3)


def changed_meanwhile(stage):
    stage.break_line(line_faults.silent, 3)
    stage.wait(3)
    t_ms = stage.fault_ms[0] + 2_000
    stage.truth.append(Change(t_ms, 500_000))
    stage.feed.told.append(Heard(t_ms, Step(99, 0, 0, 500_000, 900, "standing", True)))


@pytest.mark.parametrize(
    ("names", "play", "verdict"),
    [
        ((), put, RIGHT),
        ((), put_unasked, WRONG),
        ((), promise_too_much, WRONG),
        (("eclipse",), lambda stage: stage.wait(3), UNNAMED),
        (("eclipse",), put, UNNAMED),
        (("no_data",), lambda stage: stage.break_line(line_faults.silent, 3) or stage.wait(3), RIGHT),
        (("eclipse",), lambda stage: stage.break_line(line_faults.silent, 3) or stage.wait(3), WRONG),
        (("no_data",), lambda stage: stage.break_line(line_faults.silent, 3), WRONG),  # not back
        ((), lambda stage: stage.break_line(line_faults.silent, 3) or stage.wait(3), WRONG),  # must be borne
        (("no_data",), weighed_all_the_same, WRONG),
        (("no_data",), back_too_late, WRONG),
        (("no_data",), changed_meanwhile, WRONG),
    ],
)
def test_a_case_is_judged_by_what_was_told(names, play, verdict):
    assert judged(Case("a case", "", names, play), 0, 1, WORLD).verdict == verdict


@pytest.mark.parametrize(
    ("name", "seed"),
    [("child", 4), ("child", 6), ("pulling", 6), ("leaning", 0), ("parked on a ramp", 6), ("ramp", 0)],
    ids=["child that shakes the cart", "child that sat still", "pulling", "leaning calmly", "parked", "rolling"],
)
def test_what_is_no_item_has_its_name_and_no_mass(name, seed):
    found = judged(BY_NAME[name], 0, seed, WORLD)
    assert found.verdict == RIGHT, found.told


def test_the_sum_counts_where_parts_may_be_told():
    case = replace(BY_NAME["pour"], play=lambda stage: stage.put(300_000) or stage.wait(5))
    assert judged(case, 0, 1, WORLD).verdict == RIGHT
    less = replace(case, play=lambda stage: promise_too_much(stage))
    assert judged(less, 0, 1, WORLD).verdict == WRONG


def test_states_have_names_and_items_have_none():
    assert name_of(Heard(0, LoadState("stuck", 0))) == "stuck"
    assert name_of(Heard(0, Standstill(0, 1, 1))) == ""


@pytest.mark.parametrize("cells", [1, 4])
@pytest.mark.parametrize("name", [name for name, expected in LINE_CASES.items() if expected])
def test_a_fault_of_the_line_is_named_within_a_second_and_is_never_a_weight(name, cells):
    result = judged(BY_NAME[name], 0, 11, replace(WORLD, cells=cells))
    assert result.verdict == RIGHT, result.told
    assert 0 < result.named_ms <= 1_000


@pytest.mark.parametrize("name", [name for name, expected in LINE_CASES.items() if not expected])
def test_what_must_be_borne_is_borne(name):
    assert judged(BY_NAME[name], 0, 11, WORLD).verdict == RIGHT


# -- faults of the line -----------------------------------------------------------------------


def test_out_of_step_the_counts_are_doubled_and_flagged():
    lines, samples = readings(1, line_faults.desync)
    assert {line.flags for line in lines} == {FLAG_DESYNC}
    assert [line.counts for line in lines] == [2 * sample.counts + 1 for sample in samples]


def test_a_frozen_converter_says_the_same_in_new_lines():
    lines, samples = readings(1, line_faults.frozen())
    assert {line.counts for line in lines} == {samples[0].counts}
    assert [line.seq for line in lines] == [sample.seq for sample in samples]


def test_a_slow_converter_loses_nothing_and_takes_eight_times_as_long():
    lines, _ = readings(2, line_faults.slow())
    assert len(lines) == 20
    assert {line.dropped for line in lines} == {0}
    assert {b.t_us - a.t_us for a, b in pairwise(lines)} == {100_000}


def test_a_restarted_converter_begins_at_zero_and_says_so():
    lines, samples = readings(1, line_faults.restarted())
    assert (lines[0].seq, lines[0].t_us, lines[0].flags) == (0, 0, FLAG_FIRST)
    assert [line.counts for line in lines] == [sample.counts for sample in samples]


# -- hard use -----------------------------------------------------------------------------------


def test_spoilt_bytes_make_no_reading_no_change_and_no_exception():
    result = fuzzed(60_000, 3)
    assert result.bytes_fed == 60_000
    assert result.lines_spoilt > 200
    assert result.readings > 300
    assert (result.readings_false, result.changes_false, result.exceptions) == (0, 0, 0)


def test_spoilt_bytes_would_be_noticed_if_no_checksum_held_them(monkeypatch):
    monkeypatch.setattr("cart.wire.loadcell.crc_hqx", lambda body, start: 0)
    assert fuzzed(60_000, 3).readings_false > 10


def test_the_weight_holds_no_more_after_a_while():
    assert memory_growth_bytes(40, 1) < 16_000


def test_a_weight_that_held_on_to_readings_would_be_noticed(monkeypatch):
    held = []
    monkeypatch.setattr(
        "cart.sim.weighing.hardship.ticked", lambda weight, t_ns: (held.append([t_ns] * 999), (weight, ()))[1]
    )
    assert memory_growth_bytes(40, 1) > 16_000
