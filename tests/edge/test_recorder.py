import gzip
import queue
from pathlib import Path

import pytest

from cart.clock import ManualClock
from cart.core.effects import Note, SetPanel
from cart.core.events import SourceBack, SourceLost, Tick
from cart.edge import recorder as recorder_module
from cart.edge.recorder import RETRY_NS, Recorder
from cart.wire import recording
from cart.wire.recording import LOST, Ending, Head, Step

ROTATE_NEVER = 10**9
HEAD = Head("0196-run", 1, 1, 0, 0, "0.1.0", "cart-1", "service", "", "", {})
NOTE = Note("A", "info", "x" * 40)


@pytest.fixture
def heard():
    return queue.Queue()


def steps_of(path: Path):
    lines = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines(True)
    return recording.read_head(lines[0]), list(recording.read_steps(lines[1:]))


def record(recorder, numbers):
    for number in numbers:
        recorder.event(number, Tick(number, number))
        recorder.effects(number, (NOTE, SetPanel("green", "")))


def recorded(numbers):
    return [Step(number, Tick(number, number), (NOTE, SetPanel("green", ""))) for number in numbers]


def test_a_run_is_recorded_with_head_and_end(tmp_path, heard):
    recorder = Recorder(tmp_path / "made", HEAD, ManualClock(t_ns=9), ROTATE_NEVER)
    recorder.start(heard.put)
    record(recorder, range(1, 100))
    recorder.close("stopped")
    recorder.close("stopped")
    (path,) = (tmp_path / "made").iterdir()
    head, steps = steps_of(path)
    assert path.name == "0196-run-0001.rec"
    assert (head.part, head.first_event, head.t_ns) == (1, 1, 9)
    assert steps == [*recorded(range(1, 100)), Ending("stopped", 99)]
    assert heard.empty()


def test_a_full_part_is_compressed_and_the_next_goes_on(tmp_path, heard):
    recorder = Recorder(tmp_path, HEAD, ManualClock(), rotate_bytes=2_000)
    recorder.start(heard.put)
    record(recorder, range(1, 41))
    recorder.close("stopped")
    paths = sorted(tmp_path.iterdir())
    assert [path.suffix for path in paths] == [".gz"] * (len(paths) - 1) + [".rec"]
    assert len(paths) > 2
    read, number = [], 1
    for part, path in enumerate(paths, start=1):
        head, (*steps, ending) = steps_of(path)
        assert (head.part, head.first_event) == (part, number)
        assert ending.reason == ("stopped" if path.suffix == ".rec" else "rotated")
        assert all(step.whole for step in steps)
        read += steps
        number = ending.number + 1
    assert read == recorded(range(1, 41))


def test_compressed_files_hold_no_time_of_their_own(tmp_path):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "old-0001.rec").write_bytes(b"the same\n" * 100)
        recorder = Recorder(folder, HEAD, ManualClock(), ROTATE_NEVER)
        recorder.start(lambda event: None)
        recorder.close("stopped")
        made.append((folder / "old-0001.rec.gz").read_bytes())
    assert made[0] == made[1]
    assert gzip.decompress(made[0]) == b"the same\n" * 100


def test_what_an_earlier_run_left_is_compressed_and_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "KEEP_FILES", 3)
    for number in range(6):
        (tmp_path / f"0195-old{number}-0001.rec").write_bytes(b"torn")
    recorder = Recorder(tmp_path, HEAD, ManualClock(), ROTATE_NEVER)
    recorder.start(lambda event: None)
    recorder.close("stopped")
    assert sorted(path.name for path in tmp_path.glob("*.gz")) == [f"0195-old{n}-0001.rec.gz" for n in (3, 4, 5)]
    assert not list(tmp_path.glob("0195*.rec"))


def test_a_full_disk_is_said_once_and_the_recording_goes_on_when_there_is_room(tmp_path, heard):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    disks = iter([full, full, None])

    def open_new(path):
        disk = next(disks)
        return path.open("xb") if disk is None else disk.open("wb", buffering=0)

    clock = ManualClock()
    recorder = Recorder(tmp_path, HEAD, clock, ROTATE_NEVER, open_new)
    recorder.start(heard.put)
    record(recorder, range(1, 4))
    said = heard.get(timeout=10)
    assert said.name == "recorder"
    assert said.reason.startswith("RECORDING-DISK-FULL: ")
    number = 4
    while heard.empty():  # the second try fails in silence, the third succeeds
        clock.advance_ns(RETRY_NS)
        record(recorder, [number])
        number += 1
    recorder.close("stopped")
    assert isinstance(heard.get_nowait(), SourceBack)
    assert not [event for event in list(heard.queue) if isinstance(event, SourceLost)]
    (path,) = tmp_path.iterdir()
    head, steps = steps_of(path)
    assert head.part == 3
    assert steps == [Ending(LOST, 0)], "what follows a loss cannot be replayed, and says so"
    assert b' E %d {"k":"Tick"' % head.first_event in path.read_bytes()


def test_a_folder_that_cannot_be_made_is_said_too(tmp_path, heard):
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder(tmp_path / "file" / "below", HEAD, ManualClock(), ROTATE_NEVER)
    recorder.start(heard.put)
    record(recorder, [1])
    assert heard.get(timeout=10).reason.startswith("RECORDING-FAILED: ")
    recorder.close("stopped")


def test_a_queue_that_overflows_drops_whole_events_and_says_how_many(tmp_path, heard, monkeypatch):
    monkeypatch.setattr(recorder_module, "QUEUE_MAX", 5)
    recorder = Recorder(tmp_path, HEAD, ManualClock(), ROTATE_NEVER)
    record(recorder, range(1, 10))  # nobody writes yet: E1 F1 E2 F2 E3 fit
    recorder.start(heard.put)
    while not recorder._queue.empty():
        heard.queue  # noqa: B018 - only to let the writer run
    record(recorder, [10])
    recorder.close("stopped")
    (path,) = tmp_path.iterdir()
    _, steps = steps_of(path)
    assert steps == [*recorded([1, 2]), Step(3, Tick(3, 3), (), whole=False), Ending(LOST, 3)]
    assert b' G 10 {"lost":13}\n' in path.read_bytes(), "F3, and E and F of 4 to 9"


def test_effects_whose_event_was_dropped_are_dropped_too(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "QUEUE_MAX", 1)
    recorder = Recorder(tmp_path, HEAD, ManualClock(), ROTATE_NEVER)
    recorder.event(1, Tick(1, 1))
    recorder.event(2, Tick(2, 2))
    recorder._queue.get_nowait()  # the writer makes room, too late for event 2
    recorder.effects(2, (NOTE,))
    assert recorder._queue.empty()


def test_lines_reach_the_system_within_a_second(tmp_path, heard):
    clock = ManualClock()
    recorder = Recorder(tmp_path, HEAD, clock, ROTATE_NEVER)
    recorder.start(heard.put)
    record(recorder, [1])
    clock.advance_ms(1_000)
    path = tmp_path / "0196-run-0001.rec"
    while not (path.exists() and b" E 1 " in path.read_bytes()):  # no end: a test that hangs is a test that fails
        record(recorder, [])
    recorder.close("stopped")


def test_a_mistake_in_the_thread_is_not_silent_and_ends_nothing_else(tmp_path, heard):
    recorder = Recorder(tmp_path, HEAD, ManualClock(), ROTATE_NEVER)
    recorder.start(heard.put)
    recorder.event(1, NOTE)  # an effect is no event
    recorder.effects(1, ("not an effect",))
    assert heard.get(timeout=10).reason.startswith("RECORDING-FAILED: AssertionError")
    record(recorder, [2])
    recorder.close("stopped")
