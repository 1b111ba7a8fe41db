"""Finds changes of load in evenly spaced readings, 80 a second.

There is a level at which the load rests. A change is believed when a window's mean has left the level by more than
its noise can explain, its two halves agree (the load rests again), and both hold for some readings. Short windows see
kilograms early, long ones see grams; a window never reaches back over the change before.

    resting --believed: provisional--> open --rested 1.3 s and sure, or 4 s: final--> resting

While a change is open its level is refined with ever longer windows. A second change within 0.45 s is the rest of the
same one (a hand that hesitates, an item that tips over): it is merged and told only in the final. A later one is a
change of its own: the first is closed with the level between the two.

The level follows slow drift only while standing and unchanged, and slowly. In motion it stands still, so whatever was
too small to be told there is still missing at the next standstill, and is told then: nothing is lost.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

from cart.core.weight_detector import Change, Detector
from cart.core.weight_inertia import CHANGE_AFTER, CHANGE_BEFORE, LEARN_LATE, ONE_G_UG
from cart.core.weight_motion import MOVING_SWING_MG, STILL_BLOCKS, motion_after, smallest_mg
from cart.core.weight_noise import BLOCK, BOXES, LONGEST
from cart.core.weight_senses import TILT_UG, Senses
from cart.core.weight_sight import Sight
from cart.core.weight_values import (
    BUMP,
    CHILD,
    LEAN,
    STANDING,
    TILT,
    Calibration,
    Case,
    Limits,
    Standstill,
    Step,
)

READINGS_PER_S = 80

REST_BETWEEN = 36  # readings of rest, 0.45 s, that make two changes out of one: longer than a hand's placement
FINAL_AFTER = 104  # readings of rest before the final, 1.3 s
FINAL_AT_LAST = 320  # 4 s: then with whatever sigma there is
FINAL_SIGMA_MG = 1_500
SIDEWAYS = 6_000  # part of the moving mass that a level taken in motion may be wrong by
SETTLED_AFTER = 30  # readings of standing: with the second that tells standing, a whole window of 1.2 s
HAND_READINGS = 16  # a hand is on it for up to 0.4 s around the middle
SHOCK_SHARE = 14  # of the moving mass: 0.07 g of shaking within 0.1 s
SHOCK_OVER = 120  # readings, 1.5 s, in which a change would have been believed
RINGING_MS = 300
TILTING = 100  # readings, 1.25 s, that it may take
LONG_SHAKE = 56  # readings, 0.7 s, beyond which only a hand or a child keeps the load restless
LEANT_AT_LAST = 4_800  # 60 s: then it is told as it is
CHILD_MG = 6_000_000  # heavier than an arm
HEAVY_MG = 500_000  # a heavier change swings longer
ACQUIRE_AFTER = 94  # readings before the first level is taken
ACQUIRE_AT_LAST = 280
CALM_AFTER = 3 * LONGEST + BLOCK  # readings without a change that learning of the noise looks back over

DRIFT_SHARE = 240  # the level goes this part of the way to the mean per reading: 3 s
DRIFT_UG_MAX = 3_750  # ... and 0.3 g a second at most

Found = Step | Standstill | Case


def detected(
    detector: Detector,
    readings: list[int],
    vertical: list[int] | None,
    t_ms: list[int],
    calibration: Calibration,
    limits: Limits,
) -> tuple[Detector, list[Found]]:
    """Return the detector after these readings, and what it found.

    readings  counts above zero, evenly spaced, oldest first
    vertical  accelerations in micro-g, one a reading; None without an accelerometer
    t_ms      time of each reading
    """
    work = _Detection(detector, readings, vertical, calibration.counts_per_kg, limits)
    for t in t_ms:
        work.take(t)
    return work.frozen(), work.found


class _Detection:
    """The detector with new readings, while one call lasts."""

    def __init__(
        self, old: Detector, readings: list[int], vertical: list[int] | None, counts_per_kg: int, limits: Limits
    ) -> None:
        self.found: list[Found] = []
        self.limits = limits
        gross_mg = None if old.level_ug is None else old.level_ug // 1_000
        self.senses = Senses(
            (old.raw, old.corrected), old.inertia, readings, vertical, counts_per_kg, limits.platform_mg, gross_mg
        )
        self.position, self.clear = old.position, old.clear
        self.stirred = old.stirred
        self.level_ug, self.level_mg2 = old.level_ug, old.level_mg2
        self.runs = list(old.runs)
        self.motion, self.motion_since = old.motion, old.motion_since
        self.moved_s, self.moved_as = old.moved_s, old.moved_as
        self.anchored, self.settled, self.rested = old.anchored, old.settled, old.rested
        self.tilt_mg, self.held_ug, self.shocked = old.tilt_mg, old.held_ug, old.shocked
        self.change, self.next_id = old.change, old.next_id
        self.drifted_ug = old.drifted_ug
        self.t_ms = 0
        self.sight: Sight

    def frozen(self) -> Detector:
        raw, corrected, inertia = self.senses.kept()
        return Detector(
            raw=raw,
            corrected=corrected,
            inertia=inertia,
            position=self.position,
            clear=self.clear,
            stirred=self.stirred,
            level_ug=self.level_ug,
            level_mg2=self.level_mg2,
            runs=tuple(self.runs),
            motion=self.motion,
            motion_since=self.motion_since,
            moved_s=self.moved_s,
            moved_as=self.moved_as,
            anchored=self.anchored,
            settled=self.settled,
            tilt_mg=self.tilt_mg,
            held_ug=self.held_ug,
            shocked=self.shocked,
            rested=self.rested,
            change=self.change,
            next_id=self.next_id,
            drifted_ug=self.drifted_ug,
        )

    def take(self, t_ms: int) -> None:
        """Take the next reading."""
        self.position += 1
        self.t_ms = t_ms
        self.senses.take()
        if self.position % BLOCK == 0:
            self._end_block()
        if self.motion == STANDING and not self.settled:
            self._settle()
        sight = self.senses.look(self.motion, settled=self.settled)
        if sight is None:
            return
        self.sight = sight
        sight.tilt_mg = self.tilt_mg
        if self.level_ug is None:
            self._acquire()
            return
        if self._stirs():
            self.stirred = self.position
        if self._near():
            self.runs = [0] * len(BOXES)
        elif (rank := self._departed()) is not None:
            self._believe(rank)
        if self.change:
            self._refine(self.change)
        else:
            self._rest()

    # -- noise and motion -------------------------------------------------------------

    def _end_block(self) -> None:
        undisturbed = self.position - max(self.clear, self.stirred) > CALM_AFTER
        calm = self.level_ug is not None and undisturbed and not any(self.runs)
        self.senses.end_block(calm=calm)
        self._learn_inertia()
        self._feel_shock()
        motion = motion_after(self.motion, self.senses.raw.blocks, self._moving_mg())
        if motion != self.motion:
            self._move(motion)

    def _feel_shock(self) -> None:
        """Name a bump: a shock that left nothing behind."""
        blocks = self.senses.raw.blocks
        if self.level_ug is None or not blocks:
            return
        if blocks[-1] > (self._moving_mg() // SHOCK_SHARE) ** 2 and not self.shocked:
            self.shocked = self.position
        if self.shocked and self.position - self.shocked >= SHOCK_OVER:
            if self.clear < self.shocked - CHANGE_BEFORE and self.change is None:
                self.found.append(Case(self.t_ms, BUMP))
            self.shocked = 0

    def _learn_inertia(self) -> None:
        """Learn from the block a second ago, unless the load changed around it."""
        if self.level_ug is None:
            return
        apart = self.position - LEARN_LATE - self.clear
        if not -CHANGE_BEFORE < apart < CHANGE_AFTER:
            self.senses.learn_inertia(self.level_ug // 1_000)
        # A level that was taken with another acceleration of rest is put right by as much as the windows are.
        rest = self.senses.guessed_rest(standing=self.motion == STANDING)
        if rest:
            self._rest_moved(rest[0], sure=False, blocks=rest[1])

    def _rest_moved(self, rest_ug: int, *, sure: bool, blocks: int) -> None:
        assert self.level_ug is not None
        was = rest_ug if self.senses.inertia.rest_ug is None else self.senses.inertia.rest_ug
        by_level_ug = self._moving_mg() * (rest_ug - was) // 1_000
        self.level_ug += by_level_ug
        if self.change:
            self.change = replace(self.change, base_ug=self.change.base_ug + by_level_ug)
        self.senses.rest_at(rest_ug, self.level_ug // 1_000, sure=sure, blocks=blocks)

    def _move(self, motion: str) -> None:
        was, self.motion = self.motion, motion
        seconds = (self.position - self.motion_since) // READINGS_PER_S
        self.motion_since = self.position
        if motion == STANDING:
            # The noise of the road says nothing about standing; and only what was read since the stop counts.
            self.senses.restart_raw()
            self.clear = max(self.clear, self.position - (STILL_BLOCKS - 3) * BLOCK)
            self.moved_s, self.moved_as = self.moved_s + seconds, was
        elif was == STANDING:
            self.moved_s = 0 if self.anchored else self.moved_s
            self.anchored = self.settled = self.rested = False
        else:
            self.moved_s += seconds
        self.runs = [0] * len(BOXES)

    def _usable(self) -> int:
        return self.position - self.clear + 1

    # -- resting -------------------------------------------------------------------------

    def _acquire(self) -> None:
        """Take the first level as soon as the load rests."""
        rest = self.senses.guessed_rest(standing=True)
        if rest:
            self.senses.rest_at(rest[0], None, sure=False, blocks=rest[1])
        usable = self._usable()
        box = 64 if usable >= ACQUIRE_AT_LAST else 32
        if usable < ACQUIRE_AFTER or not self.sight.has(box):
            return
        rank = BOXES.index(box)
        if usable >= ACQUIRE_AT_LAST or self.sight.steady(rank, 0):
            self.level_ug = self.sight.mean_mg(box) * 1_000
            self.level_mg2 = self.sight.variance_mg2(rank)

    def _stirs(self) -> bool:
        """Whether the load is away from its level, so that nothing of now may be taken for noise."""
        assert self.level_ug is not None
        if self.motion != STANDING:
            return self.change is not None
        if self.change is not None or not self.sight.has(8):
            return True
        return abs(self.sight.mean_mg(8) - self.level_ug // 1_000) > self._smallest_mg()

    def _near(self) -> bool:
        """Whether every window lies within the noise of the level: nothing can be believed now. Quick."""
        assert self.level_ug is not None
        level = self.level_ug // 1_000
        reach = self._smallest_mg() // 2
        fitting = [box for box in (4, 8, 16, 32) if 3 * box <= self._usable() and self.sight.has(box)]
        return all(abs(self.sight.mean_mg(box) - level) < reach for box in fitting)

    def _rest(self) -> None:
        """Let the level follow drift, and tell the standstill once."""
        assert self.level_ug is not None
        if any(self.runs) or self._usable() < FINAL_AFTER or not self.sight.has(32):
            return
        if self.motion != STANDING:
            self._sharpen()
            return
        if self.sight.corrected or self.sight.swing > MOVING_SWING_MG**2:
            return
        rank = BOXES.index(LONGEST if self._usable() >= 3 * LONGEST and self.sight.has(LONGEST) else 32)
        away = self.sight.mean_mg(BOXES[rank]) * 1_000 - self.level_ug
        # After motion or a gap there is no step below the smallest, so all of it is drift, and the core's conservation
        # judges it: between a half and the whole the load would else never be said to stand.
        if abs(away) > self._smallest_mg() * (500 if self.anchored else 1_000):
            return
        variance = self.sight.variance_mg2(rank)
        if not self.anchored:
            # Seen again after motion or a gap: what the zero did meanwhile is drift, all at once.
            self.anchored, self.moved_s = True, 0
            self._drift(away)
        self._drift(max(-DRIFT_UG_MAX, min(DRIFT_UG_MAX, away // DRIFT_SHARE)))
        self.level_mg2 = min(self.level_mg2, variance)
        self.senses.follow_rest(self.level_ug // 1_000, level=not self.tilt_mg, long=rank == BOXES.index(LONGEST))
        if not self.rested:
            self.rested = True
            self.found.append(Standstill(self.t_ms, self.level_ug // 1_000, isqrt(variance)))

    def _settle(self) -> None:
        """At a standstill, see which acceleration is that of rest, and how far the cart is tilted."""
        inertia = self.senses.inertia
        if self.senses.corrected_means is None or self.level_ug is None:
            self.settled = True
            return
        felt_ug = self.senses.felt_ug(32)
        if self.position - self.motion_since < SETTLED_AFTER or felt_ug is None:
            return
        self.settled = True
        by_ug = felt_ug - (inertia.rest_ug or felt_ug)
        if not inertia.rest_sure:
            self._rest_moved(felt_ug, sure=True, blocks=0)
        tilted = inertia.rest_sure and abs(by_ug) > TILT_UG
        was, self.tilt_mg = self.tilt_mg, self._moving_mg() * by_ug // ONE_G_UG if tilted else 0
        self.anchored = self.anchored and not was and not self.tilt_mg
        if tilted:
            self.found.append(Case(self.t_ms, TILT))

    def _sharpen(self) -> None:
        """In motion, know a level better that was taken or changed there; never beyond what its sigma allows.

        One that was seen standing is sharper than any window here, and so stays.
        """
        assert self.level_ug is not None
        rank = BOXES.index(LONGEST)
        if self._usable() < 3 * LONGEST or not self.sight.has(LONGEST):
            return
        away, variance = self.sight.mean_mg(LONGEST) - self.level_ug // 1_000, self._variance_mg2(rank)
        if 2 * variance < self.level_mg2 and away * away < 9 * self.level_mg2:
            self.level_ug, self.level_mg2 = self.sight.mean_mg(LONGEST) * 1_000, variance

    def _drift(self, by_ug: int) -> None:
        assert self.level_ug is not None
        self.level_ug += by_ug
        self.drifted_ug += by_ug

    # -- a change ----------------------------------------------------------------------------

    def _smallest_mg(self) -> int:
        """Return the smallest change that may be told now."""
        motion = self.moved_as if self.motion == STANDING and not self.settled else self.motion
        away_s = None if self.anchored else self.moved_s
        return smallest_mg(self.limits, motion, away_s, corrected=self.sight.corrected)

    def _departed(self) -> int | None:
        """Return the rank of the shortest window that is sure of a change, or None."""
        assert self.level_ug is not None
        if self.sight.looks_stuck():
            return None
        usable, level, smallest = self._usable(), self.level_ug // 1_000, self._smallest_mg()
        for rank, box in enumerate(BOXES):
            if 3 * box - 2 > usable or not self.sight.has(box):
                break
            if self.sight.shaken and box < 8:
                continue
            delta = self.sight.mean_mg(box) - level
            if abs(delta) > smallest and self._believable(rank, delta):
                self.runs[rank] += 1
                if self.runs[rank] >= self.sight.runs_needed(rank, delta):
                    return rank
            else:
                self.runs[rank] = 0
        return None

    def _believable(self, rank: int, delta_mg: int) -> bool:
        if not self.sight.sure(rank, delta_mg, self.level_mg2, self.anchored) or not self.sight.steady(rank, delta_mg):
            return False
        return not self._tilts(BOXES[rank], delta_mg)

    def _tilts(self, box: int, delta_mg: int) -> bool:
        """Whether, standing, the accelerometer explains most of a small change: the cart is being tilted."""
        felt_ug, rest_ug = self.senses.felt_ug(max(box, 12)), self.senses.inertia.rest_ug
        if self.sight.corrected or self.motion != STANDING or felt_ug is None or rest_ug is None:
            return False
        moving_mg = self._moving_mg()
        by_ug = felt_ug - rest_ug - self.tilt_mg * ONE_G_UG // moving_mg
        if abs(by_ug) < 2 * TILT_UG or 2 * by_ug * moving_mg // ONE_G_UG * delta_mg < delta_mg * delta_mg:
            return False
        # Looked at without what the accelerometer explains, until the tilt is known.
        self.settled = False
        self.motion_since, self.moved_as = self.position + TILTING, STANDING
        return True

    def _believe(self, rank: int) -> None:
        """Open a change, or merge it into the one that is still moving."""
        assert self.level_ug is not None
        mean_mg, level_ug = self.sight.mean_mg(BOXES[rank]), self.level_ug
        moved = self.position - self.sight.crossed(rank, level_ug // 1_000, self.position - self.clear)
        change = self.change
        if change and (change.leant or moved - change.moved < REST_BETWEEN):
            self.change = replace(
                change,
                moved=max(moved, change.moved),
                peak_mg=max(change.peak_mg, abs(mean_mg - change.base_ug // 1_000)),
            )
        else:
            if change:
                self._settle_before(change, moved)
                self._finish(change)
            self._hold_back(moved)
            self._open(moved, mean_mg, rank)
        self._level(mean_mg, rank)
        self.clear, self.rested = moved, False
        self.runs = [0] * len(BOXES)

    def _level(self, mean_mg: int, rank: int) -> None:
        """Take a window's mean as the level."""
        assert self.level_ug is not None
        self.senses.load_changed(mean_mg - self.level_ug // 1_000, mean_mg)
        self.level_ug, self.level_mg2 = mean_mg * 1_000, self._variance_mg2(rank)

    def _variance_mg2(self, rank: int) -> int:
        """Return the variance of a window's mean as a level; in motion there is more than what shakes.

        Pushing off and stopping pull at the gauges sideways, and no accelerometer on the platform tells that apart.
        """
        variance = self.sight.variance_mg2(rank)
        return variance + (self._moving_mg() // SIDEWAYS) ** 2 if self.sight.corrected else variance

    def _moving_mg(self) -> int:
        return max(0, self.level_ug or 0) // 1_000 + self.senses.platform_mg()

    def _hold_back(self, moved: int) -> None:
        """In motion, keep out of the change that comes now what was too small to be told: a standstill tells it."""
        assert self.level_ug is not None
        end = moved - HAND_READINGS
        before = self.sight.ending(self.position - end, end - self.clear) if self.sight.corrected else None
        if before is None:
            return
        held_mg, variance = before[1] - self.level_ug // 1_000, self._variance_mg2(before[0])
        if held_mg * held_mg > 9 * (variance + self.level_mg2) and abs(held_mg) < self._smallest_mg():
            self.held_ug = held_mg * 1_000
            self.level_ug, self.level_mg2 = before[1] * 1_000, variance

    def _open(self, moved: int, mean_mg: int, rank: int) -> None:
        assert self.level_ug is not None
        delta_mg = mean_mg - self.level_ug // 1_000
        start_ms = self.t_ms - (self.position - moved) * 1_000 // READINGS_PER_S
        motion = self.moved_as if self.motion == STANDING and not self.anchored else self.motion
        base = self.level_ug, self.level_mg2
        self.change = Change(self.next_id, max(0, start_ms), self.t_ms, moved, *base, delta_mg, motion)
        self.next_id += 1
        self.found.append(self.change.told(delta_mg, self.sight.variance_mg2(rank), final=False))

    def _settle_before(self, change: Change, moved: int) -> None:
        """Take the level between two changes from a window that ends before the second began."""
        end = moved - HAND_READINGS
        found = self.sight.ending(self.position - end, end - change.moved - 8)
        if found:
            rank, mean_mg = found
            # The swing of now is the second change's.
            self.level_ug, self.level_mg2 = mean_mg * 1_000, 2 * self.sight.learned_mg2(rank)

    def _refine(self, change: Change) -> None:
        """Know the new level better with every reading; make it final when it is known."""
        assert self.level_ug is not None
        delta_mg = self.level_ug // 1_000 - change.base_ug // 1_000
        settle = 12 if abs(delta_mg) > HEAVY_MG else 5
        rested = self.position - change.moved
        rank = self.sight.longest_within(rested - settle)
        if rank is None or not self.sight.has(8):
            return
        away = self.sight.mean_mg(8) - self.level_ug // 1_000
        still = away * away < 36 * (self.sight.variance_mg2(BOXES.index(8)) + self.level_mg2) + 4_000_000
        if rested < REST_BETWEEN or still:
            self._level(self.sight.mean_mg(BOXES[rank]), rank)
        held = self.senses.restless(self.motion)
        if held and self.t_ms - change.t_accept_ms > RINGING_MS:
            # A later part of the same lean starts from the same base.
            leant, peak_mg = change.restless + 1 >= LONG_SHAKE, max(change.peak_mg, abs(delta_mg))
            self.change = change = replace(change, restless=change.restless + 1, leant=leant, peak_mg=peak_mg)
        known = rested >= FINAL_AFTER and still and self.sight.variance_mg2(rank) < FINAL_SIGMA_MG**2
        if (known and not held) or rested >= (LEANT_AT_LAST if change.leant else FINAL_AT_LAST):
            self._finish(change)

    def _finish(self, change: Change) -> None:
        assert self.level_ug is not None
        delta_mg = (self.level_ug - change.base_ug) // 1_000
        self.found.append(change.told(delta_mg, self.level_mg2, final=True))
        if change.leant and abs(delta_mg) * 8 < change.peak_mg:
            self.found.append(Case(self.t_ms, CHILD if change.peak_mg > CHILD_MG else LEAN))
        self.change = None
        self.level_ug, self.held_ug = self.level_ug - self.held_ug, 0
        self.anchored = self.anchored or (self.motion == STANDING and self.settled)
