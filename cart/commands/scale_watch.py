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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cart import config
from cart.clock import SystemClock
from cart.commands.config import file_in_use
from cart.commands.doctor import settings_in_use
from cart.core.events import Event, SourceLost
from cart.core.weight_values import OK, Calibration, Limits
from cart.edge import terminal
from cart.edge.calibration_file import read_calibration
from cart.edge.scale_view import EVENTS_MAX, View, flags_named, grams
from cart.faults import EXIT_FAILED, EXIT_OK, FAULTS, Fault
from cart.findings import BAD

if TYPE_CHECKING:
    from cart.ports import Source
    from cart.sim.practice_cell import PracticeCell

SECOND_NS = 1_000_000_000
REDRAW_NS = 100_000_000
WAIT_S = 0.02


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
    try:
        with log_unheard():
            source.start(events.put)
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
    """Take all events that are there, waiting for the first where told to; Fault where waiting is of no use."""
    try:
        event = events.get(timeout=wait_s) if wait_s else events.get_nowait()
        while True:
            if isinstance(event, SourceLost) and not view.readings:
                _refuse(event.reason)
            view.take(event)
            event = events.get_nowait()
    except queue.Empty:
        view.tick(clock.monotonic_ns())


def _refuse(reason: str) -> None:
    """Raise the fault of a port that would still be refused in a minute; one that is missing may be plugged in."""
    code, _, detail = reason.partition(": ")
    if code in FAULTS and code != "SCALE-PORT-MISSING":
        raise Fault(code, detail)


def _lines(view: View, width: int, *, practice: bool) -> list[str]:
    """Return the picture: what is now, the trace of the last time, what happened."""
    now = view.now_counts()
    noise_mg = view.noise_mg()
    noise = "" if noise_mg is None else f" = {grams(noise_mg)}"
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
        ends = f"{grams(least)} to {grams(most)}"
    return [f"trace    {terminal.spark(points)}", f"         {ends} over {len(points) // 10} s"]


def _weight(view: View) -> str:
    """Return the weight in words: standing, moving, or why there is none. Never a number without a state."""
    if view.state != OK:
        return f"none: {view.state}"
    if view.calibration is None:
        return "none: uncalibrated"
    now_mg = view.mass_mg(view.now_counts())
    if view.stands_mg is not None:
        followed_mg = view.weight.gross_mg  # None for a moment; 0 is a weight
        return f"{grams(view.stands_mg if followed_mg is None else followed_mg)}  stands"
    return f"about {grams(now_mg)}  {view.weight.motion}, not at rest" if now_mg is not None else "none: no_data"


def _text_line(view: View, second: int) -> str:
    noise_mg = view.noise_mg()
    parts = [
        f"{second:5} s",
        f"{view.state:<11}",
        _weight(view) if view.state == OK else "no weight",
        f"{view.now_counts() if view.now_counts() is not None else '-'} counts",
        f"noise {grams(noise_mg)}" if noise_mg is not None else f"noise {view.noise_milli() // 1_000} counts",
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
