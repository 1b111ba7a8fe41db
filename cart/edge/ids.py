"""Fresh identifiers: UUIDv7, which sort by time. Randomness enters the product here and with the keys only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cart.ports import Clock

RANDOM_BYTES = 10


def uuid7(wall_ms: int, random: bytes) -> str:
    """Return a UUIDv7 as text (RFC 9562, section 5.7).

    wall_ms  Unix time, below 2**48
    random   RANDOM_BYTES bytes of which 74 bits are used
    """
    assert 0 <= wall_ms < 1 << 48
    assert len(random) == RANDOM_BYTES
    bits = int.from_bytes(random, "big")
    number = wall_ms << 80 | 0x7 << 76 | (bits >> 62 & 0xFFF) << 64 | 0b10 << 62 | bits & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def fresh_ids(clock: Clock, random: Callable[[int], bytes] = os.urandom) -> Callable[[], str]:
    """Return a function that gives a new UUIDv7 at each call. random: bytes by count, from the operating system."""
    return lambda: uuid7(clock.wall_ms(), random(RANDOM_BYTES))


def random_hex(count: int) -> str:
    """Return `count` random bytes of the operating system as hex digits."""
    return os.urandom(count).hex()
