"""Asks a shop scale over a serial port, and finds the port again when it was unplugged.

No decisions here: `cart/wire/shop_scales` says what to send, what an answer means and when silence has a name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cart.edge.scale import LOST, SerialLine
from cart.faults import Fault
from cart.wire.shop_scales.indication import Indication, Kind
from cart.wire.shop_scales.poller import poller, step
from cart.wire.shop_scales.protocols import PROTOCOLS, by_name
from cart.wire.shop_scales.protocols import Protocol as ScaleProtocol

if TYPE_CHECKING:
    from cart.ports import Clock

log = logging.getLogger("cart.shop_scale")

WRITE_TIMEOUT_S = 0.5
"""A question is at most five bytes; a port that takes none for so long is as good as gone."""

RETRY_NS = 250_000_000

PORT_NAMES = ("serial/by-id/*", "ttyUSB*", "ttyACM*", "ttyAMA*")


class TwoWayLine(Protocol):
    """Bytes from and to a scale."""

    def read(self) -> bytes:
        """Return what is there without waiting; one of LOST when the device is gone."""

    def write(self, data: bytes) -> None:
        """Send; one of LOST when the device is gone."""

    def close(self) -> None:
        """Free the device; safe to call twice."""


class ShopLine(SerialLine):
    """A serial port that can also be written to, open as 8N1: parity is checked in cart/wire/shop_scales/line.py.

    Raises Fault SHOP-SCALE-PORT, which names the ports that there are.
    """

    def __init__(self, url: str, baud: int) -> None:
        try:
            super().__init__(url, baud, write_timeout_s=WRITE_TIMEOUT_S)
        except Fault as fault:
            raise Fault("SHOP-SCALE-PORT", f"{fault.detail}; ports here: {ports_here()}") from None

    def write(self, data: bytes) -> None:
        """Send all of it within WRITE_TIMEOUT_S."""
        if data:
            self._port.write(data)


class ShopScale:
    """A shop scale on a line; `look` often, from one thread.

    fault  why there is no line, None while there is one
    """

    def __init__(
        self, open_line: Callable[[], TwoWayLine], protocol: ScaleProtocol, clock: Clock, framing: str | None = None
    ) -> None:
        """Use the line that `open_line` gives; it is opened by the first `look`, or by `open`."""
        self._open_line = open_line
        self._clock = clock
        self._fresh = poller(protocol, framing)
        self._poller = self._fresh
        self._line: TwoWayLine | None = None
        self._retry_ns = 0
        self.fault: Fault | None = None

    def open(self) -> None:
        """Open the line now; Fault when that is not possible."""
        self._line, self._poller, self.fault = self._open_line(), self._fresh, None

    def look(self) -> tuple[Indication, ...]:
        """Send what is due and return what the scale said; does not wait. Call it every 10 to 50 ms.

        A port that is lost, or cannot be opened again, is a silent scale, told once every time it is tried.
        """
        if self._line is None:
            return self._try_again()
        try:
            self._poller, send, told = step(self._poller, self._clock.monotonic_ns(), self._line.read())
            self._line.write(send)
        except LOST as error:
            return self._lose(Fault("SHOP-SCALE-PORT", str(error)))
        return told

    def close(self) -> None:
        """Free the port; safe to call twice."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _try_again(self) -> tuple[Indication, ...]:
        if self._clock.monotonic_ns() < self._retry_ns:
            return ()
        try:
            self.open()
        except Fault as fault:
            return self._lose(fault)
        return ()

    def _lose(self, fault: Fault) -> tuple[Indication, ...]:
        if self.fault is None:
            log.warning("%s", fault)
        self.close()
        self.fault = fault
        self._retry_ns = self._clock.monotonic_ns() + RETRY_NS
        return (Indication(Kind.SILENT, why=str(fault)),)


def find_protocol(name: str) -> ScaleProtocol:
    """Return the row of that name; Fault SHOP-SCALE-PROTOCOL, with all names, when there is none."""
    row = by_name(name)
    if row is None:
        raise Fault("SHOP-SCALE-PROTOCOL", f"{name!r} is none of {', '.join(row.name for row in PROTOCOLS)}")
    return row


def ports_here(devices: Path = Path("/dev")) -> str:
    """Return the names of the serial ports of this machine, stable names first, or "none"."""
    found = [str(path) for name in PORT_NAMES for path in sorted(devices.glob(name))]
    return ", ".join(found) or "none"
