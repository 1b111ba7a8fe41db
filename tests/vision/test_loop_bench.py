"""The loop's half of `cart bench vision`: what is drawn, what is counted, and that its bars find their figures."""

import itertools
import json
from subprocess import CompletedProcess

import numpy as np
import pytest

from cart.core.events import Sighted
from cart.vision.bench import load, moving, passes
from cart.vision.bench.sections import NotThere, Plan
from cart.vision.reader import available_engines, read_photo
from tools import loop_bars
from tools.measuring import BARS, NOT_MEASURED, measured

PLAN = Plan(None, seed=5, quick=True)
ROWS = [row for row in BARS if row.measure.__module__ == loop_bars.__name__]
pytestmark = pytest.mark.skipif(not available_engines(thorough=False), reason="no barcode engine is installed")


def quiet(words):
    """Tell nobody."""


@pytest.fixture(scope="module")
def few():
    """The section of passes with few of them."""
    patch = pytest.MonkeyPatch()
    patch.setattr(passes, "PASSES_QUICK", 4)
    patch.setattr(passes, "SPEEDS_M_S", (0.3, 0.6, 1.0, 1.5))
    yield passes.measure(PLAN, quiet)
    patch.undo()


@pytest.fixture(scope="module")
def process():
    """The section of the process, a second of each part."""
    patch = pytest.MonkeyPatch()
    for name in ("REST_S_QUICK", "BUSY_S_QUICK", "SETTLE_S"):
        patch.setattr(load, name, 1)
    yield load.measure(PLAN, quiet)
    patch.undo()


def test_a_thing_moves_at_its_speed_and_shows_its_code_whole_for_a_while():
    empty = moving.empty_view()
    for speed, passage in itertools.product((0.3, 1.5), moving.passages(3, 1.0, 9)):
        (fast,) = (p for p in moving.passages(1, speed, 9))
        way = np.subtract(fast.middle(0.1), fast.middle(0.0))
        assert np.hypot(*way) * moving.MM_PER_PX / 100 == pytest.approx(speed, rel=1e-6)
        drawn = moving.Drawn(passage, empty)
        shown = [drawn.shows_code(passage.duration_s * share) for share in np.linspace(0, 1, 41)]
        assert any(shown)
        assert not shown[0]
        assert not shown[-1]


def test_where_the_code_is_said_to_be_it_is():
    found = 0
    for passage in moving.passages(6, 0.3, 2):
        drawn = moving.Drawn(passage, moving.empty_view())
        t_s = next(t for t in np.linspace(0, passage.duration_s, 60) if drawn.shows_code(t))
        grey = drawn.frame(t_s).mean(axis=2).astype(np.uint8)
        for read in read_photo(grey):
            found += read.text == passage.code
            expected = (drawn._corners + passage.middle(t_s)).mean(axis=0)
            assert np.linalg.norm(np.mean(read.corners, axis=0) - expected) < 60
    assert found >= 3


def test_a_machine_that_is_too_slow_loses_frames():
    now = [0]
    clock = moving.WorkClock(5, lambda: now[0])

    class Slow:
        frames = 0

        def see(self, frame):
            self.frames += 1
            now[0] += 40_000_000

    slow = Slow()
    (passage,) = moving.passages(1, 0.3, 1)
    empty = moving.empty_view()
    seen = moving.watched(slow, clock, moving.Drawn(passage, empty), passage, empty, 66_666_667)
    possible = passage.duration_s * 15
    assert seen.frames == pytest.approx(possible / 3, abs=1.5)
    assert seen.end_ns - seen.began_ns == pytest.approx(passage.duration_s * 1e9, rel=1e-6)


def told(passage, seen, text, after_ms=100):
    return Sighted(seen.began_ns + after_ms * 1_000_000, seen.began_ns, 1, "EAN13", text, "")


def test_a_wrong_code_is_counted_beside_a_right_one():
    (passage,) = moving.passages(1, 0.3, 1)
    seen, tally = moving.Seen(10**9, 2 * 10**9, frames=9, with_code=5, cpu_ns=(5_000_000,)), passes.Tally()
    assert passes._count(
        tally, seen, passage, [told(passage, seen, "4003994155486"), told(passage, seen, passage.code)]
    )
    assert not passes._count(tally, seen, passage, [])
    assert passes._count(tally, seen, passage, [told(passage, seen, passage.code, after_ms=1_500)])
    assert (tally.passes, tally.read, tally.wrong, tally.late, tally.whole) == (3, 2, 1, 1, 3)
    assert tally.first_ms == [100, 1_500]


def test_slow_passes_are_read_and_everything_told_is_right(few):
    assert few.figures["x1"]["0_3"]["read"] >= 3
    assert all(speed["wrong"] == 0 for machine in few.figures.values() for speed in machine.values())
    assert [table.title for table in few.tables] == [
        "Passes through the view, as this machine is", "Passes through the view, on a machine 5 times slower"
    ]  # fmt: skip


def test_the_process_is_measured_at_rest_and_with_things_passing(process):
    figures = process.figures
    assert 0 < figures["rest"]["cpu_percent"] < figures["busy"]["cpu_percent"]
    assert 50 < figures["rss_mb"] < 400
    assert figures["busy"]["frames_per_s"] > 5


def test_a_process_that_died_is_not_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(load, "START_S", 0)
    with pytest.raises(NotThere, match="no sign of life"):
        load._World(tmp_path, seed=1).measured(0)


def test_every_bar_finds_its_figure(monkeypatch, few, process):
    printed = json.dumps({"passes": few.figures, "process": process.figures}, allow_nan=False)
    monkeypatch.setattr(loop_bars, "cart", lambda *words, timeout_s: CompletedProcess(words, 0, printed, ""))
    loop_bars.process.cache_clear()
    loop_bars.passes.cache_clear()
    assert len(ROWS) == 5
    assert all(measured(row).verdict != NOT_MEASURED for row in ROWS)
    loop_bars.process.cache_clear()
    loop_bars.passes.cache_clear()
