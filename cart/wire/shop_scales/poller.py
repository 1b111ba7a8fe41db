"""When a scale is asked, and when its silence has a name: a pure function of time and bytes.

An answer counts for the question it follows. One that comes after its time is named late and gives no number, because
it might be taken for the answer to the next question for ever after; and bytes that lay waiting while the host itself
was held up are thrown away, because nobody knows how old they are.
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
    late        the last question got no answer in time
    heard       the last bytes since then
    before      the last answer that had a number: the next one is measured by it
    stepped_ns  time of the last step; None before the first
    """

    protocol: Protocol
    framing: str
    decoder: Decoder
    waits: bool = False
    since_ns: int = 0
    due_ns: int = 0
    late: bool = False
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
        return _begin(replace(p, stepped_ns=t_ns), t_ns)
    p = replace(p, stepped_ns=t_ns, heard=(p.heard + data)[-GARBAGE_SHOWN_MAX:])
    decoder, values = p.decoder.feed(line.received(data, p.framing))
    p = replace(p, decoder=decoder)
    return _wait(p, t_ns, values) if p.waits else _rest(p, t_ns, values)


def _begin(p: Poller, t_ns: int) -> Step:
    """Ask with a clean slate; what came before is not heard."""
    fresh = replace(p, decoder=Decoder(p.protocol.grammar), waits=True, since_ns=t_ns, late=False, heard=b"")
    return fresh, line.to_send(p.protocol.poll, p.framing), ()


def _wait(p: Poller, t_ns: int, values: tuple[Value, ...]) -> Step:
    said = tuple(value for value in values if isinstance(value, Indication))
    if said and p.streams:
        p, told = _confirm(p, said)
        return replace(p, since_ns=t_ns, heard=b""), b"", told
    if said:
        p, told = _confirm(p, said[:1])
        due_ns = max(t_ns, p.since_ns + p.protocol.period_ms * NS_PER_MS)
        return replace(p, waits=False, due_ns=due_ns, heard=b""), b"", told
    if t_ns - p.since_ns >= p.timeout_ns:
        return _give_up(p, t_ns)
    wanted = b"".join(value.send for value in values if isinstance(value, Prompt))
    return p, line.to_send(wanted, p.framing), ()


def _confirm(p: Poller, said: tuple[Indication, ...]) -> tuple[Poller, tuple[Indication, ...]]:
    """Measure each answer by the one before it."""
    told: tuple[Indication, ...] = ()
    for one in said:
        believed = confirmed(one, p.before, checked=p.checked)
        told += (believed,) if believed else ()
        p = replace(p, before=one) if one.mass_mg is not None else p
    return p, told


def _give_up(p: Poller, t_ns: int) -> Step:
    """Name the silence; then be quiet for as long again, so that a late answer is not taken for the next one."""
    told = faulty(GARBLED, line.received(p.heard, p.framing)) if p.heard else Indication(Kind.SILENT, why="no answer")
    p = replace(p, since_ns=t_ns, due_ns=t_ns + p.timeout_ns, waits=p.streams, late=True, heard=b"")
    return p, b"", (told,)


def _rest(p: Poller, t_ns: int, values: tuple[Value, ...]) -> Step:
    """Drop what nobody asked for; name what is late; ask when it is time."""
    late = tuple(faulty(LATE, v.raw) for v in values if p.late and isinstance(v, Indication))
    if t_ns < p.due_ns:
        return p, b"", late
    p, send, _ = _begin(p, t_ns)
    return p, send, late
