"""The serial driver against what real cables do: the real driver on a pseudo-terminal, and the core's weight behind it.

Nothing sleeps: the trial sends each line when it is due and waits for events meanwhile, with a deadline.
"""

import errno
import os
import queue
import random
import subprocess
import termios
import threading
from pathlib import Path

import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.clock import SystemClock
from cart.core.events import LoadSampled, SourceBack, SourceLost
from cart.edge.port_lock import PortLock, set_exclusive
from cart.edge.scale import ScaleReader, SerialLine
from cart.faults import Fault
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import WeightLine
from tools import measure_port, port_trial
from tools.measure_port import FAULTS
from tools.port_trial import Cable, Converter, Trial

WAIT_S = 10


# -- a fault is a state with a name, never a weight ------------------------------------


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return measure_port.name_all(tmp_path_factory.mktemp("faults"))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_within_a_second_and_weighs_nothing(named, name):
    took_ms, state, weighed = named[name]
    assert 0 <= took_ms <= 1_000, (took_ms, state)
    assert state in FAULTS[name][1]
    assert not weighed


def test_the_trial_would_see_a_fault_that_has_no_name(tmp_path, monkeypatch):
    """A line that goes on as before is not named: the trial itself can fail."""
    monkeypatch.setattr(port_trial, "DEADLINE_NS", 3_000_000_000)
    monkeypatch.setitem(FAULTS, "nothing", (lambda trial: None, frozenset({"no_data"})))
    assert measure_port.name_fault("nothing", tmp_path)[0] == -1


def test_a_million_damaged_bytes_give_no_exception_and_no_reading_that_was_not_sent():
    found = measure_port.fuzz(1_000_000, seed=1)
    assert found["bytes"] >= 1_000_000
    assert found["false"] == 0
    assert found["read"] > 1_000  # whole lines still pass
    assert found["refused"] > 10_000


def test_what_the_wrong_baud_makes_of_a_line_is_not_the_line():
    line = Converter().line()
    assert measure_port.at_wrong_baud(line, 115_200, 115_200) == line
    for baud in (9_600, 57_600, 230_400):
        assert line not in measure_port.at_wrong_baud(line, 115_200, baud)


# -- unplugged and plugged in again --------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("added_mg", [0, 300_000, -1_000_000])
def test_after_replugging_the_weight_is_back_within_2_s_and_tells_what_changed(tmp_path, added_mg):
    back = measure_port.replug(tmp_path, away_ns=700_000_000, added_mg=added_mg, cut=17)
    assert 0 <= back.readings_ms <= 2_000
    assert not back.early
    if added_mg == 0:
        assert back.stood_ms <= 2_000
    assert abs(back.delta_mg - added_mg) < 1_500


def test_a_long_absence_does_not_make_the_return_slower(tmp_path):
    back = measure_port.replug(tmp_path, away_ns=4_000_000_000)
    assert 0 <= back.readings_ms <= 1_000


def test_a_device_that_comes_back_under_another_number_is_found_by_its_name(tmp_path):
    trial = Trial(tmp_path)
    try:
        trial.until(lambda: trial.state == "ok" and trial.told)
        before = os.readlink(trial.cable.name)
        trial.unplug()
        trial.cable.take_number()
        trial.plug()
        assert os.readlink(trial.cable.name) != before
        assert trial.until(lambda: not trial.lost) < 2_000_000_000
    finally:
        trial.close()


def stream(count=12):
    converter = Converter(random=random.Random(3))
    return [converter.line() for _ in range(count)]


LINES = stream()
TRUE = {(int(f[1]), int(f[2]), int(f[3])) for f in (line.split(b"*")[0].split(b",") for line in LINES)}
BYTES = b"".join(LINES)


def read_all(*pieces):
    """Return the readings of pieces of a stream, each read by a driver that opened the port anew."""
    found = []
    for piece in pieces:
        decoder = CellEvents(16, 0).decoder
        found += [value for value in decoder.feed(piece) if isinstance(value, WeightLine)]
    return found


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(BYTES)), st.integers(0, len(BYTES)), st.integers(1, 64))
def test_unplugged_at_any_byte_and_plugged_in_at_any_other_only_true_readings_come(cut, again, chunk):
    readings = read_all(BYTES[:cut], BYTES[again:])
    assert all((r.seq, r.t_us, r.counts) in TRUE for r in readings)
    # Whole lines on either side of the hole are all there, and nothing else is lost.
    assert len(readings) == BYTES[:cut].count(b"\n") + sum(len(b"".join(LINES[:n])) >= again for n in range(len(LINES)))
    # However the bytes are cut into reads, the same comes out.
    decoder = CellEvents(16, 0).decoder
    pieces = [BYTES[n : n + chunk] for n in range(0, len(BYTES), chunk)]
    assert sum(isinstance(value, WeightLine) for piece in pieces for value in decoder.feed(piece)) == len(LINES)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 2, 20, 26])
def test_a_real_cable_cut_within_a_line_gives_no_reading_of_the_rest(tmp_path, cut):
    """The first half of a line before the cut and the second half after it are never glued together."""
    heard, cable = queue.Queue(), Cable(tmp_path)
    opened = threading.Semaphore(0)

    def open_line():
        line = SerialLine(str(cable.name), 115_200, tmp_path)
        opened.release()
        return line

    reader = ScaleReader(open_line, SystemClock())
    reader.start(heard.put)
    try:
        assert opened.acquire(timeout=WAIT_S)
        cable.send(LINES[0] + LINES[1][:cut])
        assert batch(heard).counts == (counts_of(LINES[0]),)
        cable.unplug()
        event_of(heard, SourceLost)
        cable.plug()
        assert opened.acquire(timeout=WAIT_S)
        cable.send(LINES[1][cut:] + LINES[2])
        # Cut before its first byte, the line is whole after the cut.
        expected = LINES[1:3] if cut == 0 else LINES[2:3]
        assert batch(heard).counts == tuple(counts_of(line) for line in expected)
    finally:
        reader.stop()
        cable.close()


def event_of(heard, kind):
    while not isinstance(event := heard.get(timeout=WAIT_S), kind):
        continue
    return event


def batch(heard):
    return event_of(heard, LoadSampled)


def counts_of(line):
    return int(line.split(b",")[3])


# -- what pyserial and the kernel throw ------------------------------------------------------


class Failing:
    """A line of ours that gives one reading and then fails as the kernel does."""

    def __init__(self, error):
        self.error, self.given = error, False

    def read(self):
        if self.given:
            raise self.error
        self.given = True
        return LINES[0]

    def close(self):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),  # in_waiting of an unplugged port, bare
        termios.error(errno.EIO, "Input/output error"),  # no OSError at all
        serial.SerialException("device reports readiness to read but returned no data"),
    ],
)
def test_whatever_an_unplugged_port_throws_the_reader_says_it_is_lost_and_goes_on(error):
    lines, heard = [Failing(error), Failing(error)], queue.Queue()
    closing = Failing(error)
    closing.close = lambda: None
    for line in lines:
        line.close = lambda: None

    def open_line():
        if not lines:
            raise Fault("SCALE-PORT-MISSING", "gone")
        return lines.pop(0)

    reader = ScaleReader(open_line, SystemClock())
    reader.start(heard.put)
    kinds = [type(heard.get(timeout=WAIT_S)) for _ in range(3)]
    reader.stop()
    assert kinds[0] is SourceLost or kinds[0] is LoadSampled
    assert SourceLost in kinds
    assert SourceBack in kinds


# -- one reader only ------------------------------------------------------------------------


@pytest.fixture
def cable(tmp_path):
    cable = Cable(tmp_path)
    yield cable
    cable.close()


@pytest.fixture
def somebody():
    """A living process that is not us."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.read(1) == b"\n"  # it is cat by now
        yield process
        process.stdin.close()


def lock_file(cable, folder):
    return folder / f"LCK..{os.path.realpath(cable.name).removeprefix('/dev/').replace('/', '_')}"


def test_while_we_read_a_lock_file_tells_terminal_programs_so_and_afterwards_it_is_gone(cable, tmp_path):
    line = SerialLine(str(cable.name), 115_200, tmp_path)
    assert lock_file(cable, tmp_path).read_text() == f"{os.getpid():>10}\n"
    line.close()
    line.close()
    assert not lock_file(cable, tmp_path).exists()


def test_a_port_that_a_terminal_program_has_is_busy_and_the_program_is_named(cable, tmp_path, somebody):
    lock_file(cable, tmp_path).write_text(f"{somebody.pid:>10}\n")
    with pytest.raises(Fault, match=rf"SCALE-PORT-BUSY.*cat \(pid {somebody.pid}\) has it"):
        SerialLine(str(cable.name), 115_200, tmp_path)


@pytest.mark.parametrize("left", ["999999999\n", "nonsense", "", "-1\n", "9" * 40])
def test_a_lock_file_that_a_dead_program_left_does_not_keep_us_out(cable, tmp_path, left):
    lock_file(cable, tmp_path).write_text(left)
    SerialLine(str(cable.name), 115_200, tmp_path).close()


def test_another_name_of_the_same_device_is_the_same_lock(cable, tmp_path, somebody):
    lock_file(cable, tmp_path).write_text(f"{somebody.pid}\n")
    other = tmp_path / "usb-by-id"
    other.symlink_to(cable.name)
    assert PortLock(str(other), tmp_path).holder() == PortLock(str(cable.name), tmp_path).holder() != ""


def test_a_folder_that_refuses_lock_files_is_done_without(cable, tmp_path):
    SerialLine(str(cable.name), 115_200, tmp_path / "none").close()


def test_a_second_reader_that_fails_leaves_the_first_one_its_lock(cable, tmp_path):
    first = SerialLine(str(cable.name), 115_200, tmp_path)
    with pytest.raises(Fault, match="SCALE-PORT-BUSY"):
        SerialLine(str(cable.name), 115_200, tmp_path)
    assert lock_file(cable, tmp_path).exists()
    first.close()


def test_the_mark_of_the_kernel_is_not_put_on_a_pseudo_terminal(cable):
    set_exclusive(cable.slave, on=True)
    Path(os.ttyname(cable.slave)).open("rb", buffering=0).close()
