"""The life of the daemon with parts of our own: order of start and stop, and what a crash leaves."""

from pathlib import Path

import pytest

from cart.clock import ManualClock
from cart.core.effects import Note
from cart.core.events import Restored, Saved, SourceLost, Tick
from cart.daemon import Daemon
from cart.edge.crashes import CrashBook
from cart.edge.recorder import Recorder
from cart.edge.systemd import Notifier
from cart.faults import Fault
from cart.loop import Loop
from cart.wire import codec, recording
from cart.wire.recording import Ending, Head

FIRST = Restored(1, 2, "0" * 16)
LAST_TAP = SourceLost(3, "kiosk", "the last event of a source")
POISON = SourceLost(4, "poison", "")


class Part:
    """A source, or the database writer: notes what happens to it, and delivers one event when it starts or stops."""

    def __init__(self, name, diary, at_start=None, at_stop=None):
        self.name, self.diary, self.at_start, self.at_stop = name, diary, at_start, at_stop

    def start(self, put):
        self.put = put
        self.diary.append(f"start {self.name}")
        if self.at_start:
            put(self.at_start)

    def stop(self):
        self.diary.append(f"stop {self.name}")
        if self.at_stop:
            self.put(self.at_stop)


class Built:
    """A daemon below `folder` whose core notes events in `diary` and breaks on POISON."""

    def __init__(self, folder, first=(FIRST,), at_start=None):
        self.folder, self.diary = folder, []
        clock = ManualClock()
        head = Head("run", 1, 1, 0, 0, "0.1.0", "cart-1", "service", "", "", {})
        recorder = Recorder(folder / "recordings", head, clock, 10**9)
        loop = Loop(
            step=self.step, state=0, clock=clock, recorder=recorder, sinks=[], feed=lambda: None, dead=pytest.fail
        )
        scale = Part("scale", self.diary, at_start)
        kiosk = Part("kiosk", self.diary, at_stop=LAST_TAP)
        self.crashes = CrashBook(folder, clock)
        self.daemon = Daemon(
            loop=loop,
            recorder=recorder,
            writer=Part("writer", self.diary, at_stop=Saved(9, 1)),
            sources=(kiosk, scale),
            first_events=first,
            crashes=self.crashes,
            notifier=Notifier(""),
            at_end=(lambda: self.diary.append("end"),),
            describe=lambda: "all is up",
        )

    def step(self, state, event):
        if event == POISON:
            raise ZeroDivisionError("boom")
        self.diary.append(type(event).__name__)
        if isinstance(event, Tick):
            self.daemon.loop.stop()
        return state, (Note("N", "info", ""),)

    def run(self):
        self.daemon.run(self.diary.append)

    def recorded(self):
        (path,) = (self.folder / "recordings").iterdir()
        return list(recording.read_steps(path.read_bytes().splitlines(True)[1:]))


def test_the_screen_starts_first_and_the_money_stops_last(tmp_path):
    built = Built(tmp_path)
    built.run()
    assert built.diary == [
        *["start writer", "start kiosk", "start scale", "all is up"],
        *["Restored", "Tick"],
        *["stop scale", "stop kiosk", "SourceLost"],
        *["stop writer", "Saved", "end"],
    ]


def test_what_came_last_is_in_the_recording_before_its_end(tmp_path):
    built = Built(tmp_path)
    built.run()
    *steps, ending = built.recorded()
    assert [type(step.event).__name__ for step in steps] == ["Restored", "Tick", "SourceLost", "Saved"]
    assert ending == Ending("stopped", 4)
    assert not built.crashes.too_many()
    assert not (tmp_path / "crashes").exists()


def test_an_event_that_breaks_the_core_is_kept_and_the_money_is_saved_first(tmp_path):
    built = Built(tmp_path, at_start=POISON)
    with pytest.raises(Fault) as caught:
        built.run()
    assert (caught.value.code, caught.value.detail) == ("CORE-POISONED", "event 3, SourceLost")
    *steps, ending = built.recorded()
    assert (steps[-1].event, ending.reason) == (POISON, "poison")
    line, _, told = (tmp_path / "poison").read_bytes().partition(b"\n")
    assert codec.decode(line) == POISON
    assert b"ZeroDivisionError: boom" in told
    assert built.diary[-4:] == ["stop writer", "stop scale", "stop kiosk", "end"]


def test_three_crashes_in_a_minute_are_remembered(tmp_path):
    for _ in range(3):
        built = Built(tmp_path, at_start=POISON)
        assert not built.crashes.too_many()
        with pytest.raises(Fault):
            built.run()
        for path in (tmp_path / "recordings").glob("*.rec"):
            path.unlink()
    assert built.crashes.too_many()


def test_a_part_that_fails_at_the_end_does_not_keep_the_others_from_ending(tmp_path):
    built = Built(tmp_path, at_start=POISON)

    def broken():
        built.diary.append("writer breaks")
        raise RuntimeError("disk")

    built.daemon.writer.stop = broken
    with pytest.raises(Fault):
        built.run()
    assert built.diary[-4:] == ["writer breaks", "stop scale", "stop kiosk", "end"]
    assert built.recorded()[-1].reason == "poison"


def test_a_source_that_cannot_be_started_at_all_is_a_crash_with_everything_stopped(tmp_path):
    built = Built(tmp_path)

    def broken(put):
        raise TypeError("a mistake of ours")

    built.daemon.sources[1].start = broken
    with pytest.raises(TypeError):
        built.run()
    assert "stop kiosk" in built.diary
    assert built.diary[-1] == "end"
    assert Path(tmp_path / "crashes").exists()
