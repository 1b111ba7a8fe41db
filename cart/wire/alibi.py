"""Records of trade weighing as lines: a checksum against accidents, and a chain against everybody else.

    {"prev":"<sha256 of the line before>","k":"Alibi","v":{"id":12,"wall_ms":...,"net_mg":850000,...}}

crc is CRC-32 of the body, sha256 its SHA-256; the body holds the hash of the line before. So no line can be changed,
taken out, doubled or put elsewhere without `check` naming it. Both kinds (`Alibi`, `LegalEvent`) are one chain, and
each has numbers of its own that rise by one from 1.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from cart.core.legal_record import Alibi, LegalEvent
from cart.wire import codec

NO_SHA256 = "0" * 64
KINDS: dict[str, type[Alibi] | type[LegalEvent]] = {"Alibi": Alibi, "LegalEvent": LegalEvent}


class LogLine(NamedTuple):
    """One line of the log: body and what is derived from it."""

    kind: str
    number: int
    body: bytes
    crc: str
    sha256: str


class BadLogError(ValueError):
    """A log that was damaged or edited; `position` counts its lines from 1."""

    def __init__(self, position: int, why: str) -> None:
        """Keep where and why."""
        super().__init__(f"record {position}: {why}")
        self.position = position


def log_line(record: Alibi | LegalEvent, prev: str) -> LogLine:
    """Return the line of a record that follows the line with hash `prev` (NO_SHA256: it is the first)."""
    kind = type(record).__name__
    body = msgspec.json.encode({"prev": prev, "k": kind, "v": record})
    return LogLine(kind, number_of(record), body, crc_of(body), hashlib.sha256(body).hexdigest())


def event_of(body: bytes) -> LegalEvent:
    """Return the event in a body; ValueError where there is none."""
    try:
        event: LegalEvent = codec.convert(msgspec.json.decode(body)["v"], LegalEvent)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no event: {error}") from error
    return event


def number_of(record: Alibi | LegalEvent) -> int:
    """Return the record's number among those of its kind."""
    return record.id if isinstance(record, Alibi) else record.counter


def crc_of(body: bytes) -> str:
    """Return the checksum of a body, 8 hex digits."""
    return f"{binascii.crc32(body):08x}"


def check(lines: Iterable[LogLine]) -> tuple[Alibi | LegalEvent, ...]:
    """Return the records of the whole log, oldest first, after checking every line and link; BadLogError."""
    prev, numbers = NO_SHA256, dict.fromkeys(KINDS, 0)
    records = []
    for position, line in enumerate(lines, 1):
        record = _record(line, prev, position)
        if number_of(record) != numbers[line.kind] + 1 or line.number != number_of(record):
            raise BadLogError(position, f"{line.kind} {line.number} does not follow {numbers[line.kind]}")
        prev, numbers[line.kind] = line.sha256, line.number
        records.append(record)
    return tuple(records)


def _record(line: LogLine, prev: str, position: int) -> Alibi | LegalEvent:
    if crc_of(line.body) != line.crc:
        raise BadLogError(position, "the checksum does not fit: it was changed")
    if hashlib.sha256(line.body).hexdigest() != line.sha256:
        raise BadLogError(position, "the hash does not fit: it was changed")
    try:
        parsed = msgspec.json.decode(line.body)
        kind, link, value = parsed["k"], parsed["prev"], parsed["v"]
        record: Alibi | LegalEvent = codec.convert(value, KINDS[kind])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadLogError(position, f"cannot be read: {error}") from None
    if kind != line.kind:
        raise BadLogError(position, f"is a {kind}, not a {line.kind}")
    if link != prev:
        raise BadLogError(position, "does not follow the one before: a record is missing or was put in")
    return record
