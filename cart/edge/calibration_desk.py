"""The desk at which a calibration is made: readings in, tasks to the operator, points into the journal."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cart.core import calibrating, calibration_plan
from cart.core.calibration_plan import DONE, RESTING, Procedure
from cart.core.events import CellAccelerated, CellFault, CellIdentified, CellTemperature, Event, LoadSampled, SourceLost
from cart.edge import operator as people
from cart.edge.calibration_file import Journal
from cart.edge.operator import Operator
from cart.faults import FAULTS, Fault

if TYPE_CHECKING:
    from cart.ports import Clock
    from cart.sim.practice_cell import PracticeCell

HELLO_NS = 12_000_000_000
"""The converter says who it is every 5 s."""

SILENT_S = 1.0
WAIT_S = 0.05
TILTS = 400
"""Accelerations whose mean is the level: 5 s, as long as a point rests."""


class Events(Protocol):
    """Where the driver's events come out: a queue."""

    def get(self, block: bool = True, timeout: float | None = None) -> Event:
        """Return the next event; queue.Empty where none comes in time."""


@dataclass
class Desk:
    """The readings, and the hands of a practice cell where it is one.

    centi_c  the cell's temperature, None before it is told
    """

    events: Events
    clock: Clock
    cell: PracticeCell | None
    centi_c: int | None = None
    _latest: list[int] = field(default_factory=list)
    _tilts: list[tuple[int, int]] = field(default_factory=list)

    def identified(self) -> CellIdentified:
        """Return who the converter is, once readings come too; Fault where the port or the voice is missing."""
        end_ns, who, reads = self.clock.monotonic_ns() + HELLO_NS, None, False
        while who is None or not reads:
            if self.clock.monotonic_ns() > end_ns:
                said = "readings come, but the converter never says who it is" if reads else "no valid line in 12 s"
                raise Fault("SCALE-SILENT", said)
            event = self._next(WAIT_S)
            if isinstance(event, SourceLost):
                code, _, detail = event.reason.partition(": ")
                raise Fault(code if code in FAULTS else "SCALE-PORT-MISSING", detail or event.reason)
            who = event if isinstance(event, CellIdentified) else who
            reads = reads or isinstance(event, LoadSampled)
        return who

    def guide(self, who: Operator, journal: Journal, at: Procedure) -> Procedure:
        """Ask, read and keep until all is done; Fault CALIBRATION-STOPPED when the operator stops."""
        while at.phase != DONE:
            people.ask(who, at)
            word = self._wait_for_word(who, at)
            if word == people.QUIT:
                raise Fault("CALIBRATION-STOPPED", f"{len(at.taken)} points are kept")
            before = at
            at = calibrating.back(at) if word == people.BACK else self._read(who, at, word)
            _keep(journal, before, at)
            if at.refusal:
                people.tell_refused(who, at)
            elif len(at.taken) > len(before.taken):
                people.tell_taken(who, at, at.taken[-1])
        return at

    def level_ug(self) -> tuple[int, ...]:
        """Return what the accelerometer's parts fore and left read on the average of late; empty without one."""
        number = len(self._tilts)
        return (sum(x for x, _ in self._tilts) // number, sum(y for _, y in self._tilts) // number) if number else ()

    def _wait_for_word(self, who: Operator, at: Procedure) -> str:
        while not (word := who.word(WAIT_S)):
            self._drain()
            who.live(at, self._now())
        self._drain()
        return word

    def _read(self, who: Operator, at: Procedure, word: str) -> Procedure:
        """Read until the point is taken or refused; a word meanwhile takes the try back."""
        task = calibration_plan.task(at)
        if self.cell:
            self.cell.hold(task.mass_mg * 9 // 10 if word == people.WRONG else task.mass_mg, task.place)
        at = calibrating.ready(at)
        while at.phase == RESTING:
            event = self._next(SILENT_S)
            match event:
                case None:
                    at = calibrating.silent(at, "nothing for 1 s")
                case LoadSampled():
                    at = calibrating.sampled(at, event)
                case SourceLost(reason=reason):
                    at = calibrating.silent(at, reason)
                case CellFault(code="GARBAGE"):
                    at = calibrating.silent(at, "bytes come, and no valid line among them")
            who.live(at, self._now())
            if at.phase == RESTING and who.waves():
                at = calibrating.back(at)
        return at

    def _next(self, timeout_s: float) -> Event | None:
        try:
            event = self.events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(event, LoadSampled):
            self._latest = [*self._latest, *event.counts][-40:]
        elif isinstance(event, CellAccelerated):
            self._tilts = [*self._tilts, *zip(event.ax_ug, event.ay_ug, strict=True)][-TILTS:]
        elif isinstance(event, CellTemperature):
            self.centi_c = event.centi_c
        elif isinstance(event, SourceLost):
            self._latest = []
        return event

    def _drain(self) -> None:
        while self._next(0) is not None:
            continue

    def _now(self) -> int | None:
        return sum(self._latest) // len(self._latest) if self._latest else None


def _keep(journal: Journal, before: Procedure, at: Procedure) -> None:
    """Let the journal hold the points that stand, and have it on the disk."""
    stands = sum(1 for a, b in zip(before.taken, at.taken, strict=False) if a is b)
    if stands < len(before.taken):
        journal.drop(stands)
    for number in range(stands, len(at.taken)):
        journal.take(number, at.taken[number])
