"""One simulated cart and what listens to it: wire bytes into decoder and weight, as the daemon has them, in host time.

The same decoded readings go to the plateau method, so that both are judged on the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cart.core.events import CellAccelerated, CellFault, LoadSampled
from cart.core.weight import Calibration, Limits, accelerated, faulted, initial, sampled, ticked
from cart.core.weight_values import Told
from cart.sim.physics import Params, Platform, Sample
from cart.sim.weighing.plateau import Plateau, PlateauStep
from cart.sim.wire_out import Converter
from cart.wire.cell_events import CellEvent, CellEvents

AHEAD_US = 250_000
"""So much is simulated at a time; it is told conversion by conversion all the same."""

TICK_MS = 100
FLAGS_UNUSABLE = 0x5F
TRACE_EVERY = 8
"""Readings to a point of the trace: 10 a second."""

Spoil = Callable[[Sample, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was told, and when: ms of the world's time, at which the daemon would know it."""

    t_ms: int
    event: Told


class Feed:
    """A platform, its line, and who listens.

    told      what the weight told, in order;  plateau_told: the same of the plateau method
    trace     (t_ms, mean load in mg) for drawing
    spoil     what happens to each conversion's lines on their way; may be set at any time
    """

    def __init__(self, platform: Platform, *, with_imu: bool = True) -> None:
        """Begin before the first reading; the calibration is the one that the platform has by construction."""
        p: Params = platform.params
        self.platform = platform
        self.told: list[Heard] = []
        self.plateau_told: list[PlateauStep] = []
        self.trace: list[tuple[int, int]] = []
        self.spoil: Spoil | None = None
        self.now_ms = 0
        self._converter = Converter(platform)
        self._events = CellEvents()
        self._calibration = Calibration(p.counts_per_kg, p.zero_counts)
        self.weight = initial(self._calibration, Limits(samples_per_s=p.samples_per_s))
        self._plateau = Plateau(p.samples_per_s)
        self._with_imu = with_imu
        self._period_us = 1_000_000 // p.samples_per_s
        self._conversions = 0
        self._drawn: list[int] = []
        self._tick_ms = 0

    def reboot(self) -> None:
        """Let the converter start anew, as after it was plugged in again."""
        self._converter.reboot()
        self._events = CellEvents()

    def run(self, duration_us: int) -> None:
        """Let time pass."""
        end_us = self.platform.now_us + duration_us
        while (now_us := self.platform.now_us) + 1_000 <= end_us:
            for sample, lines in self._converter.spoken_until(min(now_us + AHEAD_US, end_us)):
                self.now_ms = self._conversions * self._period_us // 1_000
                self._conversions += 1
                self._deliver(self.spoil(sample, lines) if self.spoil else lines)

    def _deliver(self, data: bytes) -> None:
        t_ns = self.now_ms * 1_000_000
        for event in self._events.feed(data, t_ns):
            self._take(event)
        if self.now_ms - self._tick_ms >= TICK_MS:
            self._tick_ms = self.now_ms
            self.weight, told = ticked(self.weight, t_ns)
            self._note(told)

    def _take(self, event: CellEvent) -> None:
        match event:
            case LoadSampled():
                self.weight, told = sampled(self.weight, event)
                self._note(told)
                self._listen(event)
            case CellAccelerated() if self._with_imu:
                self.weight, told = accelerated(self.weight, event)
                self._note(told)
            case CellFault():
                self.weight, told = faulted(self.weight, event)
                self._note(told)

    def _note(self, told: tuple[Told, ...]) -> None:
        self.told += [Heard(self.now_ms, event) for event in told]

    def _listen(self, event: LoadSampled) -> None:
        """Hand the readings to the plateau method and to the trace."""
        for counts, flags in zip(event.counts, event.flags, strict=True):
            if flags & FLAGS_UNUSABLE:
                continue
            mass_mg = self._calibration.mass_mg(counts)
            found = self._plateau.take(mass_mg, self.now_ms)
            if found is not None:
                self.plateau_told.append(found)
            self._drawn.append(mass_mg)
            if len(self._drawn) == TRACE_EVERY:
                self.trace.append((self.now_ms, sum(self._drawn) // TRACE_EVERY))
                self._drawn = []
