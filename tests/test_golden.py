"""Golden recordings: the present core does to the last byte what it did when they were blessed.

A difference here that is meant: `cart replay --bless tests/recordings/*.rec.gz`, and say in the commit what and why.
"""

import gzip

import pytest

from cart.replay import Replay, describe
from cart.wire import recording
from tests.conftest import REPOSITORY
from tools import golden

PATHS = sorted((REPOSITORY / "tests" / "recordings").glob("*.rec.gz"))


def changed(path, folder, part, key, value):
    """Return a copy of the recording whose head has another value: a core that is set up otherwise."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    head = recording.read_head(lines[0])
    assert head.setup[part][key] != value
    head.setup[part][key] = value
    copy = folder / "changed.rec"
    copy.write_bytes(recording.head_line(head) + b"".join(lines[1:]))
    return copy


def test_there_are_golden_recordings():
    assert len(PATHS) >= 4


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".rec.gz"))
def test_the_core_does_what_it_did(path):
    outcome = Replay().compare(path)
    assert outcome.difference is None, "\n".join(describe(outcome.difference))
    assert (outcome.ending, outcome.passed) == ("stopped", True)
    assert outcome.events > 100
    assert outcome.effects > 10


@pytest.mark.parametrize(
    ("name", "part", "key", "value"),
    [
        ("whole_trip", "limits", "division_mg", 20_000),
        ("whole_trip", "weight", "step_mg", 300_000),
        ("whole_trip", "calibration", "counts_per_kg", 99_000),
        ("unscanned_is_flagged_and_cleared_by_scanning", "limits", "ask_after_ms", 5_100),
    ],
)
def test_one_changed_threshold_is_a_difference(tmp_path, name, part, key, value):
    path = next(path for path in PATHS if path.name.startswith(name))
    copy = changed(path, tmp_path, part, key, value)
    assert Replay().compare(copy).difference is not None


def test_a_name_that_is_no_scenario_records_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(golden, "RECORDINGS", tmp_path)
    with pytest.raises(SystemExit) as left:
        golden.main(["broker_dead", "no_such"])
    assert left.value.code == golden.USAGE
    assert "no scenario no_such" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
