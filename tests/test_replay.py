import gzip
import json

import pytest

from cart.__main__ import main
from cart.clock import ManualClock
from cart.core import step as core
from cart.core.catalog import PIECE, Catalog, Product
from cart.core.events import LoadSampled, Restored, Sighted, SourceLost, Tapped, Tick
from cart.core.setup import Setup
from cart.core.weight import Calibration
from cart.edge.recorder import Recorder
from cart.faults import Fault
from cart.loop import Loop, Poisoned
from cart.replay import SERVICE, Replay
from cart.wire import recording
from cart.wire.recording import Head

MILK = Product("milk", "Milk", PIECE, 129, 1_030_000, 10_000, gtins=("09521234543213",))
SETUP = Setup(Calibration(counts_per_kg=100_000, zero_counts=0), Catalog("1", "EUR", [MILK]))
TRIP_ID = "01900000-0000-7000-8000-000000000001"


def shopping():
    """Yield the events of a short trip: start, scan milk, put it in, wait."""
    yield Restored(1, 1_767_225_600_000, "0123456789abcdef")
    for number in range(1, 160):
        t_ns = number * 100_000_000
        yield Tick(t_ns, 1_767_225_600_000 + number * 100)
        t_us = tuple(number * 100_000 + 12_500 * k for k in range(8))
        counts = 103_000 if number > 80 else 0
        yield LoadSampled(t_ns, number * 8 + 7, t_us, tuple(counts + (k % 3) for k in range(8)), (0,) * 8)
        if number == 20:
            yield Tapped(t_ns, "start", fresh_id=TRIP_ID)
        if number == 60:
            yield Sighted(t_ns, t_ns, 1, "EAN13", "9521234543213", "09521234543213", votes=3)


def record(folder, events=None, step=core.step, rotate_bytes=10**9, setup=SETUP):
    """Record the events as the daemon would, and return the files in order."""
    head = Head("0197-run", 1, 1, 0, 0, "0.1.0", "cart-1", SERVICE, "", "", recording.setup_to_dict(setup))
    clock = ManualClock(t_ns=10**15)
    recorder = Recorder(folder, head, clock, rotate_bytes)
    recorder.start(lambda event: None)
    loop = Loop(
        step=step, state=core.initial(setup), clock=clock, recorder=recorder, sinks=[], feed=lambda: None, dead=print
    )
    try:
        for event in shopping() if events is None else events:
            loop.put(event)
            loop.drain()
        recorder.close("stopped")
    except Poisoned:
        recorder.close("poison")
    return sorted(folder.iterdir())


@pytest.fixture
def recorded(tmp_path):
    (path,) = record(tmp_path)
    return path


def test_a_recording_of_a_trip_replays_without_a_difference(recorded):
    outcome = Replay().compare(recorded)
    assert (outcome.difference, outcome.ending, outcome.passed) == (None, "stopped", True)
    assert outcome.events == len(list(shopping()))
    assert outcome.effects > 5
    lines = recorded.read_bytes()
    assert b'"k":"Save"' in lines, "the trip had something to compare"


def test_one_changed_threshold_is_a_difference(recorded):
    lines = recorded.read_bytes().splitlines(keepends=True)
    head = recording.read_head(lines[0])
    head.setup["catalog"]["products"][0]["price_minor"] = 130
    recorded.write_bytes(recording.head_line(head) + b"".join(lines[1:]))
    difference = Replay().compare(recorded).difference
    assert difference is not None
    assert all((recorded_, now) == (129, 130) for path, recorded_, now in difference.fields if path.endswith("_minor"))
    assert any(path.endswith("price_minor") for path, _, _ in difference.fields)


def test_the_command_names_event_and_fields(recorded, capsys):
    lines = recorded.read_bytes().splitlines(keepends=True)
    number, at = next((recording.split(x)[1], i) for i, x in enumerate(lines) if b'"waiting":[{' in x)
    _, _, body = recording.split(lines[at])
    lines[at] = recording._line("F", number, body.replace(b'"name":"Milk"', b'"name":"Milch"'))
    recorded.write_bytes(b"".join(lines))
    assert main(["replay", str(recorded)]) == 1
    told = capsys.readouterr().out
    assert f"event {number}: " in told
    assert "screen.waiting[0].name: recorded 'Milch', now 'Milk'" in told
    assert main(["replay", "-o", "json", str(recorded)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["passed"], answer["difference"]["number"]) == (False, number)


def test_an_effect_too_many_or_too_few_is_a_difference(recorded):
    lines = recorded.read_bytes().splitlines(keepends=True)
    effects = [i for i, line in enumerate(lines) if b" F " in line]
    recorded.write_bytes(b"".join(lines[: effects[3]] + lines[effects[3] + 1 :]))
    fewer = Replay().compare(recorded).difference
    assert fewer is not None
    assert fewer.computed is not None
    recorded.write_bytes(b"".join([*lines[: effects[3]], lines[effects[3]], *lines[effects[3] :]]))
    more = Replay().compare(recorded).difference
    assert more is not None
    assert more.computed is None or more.recorded is not None


def test_the_last_effect_of_an_event_is_missed_too(recorded):
    lines = recorded.read_bytes().splitlines(keepends=True)
    last = next(i for i, x in enumerate(lines) if b" F " in x and b" E " in lines[i + 1] and b" F " in lines[i - 1])
    recorded.write_bytes(b"".join(lines[:last] + lines[last + 1 :]))
    difference = Replay().compare(recorded).difference
    assert difference is not None
    assert difference.recorded is None
    assert difference.computed is not None


def test_blessing_makes_a_difference_the_new_truth(recorded, capsys):
    lines = recorded.read_bytes().splitlines(keepends=True)
    effects = [i for i, line in enumerate(lines) if b" F " in line]
    whole = recorded.read_bytes()
    recorded.write_bytes(b"".join(lines[: effects[3]] + lines[effects[3] + 1 :]))
    assert main(["replay", "--bless", str(recorded)]) == 0
    assert "1 event with other effects" in capsys.readouterr().out
    assert recorded.read_bytes() == whole, "head, events and end are kept byte for byte"
    assert main(["replay", str(recorded)]) == 0


def test_a_recording_that_was_cut_off_is_compared_up_to_there(recorded):
    whole = recorded.read_bytes()
    for cut in range(len(whole) - 1, len(whole) // 2, -len(whole) // 9):
        recorded.write_bytes(whole[:cut])
        outcome = Replay().compare(recorded)
        assert (outcome.ending, outcome.passed) == ("torn", True)


def test_a_damaged_line_in_the_middle_does_not_pass(recorded):
    lines = recorded.read_bytes().splitlines(keepends=True)
    lines[50] = b"x" + lines[50][1:]
    recorded.write_bytes(b"".join(lines))
    assert main(["replay", str(recorded)]) == 1
    with pytest.raises(Fault, match="RECORDING-BAD"):
        Replay().bless(recorded)


def test_a_long_run_replays_over_its_compressed_parts(tmp_path):
    paths = record(tmp_path, rotate_bytes=20_000)
    assert len(paths) > 2
    assert paths[0].suffix == ".gz"
    assert main(["replay", *map(str, paths)]) == 0


def test_a_later_part_alone_is_refused(tmp_path, capsys):
    paths = record(tmp_path, rotate_bytes=20_000)
    assert main(["replay", str(paths[1])]) == 1
    assert "name the parts before it first" in capsys.readouterr().err
    assert main(["replay", str(paths[0]), str(paths[2])]) == 1


def test_a_golden_recording_may_be_compressed_and_blessed(tmp_path, recorded):
    packed = tmp_path / "golden.rec.gz"
    packed.write_bytes(gzip.compress(recorded.read_bytes(), mtime=0))
    assert Replay().bless(packed) == 0
    assert gzip.decompress(packed.read_bytes()) == recorded.read_bytes()
    assert Replay().compare(packed).passed


def test_the_event_that_broke_the_core_is_in_the_recording(tmp_path):
    def brittle(state, event):
        if isinstance(event, SourceLost):
            raise ZeroDivisionError("boom")
        return core.step(state, event)

    events = [*shopping(), SourceLost(10**10, "scale", "")]
    (path,) = record(tmp_path, events, brittle)
    replay = Replay()
    outcome = replay.compare(path)
    assert (outcome.ending, outcome.passed, outcome.events) == ("poison", True, len(events)), (
        "the present core mends it"
    )


def test_a_core_that_breaks_is_told_with_its_event(recorded, monkeypatch):
    monkeypatch.setitem(core._HANDLERS, Sighted, lambda state, event: 1 // 0)
    difference = Replay().compare(recorded).difference
    assert difference is not None
    assert difference.error.startswith("ZeroDivisionError")
    assert '"k":"Sighted"' in difference.event


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\x1f\x8bnot gzip at all"])
def test_what_is_no_recording_is_said(tmp_path, capsys, content):
    path = tmp_path / "x.rec"
    path.write_bytes(content)
    assert main(["replay", str(path)]) == 1
    assert "RECORDING-BAD" in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "absent")]) == 1


def test_a_head_nested_without_end_is_no_recording(tmp_path, capsys):
    path = tmp_path / "deep.rec"
    path.write_bytes(recording._line("H", 1, b"[" * 90_000))
    assert main(["replay", str(path)]) == 1
    assert "RECORDING-BAD" in capsys.readouterr().err
