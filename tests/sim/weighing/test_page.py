"""The page of a report: whole in itself, honest, and with what went wrong first."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cart.clock import SystemClock
from cart.sim.physics import Params
from cart.sim.weighing import bench, page, tables, trace
from cart.sim.weighing.cases import WRONG
from cart.sim.weighing.matching import Change, Claim


@pytest.fixture(scope="module")
def report():
    plan = bench.Plan(scenes=1, quiet_s=10, case_rounds=0, motions=("standing",), costs=False)
    return bench.run(plan, 4, Params(), SystemClock(), lambda words: None)


def planted(report, **changes):
    """Return the report with one more case, of which these things are true."""
    case = bench.judged(bench.CASES[0], 0, 1, report_world := Params())
    assert report_world
    return replace(report, cases=(case, replace(case, **changes)))


def test_the_page_needs_no_network_and_runs_no_script(report):
    text = page.html(report)
    assert not re.search(r"https?:|//[a-z]|src=|href=|@import|url\(|<script", text)
    HTMLParser().feed(text)
    assert text.count("<svg") == text.count("</svg>") == len(report.scenes)


def test_page_and_text_say_that_it_is_simulated_with_seed_and_world(report):
    for text in (page.html(report), tables.text(report)):
        assert "SIMULATED" in text
        assert "Assumed" in text
        assert re.search(rf"seed 4, world {report.world}", text, re.IGNORECASE)


def test_what_went_wrong_comes_first(report):
    text = page.html(planted(report, verdict=WRONG, case="the wrong one", told="+500 g"))
    traces = text[text.index("<h2>Traces") :]
    assert traces.index("the wrong one") < traces.index("standing 1")
    assert traces.index("<details open") < traces.index("<details>")


def test_words_from_outside_are_no_markup(report):
    text = page.html(planted(report, verdict=WRONG, told="<script>alert(1)</script>", names=((5, "<b>"),)))
    assert "<script>" not in text
    assert "<b>" not in text


def test_a_trace_shows_what_was_done_and_what_was_told():
    load = [(n * 100, 5_000_000 + (300_000 if n > 50 else 0)) for n in range(100)]
    good, bad = Claim(5_300, 290_000, 301_000), Claim(7_000, 40_000, 40_000)
    drawing = trace.svg(load, [Change(5_050, 300_000)], [good, bad], [bad], [(8_000, "stuck")])
    assert drawing.count("<polyline") == 1
    assert re.findall(r'<line class="(truth|told|false|name)"', drawing) == ["truth", "told", "false", "name"]
    for words in ("+300 g", "+301", "+40", "stuck"):
        assert words in drawing


def test_the_figures_of_the_report_are_those_of_its_scenes(report):
    figures = report.as_dict()["summary"]["standing"]
    outcomes = report.scenes[0].weight.outcomes
    assert figures["changes"] == len(outcomes) == 9
    delays = sorted(outcome.delay_ms for outcome in outcomes if outcome.claim)
    assert figures["delay_ms_median"] == delays[(len(delays) - 1) // 2]
    assert figures["false"] == len(report.scenes[0].weight.false)
    assert figures["hours"] == pytest.approx((report.scenes[0].seconds + report.quiet_scenes[0].seconds) / 3_600)
