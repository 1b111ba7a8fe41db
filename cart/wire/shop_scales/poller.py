"""When a scale is asked, and when its silence has a name: a pure function of time and bytes.

Only one question is open at a time. One that got no answer in time stays open for PATIENCE_NS, and what comes in the
meantime is named late and gives no number: a slow scale would otherwise be one question behind for ever after, and each
weight that of a moment ago. And bytes that lay waiting while the host itself was held up are thrown away, because
nobody knows how old they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.wire.shop_scales import line
from cart.wire.shop_scales.confirm import confirmed
from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import Indication, Kind, Prompt, Value, faulty
from cart.wire.shop_scales.protocols import Protocol

NS_PER_MS = 1_000_000
GARBAGE_SHOWN_MAX = 32
"""Bytes of garbage kept to be shown, the newest."""

PATIENCE_NS = 2_000_000_000
"""How late an answer may be and still be known as late; also how soon a scale that was switched on is found."""

GARBLED = "bytes come, but no frame of this protocol: wrong protocol, speed or framing?"
LATE = "the answer came too late to count"


@dataclass(frozen=True, slots=True)
class Poller:
    """One scale on one line; `step` gives the next.

    protocol    row of the table
    framing     of the line, where it is not the protocol's own
    decoder     of the stream
    waits       for an answer since `since_ns`; else it asks again at `due_ns`
    since_ns    time of the question; for a scale that sends by itself, of the last thing it said
    owed        the last question got no answer in time, and may still get one
    heard       the last bytes since `since_ns`
    before      the last answer that had a number: the next one is measured by it
    stepped_ns  time of the last step; None before the first
    """

    protocol: Protocol
    framing: str
    decoder: Decoder
    waits: bool = False
    since_ns: int = 0
    due_ns: int = 0
    owed: bool = False
    heard: bytes = b""
    before: Indication | None = None
    stepped_ns: int | None = None

    @property
    def streams(self) -> bool:
        """Whether the scale sends by itself."""
        return not self.protocol.poll

    @property
    def checked(self) -> bool:
        """Whether parity or a check covers the digits, as the line is set."""
        return self.framing != "8N1" or "check" in self.protocol.checked

    @property
    def timeout_ns(self) -> int:
        """How long an answer may take."""
        return self.protocol.timeout_ms * NS_PER_MS


Step = tuple[Poller, bytes, tuple[Indication, ...]]


def poller(protocol: Protocol, framing: str | None = None) -> Poller:
    """Return a poller that has not asked yet."""
    return Poller(protocol, framing or protocol.framing, Decoder(protocol.grammar))


def step(p: Poller, t_ns: int, data: bytes) -> Step:
    """Return the poller after `data` came by `t_ns`, the bytes to send, and what the scale said or failed to say.

    t_ns  monotonic; call at least every 50 ms, also without bytes
    """
    stalled = p.stepped_ns is not None and t_ns - p.stepped_ns >= p.timeout_ns
    if p.stepped_ns is None or stalled:
        return _ask(replace(p, stepped_ns=t_ns), t_ns)
    decoder, values = p.decoder.feed(line.received(data, p.framing))
    p = replace(p, stepped_ns=t_ns, decoder=decoder, heard=(p.heard + data)[-GARBAGE_SHOWN_MAX:])
    said = tuple(value for value in values if isinstance(value, Indication))
    if p.streams:
        return _stream(p, t_ns, said)
    return _wait(p, t_ns, values, said) if p.waits else _rest(p, t_ns, said)


def _ask(p: Poller, t_ns: int) -> Step:
    """Ask with a clean slate: what is half received belongs to nothing."""
    fresh = replace(p, decoder=Decoder(p.protocol.grammar), waits=True, since_ns=t_ns, owed=False, heard=b"")
    return fresh, line.to_send(p.protocol.poll, p.framing), ()


def _wait(p: Poller, t_ns: int, values: tuple[Value, ...], said: tuple[Indication, ...]) -> Step:
    period_ns = p.protocol.period_ms * NS_PER_MS
    if said:
        p, told = _confirm(p, said[:1])
        return replace(p, waits=False, due_ns=max(t_ns, p.since_ns + period_ns)), b"", told
    if t_ns - p.since_ns >= p.timeout_ns:
        # Garbage was the answer; silence may only be slow.
        due_ns = t_ns + (period_ns if p.heard else PATIENCE_NS)
        return replace(p, waits=False, owed=not p.heard, due_ns=due_ns), b"", (_unanswered(p),)
    wanted = b"".join(value.send for value in values if isinstance(value, Prompt))
    return replace(p, heard=b"" if wanted else p.heard), line.to_send(wanted, p.framing), ()


def _rest(p: Poller, t_ns: int, said: tuple[Indication, ...]) -> Step:
    """Ask when it is time; what nobody asked for is not heard, and what is late only named."""
    if p.owed and said:
        return replace(p, owed=False, due_ns=t_ns), b"", (faulty(LATE, said[0].raw),)
    return (p, b"", ()) if t_ns < p.due_ns else _ask(p, t_ns)


def _stream(p: Poller, t_ns: int, said: tuple[Indication, ...]) -> Step:
    if said:
        p, told = _confirm(p, said)
        return replace(p, since_ns=t_ns, heard=b""), b"", told
    if t_ns - p.since_ns >= p.timeout_ns:
        return replace(p, since_ns=t_ns, heard=b""), b"", (_unanswered(p),)
    return p, b"", ()


def _unanswered(p: Poller) -> Indication:
    """Return the name of a time in which no answer came."""
    return faulty(GARBLED, line.received(p.heard, p.framing)) if p.heard else Indication(Kind.SILENT, why="no answer")


def _confirm(p: Poller, said: tuple[Indication, ...]) -> tuple[Poller, tuple[Indication, ...]]:
    """Measure each answer by the one before it."""
    told: tuple[Indication, ...] = ()
    for one in said:
        believed = confirmed(one, p.before, checked=p.checked)
        told += (believed,) if believed else ()
        p = replace(p, before=one) if one.mass_mg is not None else p
    return p, told
