"""From raw readings of the load cell to changes of load: the weight's place in the core.

    readings -> usable? (scale_health) -> even in time -> changes (weight_steps, on the means of weight_noise)

Converter time rules: it is unwrapped, readings are laid on an even grid of 80 a second (a faster converter is
averaged), single losses are bridged by a straight line, and after longer ones the detector starts again from the level
it knew, so that what changed meanwhile is told. Everything is integers, and equal on every machine.

An accelerometer on the platform explains part of the shaking: mass times acceleration is taken off each reading, with
the mass of the level. A reading waits up to 6 readings for it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from cart.core import landing
from cart.core.events import CellAccelerated, CellFault, LoadSampled
from cart.core.landing import Corners
from cart.core.scale_health import Health, noted, reason_unusable, silent, with_rate
from cart.core.weight_alarm import Watch, watched
from cart.core.weight_detector import Detector, interrupted
from cart.core.weight_inertia import TRUSTED_BLOCKS
from cart.core.weight_level import READINGS_PER_S, Felt
from cart.core.weight_steps import detected
from cart.core.weight_values import (
    GARBAGE,
    NO_DATA,
    OK,
    OVER_RANGE,
    ROLLING,
    ROUGH,
    STANDING,
    Calibration,
    Case,
    Limits,
    LoadState,
    Standstill,
    Step,
    Told,
)

__all__ = [
    "ROLLING",
    "ROUGH",
    "STANDING",
    "Calibration",
    "Case",
    "Limits",
    "LoadState",
    "Standstill",
    "Step",
    "WeightState",
    "accelerated",
    "faulted",
    "initial",
    "sampled",
    "ticked",
]

NS_PER_US = 1_000
SILENT_NS = 300_000_000
T_US_MODULUS = 1 << 32
PERIOD_US = 1_000_000 // READINGS_PER_S
BRIDGE_MAX = 8
"""Missing readings, 0.1 s, that are bridged by a straight line; after more the windows start anew."""

WAIT_MAX = 6
ACCELERATIONS_MAX = 64
ACCELERATION_AGE_US = 200_000


Accelerated = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """One usable reading on the grid, or a point of the line that bridges a loss.

    bridge_us  the moments between which that line is drawn; of a reading itself, twice its own
    """

    t_us: int
    load: int
    bridge_us: tuple[int, int]


@dataclass(frozen=True, slots=True)
class WeightState:
    """The weight of one cart: immutable; `initial` makes the first.

    wire_us       converter time of the last reading, as it came;  t_us: unwrapped, from 0 at the first reading
    heard_ns      host time of the last batch, None before the first
    last          the last usable reading
    gathered      sum and number of fast readings that make up the next one of the grid
    waiting       readings that wait for their acceleration
    accelerations (t_us, then micro-g up, fore and aft, to the side) of the last ones, oldest first
    corners       what each of four cells read of late, for the place of what lands
    watch         the standing alarm
    """

    calibration: Calibration
    limits: Limits
    wire_us: int | None = None
    t_us: int = 0
    heard_ns: int | None = None
    last: Reading | None = None
    gathered: tuple[int, int] = (0, 0)
    waiting: tuple[Reading, ...] = ()
    accelerations: tuple[Accelerated, ...] = ()
    health: Health = Health()  # noqa: RUF009 (a frozen value)
    detector: Detector = Detector()  # noqa: RUF009 (a frozen value)
    corners: Corners = Corners()  # noqa: RUF009 (a frozen value)
    watch: Watch = Watch()  # noqa: RUF009 (a frozen value)

    @property
    def gross_mg(self) -> int | None:
        """The level the load rests at, in mg; None before the first rest or when there is no weight."""
        if self.detector.level_ug is None or self.health.state != OK:
            return None
        return self.detector.level_ug // 1_000

    @property
    def motion(self) -> str:
        """How the cart moves: "standing", "rolling" or "rough"."""
        return self.detector.motion

    @property
    def moving_mg(self) -> int | None:
        """The mass that moves, platform and goods, as its shaking shows it; None before a second of motion.

        To be held beside the static mass, gross_mg and the platform's.
        """
        inertia = self.detector.inertia
        return inertia.moving_mg if inertia.blocks >= TRUSTED_BLOCKS else None

    @property
    def jammed(self) -> bool:
        """Whether that mass disagrees with the static one: something touches the platform, or holds it."""
        return self.detector.jammed

    @property
    def drifted_mg(self) -> int:
        """Sum of all drift that the level followed since the start, in mg."""
        return self.detector.drifted_ug // 1_000


def initial(calibration: Calibration, limits: Limits | None = None) -> WeightState:
    """Return the weight before the first reading."""
    limits = limits or Limits()
    assert calibration.counts_per_kg != 0
    assert limits.samples_per_s > 0
    assert limits.samples_per_s % READINGS_PER_S == 0
    return WeightState(calibration, limits)


def sampled(state: WeightState, event: LoadSampled) -> tuple[WeightState, tuple[Told, ...]]:
    """Return the weight after a batch of readings, and what it has to tell."""
    work = _Work(state)
    several = event.channels or tuple((counts,) for counts in event.counts)
    for t_us, counts, flags, cells in zip(event.t_us, event.counts, event.flags, several, strict=True):
        work.read(t_us, state.calibration.summed(counts, cells), flags, cells)
    work.judge_rate(event.seq)
    work.detect()
    return work.frozen(event.t_ns), tuple(work.told)


def accelerated(state: WeightState, event: CellAccelerated) -> tuple[WeightState, tuple[Told, ...]]:
    """Return the weight with the platform's accelerations, and what the readings that waited for them tell."""
    if state.wire_us is None:
        return state, ()
    known = list(state.accelerations)
    for wire_us, up_ug, fore_ug, side_ug in zip(event.t_us, event.az_ug, event.ax_ug, event.ay_ug, strict=True):
        t_us = state.t_us + _signed(wire_us - state.wire_us)
        if not known or t_us > known[-1][0]:
            known.append((t_us, up_ug, fore_ug, side_ug))
    work = _Work(replace(state, accelerations=tuple(known[-ACCELERATIONS_MAX:])))
    work.detect()
    return work.frozen(state.heard_ns), tuple(work.told)


def ticked(state: WeightState, t_ns: int) -> tuple[WeightState, tuple[Told, ...]]:
    """Return the weight at the host time `t_ns`: no batch for 300 ms means that there is no weight."""
    if state.heard_ns is None:
        return replace(state, heard_ns=t_ns), ()
    if state.health.state == NO_DATA or t_ns - state.heard_ns <= SILENT_NS:
        return state, ()
    return _lost(state, NO_DATA, (t_ns - state.heard_ns) // NS_PER_US)


def faulted(state: WeightState, event: CellFault) -> tuple[WeightState, tuple[Told, ...]]:
    """Return the weight after a fault of the line: only garbage came (code GARBAGE); other faults change nothing."""
    if event.code != "GARBAGE" or state.health.state == GARBAGE:
        return state, ()
    elapsed_ns = event.t_ns - state.heard_ns if state.heard_ns is not None else 0
    return _lost(state, GARBAGE, elapsed_ns // NS_PER_US)


def _lost(state: WeightState, name: str, after_us: int) -> tuple[WeightState, tuple[Told, ...]]:
    gone = replace(
        state,
        health=silent(state.health, name),
        detector=interrupted(state.detector),
        corners=landing.interrupted(state.corners, state.t_us // 1_000),
        last=None,
        gathered=(0, 0),
        waiting=(),
    )
    return gone, (LoadState(name, (state.t_us + after_us) // 1_000),)


class _Work:
    """The state while one call lasts: lists instead of tuples."""

    def __init__(self, old: WeightState) -> None:
        self.old = old
        self.told: list[Told] = []
        self.wire_us, self.t_us = old.wire_us, old.t_us
        self.last, self.gathered = old.last, old.gathered
        self.waiting = list(old.waiting)
        self.health, self.detector = old.health, old.detector
        self.fast = old.limits.samples_per_s // READINGS_PER_S
        self.watch = old.watch
        self.corners, self.block = old.corners, old.limits.samples_per_s * landing.BLOCK_MS // 1_000

    def frozen(self, heard_ns: int | None) -> WeightState:
        return replace(
            self.old,
            wire_us=self.wire_us,
            t_us=self.t_us,
            heard_ns=heard_ns,
            last=self.last,
            gathered=self.gathered,
            waiting=tuple(self.waiting),
            health=self.health,
            detector=self.detector,
            corners=self.corners,
            watch=self.watch,
        )

    # -- one reading -----------------------------------------------------------------

    def read(self, wire_us: int, counts: int, flags: int, cells: tuple[int, ...]) -> None:
        """Unwrap the time, judge the reading, and lay it on the grid when it may be used."""
        elapsed_us = 0 if self.wire_us is None else _signed(wire_us - self.wire_us)
        if elapsed_us < 0:
            # The converter started anew; its clock says nothing about how long that took.
            self._break(NO_DATA, PERIOD_US)
            elapsed_us = PERIOD_US
        elif elapsed_us > SILENT_NS // NS_PER_US:
            self._break(NO_DATA, SILENT_NS // NS_PER_US)
        self.wire_us, self.t_us = wire_us, self.t_us + elapsed_us
        reason = reason_unusable(counts, flags, cells, self.old.calibration, self.old.limits)
        was = self.health.state
        self.health = noted(self.health, self.t_us, counts, reason)
        if self.health.state != was:
            self._changed(was)
        # A bump's peak is beyond the safe load for a moment: it is no overload, and without it the shaking has a mean.
        if self.health.state == OK and reason in (None, OVER_RANGE):
            self._gather(counts - self.old.calibration.zero_counts)
            self.corners = landing.read(
                self.corners, self.t_us // 1_000, cells, self.old.calibration.trims_ppm, self.block
            )

    def judge_rate(self, seq: int) -> None:
        """Compare the sequence with the clock, at the end of a batch."""
        self.health = with_rate(self.health, seq, self.t_us, self.old.limits.samples_per_s)

    def _break(self, name: str, after_us: int) -> None:
        """Forget what came before a hole in time, and name it unless it has a name."""
        self.detect(finish=True)
        if self.health.state != name:
            self.told.append(LoadState(name, (self.t_us + after_us) // 1_000))
        self.health = silent(self.health, name)
        self._start_anew()

    def _changed(self, was: str) -> None:
        self.told.append(LoadState(self.health.state, self.t_us // 1_000))
        if was == OK or self.health.state == OK:
            self.detect(finish=True)
            self._start_anew()

    def _start_anew(self) -> None:
        self.last, self.gathered, self.waiting = None, (0, 0), []
        self._interrupt()

    def _interrupt(self) -> None:
        self.detector = interrupted(self.detector)
        self.corners = landing.interrupted(self.corners, self.t_us // 1_000)

    def _gather(self, load: int) -> None:
        """Average a fast converter down to the grid; its sum stands for the mean, in finer counts."""
        total, number = self.gathered[0] + load, self.gathered[1] + 1
        self.gathered = (total, number) if number < self.fast else (0, 0)
        if number == self.fast:
            self._lay(Reading(self.t_us, total, (self.t_us, self.t_us)))

    def _lay(self, reading: Reading) -> None:
        """Put a reading on the grid, and a straight line before it where others are missing."""
        last = self.last
        if last is not None:
            periods = (reading.t_us - last.t_us + PERIOD_US // 2) // PERIOD_US
            if periods == 0:
                return
            if periods > BRIDGE_MAX:
                self.detect(finish=True)
                self._interrupt()
            else:
                self.waiting += [_between(last, reading, n, periods) for n in range(1, periods)]
        self.waiting.append(reading)
        self.last = reading

    # -- detection -----------------------------------------------------------------------

    def detect(self, *, finish: bool = False) -> None:
        """Hand the readings that wait to the detector; with an accelerometer only those whose moment it knows.

        finish  hand over all of them
        """
        known = self.old.accelerations
        if not self.waiting:
            return
        live = bool(known) and self.waiting[-1].t_us - known[-1][0] < ACCELERATION_AGE_US
        ready = len(self.waiting)
        if live and not finish:
            ready = bisect_left(self.waiting, known[-1][0] + 1, key=lambda reading: reading.bridge_us[1])
            ready = max(ready, len(self.waiting) - WAIT_MAX)
        readings, self.waiting = self.waiting[:ready], self.waiting[ready:]
        if not readings:
            return
        times_ms = [reading.t_us // 1_000 for reading in readings]
        self.detector, found = detected(
            self.detector,
            [reading.load for reading in readings],
            [_felt_ug(known, reading) for reading in readings] if live else None,
            times_ms,
            Calibration(self.old.calibration.counts_per_kg * self.fast, 0),
            self.old.limits,
        )
        self.watch, alarms = watched(
            self.watch, self.detector, times_ms, self.old.calibration.counts_per_kg * self.fast
        )
        self.told += alarms
        self.corners, placed = landing.placed(self.corners, found, readings[-1].t_us // 1_000, self.old.limits)
        self.told += placed


def _felt_ug(known: tuple[Accelerated, ...], reading: Reading) -> Felt:
    """Return the acceleration that belongs to a reading.

    Over a bridge it lies on a straight line as the load does: the true one would be taken off a load that lacks it.
    """
    begin_us, end_us = reading.bridge_us
    begin = _felt_at(known, begin_us)
    if begin_us == end_us:
        return begin
    return _on_line(begin, _felt_at(known, end_us), reading.t_us - begin_us, end_us - begin_us)


def _felt_at(known: tuple[Accelerated, ...], t_us: int) -> Felt:
    """Return the acceleration at a moment, on a straight line between the two around it."""
    after = bisect_left(known, (t_us,))
    if after in (0, len(known)) or known[after][0] == t_us:
        return known[min(after, len(known) - 1)][1:]
    (t0, *_), (t1, *_) = before, behind = known[after - 1], known[after]
    return _on_line(before[1:], behind[1:], t_us - t0, t1 - t0)


def _on_line(begin: Felt, end: Felt, part: int, parts: int) -> Felt:
    up, fore, side = (a + (b - a) * part // parts for a, b in zip(begin, end, strict=True))
    return up, fore, side


def _between(first: Reading, second: Reading, part: int, parts: int) -> Reading:
    t_us = first.t_us + (second.t_us - first.t_us) * part // parts
    load = first.load + (second.load - first.load) * part // parts
    return Reading(t_us, load, (first.t_us, second.t_us))


def _signed(elapsed_us: int) -> int:
    """Return a difference of two uint32 clocks as the shorter way round."""
    return (elapsed_us + T_US_MODULUS // 2) % T_US_MODULUS - T_US_MODULUS // 2
