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

from cart.core import weight_noise as noise
from cart.core.weight_detector import Change, Detector
from cart.core.weight_motion import STILL_BLOCKS, motion_after
from cart.core.weight_noise import BLOCK, BOXES, LONGEST, Smoothing, Track
from cart.core.weight_sight import Sight
from cart.core.weight_values import ROLLING, ROUGH, STANDING, Calibration, Limits, Standstill, Step

READINGS_PER_S = 80

REST_BETWEEN = 36  # readings of rest, 0.45 s, that make two changes out of one: longer than a hand's placement
FINAL_AFTER = 104  # readings of rest before the final, 1.3 s
FINAL_AT_LAST = 320  # 4 s: then with whatever sigma there is
FINAL_SIGMA_MG = 1_500
HEAVY_MG = 500_000  # a heavier change swings longer
ACQUIRE_AFTER = 94  # readings before the first level is taken
ACQUIRE_AT_LAST = 280
CALM_AFTER = 3 * LONGEST + BLOCK  # readings without a change that learning of the noise looks back over

DRIFT_SHARE = 240  # the level goes this part of the way to the mean per reading: 3 s
DRIFT_UG_MAX = 3_750  # ... and 0.3 g a second at most
DRIFT_MOVING_MG_S = 50  # what the zero may have drifted for each second in motion
DRIFT_MOVING_MG_MAX = 9_000

Found = Step | Standstill


def detected(
    detector: Detector,
    readings: list[int],
    inertia: list[int] | None,
    t_ms: list[int],
    calibration: Calibration,
    limits: Limits,
) -> tuple[Detector, list[Found]]:
    """Return the detector after these readings, and what it found.

    readings  counts above zero, evenly spaced, oldest first
    inertia   counts that the accelerometer explains, one a reading; None without one
    t_ms      time of each reading
    """
    work = _Detection(detector, readings, inertia, calibration.counts_per_kg, limits)
    for index, t in enumerate(t_ms):
        work.take(index, t)
    return work.frozen(), work.found


class _Detection:
    """The detector with new readings, while one call lasts."""

    def __init__(
        self, old: Detector, readings: list[int], inertia: list[int] | None, counts_per_kg: int, limits: Limits
    ) -> None:
        self.found: list[Found] = []
        self.limits = limits
        self.raw, self.corrected = old.raw, old.corrected
        self.raw_means = Smoothing(old.raw, readings, counts_per_kg)
        # Without an accelerometer the corrected track is empty, and the raw one stands for it.
        self.corrected_means: Smoothing | None = None
        if inertia is not None:
            known = old.corrected if old.corrected.history else old.raw
            even = [count - part for count, part in zip(readings, inertia, strict=True)]
            self.corrected_means = Smoothing(known, even, counts_per_kg)
            self.corrected = known
        self.position, self.clear = old.position, old.clear
        self.stirred = old.stirred
        self.level_ug, self.level_mg2 = old.level_ug, old.level_mg2
        self.runs = list(old.runs)
        self.motion, self.motion_since = old.motion, old.motion_since
        self.moved_s, self.moved_as = old.moved_s, old.moved_as
        self.anchored, self.rested = old.anchored, old.rested
        self.change, self.next_id = old.change, old.next_id
        self.drifted_ug = old.drifted_ug
        self.t_ms = self.index = 0
        self.sight: Sight

    def frozen(self) -> Detector:
        corrected = self.corrected_means.kept(self.corrected) if self.corrected_means else Track()
        return Detector(
            raw=self.raw_means.kept(self.raw),
            corrected=corrected,
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
            rested=self.rested,
            change=self.change,
            next_id=self.next_id,
            drifted_ug=self.drifted_ug,
        )

    def take(self, index: int, t_ms: int) -> None:
        """Take the next reading, the one at `index` of the new ones."""
        self.position += 1
        self.t_ms, self.index = t_ms, index
        if self.position % BLOCK == 0:
            self._end_block()
        sight = self._look()
        if sight is None:
            return
        self.sight = sight
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

    def _look(self) -> Sight | None:
        """Return what the windows show now; None before any noise was learned.

        Standing, the accelerometer's own noise does more harm than good; in motion it takes the shaking out.
        """
        means, track = self.raw_means, self.raw
        if self.motion != STANDING and self.corrected_means is not None:
            means, track = self.corrected_means, self.corrected
        return Sight(means, track, self.index + means.first, self.motion) if track.learned else None

    def _end_block(self) -> None:
        undisturbed = self.position - max(self.clear, self.stirred) > CALM_AFTER
        calm = self.level_ug is not None and undisturbed and not any(self.runs)
        self.raw = self._after_block(self.raw, self.raw_means, calm)
        if self.corrected_means:
            self.corrected = self._after_block(self.corrected, self.corrected_means, calm)
        motion = motion_after(self.motion, self.raw.blocks)
        if motion != self.motion:
            self._move(motion)

    def _after_block(self, track: Track, means: Smoothing, calm: bool) -> Track:
        at = self.index + means.first
        return noise.with_block(track, means, at, calm=calm) if means.has(16, at) else track

    def _move(self, motion: str) -> None:
        was, self.motion = self.motion, motion
        seconds = (self.position - self.motion_since) // READINGS_PER_S
        self.motion_since = self.position
        if motion == STANDING:
            # The noise of the road says nothing about standing; and only what was read since the stop counts.
            self.raw = noise.restarted(self.raw, noise.lately_mg2(self.raw))
            self.clear = max(self.clear, self.position - (STILL_BLOCKS - 3) * BLOCK)
            self.moved_s, self.moved_as = self.moved_s + seconds, was
        elif was == STANDING:
            self.moved_s = 0 if self.anchored else self.moved_s
            self.anchored = self.rested = False
            if self.corrected.blocks:
                self.corrected = noise.restarted(self.corrected, noise.lately_mg2(self.corrected))
        else:
            self.moved_s += seconds
        self.runs = [0] * len(BOXES)

    def _usable(self) -> int:
        """Readings since the last disturbance."""
        return self.position - self.clear + 1

    # -- resting -------------------------------------------------------------------------

    def _acquire(self) -> None:
        """Take the first level as soon as the load rests."""
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
        rank = BOXES.index(LONGEST) if self._usable() >= 3 * LONGEST and self.sight.has(LONGEST) else BOXES.index(32)
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
        if not self.rested:
            self.rested = True
            self.found.append(Standstill(self.t_ms, self.level_ug // 1_000, isqrt(variance)))

    def _sharpen(self) -> None:
        """In motion, know a level better that was taken or changed there; never beyond what its sigma allows.

        One that was seen standing is sharper than any window here, and so stays.
        """
        assert self.level_ug is not None
        rank = BOXES.index(LONGEST)
        if self._usable() < 3 * LONGEST or not self.sight.has(LONGEST):
            return
        away, variance = self.sight.mean_mg(LONGEST) - self.level_ug // 1_000, self.sight.variance_mg2(rank)
        if 2 * variance < self.level_mg2 and away * away < 9 * self.level_mg2:
            self.level_ug, self.level_mg2 = self.sight.mean_mg(LONGEST) * 1_000, variance

    def _drift(self, by_ug: int) -> None:
        assert self.level_ug is not None
        self.level_ug += by_ug
        self.drifted_ug += by_ug

    # -- a change ----------------------------------------------------------------------------

    def _smallest_mg(self) -> int:
        """Return the smallest change that may be told now."""
        if self.motion == ROLLING:
            return self.limits.rolling_step_mg
        if self.motion == ROUGH:
            return self.limits.rough_step_mg
        if self.anchored:
            return self.limits.step_mg
        return self.limits.step_mg + min(DRIFT_MOVING_MG_MAX, DRIFT_MOVING_MG_S * self.moved_s)

    def _departed(self) -> int | None:
        """Return the rank of the shortest window that is sure of a change, or None."""
        assert self.level_ug is not None
        if self.sight.looks_stuck():
            return None
        usable, level, smallest = self._usable(), self.level_ug // 1_000, self._smallest_mg()
        for rank, box in enumerate(BOXES):
            if 3 * box - 2 > usable or not self.sight.has(box):
                break
            if self.motion != STANDING and box < 8:
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
        return self.sight.sure(rank, delta_mg, self.level_mg2) and self.sight.steady(rank, delta_mg)

    def _believe(self, rank: int) -> None:
        """Open a change, or merge it into the one that is still moving."""
        assert self.level_ug is not None
        mean_mg, level_ug = self.sight.mean_mg(BOXES[rank]), self.level_ug
        moved = self.position - self.sight.crossed(rank, level_ug // 1_000, self.position - self.clear)
        change = self.change
        if change and moved - change.moved < REST_BETWEEN:
            self.change = replace(change, moved=max(moved, change.moved))
        else:
            if change:
                self._settle_before(change, moved)
                self._finish(change)
            self._open(moved, mean_mg, rank)
        self.level_ug, self.level_mg2 = mean_mg * 1_000, self.sight.variance_mg2(rank)
        self.clear, self.rested = moved, False
        self.runs = [0] * len(BOXES)

    def _open(self, moved: int, mean_mg: int, rank: int) -> None:
        assert self.level_ug is not None
        delta_mg = mean_mg - self.level_ug // 1_000
        start_ms = self.t_ms - (self.position - moved) * 1_000 // READINGS_PER_S
        motion = self.moved_as if self.motion == STANDING and not self.anchored else self.motion
        self.change = Change(
            self.next_id, max(0, start_ms), self.t_ms, moved, self.level_ug, self.level_mg2, delta_mg, motion
        )
        self.next_id += 1
        self.found.append(self._told(self.change, delta_mg, self.sight.variance_mg2(rank), final=False))

    def _settle_before(self, change: Change, moved: int) -> None:
        """Take the level between two changes from a window that ends before the second began."""
        end = moved - 16  # a hand is on it for up to 0.4 s around the middle
        means, at = self.sight.means, self.sight.at - (self.position - end)
        for rank in reversed(range(len(BOXES))):
            box = BOXES[rank]
            if 3 * box - 2 <= end - change.moved - 8 and at + 1 >= 3 * box:
                self.level_ug = means.mean_mg(box, at) * 1_000
                # The swing of now is the second change's.
                self.level_mg2 = 2 * self.sight.learned_mg2(rank)
                return

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
        still = away * away < 36 * self.sight.variance_mg2(BOXES.index(8)) + 4_000_000
        if rested < REST_BETWEEN or still:
            self.level_ug, self.level_mg2 = self.sight.mean_mg(BOXES[rank]) * 1_000, self.sight.variance_mg2(rank)
        known = rested >= FINAL_AFTER and still and self.level_mg2 < FINAL_SIGMA_MG**2
        if known or rested >= FINAL_AT_LAST:
            self._finish(change)

    def _finish(self, change: Change) -> None:
        assert self.level_ug is not None
        delta_mg = (self.level_ug - change.base_ug) // 1_000
        self.found.append(self._told(change, delta_mg, self.level_mg2, final=True))
        self.change = None
        self.anchored = self.anchored or self.motion == STANDING

    def _told(self, change: Change, delta_mg: int, variance_mg2: int, *, final: bool) -> Step:
        sigma_mg = isqrt(variance_mg2 + change.base_mg2)
        return Step(change.id, change.t_start_ms, change.t_accept_ms, delta_mg, sigma_mg, change.motion, final)
