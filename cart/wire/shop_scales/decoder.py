"""Cuts a stream of bytes into frames by a protocol's grammar; the same for every protocol.

At each place of the stream the bytes are a frame, or may become one, or belong to none and are dropped. So whatever
garbage comes before, after or inside, the next whole frame is found, and the result does not depend on how the stream
was cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from cart.wire.shop_scales.indication import Value


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the frames of a protocol look like.

    pattern  matches a frame, or in the group `partial` what the end of the bytes may still become
    read     the value of a matched frame
    """

    pattern: re.Pattern[bytes]
    read: Callable[[re.Match[bytes]], Value]


def grammar(frame: bytes, partial: bytes, read: Callable[[re.Match[bytes]], Value]) -> Grammar:
    """Return the grammar of two patterns.

    frame    the frames; none may be the beginning of another, and each has a longest length
    partial  at least every beginning of a frame; also with a longest length, which bounds the decoder's memory
    """
    return Grammar(re.compile(rb"(?:%s)|(?P<partial>(?:%s)\Z)" % (frame, partial), re.DOTALL), read)


@dataclass(frozen=True, slots=True)
class Decoder:
    """What is known of a stream so far; `feed` gives the next one.

    grammar  of the protocol
    pending  bytes at the end that may become a frame
    dropped  bytes so far that belonged to no frame
    """

    grammar: Grammar
    pending: bytes = b""
    dropped: int = 0

    def feed(self, data: bytes) -> tuple[Decoder, tuple[Value, ...]]:
        """Return the decoder after these bytes and the values that they complete; never raises on any input."""
        stream, at, dropped = self.pending + data, 0, self.dropped
        values = []
        while (found := self.grammar.pattern.search(stream, at)) and found["partial"] is None:
            values.append(self.grammar.read(found))
            dropped += found.start() - at
            at = found.end()
        end = found.start() if found else len(stream)
        return replace(self, pending=stream[end:], dropped=dropped + end - at), tuple(values)
