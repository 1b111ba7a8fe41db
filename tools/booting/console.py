"""What the guest says on its serial console: lines, waited for with a limit in time, and kept in a log."""

import json
import queue
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any, TypeVar

from cart.clock import SystemClock
from cart.faults import Fault

MARK = "BOOT-TEST "
"""Begins each line that the test's own unit in the guest prints; a JSON object follows."""

NS_PER_S = 1_000_000_000
TAIL_LINES = 12
LINES_MAX = 100_000

T = TypeVar("T")

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1f]")
_DISASTERS = ("Kernel panic", "You are in emergency mode", "initrd: no ")


def plain(raw: bytes) -> str:
    """Return a line of a terminal as text without colours and control characters."""
    return _ESCAPES.sub("", raw.decode(errors="replace")).strip()


def report(line: str) -> dict[str, Any] | None:
    """Return what the test's unit said in this line, None where the line is of somebody else or torn."""
    _, mark, rest = line.partition(MARK)
    if not mark:
        return None
    try:
        said = json.loads(rest)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def disaster(line: str) -> bool:
    """Return whether a line means that the guest will not come up any more."""
    return any(words in line for words in _DISASTERS)


class Console:
    """Reads the console to its end, on a thread of its own.

    Lines wait in a queue of LINES_MAX; beyond that the oldest would be the ones needed, so it asserts.
    """

    def __init__(self, stream: IO[bytes], log: IO[str]) -> None:
        """Take lines from `stream`; each goes to `log` with the seconds since now before it."""
        self._clock = SystemClock()
        self._start_ns = self._clock.monotonic_ns()
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stream = stream
        self._log = log
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)
        self._thread.start()

    @property
    def age_s(self) -> float:
        """Seconds since the console was opened, which is when the power came on."""
        return (self._clock.monotonic_ns() - self._start_ns) / NS_PER_S

    def wait_for(self, words: str, timeout_s: float) -> str:
        """Return the next line that holds `words`; BOOT-STUCK when none comes in time, or the guest ends or fails."""
        line = self._next(lambda line: line if words in line else None, timeout_s)
        if line is None:
            raise self._stuck(f"no line with {words!r} in {timeout_s:g} s")
        return line

    def wait_for_report(self, about: str, timeout_s: float) -> dict[str, Any]:
        """Return the next report of the test's unit that has the key `about`; BOOT-STUCK as above."""
        said = self.report_within(about, timeout_s)
        if said is None:
            raise self._stuck(f"no report of {about!r} in {timeout_s:g} s")
        return said

    def report_within(self, about: str, timeout_s: float) -> dict[str, Any] | None:
        """Return the same, but None when none comes in time."""

        def found(line: str) -> dict[str, Any] | None:
            said = report(line)
            return said if said is not None and about in said else None

        return self._next(found, timeout_s)

    def _next(self, found: Callable[[str], T | None], timeout_s: float) -> T | None:
        """Return what `found` makes of the first line of which it makes anything, None when the time is over."""
        until_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while True:
            left_s = (until_ns - self._clock.monotonic_ns()) / NS_PER_S
            try:
                line = self._lines.get(timeout=max(0.0, left_s))
            except queue.Empty:
                return None
            if line is None:
                self._lines.put(None)  # for whoever asks again
                raise self._stuck("the machine ended")
            if disaster(line):
                raise self._stuck(line)
            if (answer := found(line)) is not None:
                return answer

    def _stuck(self, what: str) -> Fault:
        return Fault("BOOT-STUCK", "\n    ".join([f"{what}; the console said last:", *self._tail]))

    def _read(self) -> None:
        for raw in self._stream:
            line = plain(raw)
            if line:
                self._tail.append(line)
                self._log.write(f"{self.age_s:8.1f}  {line}\n")
                self._log.flush()
                self._lines.put_nowait(line)
        self._lines.put(None)
