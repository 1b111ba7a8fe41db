"""Sealed pictures on the disk, until the store has them: a folder that cannot grow without end.

A file is there whole or not at all. When FILES_MAX files or BYTES_MAX bytes wait, a new one is dropped, for the oldest
are the ones under review; what is older than AGE_MS_MAX is deleted, whether it was fetched or not, because pictures of
people's shopping are not kept. A file's name begins with the wall time of its making; the age of one that was made
while the clock was wrong, before it was set or in what is the future now, counts from when that is seen.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from cart.ports import Clock

log = logging.getLogger("cart.vision")

FILES_MAX = 200
BYTES_MAX = 20_000_000
AGE_MS_MAX = 14 * 24 * 3_600 * 1_000
SWEEP_NS = 3_600_000_000_000
"""How often old files are looked for, besides at the start and before each new file."""

WALL_MS_SET = 1_767_225_600_000
"""2026-01-01 UTC: a clock before this was never set, and says nothing of a file's age."""

FUTURE_MS_MAX = 24 * 3_600 * 1_000
"""A file from later than that was made while the clock was wrong: it would never grow old, and hold its place."""

SUFFIX, PART_SUFFIX = ".sealed", ".part"
_NAME = re.compile(r"(\d{13})-\d+")


class Full(Exception):
    """As much waits already as may wait; the message says how much."""


class _Waiting(NamedTuple):
    path: Path
    size: int


class Spool:
    """The folder of sealed pictures; made when the first one is kept."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._swept_ns = clock.monotonic_ns() - SWEEP_NS

    def put(self, track: int, data: bytes) -> Path:
        """Write one file and return its path; Full, or OSError where the disk does not take it."""
        self._sweep()
        waiting = self._waiting()
        if len(waiting) >= FILES_MAX:
            raise Full(f"{len(waiting)} pictures wait in {self._folder}")
        size = sum(file.size for file in waiting)
        if size + len(data) > BYTES_MAX:
            raise Full(f"{size:,} bytes of pictures wait in {self._folder}")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{self._clock.wall_ms():013d}-{track}{SUFFIX}"
        _write(path, data)
        return path

    def tend(self) -> None:
        """Delete what is too old, at most once in SWEEP_NS; call it now and then."""
        if self._clock.monotonic_ns() - self._swept_ns >= SWEEP_NS:
            self._sweep()

    def _sweep(self) -> None:
        self._swept_ns = self._clock.monotonic_ns()
        now_ms = self._clock.wall_ms()
        try:
            parts, kept = self._paths(PART_SUFFIX), self._paths(SUFFIX)
        except OSError as error:
            log.warning("CROP-NOT-KEPT: %s cannot be tidied: %s", self._folder, error)
            return
        for path in (*parts, *kept):
            try:
                _tidy(path, now_ms)
            except OSError as error:  # one that cannot be deleted must not keep the others
                log.warning("CROP-NOT-KEPT: %s cannot be tidied: %s", path, error)

    def _waiting(self) -> list[_Waiting]:
        found = []
        for path in self._paths(SUFFIX):
            try:
                found.append(_Waiting(path, path.stat().st_size))
            except FileNotFoundError:
                continue  # fetched and deleted in this moment
        return found

    def _paths(self, suffix: str) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.suffix == suffix]
        except FileNotFoundError:
            return []


def _tidy(path: Path, now_ms: int) -> None:
    """Delete a file that is too old or was never finished; one with another name is of the store's own making."""
    made = _NAME.fullmatch(path.stem)
    if path.suffix == PART_SUFFIX:
        path.unlink(missing_ok=True)
    elif made is None or now_ms < WALL_MS_SET:
        return
    elif not WALL_MS_SET <= int(made[1]) <= now_ms + FUTURE_MS_MAX:
        path.rename(path.with_name(f"{now_ms:013d}-{path.name.partition('-')[2]}"))
    elif now_ms - int(made[1]) > AGE_MS_MAX:
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is never there half; what a full disk left of it is removed."""
    part = path.with_suffix(PART_SUFFIX)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
