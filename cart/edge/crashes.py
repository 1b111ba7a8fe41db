"""Remembers crashes of the core across restarts, and refuses a second daemon on the same state directory."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from cart.faults import EXIT_FAILED, Fault
from cart.wire import codec

if TYPE_CHECKING:
    from cart.core.events import Event
    from cart.ports import Clock

log = logging.getLogger("cart.crashes")

CRASHES_MAX = 3
WINDOW_NS = 60_000_000_000
"""This many crashes in this time, and the cart starts out of service."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class CrashBook:
    """The file `crashes` of the state directory: boot id and monotonic time of each crash, one a line.

    Monotonic times of two boots do not compare, and the Pi's wall clock may stand anywhere after a start, so crashes
    of an earlier boot do not count. Writes that the disk refuses are given up: the crash itself matters more.
    """

    def __init__(self, state_dir: Path, clock: Clock, boot_id: str | None = None) -> None:
        """Keep the book in `state_dir`; `boot_id` is that of the kernel unless given."""
        self._path = state_dir / "crashes"
        self._poison_path = state_dir / "poison"
        self._clock = clock
        self._boot_id = _boot_id() if boot_id is None else boot_id

    def note(self) -> None:
        """Note a crash now; older ones than the last CRASHES_MAX are forgotten."""
        kept = [*self._lines()[1 - CRASHES_MAX :], f"{self._boot_id} {self._clock.monotonic_ns()}"]
        _replace(self._path, "".join(f"{line}\n" for line in kept).encode())

    def keep_poison(self, number: int, event: Event, trace: str) -> None:
        """Keep the event that broke the core, with its traceback, in the file `poison`; the latest replaces."""
        told = {"event_number": number, "wall_ms": self._clock.wall_ms(), "trace": trace.splitlines()}
        _replace(self._poison_path, codec.encode(event) + b"\n" + json.dumps(told, indent=1).encode() + b"\n")

    def too_many(self) -> bool:
        """Return True after CRASHES_MAX crashes in WINDOW_NS."""
        now_ns = self._clock.monotonic_ns()
        return sum(self._is_recent(line, now_ns) for line in self._lines()) >= CRASHES_MAX

    def end_process(self, reason: str) -> NoReturn:
        """End a process whose core no longer answers, from any thread and without waiting for anything."""
        log.critical("%s", reason)
        self.note()
        os._exit(EXIT_FAILED)

    def _is_recent(self, line: str, now_ns: int) -> bool:
        boot_id, _, t_ns = line.partition(" ")
        return boot_id == self._boot_id and t_ns.isdecimal() and 0 <= now_ns - int(t_ns) <= WINDOW_NS

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            return []


def lock(state_dir: Path) -> TextIO:
    """Return the open lock file of `state_dir`: the lock holds until it is closed or the process is gone.

    Raises STATE-DIR-BUSY where another daemon holds it, STATE-DIR-BAD where the directory cannot be used.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise Fault("STATE-DIR-BAD", f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        raise Fault("STATE-DIR-BUSY", f"{state_dir}, process {holder or 'unknown'}") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _replace(path: Path, data: bytes) -> None:
    half = path.with_name(path.name + ".tmp")
    with suppress(OSError):
        with half.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
