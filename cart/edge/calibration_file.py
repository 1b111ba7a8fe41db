"""The calibration record on disk: read with every link checked, appended to durably, never rewritten.

Beside it lies the journal of a calibration that is under way: each point is on the disk before the next is asked for.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cart.core.calibration_rest import Mean
from cart.faults import Fault
from cart.wire.calibration import BadRecordError, CalibrationRecord, chained, decode, encode
from cart.wire.calibration_journal import Entry, Head
from cart.wire.calibration_journal import decode as decode_journal
from cart.wire.calibration_journal import encode as encode_journal

FILE_BYTES_MAX = 16 << 20
JOURNAL_BYTES_MAX = 1 << 20


def read_calibration(path: Path) -> CalibrationRecord:
    """Return the record in force: the last of the file, its whole chain checked.

    Raises Fault CALIBRATION-MISSING or CALIBRATION-BAD.
    """
    return read_records(path)[-1]


def read_records(path: Path) -> tuple[CalibrationRecord, ...]:
    """Return all records of the file, oldest first; the same faults."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)  # a device has no size that could be asked for before
    except OSError as error:
        raise Fault("CALIBRATION-MISSING", f"{path}: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise Fault("CALIBRATION-BAD", f"{path} is larger than {FILE_BYTES_MAX} bytes")
    try:
        return decode(data)
    except BadRecordError as error:
        raise Fault("CALIBRATION-BAD", f"{path}: {error}") from None


def append_calibration(path: Path, record: CalibrationRecord) -> CalibrationRecord:
    """Append a calibration to the file and return it as it was chained; on return it is on the disk.

    A file that does not check is not appended to: Fault CALIBRATION-BAD; a disk that takes nothing is the Fault
    CALIBRATION-UNSAVED. The longer file takes the place of the old one in one step: a power cut, or a full disk, leaves
    the one or the other, never a torn line that would make all of it void.
    """
    path = path.resolve()
    before = read_calibration(path) if path.exists() else None
    sealed = chained(record, before)
    old = path.read_bytes() if before else b""
    fresh = path.with_name(f".{path.name}.new")
    with _on_disk(path):
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _own_as(descriptor, path if before else path.parent, mode=0o644 if before is None else None)
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(old + encode(sealed))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
        _sync_folder(path.parent)
    return sealed


class Journal:
    """The points of a calibration that is under way, in a file beside the record; one writer at a time.

    Raises Fault CALIBRATION-JOURNAL where another calibration has it, and CALIBRATION-UNSAVED, from each method that
    writes, where the disk takes nothing: what was kept before stays.
    """

    def __init__(self, record: Path) -> None:
        """Open or make the journal of the record at this path."""
        self.path = record.with_name(f"{record.name}.journal")
        with _on_disk(self.path):
            fresh = not self.path.exists()
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Fault("CALIBRATION-JOURNAL", f"{self.path}: another calibration is under way") from None
        if fresh:
            _own_as(self._file, record.parent, mode=None)
            _sync_folder(record.parent)

    def kept(self) -> tuple[Head, tuple[Mean, ...]] | None:
        """Return what an earlier calibration left, None where nothing.

        Raises Fault CALIBRATION-JOURNAL where it is damaged.
        """
        data = os.pread(self._file, JOURNAL_BYTES_MAX, 0)
        if not data:
            return None
        try:
            head, points = decode_journal(data)
        except ValueError as error:
            raise Fault("CALIBRATION-JOURNAL", f"{self.path}: {error}") from None
        # A torn end is cut off, or what is written next would be glued to it.
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(self._file, whole)
        return head, points

    def begin(self, head: Head) -> None:
        """Forget what is there and begin anew."""
        with _on_disk(self.path):
            os.ftruncate(self._file, 0)
        self._append(encode_journal(head))

    def take(self, at: int, point: Mean) -> None:
        """Keep the point of task `at`; on return it is on the disk."""
        self._append(encode_journal(Entry(at, point)))

    def drop(self, at: int) -> None:
        """Drop the points from task `at` on."""
        self._append(encode_journal(Entry(at)))

    def close(self, *, finished: bool) -> None:
        """Let it go; finished: remove it, since the record has everything now."""
        if finished:
            self.path.unlink(missing_ok=True)
            _sync_folder(self.path.parent)
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        with _on_disk(self.path):
            written = os.write(self._file, line)
            if written != len(line):  # a disk that fills up takes the beginning; the rest says why
                os.write(self._file, line[written:])
            os.fsync(self._file)


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses inside into a fault with a name."""
    try:
        yield
    except OSError as error:
        raise Fault("CALIBRATION-UNSAVED", f"{path}: {error.strerror}") from None


def _own_as(descriptor: int, like: Path, mode: int | None) -> None:
    """Give a file the owner of another, and its mode unless one is given: `sudo cart` must not lock the cart out."""
    there = like.stat()
    with suppress(PermissionError):
        os.fchown(descriptor, there.st_uid, there.st_gid)
    if mode is not None:
        os.fchmod(descriptor, mode)
    elif like.is_file():
        os.fchmod(descriptor, there.st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
