"""Watch the load cell live: weight, raw counts, noise, rate, flags, state and events.

  cart scale watch                             the scale of cart.toml
  cart scale watch --device serial:/dev/ttyACM0
  cart scale watch --device file:lines.txt     a recorded stream, at the speed of its own clock
  cart scale watch --device simulated          a practice cell: + puts something in, - takes it out

q or Ctrl-C ends it. Where the output is no terminal, or with -o json, one line a second. The port is for one program at
a time: a running cart has it (SCALE-PORT-BUSY), and `cart doctor` tells that cart's rate and noise.
"""

from __future__ import annotations

import argparse
import json
import logging
import queue
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cart import config
from cart.clock import SystemClock
from cart.commands.config import file_in_use
from cart.commands.doctor import settings_in_use
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
from cart.core.weight_values import NO_DATA, OK, Calibration, Limits, LoadState, Standstill, Step, Told
from cart.edge import terminal
from cart.edge.calibration_file import read_calibration
from cart.faults import EXIT_FAILED, EXIT_OK, Fault
from cart.findings import BAD

if TYPE_CHECKING:
    from cart.ports import Source
    from cart.sim.practice_cell import PracticeCell

SECOND_NS = 1_000_000_000
REDRAW_NS = 100_000_000
TICK_NS = 100_000_000
WAIT_S = 0.02
TRACE_MAX = 1_000
EVENTS_MAX = 8
FLAG_NAMES = {
    0x01: "saturated", 0x02: "desync", 0x04: "overrun", 0x08: "first", 0x10: "power_low", 0x20: "temperature",
    0x40: "config",
}  # fmt: skip
LOST = "unplugged"
UNCALIBRATED = Calibration(counts_per_kg=1_000_000, zero_counts=0)
"""Without a record a count is shown as a milligram, and called a count."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `cart scale watch` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument("--device", metavar="D", help="serial:PORT, file:PATH or simulated, instead of cart.toml's")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="calibration record, instead of cart.toml's")
    parser.add_argument("--seconds", type=int, metavar="N", help="end after so long")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: a line a second")


def run(args: argparse.Namespace) -> int:
    """Watch until the end; 1 where no reading came at all."""
    clock = SystemClock()
    settings, source, cell = device_in_use(args, clock)
    calibration = _calibration(args.calibration or Path(settings.scale.calibration), practice=cell is not None)
    view = View(calibration, _limits(settings), clock.monotonic_ns())
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    source.start(events.put)
    try:
        with log_unheard():
            _show(args, view, events, clock, cell)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        source.stop()
    return EXIT_OK if view.readings else EXIT_FAILED


def _show(
    args: argparse.Namespace, view: View, events: queue.SimpleQueue[Event], clock: SystemClock, cell: Any | None
) -> None:
    if args.output == "text" and terminal.is_one(sys.stdin, sys.stdout):
        _draw(view, events, clock, args.seconds, cell)
    else:
        _print(view, events, clock, args.seconds, as_json=args.output == "json")


@contextmanager
def log_unheard() -> Iterator[None]:
    """Keep the driver's log off the screen: what it says is shown there anyhow."""
    log = logging.getLogger("cart.scale")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def device_in_use(args: argparse.Namespace, clock: SystemClock) -> tuple[config.Config, Source, PracticeCell | None]:
    """Return configuration, source of readings, and the practice cell where there is no other.

    args  with config and device; "simulated" is a practice cell of this process: a bench's own cell is its daemon's
    """
    settings, finding = settings_in_use(args.config)
    if finding.state == BAD:
        settings = config.load(file_in_use(args.config))  # for its fault: never a practice cell instead of the real one
    device = args.device or settings.scale.device
    kind, colon, place = device.partition(":")
    if device != "simulated" and not (kind in ("serial", "file") and colon and place):
        raise Fault("SCALE-DEVICE", f"{device!r} is not serial:PORT, file:PATH or simulated")
    if device == "simulated":
        from cart.edge.scale import ScaleReader
        from cart.sim.practice_cell import PracticeCell

        cell = PracticeCell(clock)
        return settings, ScaleReader(lambda: cell, clock), cell
    from cart.app import scale_reader

    settings = config.changed(settings, scale={"device": device})
    return settings, scale_reader(settings.scale, Path(settings.cart.run_dir), clock), None


def _calibration(path: Path, *, practice: bool) -> Calibration | None:
    if practice:
        from cart.sim.physics import Params

        return Calibration(Params().counts_per_kg, Params().zero_counts)
    try:
        return read_calibration(path).calibration()
    except Fault as fault:
        print(f"cart: {fault}: raw counts only", file=sys.stderr)
        return None


def _limits(settings: config.Config) -> Limits:
    return Limits(**config.to_dict(settings)["weight"])


# -- what is known -----------------------------------------------------------------


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
                text = f"{_grams(value.delta_mg, plus=True)} +-{_grams(value.sigma_mg)} {value.motion}{sure}"
                step = {"id": value.id, "delta_mg": value.delta_mg, "sigma_mg": value.sigma_mg, "final": value.final}
                self._say(t_ns, step, text)

    def _say(self, t_ns: int, fact: dict[str, Any], text: str) -> None:
        t_ms = (t_ns - self.began_ns) // 1_000_000
        self.said.append(f"{t_ms // 1_000:6}.{t_ms % 1_000 // 100} s  {text}")
        self.unread.append({"t_ms": t_ms, **fact})


# -- how it is shown ------------------------------------------------------------------


def _draw(
    view: View, events: queue.SimpleQueue[Event], clock: SystemClock, seconds: int | None, cell: Any | None
) -> None:
    keys = {"+": lambda: cell.toss(more=True), "-": lambda: cell.toss(more=False)} if cell else {}
    with terminal.Terminal() as screen:
        drawn_ns = 0
        while not _over(view, clock, seconds):
            _drain(view, events, clock)
            if clock.monotonic_ns() - drawn_ns >= REDRAW_NS:
                drawn_ns = clock.monotonic_ns()
                screen.draw(_lines(view, terminal.width(), practice=cell is not None))
            key = screen.key(WAIT_S)
            if key in ("q", "\x04"):
                return
            if key in keys:
                keys[key]()


def _print(
    view: View, events: queue.SimpleQueue[Event], clock: SystemClock, seconds: int | None, *, as_json: bool
) -> None:
    show: Callable[[View, int], str] = _json_line if as_json else _text_line
    printed = 0
    while not _over(view, clock, seconds):
        _drain(view, events, clock, wait_s=WAIT_S)
        passed = (clock.monotonic_ns() - view.began_ns) // SECOND_NS
        if passed > printed:
            printed = passed
            print(show(view, passed), flush=True)
            view.unread.clear()


def _over(view: View, clock: SystemClock, seconds: int | None) -> bool:
    # A little more than the seconds, so that the last one's line is printed too.
    return seconds is not None and clock.monotonic_ns() - view.began_ns > seconds * SECOND_NS + 2 * REDRAW_NS


def _drain(view: View, events: queue.SimpleQueue[Event], clock: SystemClock, wait_s: float = 0.0) -> None:
    """Take all events that are there, and wait for the first where told to."""
    try:
        view.take(events.get(timeout=wait_s) if wait_s else events.get_nowait())
        while True:
            view.take(events.get_nowait())
    except queue.Empty:
        view.tick(clock.monotonic_ns())


def _lines(view: View, width: int, *, practice: bool) -> list[str]:
    """Return the picture: what is now, the trace of the last time, what happened."""
    now = view.now_counts()
    noise_mg = view.noise_mg()
    noise = "" if noise_mg is None else f" = {_grams(noise_mg)}"
    lines = [
        f"weight   {_weight(view)}",
        f"counts   {now:,}{_each(view)}" if now is not None else "counts   -",
        f"noise    {view.noise_milli() // 1_000} counts{noise} rms over 1 s",
        f"rate     {_rate(view)} a second of {view.limits.samples_per_s};  {view.dropped} lost",
        f"flags    {flags_named(view.last_flags)}",
        f"cell     {_cell(view)}",
        "",
        *_traced(view, width),
        "",
        *view.said,
    ]
    lines += [""] * (EVENTS_MAX - len(view.said))
    lines.append("q ends" + ("   + puts something in   - takes it out" if practice else ""))
    return lines


def _traced(view: View, width: int) -> list[str]:
    points = list(view.trace)[-(width - 12) :]
    if not points:
        return ["trace    -", ""]
    least, most = view.mass_mg(min(points)), view.mass_mg(max(points))
    if view.calibration and view.calibration.counts_per_kg < 0:
        points, least, most = [-p for p in points], most, least
    ends = f"{min(points):,} to {max(points):,} counts"
    if least is not None and most is not None:
        ends = f"{_grams(least)} to {_grams(most)}"
    return [f"trace    {terminal.spark(points)}", f"         {ends} over {len(points) // 10} s"]


def _weight(view: View) -> str:
    """Return the weight in words: standing, moving, or why there is none. Never a number without a state."""
    if view.state != OK:
        return f"none: {view.state}"
    if view.calibration is None:
        return "none: uncalibrated"
    now_mg = view.mass_mg(view.now_counts())
    if view.stands_mg is not None:
        return f"{_grams(view.weight.gross_mg or view.stands_mg)}  stands"
    return f"about {_grams(now_mg)}  {view.weight.motion}, not at rest" if now_mg is not None else "none: no_data"


def _text_line(view: View, second: int) -> str:
    noise_mg = view.noise_mg()
    parts = [
        f"{second:5} s",
        f"{view.state:<11}",
        _weight(view) if view.state == OK else "no weight",
        f"{view.now_counts() if view.now_counts() is not None else '-'} counts",
        f"noise {_grams(noise_mg)}" if noise_mg is not None else f"noise {view.noise_milli() // 1_000} counts",
        f"{_rate(view)}/s",
        f"flags {flags_named(view.last_flags)}",
        f"lost {view.dropped}",
    ]
    said = [f"        {fact}" for fact in list(view.said)[-len(view.unread) :]] if view.unread else []
    return "\n".join([*said, "  ".join(parts)])


def _json_line(view: View, second: int) -> str:
    return json.dumps(
        {
            "t_s": second,
            "state": view.state,
            "gross_mg": view.stands_mg if view.state == OK else None,
            "about_mg": view.mass_mg(view.now_counts()),
            "counts": view.now_counts(),
            "cells": view.cells,
            "noise_counts_milli": view.noise_milli(),
            "noise_mg": view.noise_mg(),
            "rate_milli": view.rate_milli(),
            "flags": flags_named(view.last_flags),
            "readings": view.readings,
            "dropped": view.dropped,
            "motion": view.weight.motion,
            "serial": view.identity.serial if view.identity else None,
            "centi_c": view.centi_c,
            "events": view.unread,
        }
    )


def _each(view: View) -> str:
    """Return what each cell reads, where there are four: front left, front right, rear left, rear right."""
    return f"   cells {'  '.join(f'{cell:,}' for cell in view.cells)}" if view.cells else ""


def _rate(view: View) -> str:
    return f"{view.rate_milli() // 1_000}.{view.rate_milli() % 1_000 // 100}"


def _cell(view: View) -> str:
    if view.identity is None:
        return "has not said who it is"
    who = view.identity
    warm = "" if view.centi_c is None else f", {view.centi_c / 100:.1f} C"
    return f"{who.serial}, {who.chip} gain {who.gain}, {who.samples_per_s}/s, firmware {who.firmware}{warm}"


def flags_named(flags: int) -> str:
    """Return the names of the flags that are set, "none" without."""
    return ", ".join(name for bit, name in FLAG_NAMES.items() if flags & bit) or "none"


def _grams(value_mg: int, *, plus: bool = False) -> str:
    sign = "-" if value_mg < 0 else "+" if plus else ""
    return f"{sign}{abs(value_mg) // 1_000:,}.{abs(value_mg) % 1_000 // 100} g"
