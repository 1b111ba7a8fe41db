"""Writes the recording on a thread of its own, so that a slow SD card never holds up the loop.

Overflow policy: the queue holds QUEUE_MAX records, more than half a minute of a busy cart. When it is full, records
are dropped until there is room for an event, and a G line says how many; replay compares up to there. A full disk is
said once, the trip goes on, and a new part is tried every RETRY_NS. Money never depends on the recording.

Files: `<run id>-<part>.rec` while written, flushed once a second; at `rotate_bytes` a new part begins and the old one
is compressed to `.rec.gz`, as are the files that an earlier run left. The oldest are deleted beyond KEEP_FILES.
"""

from __future__ import annotations

import errno
import gzip
import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cart.core.events import SourceBack, SourceLost
from cart.wire import recording

if TYPE_CHECKING:
    from cart.core.effects import Effect
    from cart.core.events import Event
    from cart.ports import Clock, Put

log = logging.getLogger("cart.recorder")

QUEUE_MAX = 4_096
KEEP_FILES = 64
FLUSH_NS = 1_000_000_000
RETRY_NS = 30_000_000_000
CLOSE_TIMEOUT_S = 10.0
_POLL_S = 0.25


class Recorder:
    """Records one run; event, effects and close are for the loop's thread."""

    name = "recorder"

    def __init__(
        self,
        directory: Path,
        head: recording.Head,
        clock: Clock,
        rotate_bytes: int,
        open_new: Callable[[Path], BinaryIO] = lambda path: path.open("xb"),
    ) -> None:
        """Record below `directory`; `head` is that of part 1. Nothing is touched before `start`."""
        self._parts = _Parts(directory, head, clock, rotate_bytes, open_new)
        self._clock = clock
        self._queue: queue.Queue[tuple[str, int, Any]] = queue.Queue(QUEUE_MAX)
        self._lost = 0
        self._number = 0
        self._thread: threading.Thread | None = None

    def start(self, put: Put) -> None:
        """Begin to write; a disk that refuses becomes SourceLost("recorder"), given to `put`."""
        self._thread = threading.Thread(target=self._run, args=(put,), name=self.name, daemon=True)
        self._thread.start()

    def event(self, number: int, event: Event) -> None:
        """Record an event, before the core sees it."""
        self._number = number
        if self._lost and self._offer("G", number, self._lost):
            self._lost = 0
        if self._lost or not self._offer("E", number, event):
            self._lost += 1

    def effects(self, number: int, effects: tuple[Effect, ...]) -> None:
        """Record what the core made of event `number`."""
        # Effects whose event is missing would be compared with those of the event before.
        if effects and (self._lost or not self._offer("F", number, effects)):
            self._lost += 1

    def close(self, reason: str) -> None:
        """Write what is queued and the end ("stopped", "poison"), and leave it on the disk; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._queue.put(("Z", self._number, reason), timeout=CLOSE_TIMEOUT_S)
        except queue.Full:
            log.error("RECORDING-FAILED: the recording was left without its end: the disk does not answer")
            return
        thread.join(CLOSE_TIMEOUT_S)

    def _offer(self, letter: str, number: int, value: Any) -> bool:
        try:
            self._queue.put_nowait((letter, number, value))
        except queue.Full:
            return False
        return True

    def _run(self, put: Put) -> None:
        try:
            self._record(put)
        except Exception as error:  # a mistake of ours: the trip goes on, and that nothing is recorded must be seen
            self._tell(put, f"RECORDING-FAILED: {error!r}")

    def _record(self, put: Put) -> None:
        self._parts.compress_leftovers()
        letter = ""
        while letter != "Z":
            try:
                letter, number, value = self._queue.get(timeout=_POLL_S)
                word = self._parts.write(letter, number, value)
            except queue.Empty:
                word = self._parts.flush_when_due()
            if word is not None:
                self._tell(put, word)

    def _tell(self, put: Put, word: str) -> None:
        """Say once that the disk refuses (a code and its detail) or takes records again ("")."""
        t_ns = self._clock.monotonic_ns()
        if word:
            log.error("%s", word)
        with suppress(Exception):  # a full queue is the loop's trouble, and it reports that itself
            put(SourceLost(t_ns, self.name, word) if word else SourceBack(t_ns, self.name))


class _Parts:
    """The files of one run. Methods return None, or a word for people: the fault, or "" when it is over."""

    def __init__(
        self,
        directory: Path,
        head: recording.Head,
        clock: Clock,
        rotate_bytes: int,
        open_new: Callable[[Path], BinaryIO],
    ) -> None:
        self._directory = directory
        self._head = head
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._open_new = open_new
        self._path = directory
        self._file: BinaryIO | None = None
        self._bytes = 0
        self._flushed_ns = clock.monotonic_ns()
        self._failed_ns: int | None = None
        self._lost = 0

    def write(self, letter: str, number: int, value: Any) -> str | None:
        """Write one record: E an event, F its effects, G how many were lost before it, Z the reason of the end."""
        try:
            if self._failed_ns is not None and not self._may_retry(letter):
                self._lost += 1
                return None
            word = self._make_room(number) if letter in "EG" else None
            if self._file is not None:
                self._append(_lines(letter, number, value))
                if letter == "Z":
                    self._finish()
            self.flush_when_due()
        except OSError as error:
            return self._fail(error)
        return word

    def flush_when_due(self) -> str | None:
        """Hand what is written to the system, once a second."""
        now_ns = self._clock.monotonic_ns()
        if self._file is None or now_ns - self._flushed_ns < FLUSH_NS:
            return None
        self._flushed_ns = now_ns
        try:
            self._file.flush()
        except OSError as error:
            return self._fail(error)
        return None

    def compress_leftovers(self) -> None:
        """Compress the files of earlier runs, which a crash or a stop left as they were."""
        for path in sorted(self._directory.glob("*.rec")):
            if not path.name.startswith(self._head.run_id):
                _compress(path)
        self._forget_oldest()

    def _make_room(self, number: int) -> str | None:
        """Begin a part where there is none or the present one is full; "" if that ends a failure."""
        if self._file is not None and self._bytes < self._rotate_bytes:
            return None
        if self._file is not None:
            self._append(recording.end_line(number - 1, "rotated"))
            self._finish()
            _compress(self._path)
            self._forget_oldest()
        self._begin(number)
        if self._failed_ns is None:
            return None
        self._append(recording.lost_line(number, self._lost))
        self._failed_ns, self._lost = None, 0
        return ""

    def _begin(self, number: int) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        head = replace(self._head, first_event=number, t_ns=self._clock.monotonic_ns(), wall_ms=self._clock.wall_ms())
        self._path = self._directory / f"{head.run_id}-{head.part:04d}.rec"
        self._head = replace(head, part=head.part + 1)
        self._file = self._open_new(self._path)
        self._bytes = 0
        self._append(recording.head_line(head))

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._bytes += len(data)

    def _finish(self) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None

    def _may_retry(self, letter: str) -> bool:
        assert self._failed_ns is not None
        return letter == "E" and self._clock.monotonic_ns() - self._failed_ns >= RETRY_NS

    def _fail(self, error: OSError) -> str | None:
        """Close what cannot be written; return the word, only the first time."""
        first = self._failed_ns is None
        self._failed_ns = self._clock.monotonic_ns()
        self._lost += 1
        if self._file is not None:
            with suppress(OSError):  # closing flushes, which fails the same way
                self._file.close()
            self._file = None
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return f"{'RECORDING-DISK-FULL' if full else 'RECORDING-FAILED'}: {error}" if first else None

    def _forget_oldest(self) -> None:
        # A run id begins with its time, so the order of names is the order of age.
        for path in sorted(self._directory.glob("*.rec.gz"))[:-KEEP_FILES]:
            with suppress(OSError):
                path.unlink()


def _lines(letter: str, number: int, value: Any) -> bytes:
    if letter == "E":
        return recording.event_line(number, value)
    if letter == "F":
        return b"".join(recording.effect_line(number, effect) for effect in value)
    return recording.lost_line(number, value) if letter == "G" else recording.end_line(number, value)


def _compress(path: Path) -> None:
    """Replace a closed file by its compressed form; where the disk refuses, leave it as it is."""
    made = path.with_name(path.name + ".gz")
    half = path.with_name(path.name + ".gz.tmp")
    try:
        # No name and no time in the header: the same recording gives the same file.
        with path.open("rb") as plain, half.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            shutil.copyfileobj(plain, packed)
        half.replace(made)
        path.unlink()
    except OSError as error:
        log.warning("RECORDING-FAILED: %s stays uncompressed: %s", path.name, error)
        with suppress(OSError):
            half.unlink()
