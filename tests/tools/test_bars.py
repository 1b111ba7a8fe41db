"""tools/bars: a figure is measured, a miss is shown, and what cannot be measured says why."""

import json
import subprocess

import pytest

from tools import bars, measuring
from tools.measuring import MISS, NOT_MEASURED, PASS, Bar, NotMeasured


def row(measure, sense="<=", limit=10, full=False):
    return Bar("name", "what", sense, limit, "ms", "command", measure, full)


@pytest.mark.parametrize(
    ("sense", "figure", "verdict"),
    [("<=", 10, PASS), ("<=", 10.01, MISS), (">=", 10, PASS), (">=", 9, MISS), ("=", 10, PASS), ("=", 0, MISS)],
)
def test_a_figure_meets_its_bar_or_misses_it(sense, figure, verdict):
    found = measuring.measured(row(lambda: figure, sense))
    assert (found.figure, found.verdict) == (figure, verdict)


def test_what_cannot_be_measured_has_no_figure_but_a_reason():
    def absent():
        raise NotMeasured("no photos")

    found = measuring.measured(row(absent))
    assert (found.figure, found.verdict, found.reason) == (None, NOT_MEASURED, "no photos")


def test_a_long_row_waits_to_be_asked_for():
    assert measuring.measured(row(lambda: 1, full=True)).verdict == NOT_MEASURED
    assert measuring.measured(row(lambda: 1, full=True), wanted=True).verdict == PASS


@pytest.mark.parametrize("printed", ["", "no JSON", '{"other": 1}', '{"ms": null}', '{"ms": true}', '{"ms": "12"}'])
def test_a_command_that_prints_no_such_number_is_not_measured(printed):
    with pytest.raises(NotMeasured):
        measuring.field(subprocess.CompletedProcess([], 1, printed, "it broke"), "ms")


@pytest.mark.parametrize("printed", ['{"a": {"ms": 12}}', 'a line\n{"a": {"ms": 12}}', '{\n "a": {"ms": 12}\n}'])
def test_a_number_is_found_in_what_a_command_prints(printed):
    assert measuring.field(subprocess.CompletedProcess([], 0, printed, ""), "a.ms") == 12


def test_a_miss_is_the_exit_code_and_stays_in_the_table(monkeypatch, capsys):
    monkeypatch.setattr(bars, "BARS", [row(lambda: 11)])
    assert bars.main([]) == 1
    assert capsys.readouterr().out.startswith("miss")
    assert bars.main(["-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["figure"] == 11


def test_every_bar_has_a_name_of_its_own_and_a_command():
    names = [b.name for b in measuring.BARS]
    assert len(set(names)) == len(names) > 15
    assert all(b.command for b in measuring.BARS)


def test_an_unknown_name_is_a_usage_mistake(capsys):
    assert bars.main(["no-such-bar"]) == 2
