"""The reader of the serial port, on a pseudo-terminal: what is sent arrives, and an unplugged cable is survived."""

import os
import queue
import threading
import tty
from itertools import pairwise
from pathlib import Path

import pytest

from cart.clock import ManualClock, SystemClock
from cart.core.events import CellAccelerated, CellFault, CellIdentified, LoadSampled, SourceBack, SourceLost
from cart.edge.scale import FileLine, ScaleReader, SerialLine
from cart.faults import Fault
from cart.wire.loadcell import Identity, encode, encode_acceleration, encode_weight

WAIT_S = 10


class Cable:
    """A pseudo-terminal whose slave has a name that stays, as a udev rule gives it."""

    def __init__(self, name: Path):
        self.name = name
        self.plug()

    def plug(self):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(slave))
        # The reader holds the slave itself; ours would keep the line alive after the unplugging.
        self.slave = slave

    def unplug(self):
        os.close(self.slave)
        os.close(self.master)
        self.name.unlink()

    def send(self, data: bytes):
        os.write(self.master, data)


class Heard:
    """What a reader puts, waited for by kind."""

    def __init__(self):
        self.events = queue.Queue()
        self.put = self.events.put

    def next(self, kind):
        while True:
            event = self.events.get(timeout=WAIT_S)
            if isinstance(event, kind):
                return event


@pytest.fixture
def cable(tmp_path):
    return Cable(tmp_path / "cart-loadcell")


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def reader(cable, heard):
    """A reader that has the port open: opening it drops what was sent before."""
    opened = threading.Event()

    def open_line():
        line = SerialLine(str(cable.name), 115_200)
        opened.set()
        return line

    reader = ScaleReader(open_line, SystemClock())
    reader.start(heard.put)
    assert opened.wait(WAIT_S)
    yield reader
    reader.stop()


def lines(first, count):
    return b"".join(encode_weight(n, n * 12_500, 1_000 + n, 0) for n in range(first, first + count))


def readings(heard, count):
    """Return the batches that hold the next `count` readings."""
    batches = []
    while sum(len(batch.counts) for batch in batches) < count:
        batches.append(heard.next(LoadSampled))
    return batches


def test_a_port_that_is_not_there_is_named_once_with_its_reason(tmp_path):
    with pytest.raises(Fault) as refused:
        SerialLine(str(tmp_path / "cart-loadcell"), 115_200)
    assert str(refused.value) == f"SCALE-PORT-MISSING: {tmp_path / 'cart-loadcell'}: No such file or directory"


def test_every_reading_arrives_once_in_order_in_batches(cable, reader, heard):
    for first in range(0, 200, 20):
        cable.send(lines(first, 20))
    batches = readings(heard, 200)
    assert [c for batch in batches for c in batch.counts] == [1_000 + n for n in range(200)]
    assert all(1 <= len(batch.counts) <= 16 for batch in batches)
    assert [batch.dropped for batch in batches] == [0] * len(batches)
    assert all(a.t_ns <= b.t_ns for a, b in pairwise(batches))


def test_identity_and_acceleration_become_events(cable, reader, heard):
    cable.send(encode(Identity(1, "1.0", "E661", "HX711", 128, 80, "1A2B")))
    cable.send(encode_acceleration(1, 0, 5, 6, 1_000_007))
    assert heard.next(CellIdentified).serial == "E661"
    assert heard.next(CellAccelerated).az_ug == (1_000_007,)


def test_garbage_is_named_once(cable, reader, heard):
    cable.send(b"\x00\xffnoise" * 400)
    assert heard.next(CellFault).code == "GARBAGE"
    cable.send(b"\n" + lines(0, 4))
    assert heard.next((CellFault, LoadSampled)).counts[0] == 1_000


def test_an_unplugged_cable_is_told_and_the_reader_goes_on_when_it_is_back(cable, reader, heard):
    cable.send(lines(0, 4))
    heard.next(LoadSampled)
    cable.unplug()
    lost = heard.next(SourceLost)
    assert lost.name == "scale"
    assert "SCALE-PORT-MISSING" in lost.reason
    cable.plug()
    assert heard.next((SourceBack, SourceLost)).name == "scale"
    cable.send(lines(50, 4))
    assert heard.next(LoadSampled).counts[0] == 1_050


def test_a_port_that_is_not_there_is_told_once(tmp_path, heard):
    reader = ScaleReader(lambda: SerialLine(str(tmp_path / "none"), 115_200), SystemClock())
    reader.start(heard.put)
    assert "SCALE-PORT-MISSING" in heard.next(SourceLost).reason
    reader.stop()
    assert heard.events.empty()


def test_the_port_is_held_for_us_alone(cable):
    first = SerialLine(str(cable.name), 115_200)
    with pytest.raises(Fault, match="SCALE-PORT-BUSY"):
        SerialLine(str(cable.name), 115_200)
    first.close()
    first.close()
    SerialLine(str(cable.name), 115_200).close()


@pytest.mark.parametrize("url", ["", "nonsense://x"])
def test_a_bad_port_name_is_a_fault(url):
    with pytest.raises(Fault, match="SCALE-PORT"):
        SerialLine(url, 115_200)


def test_stopping_twice_and_before_the_start_does_no_harm(cable, reader):
    ScaleReader(lambda: SerialLine(str(cable.name), 115_200), SystemClock()).stop()
    reader.stop()
    reader.stop()
    SerialLine(str(cable.name), 115_200).close()


def test_a_file_is_played_at_the_speed_of_its_own_clock(tmp_path):
    path, clock = tmp_path / "lines.txt", ManualClock()
    path.write_bytes(b"a comment\n" + lines(0, 160))
    file = FileLine(path, clock)
    assert file.read().count(b"$W") == 1
    clock.advance_ms(1_000)
    assert file.read().count(b"$W") == 80
    clock.advance_ms(10_000)
    assert file.read().count(b"$W") == 79
    assert file.read() == b""
    file.close()


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(Fault, match="SCALE-FILE-UNREADABLE"):
        FileLine(tmp_path / "none", ManualClock())
