"""A load cell's line on a pseudo-terminal, in real time: cable, converter, and the real driver with the weight.

Used by `measure_port` and by the tests of the driver; nothing else of the cart runs.
"""

from __future__ import annotations

import os
import queue
import random
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cart.clock import SystemClock
from cart.core import weight
from cart.core.events import CellAccelerated, CellFault, Event, LoadSampled, SourceBack, SourceLost
from cart.core.weight_values import Calibration, Standstill, Told
from cart.edge.scale import ScaleReader, SerialLine
from cart.wire.loadcell import encode_weight

CALIBRATION = Calibration(counts_per_kg=52_429, zero_counts=335_432)
NOISE_COUNTS = 38
PERIOD_NS = 12_500_000
TICK_NS = 100_000_000
DEADLINE_NS = 20_000_000_000


class Cable:
    """A pseudo-terminal whose slave has a name that stays, as a udev rule gives it; its number may change."""

    def __init__(self, folder: Path) -> None:
        """Plug in."""
        self.name = folder / "cart-loadcell"
        self.master = self.slave = -1
        self._kept: list[int] = []
        self.plug()

    def plug(self) -> None:
        """Make a new terminal under the same name."""
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(self.slave))

    def unplug(self) -> None:
        """Take it away."""
        self.name.unlink()
        os.close(self.slave)
        os.close(self.master)

    def take_number(self) -> None:
        """Let another device have the number that is free now, so that ours comes back under a new one."""
        self._kept += os.openpty()

    def send(self, data: bytes) -> None:
        """Send what fits; the rest is lost, as on a real line that nobody reads."""
        try:
            os.write(self.master, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Free everything."""
        for descriptor in (self.master, self.slave, *self._kept):
            try:
                os.close(descriptor)
            except OSError:
                continue


@dataclass
class Converter:
    """A load cell's converter: line after line, 80 a second unless told otherwise."""

    load_mg: int = 0
    period_ns: int = PERIOD_NS
    flags: int = 0
    stuck: bool = False
    counts: int | None = None
    seq: int = 0
    t_us: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(11))

    def line(self) -> bytes:
        """Return the next conversion's line."""
        self.seq = (self.seq + 1) % 65_536
        self.t_us = (self.t_us + self.period_ns // 1_000) % (1 << 32)
        noise = 0 if self.stuck else round(self.random.gauss(0, NOISE_COUNTS))
        counts = CALIBRATION.zero_counts + self.load_mg * CALIBRATION.counts_per_kg // 1_000_000 + noise
        return encode_weight(self.seq, self.t_us, counts if self.counts is None else self.counts, self.flags)


class Trial:
    """Cable, driver and weight together, in real time.

    told   what the weight said, with the host time;  lost: whether the port is gone
    voice  what the converter puts on the line instead of its lines; None: its lines
    """

    def __init__(self, folder: Path) -> None:
        """Plug in and begin to read."""
        self.clock = SystemClock()
        self.cable = Cable(folder)
        self.converter = Converter()
        self.voice: Callable[[bytes], bytes] | None = None
        self.told: list[tuple[int, Told]] = []
        self.lost = False
        self.lost_ns = self.back_ns = 0
        self.reason = ""
        self._weight = weight.initial(CALIBRATION)
        self._events: queue.Queue[Event] = queue.Queue(1_000)
        self._reader = ScaleReader(lambda: SerialLine(str(self.cable.name), 115_200, folder), self.clock)
        self._reader.start(self._events.put_nowait)
        self._due_ns = self._tick_ns = self.clock.monotonic_ns()

    @property
    def state(self) -> str:
        """The weight's state, or "lost"."""
        return "lost" if self.lost else self._weight.health.state

    @property
    def gross_mg(self) -> int | None:
        """What the weight says now."""
        return None if self.lost else self._weight.gross_mg

    def until(self, wanted: Callable[[], bool]) -> int:
        """Let real time pass until something is so, and return how long that took in ns; -1 after DEADLINE_NS."""
        began_ns = self.clock.monotonic_ns()
        while not wanted():
            if self.clock.monotonic_ns() - began_ns > DEADLINE_NS:
                return -1
            self._turn()
        return self.clock.monotonic_ns() - began_ns

    def last(self, duration_ns: int) -> None:
        """Let so much real time pass."""
        end_ns = self.clock.monotonic_ns() + duration_ns
        self.until(lambda: self.clock.monotonic_ns() >= end_ns)

    def rest(self, load_mg: int = 0) -> bool:
        """Return True once the weight stands with this load in the basket."""
        self.converter.load_mg = load_mg
        since = len(self.told)
        return self.until(lambda: any(isinstance(told, Standstill) for _, told in self.told[since:])) >= 0

    def since(self, t_ns: int, kind: type) -> list[Told]:
        """Return what the weight told since a moment."""
        return [told for told_ns, told in self.told if told_ns >= t_ns and isinstance(told, kind)]

    def unplug(self) -> None:
        """Pull the plug, and let the reader find out."""
        self.cable.unplug()
        self.until(lambda: self.lost)

    def plug(self) -> None:
        """Put it in again; the converter starts anew."""
        self.converter.seq = self.converter.t_us = 0
        self.cable.plug()
        self._due_ns = self.clock.monotonic_ns()

    def close(self) -> None:
        """End the reader."""
        self._reader.stop()
        self.cable.close()

    def _turn(self) -> None:
        """Send what is due, then take one event or wait for the next conversion."""
        now_ns = self.clock.monotonic_ns()
        while self._due_ns <= now_ns and self.cable.name.is_symlink():
            self._due_ns += self.converter.period_ns
            line = self.converter.line()
            self.cable.send(self.voice(line) if self.voice else line)
        if now_ns - self._tick_ns >= TICK_NS:
            self._tick_ns = now_ns
            self._take(weight.ticked(self._weight, now_ns))
        try:
            self._heard(self._events.get(timeout=PERIOD_NS / 4e9))
        except queue.Empty:
            return

    def _heard(self, event: Event) -> None:
        match event:
            case LoadSampled():
                self._take(weight.sampled(self._weight, event))
            case CellAccelerated():
                self._take(weight.accelerated(self._weight, event))
            case CellFault():
                self._take(weight.faulted(self._weight, event))
            case SourceLost():
                self.lost, self.lost_ns, self.reason = True, event.t_ns, event.reason
            case SourceBack():
                self.lost, self.back_ns = False, event.t_ns

    def _take(self, result: tuple[weight.WeightState, tuple[Told, ...]]) -> None:
        self._weight, told = result
        now_ns = self.clock.monotonic_ns()
        self.told += [(now_ns, value) for value in told]
