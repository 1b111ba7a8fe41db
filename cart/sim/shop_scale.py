"""A simulated shop scale, one for every protocol: what it shows becomes the bytes that such a scale sends.

Written from the same manuals as the decoders but apart from them: nothing here uses a decoder's pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cart.wire.shop_scales import cas_ecr, line
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.protocols import Protocol

NS_PER_MS = 1_000_000
STREAM_MS = 100
MG_PER_G = 1_000
UG_PER_CENTI_POUND = 4_535_924
"""0.01 lb in micrograms, to the nearest: a simulated scale need not be exact."""

GARBAGE = bytes.fromhex("00f8c0fe8006e61e9e98f878")
"""What 9,600 baud look like at another speed: any bytes that no protocol knows."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What the scale shows.

    kind     its state; SILENT does not answer
    mass_mg  the load, in mg; below zero when negative
    net      a tare is taken off
    garbled  it sends garbage, as on a line of another speed
    """

    kind: Kind
    mass_mg: int = 0
    net: bool = False
    garbled: bool = False


class SimulatedShopScale:
    """One scale on a line.

    protocol  what it speaks
    showing   what it shows; set it to put something on the scale
    """

    def __init__(self, protocol: Protocol, framing: str | None = None) -> None:
        """Show a stable zero."""
        self.showing = Showing(Kind.STABLE)
        self.protocol = protocol
        self._framing = framing or protocol.framing
        self._heard = b""
        self._due_ns: int | None = None

    def step(self, t_ns: int, data: bytes) -> bytes:
        """Return what the scale sends when it heard `data` by `t_ns`."""
        if self.protocol.poll:
            self._heard = (self._heard + line.received(data, self._framing))[-16:]
            answer = self._answer()
        else:
            answer = self._streamed(t_ns)
        if not answer or self.showing.kind == Kind.SILENT:
            return b""
        return GARBAGE if self.showing.garbled else line.to_send(answer, self._framing)

    def _answer(self) -> bytes:
        questions = (self.protocol.poll, cas_ecr.DC1) if self.protocol.name == "cas-ecr" else (self.protocol.poll,)
        for question in questions:
            if self._heard.endswith(question):
                self._heard = b""
                if self.protocol.name == "cas-ecr" and question == cas_ecr.ENQ:
                    return cas_ecr.NAK if self.showing.kind == Kind.FAULTY else cas_ecr.ACK
                return frame(self.protocol, self.showing)
        return b""

    def _streamed(self, t_ns: int) -> bytes:
        if self._due_ns is not None and t_ns < self._due_ns:
            return b""
        self._due_ns = t_ns + STREAM_MS * NS_PER_MS
        return frame(self.protocol, self.showing)


def frame(protocol: Protocol, showing: Showing) -> bytes:
    """Return the bytes of what a scale shows, parity not yet put on."""
    return _FRAMES[protocol.name](showing)


def _number(showing: Showing, width: int) -> str:
    """Return kilograms with three decimals, the sign first, filled up with zeros."""
    sign = "-" if showing.mass_mg < 0 else ""
    grams = abs(showing.mass_mg) // MG_PER_G
    return sign + f"{grams // 1000:d}.{grams % 1000:03d}".rjust(width - len(sign), "0")


def _toledo(showing: Showing) -> bytes:
    return _toledo_with(showing, _number(showing, 6))


def _toledo_lb(showing: Showing) -> bytes:
    centi_pounds = abs(showing.mass_mg) * 1_000 // UG_PER_CENTI_POUND
    return _toledo_with(showing, f"{centi_pounds // 100:03d}.{centi_pounds % 100:02d}")


def _toledo_with(showing: Showing, number: str) -> bytes:
    if showing.kind == Kind.STABLE:
        return b"\x02%s%s\r" % (number.encode(), b"N" if showing.net else b"")
    # Its only words for a scale that is out of order are bits that mean something else, so it sends the bare status.
    bits = {Kind.MOVING: 0x01, Kind.OVER: 0x02, Kind.UNDER: 0x04, Kind.NEGATIVE: 0x04}.get(showing.kind, 0)
    return b"\x02?%c\r" % (0x40 | bits | (0x20 if showing.net else 0))


def _nci(showing: Showing) -> bytes:
    first = 0x30 | (showing.kind == Kind.MOVING) | 0x02 * (showing.mass_mg == 0) | 0x08 * (showing.kind == Kind.FAULTY)
    second = 0x70 | (showing.kind == Kind.UNDER) | 0x02 * (showing.kind == Kind.OVER)
    status = b"\n%c%c%c\r\x03" % (first, second, 0x30 | 0x04 * showing.net)
    if showing.kind in (Kind.UNDER, Kind.OVER, Kind.FAULTY):
        return status
    return b"\n%skg\r%s" % (_number(showing, 7).encode(), status)


def _mt_sics(showing: Showing) -> bytes:
    words = {Kind.OVER: b"S +\r\n", Kind.UNDER: b"S -\r\n", Kind.FAULTY: b"S I\r\n"}
    if showing.kind in words:
        return words[showing.kind]
    state = b"D" if showing.kind == Kind.MOVING else b"S"
    return b"S %s %s kg\r\n" % (state, _number(showing, 5).rjust(10).encode())


def _cas_ecr(showing: Showing) -> bytes:
    if showing.kind == Kind.UNDER:  # the protocol has no word for it, so the scale refuses
        return cas_ecr.NAK
    state = "U" if showing.kind == Kind.MOVING else "S"
    sign = "-" if showing.mass_mg < 0 else " "
    number = _number(Showing(showing.kind, abs(showing.mass_mg)), 6)
    if showing.kind == Kind.OVER:
        sign, number = "F", "FFFFFF"
    block = f"{state}{sign}{number}kg".encode()
    check = 0
    for byte in block:
        check ^= byte
    return b"\x01\x02%s%c\x03\x04" % (block, check)


def _cas_22(showing: Showing) -> bytes:
    if showing.kind in (Kind.FAULTY, Kind.UNDER):  # the protocol has no word for under
        return b"ERR 02\r\n"
    state = {Kind.OVER: b"OL", Kind.MOVING: b"US"}.get(showing.kind, b"ST")
    lamps = 0x80 | 0x40 * (state == b"ST") | 0x04 * (not showing.net) | 0x02 * showing.net
    return b"%s,%s,1%c,%s kg\r\n" % (state, b"NT" if showing.net else b"GS", lamps, _number(showing, 8).encode())


def _sma(showing: Showing) -> bytes:
    status = {Kind.OVER: "O", Kind.UNDER: "U", Kind.FAULTY: "E"}.get(showing.kind, "Z" if not showing.mass_mg else " ")
    number = "----------" if showing.kind == Kind.FAULTY else _number(showing, 5).rjust(10)
    motion = "M" if showing.kind == Kind.MOVING else " "
    return f"\n{status}1{'N' if showing.net else 'G'}{motion} {number}kg_\r".encode()


_FRAMES: dict[str, Callable[[Showing], bytes]] = {
    "toledo-8217": _toledo,
    "toledo-8217-lb": _toledo_lb,
    "nci": _nci,
    "mt-sics": _mt_sics,
    "cas-ecr": _cas_ecr,
    "cas-22": _cas_22,
    "sma": _sma,
}
