"""Reads the load cell's serial port, or plays a file of its lines, on one thread.

The thread drains the port every 10 ms instead of waiting for each line: a third of the processor time, and 10 ms are
nothing against the 200 ms of the basket's own swing. A port that goes away is tried again every quarter of a second,
under the name that was configured: behind it the device may have another number by then. pyserial reports an unplugged
port as SerialException (an OSError), as a bare OSError, or as termios.error, which is neither. One reader at a time:
see `port_lock`.
"""

from __future__ import annotations

import errno
import logging
import os
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import serial

from cart.core.events import BATCH_MAX, SourceBack, SourceLost
from cart.edge.port_lock import LOCK_DIR, PortLock, set_exclusive
from cart.faults import Fault
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import LINE_BYTES_MAX, T_US_MODULUS, Acceleration, WeightLine, decode_line

if TYPE_CHECKING:
    from cart.ports import Clock, Put

log = logging.getLogger("cart.scale")

DRAIN_S = 0.01
HOLD_NS = 40_000_000
"""A reading waits 40 ms for others at most, and then 10 ms for the next drain."""

RETRY_S = 0.25
"""Between two tries to open a port: a look for a name costs nothing, and readings are to be back within 2 s."""

READ_BYTES_MAX = 16_384
NS_PER_US = 1_000

LOST = (OSError, termios.error)

_CODES = {
    errno.ENOENT: "SCALE-PORT-MISSING",
    errno.EACCES: "SCALE-PORT-DENIED",
    errno.EPERM: "SCALE-PORT-DENIED",
    errno.EAGAIN: "SCALE-PORT-BUSY",
    errno.EBUSY: "SCALE-PORT-BUSY",
}


class Line(Protocol):
    """Bytes from a load cell."""

    def read(self) -> bytes:
        """Return what is there without waiting; one of LOST when the device is gone."""

    def close(self) -> None:
        """Free the device; safe to call twice."""


class SerialLine:
    """A serial port held for us alone; any URL that pyserial knows.

    write_timeout_s  after which a port that takes no bytes counts as lost; None where nothing is written
    Raises Fault SCALE-PORT-MISSING, -DENIED or -BUSY, which names the holder where it is known.
    """

    def __init__(self, url: str, baud: int, lock_dir: Path = LOCK_DIR, write_timeout_s: float | None = None) -> None:
        lock = PortLock(url, lock_dir)
        if holder := lock.holder():
            raise Fault("SCALE-PORT-BUSY", f"{url}: {holder} has it")
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, timeout=0, write_timeout=write_timeout_s, exclusive=True
            )
        except (*LOST, ValueError) as error:
            number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
            # pyserial says the name twice and the number too; what the system calls it says all of that.
            known = isinstance(number, int) and number in errno.errorcode
            raise Fault(
                _CODES.get(number, "SCALE-PORT-MISSING"), f"{url}: {os.strerror(number) if known else error}"
            ) from None
        self._lock = lock
        lock.take()
        if (descriptor := getattr(self._port, "fd", None)) is not None:
            set_exclusive(descriptor, on=True)

    def read(self) -> bytes:
        """Return what is there, up to READ_BYTES_MAX."""
        waiting = self._port.in_waiting
        # Reading with nothing announced is how a port that was unplugged says so.
        data: bytes = self._port.read(min(waiting, READ_BYTES_MAX) or 1)
        return data

    def close(self) -> None:
        """Close the port, gone or not."""
        self._lock.release()
        try:
            if (descriptor := getattr(self._port, "fd", None)) is not None:
                set_exclusive(descriptor, on=False)
            self._port.close()
        except LOST as error:
            log.debug("closing a lost port: %s", error)


class FileLine:
    """A file of load-cell lines, played at the speed of the converter time in them; then silence.

    Raises Fault SCALE-FILE-UNREADABLE.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise Fault("SCALE-FILE-UNREADABLE", f"{path}: {error.strerror}") from None
        self._clock = clock
        self._wire_us: int | None = None
        self._next = b""
        self._due_ns = clock.monotonic_ns()

    def read(self) -> bytes:
        """Return the lines that are due."""
        now_ns, due = self._clock.monotonic_ns(), [b""]
        while self._due_ns <= now_ns and sum(map(len, due)) < READ_BYTES_MAX:
            due.append(self._next)
            self._next = self._file.readline(LINE_BYTES_MAX)
            if not self._next:
                break
            self._due_ns += self._wait_ns(self._next)
        return b"".join(due)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _wait_ns(self, line: bytes) -> int:
        value = decode_line(line.rstrip(b"\n"))
        if not isinstance(value, WeightLine | Acceleration):
            return 0
        elapsed_us = 0 if self._wire_us is None else (value.t_us - self._wire_us) % T_US_MODULUS
        self._wire_us = value.t_us
        # A converter that began anew in the recording does not make the player wait for an hour.
        return elapsed_us * NS_PER_US if elapsed_us < T_US_MODULUS // 2 else 0


class ScaleReader:
    """Source of LoadSampled, CellAccelerated and what else a load cell says, whatever the line is."""

    name = "scale"

    def __init__(self, open_line: Callable[[], Line], clock: Clock) -> None:
        """Use the line that `open_line` gives (a Fault where there is none)."""
        self._open_line = open_line
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, put: Put) -> None:
        """Begin to read; a port that is not there becomes SourceLost, and is tried again."""
        self._thread = threading.Thread(target=self._run, args=(put,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and free the port; safe to call twice."""
        self._stopped.set()
        if self._thread:
            self._thread.join(timeout=5)

    def _run(self, put: Put) -> None:
        lost = False
        while not self._stopped.is_set():
            try:
                line = self._open_line()
            except Fault as fault:
                lost = self._lose(put, lost, str(fault))
                self._stopped.wait(RETRY_S)
                continue
            if lost:
                put(SourceBack(self._clock.monotonic_ns(), self.name))
            reason = self._drain(line, put)
            if self._stopped.is_set():
                return
            lost = self._lose(put, False, reason)
            self._stopped.wait(RETRY_S)

    def _drain(self, line: Line, put: Put) -> str:
        """Read until the line is lost, and return why, or until the reader is stopped."""
        events = CellEvents(BATCH_MAX, HOLD_NS)
        try:
            while not self._stopped.wait(DRAIN_S):
                data = line.read()
                for event in events.feed(data, self._clock.monotonic_ns()):
                    put(event)
        except LOST as error:
            return f"SCALE-PORT-MISSING: {error}"
        finally:
            line.close()
        return ""

    def _lose(self, put: Put, lost: bool, reason: str) -> bool:
        """Tell the loss once, and return True."""
        if not lost:
            log.warning("%s", reason)
            put(SourceLost(self._clock.monotonic_ns(), self.name, reason))
        return True
