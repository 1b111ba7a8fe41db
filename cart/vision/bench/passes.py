"""Things carried through the view at several speeds: the share that is read, how soon, and what each frame costs.

Each thing passes once, and what the loop tells the daemon is held against the code that is really on it. A pass counts
as read when its own code was told at least once, also from what the pass left unread; any other code told is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isinf
from pathlib import Path
from typing import TYPE_CHECKING

from cart import config
from cart.clock import NS_PER_MS
from cart.core.events import Sighted
from cart.sim.weighing.intervals import Interval, quantile, quantile_interval, share_interval
from cart.vision import process
from cart.vision.bench import moving
from cart.vision.bench.sections import NotThere, Picture, Plan, Progress, Result, Table
from cart.vision.crops import Crops
from cart.vision.frames import Watcher
from cart.vision.reader import available_engines

if TYPE_CHECKING:
    from cart.core.events import Event

SPEEDS_M_S = (0.3, 0.6, 1.0, 1.5)
PASSES, PASSES_QUICK = 150, 24
SLOWNESS = (1, 5)
"""As this machine is, and five times slower: what a Pi 4 is taken for, not measured on one."""

NOMINAL_MODULE_MM = 0.33
PICTURES_MAX = 24


@dataclass(slots=True)
class Tally:
    """What became of the passes at one speed on one machine.

    nominal   passes whose code is of nominal size or larger, and how many of them were read
    first_ms  from the thing's first touch of the view to its code being told, of those that were read; `late` of them
              were read after they had left the view
    """

    passes: int = 0
    whole: int = 0
    read: int = 0
    late: int = 0
    wrong: int = 0
    nominal: int = 0
    nominal_read: int = 0
    first_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        """Return the figures for programs."""
        return {
            "passes": self.passes,
            "whole_in_view": self.whole,
            "read": self.read,
            "read_percent": 100 * self.read / self.passes,
            "read_percent_interval": _percents(share_interval(self.read, self.passes)),
            "nominal": self.nominal,
            "nominal_read": self.nominal_read,
            "nominal_read_percent_interval": _percents(share_interval(self.nominal_read, self.nominal)),
            "read_late": self.late,
            "wrong": self.wrong,
            "wrong_percent_high": 100 * share_interval(self.wrong, self.passes)[1],
            "first_ms_median": quantile(self.first_ms, 0.5),
            "first_ms_median_interval": _finite(quantile_interval(self.first_ms, 0.5)),
            "first_ms_p95": quantile(self.first_ms, 0.95),
            "first_ms_p95_interval": _finite(quantile_interval(self.first_ms, 0.95)),
            "frames_median": quantile(self.frames, 0.5),
            "cpu_ms_median": quantile(self.cpu_ms, 0.5),
            "cpu_ms_p95": quantile(self.cpu_ms, 0.95),
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        low, high = share_interval(self.read, self.passes)
        middle = quantile_interval(self.first_ms, 0.5)
        return (
            str(self.passes),
            str(self.whole),
            f"{100 * self.read / self.passes:.1f} ({100 * low:.0f}..{100 * high:.0f})",
            f"{self.nominal_read} of {self.nominal}",
            str(self.late),
            str(self.wrong),
            _ms(quantile(self.first_ms, 0.5)) + f" ({_ms(middle[0])}..{_ms(middle[1])})",
            _ms(quantile(self.first_ms, 0.95)),
            f"{quantile(self.frames, 0.5)}",
            f"{quantile(self.cpu_ms, 0.5) or 0:.1f} / {quantile(self.cpu_ms, 0.95) or 0:.1f}",
        )


HEAD = (
    "m/s",
    "n",
    "whole",
    "read %",
    "nominal",
    "late",
    "wrong",
    "first read ms",
    "p95",
    "frames",
    "CPU ms median / p95",
)


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the tables of the passes; NotThere without a barcode engine."""
    if not available_engines(thorough=False):
        raise NotThere("neither zxing-cpp nor pyzbar is installed")
    count = PASSES_QUICK if plan.quick else PASSES
    pictures: list[Picture] = []
    tables, figures = [], {}
    for slowness in SLOWNESS:
        tallies = {}
        for speed in SPEEDS_M_S:
            progress(f"passes, {speed} m/s" + f", {slowness} times slower" * (slowness > 1))
            tallies[speed] = _passed(speed, count, plan.seed, slowness, pictures if slowness == 1 else [])
        name = "as this machine is" if slowness == 1 else f"on a machine {slowness} times slower"
        rows = tuple((f"{speed}", *tally.row()) for speed, tally in tallies.items())
        tables.append(Table(f"Passes through the view, {name}", HEAD, rows, NOTES if slowness == 1 else ()))
        figures[f"x{slowness}"] = {f"{speed}".replace(".", "_"): tally.figures() for speed, tally in tallies.items()}
    return Result(tuple(tables), figures, tuple(pictures[:PICTURES_MAX]))


NOTES = (
    "EAN-13 at 80 to 150 % (1.2 to 2.25 px a module) at any angle, 0.22 mm a pixel, 330 us, 15 frames a second.",
    "whole: passes with a frame that shows the whole code; nominal: of codes at 100 % and more, 1.5 px a module, read.",
    "late: read after the thing had left the view; frames: taken while it was in it.",
    "first read: from the thing's first touch of the view. Drawn, not filmed: a real pass has a hand in it.",
)


def _passed(speed: float, count: int, seed: int, slowness: float, misses: list[Picture]) -> Tally:
    """Let the loop see `count` things at this speed; those that it missed are added as pictures."""
    clock, told = moving.WorkClock(slowness), []
    watcher = _watcher(clock, told.append)
    empty = moving.empty_view()
    period_ns = moving.NS_PER_S // config.default().camera.frames_per_s
    seen = []
    for passage in moving.passages(count, speed, seed):
        drawn = moving.Drawn(passage, empty)
        seen.append((passage, moving.watched(watcher, clock, drawn, passage, empty, period_ns)))
    tally = Tally()
    for passage, of_it in seen:
        # A pass is told by its frames: what was read later carries the time of its frame, too.
        events = [event for event in told if isinstance(event, Sighted) and event.t_frame_ns in of_it]
        if not _count(tally, of_it, passage, events) and len(misses) < PICTURES_MAX:
            misses.append(_picture(passage, moving.Drawn(passage, empty), speed))
    return tally


def _count(tally: Tally, seen: moving.Seen, passage: moving.Passage, told: Sequence[Sighted]) -> bool:
    """Count one passage; False where its code was not read."""
    right = [event for event in told if event.text == passage.code]
    tally.passes += 1
    tally.whole += seen.with_code > 0
    nominal = passage.module_px * moving.MM_PER_PX >= NOMINAL_MODULE_MM
    tally.nominal += nominal
    tally.nominal_read += nominal and bool(right)
    tally.wrong += any(event.text != passage.code for event in told)
    tally.frames.append(seen.frames)
    tally.cpu_ms += [ns / NS_PER_MS for ns in seen.cpu_ns]
    if right:
        first_ns = min(event.t_ns for event in right)
        tally.read += 1
        tally.late += first_ns > seen.end_ns
        tally.first_ms.append((first_ns - seen.began_ns) / NS_PER_MS)
    return bool(right)


def _watcher(clock: moving.WorkClock, send: Callable[[Event], None]) -> Watcher:
    """Return the loop as the vision process has it, with the packaged classifier."""
    crops = Crops(Path("crops"), None, clock)
    look = process.classifier(config.default())
    rate = config.default().camera.frames_per_s
    return Watcher(available_engines(thorough=False), look, crops, clock, send, frames_per_s=rate)


def _picture(passage: moving.Passage, drawn: moving.Drawn, speed: float) -> Picture:
    title = f"{speed} m/s, {passage.module_px:.2f} px a module, {passage.turn_deg:.0f} deg"
    return Picture(title, f"EAN13 {passage.code} was not read", drawn.frame(passage.duration_s / 2))


def _percents(interval: Interval) -> list[float]:
    return [100 * end for end in interval]


def _finite(interval: Interval) -> list[float | None]:
    """Return the ends for JSON, which has no infinity."""
    return [None if isinf(end) else end for end in interval]


def _ms(value: float | None) -> str:
    return "-" if value is None else "inf" if abs(value) == inf else f"{value:.0f}"
