"""What a power cut leaves on a card: all that the guest had flushed, and nothing that it had only written.

Killing the emulator alone would be too kind, for what the guest wrote would all be in this machine's memory and later
in the file. So the emulator logs each write beside the file (its block driver `blklogwrites`, in the format of the
kernel's dm-log-writes), and after the cut the log is played up to the last flush into a copy of the card as it was
before. A real card may keep any part of what came after; losing all of it is the hardest that it may do.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from cart.faults import Fault

MAGIC, VERSION = 0x6A736677736872, 1
SECTOR_BYTES = 512
FLUSH, DISCARD = 1, 4
_SUPER = struct.Struct("<QQQL")
_ENTRY = struct.Struct("<QQQQ")
"""first sector, number of sectors, flags, length of a mark"""


class Left(NamedTuple):
    """What became of the guest's writes: how many were flushed in time, and how many were lost."""

    kept: int
    lost: int


class Write(NamedTuple):
    """One entry of the log; data_at is where its data begins in the log, 0 where it has none."""

    start_bytes: int
    size_bytes: int
    flags: int
    data_at: int


def replay(log: Path, card: Path) -> Left:
    """Write what was flushed into `card`, the card as it was at the log's beginning; BOOT-WRONG for a strange log."""
    with log.open("rb") as logged, card.open("r+b") as disk:
        flushed = _entries_flushed(logged)
        kept = lost = 0
        for number, write in enumerate(_writes(logged)):
            if not write.data_at:
                continue
            if number >= flushed:
                lost += 1
                continue
            kept += 1
            logged.seek(write.data_at)
            disk.seek(write.start_bytes)
            disk.write(logged.read(write.size_bytes))
    return Left(kept, lost)


def _entries_flushed(logged: IO[bytes]) -> int:
    """Return how many entries the log has up to the last flush: its head is written with each flush, and then only."""
    head = logged.read(_SUPER.size)
    if len(head) < _SUPER.size:
        return 0  # the power went before the first flush
    magic, version, entries, sector_bytes = _SUPER.unpack(head)
    if (magic, version, sector_bytes) != (MAGIC, VERSION, SECTOR_BYTES):
        raise Fault("BOOT-WRONG", f"the log of writes has another form: {magic:#x} {version} {sector_bytes}")
    return int(entries)


def _writes(logged: IO[bytes]) -> Iterator[Write]:
    """Yield every entry, also those after the last flush; the log was empty before, so a blank one is its end."""
    at = SECTOR_BYTES
    while True:
        logged.seek(at)
        raw = logged.read(_ENTRY.size)
        if len(raw) < _ENTRY.size:
            return
        sector, sectors, flags, mark_bytes = _ENTRY.unpack(raw)
        if not (sector or sectors or flags or mark_bytes):
            return
        has_data = sectors and not flags & DISCARD
        at += SECTOR_BYTES
        yield Write(sector * SECTOR_BYTES, sectors * SECTOR_BYTES, flags, at if has_data else 0)
        if has_data:
            at += sectors * SECTOR_BYTES
