"""The calibration record on disk: read with every link checked, appended to durably, never rewritten."""

from __future__ import annotations

import os
from pathlib import Path

from cart.faults import Fault
from cart.wire.calibration import BadRecordError, CalibrationRecord, chained, decode, encode

FILE_BYTES_MAX = 16 << 20


def read_calibration(path: Path) -> CalibrationRecord:
    """Return the record in force: the last of the file, its whole chain checked.

    Raises Fault CALIBRATION-MISSING or CALIBRATION-BAD.
    """
    return read_records(path)[-1]


def read_records(path: Path) -> tuple[CalibrationRecord, ...]:
    """Return all records of the file, oldest first; the same faults."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Fault("CALIBRATION-BAD", f"{path} is larger than {FILE_BYTES_MAX} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise Fault("CALIBRATION-MISSING", f"{path}: {error.strerror}") from None
    try:
        return decode(data)
    except BadRecordError as error:
        raise Fault("CALIBRATION-BAD", f"{path}: {error}") from None


def append_calibration(path: Path, record: CalibrationRecord) -> CalibrationRecord:
    """Append a calibration to the file and return it as it was chained; on return it is on the disk.

    A file that does not check is not appended to: Fault CALIBRATION-BAD.
    """
    before = read_calibration(path) if path.exists() else None
    sealed = chained(record, before)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        line = encode(sealed)
        written = os.write(descriptor, line)
        assert written == len(line), "a short write to a local file"
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)
    return sealed


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
