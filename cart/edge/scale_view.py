"""What a live scale shows: weight, noise, rate, flags, state by name, and what happened; for `cart scale watch`."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from math import isqrt
from typing import Any

from cart.core import weight
from cart.core.events import (
    CellAccelerated,
    CellFault,
    CellIdentified,
    CellTemperature,
    Event,
    LoadSampled,
    SourceBack,
    SourceLost,
)
from cart.core.weight_values import NO_DATA, OK, Alarm, Calibration, Case, Limits, LoadState, Standstill, Step, Told

SECOND_NS = 1_000_000_000
TICK_NS = 100_000_000
TRACE_MAX = 1_000
EVENTS_MAX = 8
FLAG_NAMES = {
    0x01: "saturated", 0x02: "desync", 0x04: "overrun", 0x08: "first", 0x10: "power_low", 0x20: "temperature",
    0x40: "config",
}  # fmt: skip
LOST = "unplugged"
UNCALIBRATED = Calibration(counts_per_kg=1_000_000, zero_counts=0)
"""Without a record a count is shown as a milligram, and called a count."""


@dataclass
class View:
    """What the scale said so far, and what of it is shown.

    calibration  None: counts are shown, and no weight
    """

    calibration: Calibration | None
    limits: Limits
    began_ns: int
    readings: int = 0
    lost: bool = False
    stands_mg: int | None = None
    last_flags: int = 0
    cells: tuple[int, ...] = ()
    centi_c: int | None = None
    identity: CellIdentified | None = None
    dropped: int = 0
    said: deque[str] = field(default_factory=lambda: deque(maxlen=EVENTS_MAX))
    trace: deque[int] = field(default_factory=lambda: deque(maxlen=TRACE_MAX))
    recent: deque[tuple[int, int, int]] = field(default_factory=deque)
    unread: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin before the first reading."""
        self.weight = weight.initial(self.calibration or UNCALIBRATED, self.limits)
        self._tick_ns = self.began_ns
        self._traced_ns = self.began_ns

    @property
    def state(self) -> str:
        """The scale's state by name."""
        if self.lost:
            return LOST
        return self.weight.health.state if self.readings else NO_DATA

    def take(self, event: Event) -> None:
        """Note one event of the driver."""
        match event:
            case LoadSampled():
                self._sampled(event)
            case CellAccelerated():
                self._told(weight.accelerated(self.weight, event), event.t_ns)
            case CellFault():
                self._say(event.t_ns, {"fault": event.code, "text": event.text}, f"{event.code} {event.text}")
                self._told(weight.faulted(self.weight, event), event.t_ns)
            case CellIdentified():
                self.identity = event
            case CellTemperature():
                self.centi_c = event.centi_c
            case SourceLost():
                self.lost, self.stands_mg = True, None
                self._say(event.t_ns, {"lost": event.reason}, f"lost: {event.reason}")
            case SourceBack():
                self.lost = False
                self._say(event.t_ns, {"back": True}, "the port is back")

    def tick(self, t_ns: int) -> None:
        """Let time pass: silence has a name after 0.3 s."""
        if t_ns - self._tick_ns >= TICK_NS:
            self._tick_ns = t_ns
            self._told(weight.ticked(self.weight, t_ns), t_ns)
        if t_ns - self._traced_ns >= TICK_NS:
            self._traced_ns = t_ns
            if self.state == OK and (now := self.now_counts()) is not None:
                self.trace.append(now)

    def now_counts(self) -> int | None:
        """Return the mean of the last second's counts; None without."""
        return sum(counts for _, counts, _ in self.recent) // len(self.recent) if self.recent else None

    def noise_milli(self) -> int:
        """Return the standard deviation of the last second's counts in thousandths."""
        n, counts = len(self.recent), [counts for _, counts, _ in self.recent]
        if n < 2:
            return 0
        return isqrt((n * sum(c * c for c in counts) - sum(counts) ** 2) * 1_000_000) // n

    def rate_milli(self) -> int:
        """Return readings per 1,000 s over the last second, by the converter's clock."""
        if len(self.recent) < 2:
            return 0
        span_us = (self.recent[-1][2] - self.recent[0][2]) % (1 << 32)
        return (len(self.recent) - 1) * 1_000_000_000 // span_us if span_us else 0

    def mass_mg(self, counts: int | None) -> int | None:
        """Return what counts weigh; None without a calibration, or while the scale has no weight."""
        if counts is None or self.calibration is None or self.state != OK:
            return None
        return self.calibration.mass_mg(counts)

    def noise_mg(self) -> int | None:
        """Return the noise as mass; None without a calibration."""
        return self.noise_milli() * 1_000 // abs(self.calibration.counts_per_kg) if self.calibration else None

    def _sampled(self, event: LoadSampled) -> None:
        self.readings += len(event.counts)
        self.dropped += event.dropped
        self.last_flags = event.flags[-1]
        self.cells = event.channels[-1] if event.channels else ()
        calibration = self.calibration or UNCALIBRATED
        cells = event.channels or ((),) * len(event.counts)
        for t_us, counts, channels in zip(event.t_us, event.counts, cells, strict=True):
            self.recent.append((event.t_ns, calibration.summed(counts, channels), t_us))
        self._forget(event.t_ns)
        self._told(weight.sampled(self.weight, event), event.t_ns)

    def _forget(self, t_ns: int) -> None:
        while self.recent and t_ns - self.recent[0][0] > SECOND_NS:
            self.recent.popleft()

    def _told(self, result: tuple[weight.WeightState, tuple[Told, ...]], t_ns: int) -> None:
        self.weight, told = result
        for value in told:
            self._note(value, t_ns)

    def _note(self, value: Told, t_ns: int) -> None:
        match value:
            case LoadState(state=state):
                self.stands_mg = None
                if state != OK:
                    self.recent.clear()
                self._say(t_ns, {"state": state}, f"state: {state}")
            case Standstill(gross_mg=gross_mg) if self.calibration:
                self.stands_mg = gross_mg
            case Step() if self.calibration:
                self.stands_mg = None
                sure = "" if value.final else "  ?"
                text = f"{grams(value.delta_mg, plus=True)} +-{grams(value.sigma_mg)} {value.motion}{sure}"
                step = {"id": value.id, "delta_mg": value.delta_mg, "sigma_mg": value.sigma_mg, "final": value.final}
                if value.place:
                    text += f" at {value.place.x_mm:+} fore, {value.place.y_mm:+} left, +-{value.place.sigma_mm} mm"
                    step["place"] = asdict(value.place)
                self._say(t_ns, step, text)
            case Alarm():
                self._say(t_ns, {"alarm": value.alarm}, f"something happens: {value.alarm}")
            case Case():
                self._say(t_ns, {"case": value.case}, f"case: {value.case}")

    def _say(self, t_ns: int, fact: dict[str, Any], text: str) -> None:
        t_ms = (t_ns - self.began_ns) // 1_000_000
        self.said.append(f"{t_ms // 1_000:6}.{t_ms % 1_000 // 100} s  {text}")
        self.unread.append({"t_ms": t_ms, **fact})


def flags_named(flags: int) -> str:
    """Return the names of the flags that are set, "none" without."""
    return ", ".join(name for bit, name in FLAG_NAMES.items() if flags & bit) or "none"


def grams(value_mg: int, *, plus: bool = False) -> str:
    """Return a mass in grams, to 0.1 g."""
    sign = "-" if value_mg < 0 else "+" if plus else ""
    return f"{sign}{abs(value_mg) // 1_000:,}.{abs(value_mg) % 1_000 // 100} g"
