"""The journal of a calibration that is under way: what is there when the power goes in the middle of it.

    9b1f22e0 {"plan":{...},"cart":...,"operator":...,"wall_ms":...,"converter":{...}}    first line: what is calibrated
    0c5d7e3a {"at":0,"point":{"counts":335434,...}}                                      a point that was accepted
    77e2b1aa {"at":0}                                                                    points from there on dropped

A line is the CRC-32 of what follows the blank, as 8 hex digits, and JSON. A torn last line is as if it had not been
written; damage before that makes the journal useless.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from cart.core.calibration_plan import Plan, tasks
from cart.core.calibration_rest import Mean
from cart.wire.calibration import Converter

LINE_BYTES_MAX = 4_096
LINES_MAX = 10_000

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is being calibrated, by whom, since when, and as what."""

    cart: str
    operator: str
    wall_ms: int
    converter: Converter
    plan: Plan


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The point taken for task `at`, or, without one, that the points from there on were dropped."""

    at: int
    point: Mean | None = None


def encode(line: Head | Entry) -> bytes:
    """Return the line with its newline."""
    body = msgspec.json.encode(line)
    return b"%08x %s\n" % (binascii.crc32(body), body)


def decode(data: bytes) -> tuple[Head, tuple[Mean, ...]]:
    """Return what is calibrated and the points that stand, in the order of the tasks.

    Raises ValueError, with the line's number, for damage that is not a torn end, and for points out of order.
    """
    lines = data.split(b"\n")[: LINES_MAX + 1]
    torn = lines.pop()  # empty after a whole last line
    if torn and not lines:
        raise ValueError("line 1: the head is torn")
    if not lines or len(lines) >= LINES_MAX:
        raise ValueError("line 1: empty, or endless")
    head = _value(lines[0], 1, Head)
    return head, _points(head, (_value(line, n, Entry) for n, line in enumerate(lines[1:], 2)))


def _points(head: Head, entries: Iterable[Entry]) -> tuple[Mean, ...]:
    points: list[Mean] = []
    for number, entry in enumerate(entries, 2):
        if not 0 <= entry.at <= len(points) or (entry.point is not None and entry.at != len(points)):
            raise ValueError(f"line {number}: point {entry.at} after {len(points)} points")
        if entry.point is None:
            del points[entry.at :]
        else:
            points.append(entry.point)
    if len(points) > len(tasks(head.plan)):
        raise ValueError("more points than tasks")
    return tuple(points)


def _value(line: bytes, number: int, kind: type[_Kind]) -> _Kind:
    crc, _, body = line.partition(b" ")
    if len(line) > LINE_BYTES_MAX or b"%08x" % binascii.crc32(body) != crc:
        raise ValueError(f"line {number}: damaged")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"line {number}: {error}") from None
