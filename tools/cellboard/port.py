"""The cell's port, for a few seconds."""

from collections.abc import Callable
from pathlib import Path

import serial

from cart.clock import SystemClock
from cart.wire.loadcell import Decoder, Value
from tools.cellboard.refused import HARDWARE, Refused

BAUD = 115_200
"""Meaningless on USB, but a port wants one."""

NS_PER_S = 1_000_000_000


def opened(port: Path) -> serial.Serial:
    """Return the open port."""
    try:
        return serial.Serial(str(port), BAUD, timeout=0.1, write_timeout=1, exclusive=True)
    except (OSError, ValueError) as error:
        raise Refused(f"{port}: {error} (sudo systemctl stop cart.service?)", HARDWARE) from None


def heard(
    line: serial.Serial,
    listen_s: float,
    decoder: Decoder | None = None,
    enough: Callable[[Value], bool] = lambda value: False,
) -> list[Value]:
    """Return what the cell says within so many seconds; ends early with a value that is enough, or without a port."""
    clock, decoder = SystemClock(), decoder or Decoder()
    values: list[Value] = []
    deadline_ns = clock.monotonic_ns() + listen_s * NS_PER_S
    while clock.monotonic_ns() < deadline_ns and not any(map(enough, values)):
        try:
            values += decoder.feed(line.read(line.in_waiting or 1))
        except OSError:
            break
    return values
