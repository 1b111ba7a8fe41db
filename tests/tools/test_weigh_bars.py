"""The weighing bars ask for figures that the bench and the measurement do print."""

import json
from dataclasses import replace
from subprocess import CompletedProcess

import pytest

from cart.clock import SystemClock
from cart.sim.physics import Params
from cart.sim.weighing import bench
from cart.sim.weighing.case_book import CASES
from cart.sim.weighing.cases import judged
from tools import measure_scale, weigh_bars
from tools.measuring import BARS, NOT_MEASURED, measured, scope

ROWS = [row for row in BARS if row.measure.__module__ == weigh_bars.__name__]


@pytest.fixture(scope="module")
def printed():
    """What a short run of the bench prints, with one fault of the line played."""
    plan = bench.Plan(scenes=1, quiet_s=1, case_rounds=0, costs=False)
    report = bench.run(plan, 1, Params(), SystemClock(), lambda words: None)
    silence = next(case for case in CASES if case.name == "silence")
    costs = tuple(bench.Cost(lines, 1_000, 3) for lines in (80, 320, 160))
    return json.dumps(replace(report, cases=(judged(silence, 0, 1, Params()),), costs=costs).as_dict())


@pytest.mark.parametrize("full", [False, True])
def test_every_row_finds_its_figure(monkeypatch, capsys, printed, full):
    monkeypatch.setattr("sys.argv", ["measure_scale", "--fuzz-bytes", "5000", "--memory-s", "40", "-o", "json"])
    assert measure_scale.main() == 0
    borne = capsys.readouterr().out
    asked = []
    monkeypatch.setattr(scope, "full", full)
    monkeypatch.setattr(weigh_bars, "cart", lambda *words, timeout_s: asked.append(words) or done(printed))
    monkeypatch.setattr(weigh_bars, "tool", lambda *words, timeout_s: done(borne))
    for run_once in (weigh_bars.standing, weigh_bars.moving, weigh_bars.borne):
        run_once.cache_clear()
    rows = [measured(row) for row in ROWS]
    assert [row.name for row in rows if row.verdict == NOT_MEASURED] == []
    assert len(rows) >= 20
    # The quick form is one run, the full one two.
    assert len(asked) == 1 + full
    for run_once in (weigh_bars.standing, weigh_bars.moving, weigh_bars.borne):
        run_once.cache_clear()


def done(text):
    return CompletedProcess([], 0, text, "")
