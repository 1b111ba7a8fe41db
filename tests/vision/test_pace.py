"""What a frame gets: all that fits the camera's rate, and the least that nothing is starved when it does not."""

import pytest

from cart.vision import pace

MS = 1_000_000
FRAME_MS = 1_000 / 15


def run(cost_ms_of, frames, *, read=False):
    """Return the tasks of so many frames of one pass whose cost depends on their tasks."""
    now, given = pace.begun(pace.of_camera(15)), []
    for number in range(frames):
        t_ns = 10**9 + int(number * FRAME_MS * MS)
        wanted = pace.tasks(now, t_ns, read=read)
        if wanted.look:
            now = pace.looked(now, t_ns)
        now = pace.spent(now, int(cost_ms_of(wanted) * MS), in_pass=True)
        given.append(wanted)
    return given


def times(given, name):
    return [number for number, wanted in enumerate(given) if getattr(wanted, name)]


def test_a_fast_machine_reads_strips_on_every_frame_until_the_pass_has_a_code():
    assert times(run(lambda wanted: 10, 8), "strips") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert times(run(lambda wanted: 10, 8, read=True), "strips") == [1, 3, 5, 7]


def test_matrix_codes_are_tried_on_every_fourth_frame():
    assert times(run(lambda wanted: 10, 12), "matrix") == [0, 4, 8]


def test_the_classifier_looks_five_times_a_second():
    looks = times(run(lambda wanted: 10, 30), "look")
    assert len(looks) == pytest.approx(30 / 15 / 0.2, abs=1)


def cost_ms(slowness):
    return lambda wanted: slowness * (4 + 4 * wanted.strips + 5 * wanted.matrix + 9 * wanted.look)


def spent_ms(given, slowness):
    return sum(cost_ms(slowness)(wanted) for wanted in given) / len(given)


def test_a_slow_machine_gives_up_what_it_cannot_afford_and_no_more():
    budget_ms = FRAME_MS * pace.BUDGET_PERCENT / 100
    assert len(times(run(cost_ms(1), 120), "strips")) == 120
    slow = run(cost_ms(5), 120)
    assert 120 // pace.STRIPS_SELDOM < len(times(slow, "strips")) < 120
    assert spent_ms(slow, 5) <= 1.1 * budget_ms


def test_a_machine_that_is_always_behind_still_gets_to_everything():
    given = run(cost_ms(30), 120)
    # The very first frame has no debt yet.
    assert times(given, "strips")[1:] == list(range(pace.STRIPS_SELDOM - 1, 120, pace.STRIPS_SELDOM))
    assert times(given, "matrix") == list(range(0, 120, pace.MATRIX_SELDOM))
    assert len(times(given, "look")) >= 120 / 15 / 0.6 - 1


def test_one_long_frame_is_soon_forgotten():
    now = pace.spent(pace.of_camera(15), 5_000 * MS, in_pass=True)
    frames = 0
    while now.behind:
        now, frames = pace.spent(now, 0, in_pass=False), frames + 1
    assert frames == pace.DEBT_BUDGETS_MAX


def test_a_debt_outlives_the_pass_that_made_it():
    assert pace.begun(pace.spent(pace.of_camera(15), 500 * MS, in_pass=True)).behind
