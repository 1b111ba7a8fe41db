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

from dataclasses import dataclass, replace
from math import isqrt

from cart.core import weight_noise as noise
from cart.core.weight_noise import BLOCK, BOXES, LONGEST, Smoothing, Track
from cart.core.weight_values import ROLLING, ROUGH, STANDING, Calibration, Limits, Standstill, Step

READINGS_PER_S = 80

SURE = 6  # standard deviations that a change must stand out by
SURE_NOW = 2  # ... of the swing of the moment, standing
SURE_MOVING = 8
REST_BETWEEN = 36  # readings of rest, 0.45 s, that make two changes out of one: longer than a hand's placement
FINAL_AFTER = 104  # readings of rest before the final, 1.3 s
FINAL_AT_LAST = 320  # 4 s: then with whatever sigma there is
FINAL_SIGMA_MG = 1_500
HAND_MG = 150_000  # a hand may push or pull so hard while it places something
HAND_RUN = 11
HEAVY_MG = 500_000  # a heavier change swings longer
ACQUIRE_AFTER = 94  # readings before the first level is taken
ACQUIRE_AT_LAST = 280
CALM_AFTER = 9 * LONGEST // 2 + BLOCK  # readings without a change that learning of the noise looks back over
FROZEN_RUN = 5  # equal readings in a row in which nothing is believed: the converter may be stuck

DRIFT_SHARE = 240  # the level goes this part of the way to the mean per reading: 3 s
DRIFT_UG_MAX = 3_750  # ... and 0.3 g a second at most
DRIFT_MOVING_MG_S = 50  # what the zero may have drifted for each second in motion
DRIFT_MOVING_MG_MAX = 9_000

MOVING_SWING_MG = 40_000
STILL_SWING_MG = 30_000
ROUGH_SWING_MG = 600_000
MOVING_BLOCKS, MOVING_OF = 12, 16  # so many noisy blocks of the last so many: a dropped item rings shorter
STILL_BLOCKS = 10

_HALF_RANK = {4: 0, 8: 0, 12: 0, 16: 1, 24: 2, 32: 3, 64: 5}
"""Rank of the window whose noise stands for half of the window of this box."""


_EMPTY = Track()


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is believed and not yet final. Positions count readings since the first.

    moved      middle of its last part
    base_ug    level before it;  base_mg2: the variance of that
    delta_mg   as first told
    """

    id: int
    t_start_ms: int
    t_accept_ms: int
    moved: int
    base_ug: int
    base_mg2: int
    delta_mg: int
    motion: str


@dataclass(frozen=True, slots=True)
class Detector:
    """All that detection keeps between two calls. Positions count readings since the first.

    position   of the newest reading
    clear      first position that windows may reach back to
    stirred    last position at which the load was away from its level: the noise is not learned from there
    level_ug   what the load rests at, None before the first rest;  level_mg2: its variance
    runs       for how many readings each window has seen a change
    anchored   the level was seen at this standstill; before that it does not drift, and larger steps are asked for
    rested     the standstill was told
    drifted_ug sum of all drift that the level followed, for the ledger
    """

    raw: Track = _EMPTY
    corrected: Track = _EMPTY
    position: int = -1
    clear: int = 0
    stirred: int = 0
    level_ug: int | None = None
    level_mg2: int = 0
    runs: tuple[int, ...] = (0,) * len(BOXES)
    motion: str = STANDING
    motion_since: int = 0
    moved_s: int = 0
    moved_as: str = STANDING
    anchored: bool = True
    rested: bool = False
    change: Change | None = None
    next_id: int = 1
    drifted_ug: int = 0


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


def interrupted(detector: Detector) -> Detector:
    """Return the detector after a gap: nothing of the time before is used but the level."""
    gone = replace(detector.raw, history=(), squares=(), blocks=())
    gone_corrected = replace(detector.corrected, history=(), squares=(), blocks=())
    return replace(
        detector,
        raw=gone,
        corrected=gone_corrected,
        clear=detector.position + 1,
        runs=(0,) * len(BOXES),
        anchored=False,
        rested=False,
    )


class _Detection:
    """The detector with new readings, while one call lasts."""

    def __init__(
        self, old: Detector, readings: list[int], inertia: list[int] | None, counts_per_kg: int, limits: Limits
    ) -> None:
        self.old = old
        self.found: list[Found] = []
        self.limits = limits
        self.readings = readings
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
        self.t_ms = 0
        self.at = 0
        self._choose()

    def frozen(self) -> Detector:
        raw = self.raw_means.kept(self.raw)
        corrected = self.corrected_means.kept(self.corrected) if self.corrected_means else Track()
        return Detector(
            raw,
            corrected,
            self.position,
            self.clear,
            self.stirred,
            self.level_ug,
            self.level_mg2,
            tuple(self.runs),
            self.motion,
            self.motion_since,
            self.moved_s,
            self.moved_as,
            self.anchored,
            self.rested,
            self.change,
            self.next_id,
            self.drifted_ug,
        )

    def take(self, index: int, t_ms: int) -> None:
        """Take the next reading, the one at `index` of the new ones."""
        self.position += 1
        self.t_ms = t_ms
        self.at = self.raw_means.first + index
        if self.position % BLOCK == 0 and self.raw_means.has(16, self.at):
            self._end_block()
        self._choose()
        if not self.track.learned:
            return
        self.swing = self.means.swing_mg2(self.at)
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

    def _choose(self) -> None:
        """Standing, the accelerometer's own noise does more harm than good; in motion it takes the shaking out."""
        use_corrected = self.motion != STANDING and self.corrected_means is not None
        self.means = self.corrected_means if use_corrected and self.corrected_means else self.raw_means
        self.track = self.corrected if use_corrected else self.raw

    def _end_block(self) -> None:
        undisturbed = self.position - max(self.clear, self.stirred) > CALM_AFTER
        calm = self.level_ug is not None and undisturbed and not any(self.runs)
        self.raw = noise.with_block(self.raw, self.raw_means, self.at, calm=calm)
        if self.corrected_means:
            at = self.at - self.raw_means.first + self.corrected_means.first
            if self.corrected_means.has(16, at):
                self.corrected = noise.with_block(self.corrected, self.corrected_means, at, calm=calm)
        motion = _motion(self.motion, self.raw.blocks)
        if motion != self.motion:
            self._move(motion)

    def _move(self, motion: str) -> None:
        was, self.motion = self.motion, motion
        seconds = (self.position - self.motion_since) // READINGS_PER_S
        self.motion_since = self.position
        if motion == STANDING:
            # The noise of the road says nothing about standing; and only what was read since the stop counts.
            self.raw = noise.restarted(self.raw, _lately(self.raw))
            self.clear = max(self.clear, self.position - (STILL_BLOCKS - 3) * BLOCK)
            self.moved_s, self.moved_as = self.moved_s + seconds, was
        elif was == STANDING:
            self.moved_s = 0 if self.anchored else self.moved_s
            self.anchored = self.rested = False
            if self.corrected.blocks:
                self.corrected = noise.restarted(self.corrected, _lately(self.corrected))
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
        if usable < ACQUIRE_AFTER or not self._has(box):
            return
        rank = BOXES.index(box)
        if usable >= ACQUIRE_AT_LAST or self._steady(rank, 0):
            self.level_ug = self._mean(box) * 1_000
            self.level_mg2 = self._variance(rank)

    def _stirs(self) -> bool:
        """Whether the load is away from its level, so that nothing of now may be taken for noise."""
        assert self.level_ug is not None
        if self.motion != STANDING:
            return self.change is not None
        if self.change is not None or not self._has(8):
            return True
        return abs(self._mean(8) - self.level_ug // 1_000) > self._smallest_mg()

    def _near(self) -> bool:
        """Whether every window lies within the noise of the level: nothing can be believed now. Quick."""
        assert self.level_ug is not None
        level = self.level_ug // 1_000
        reach = self._smallest_mg() // 2
        usable = self._usable()
        return all(
            abs(self._mean(box) - level) < reach for box in (4, 8, 16, 32) if 3 * box <= usable and self._has(box)
        )

    def _rest(self) -> None:
        """Let the level follow drift, and tell the standstill once."""
        assert self.level_ug is not None
        if self.motion != STANDING or any(self.runs) or self._usable() < FINAL_AFTER or not self._has(32):
            return
        rank = BOXES.index(LONGEST) if self._usable() >= 3 * LONGEST and self._has(LONGEST) else BOXES.index(32)
        away = self._mean(BOXES[rank]) * 1_000 - self.level_ug
        if abs(away) > self._smallest_mg() * 500:
            return
        variance = self._variance(rank)
        if not self.anchored:
            # Seen again after motion or a gap: what the zero did meanwhile is drift, all at once.
            self.anchored, self.moved_s = True, 0
            self._drift(away)
        self._drift(max(-DRIFT_UG_MAX, min(DRIFT_UG_MAX, away // DRIFT_SHARE)))
        self.level_mg2 = min(self.level_mg2, variance)
        if not self.rested:
            self.rested = True
            self.found.append(Standstill(self.t_ms, self.level_ug // 1_000, isqrt(variance)))

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
        if self._looks_stuck():
            return None
        usable, level, smallest = self._usable(), self.level_ug // 1_000, self._smallest_mg()
        for rank, box in enumerate(BOXES):
            if 3 * box - 2 > usable or not self._has(box):
                break
            if self.motion != STANDING and box < 8:
                continue
            delta = self._mean(box) - level
            if abs(delta) > smallest and self._sure(rank, delta) and self._steady(rank, delta):
                self.runs[rank] += 1
                if self.runs[rank] >= self._runs_needed(box, delta):
                    return rank
            else:
                self.runs[rank] = 0
        return None

    def _sure(self, rank: int, delta_mg: int) -> bool:
        """Whether a change stands out of the noise, and the noise out of nothing larger than a share of it.

        Standing, a change is its own noise: an item that falls shakes the basket more than it weighs. So it need not
        stand out as far of the swing of this moment as of the noise that was learned at rest.
        """
        now, square = self._variance(rank), delta_mg * delta_mg
        tolerated = max(3_000, abs(delta_mg) // 20)
        if self.motion != STANDING:
            return square > SURE_MOVING**2 * (now + self.level_mg2) and now < tolerated * tolerated
        learned = noise.variance_mg2(self.track, rank, self.track.swing)
        sure = square > SURE**2 * (learned + self.level_mg2) and learned < tolerated * tolerated
        return sure and square > SURE_NOW**2 * now

    def _steady(self, rank: int, delta_mg: int) -> bool:
        """Whether the load rests in a window: its two halves agree, and its middle lies on the line between them.

        The middle tells a hand's push, which comes and goes evenly, from a rest.
        """
        box, here = BOXES[rank], self._here()
        half = box // 2
        new = self._mean(half)
        middle = self.means.mean_mg(half, here - 3 * half // 2)
        old = self.means.mean_mg(half, here - 3 * half)
        # Standing, the swing of the change itself must not excuse it: only what was learned at rest counts.
        swing = self.track.swing if self.motion == STANDING else self.swing
        variance = noise.variance_mg2(self.track, _HALF_RANK[box], swing)
        share = delta_mg * delta_mg // 2_500
        apart, bent = new - old, new + old - 2 * middle
        return apart * apart < max(18 * variance + 1_000_000, share) and (
            bent * bent < max(54 * variance + 1_000_000, 4 * share)
        )

    def _runs_needed(self, box: int, delta_mg: int) -> int:
        """Return for how many readings a window must be sure; longer for what weighs less than a hand's push."""
        if self.motion != STANDING:
            return max(8, 3 * box // 4)
        return max(HAND_RUN if abs(delta_mg) < HAND_MG else 3, 3 * box // 8)

    def _looks_stuck(self) -> bool:
        at, kept = self._here(), self.means
        return kept.equal_run(at, FROZEN_RUN)

    def _believe(self, rank: int) -> None:
        """Open a change, or merge it into the one that is still moving."""
        assert self.level_ug is not None
        box = BOXES[rank]
        mean_mg, level_ug = self._mean(box), self.level_ug
        moved = self._crossing(box, level_ug // 1_000, mean_mg)
        change = self.change
        if change and moved - change.moved < REST_BETWEEN:
            self.change = replace(change, moved=max(moved, change.moved))
        else:
            if change:
                self._settle_before(change, moved)
                self._finish(change)
            self._open(moved, mean_mg, rank)
        self.level_ug, self.level_mg2 = mean_mg * 1_000, self._variance(rank)
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
        self.found.append(self._told(self.change, delta_mg, self._variance(rank), final=False))

    def _crossing(self, box: int, level_mg: int, mean_mg: int) -> int:
        """Return the position at which the load was half-way, looked for backwards from now."""
        half = max(2, box // 2)
        middle, rising = (level_mg + mean_mg) // 2, mean_mg > level_mg
        at = self._here()
        oldest = max(3 * half - 1, at - (self.position - self.clear))
        while at > oldest and (self.means.mean_mg(half, at) > middle) == rising:
            at -= 1
        return self.position - (self._here() - at) + 1 - (3 * half - 3) // 2

    def _settle_before(self, change: Change, moved: int) -> None:
        """Take the level between two changes from a window that ends before the second began."""
        end = moved - 16  # a hand is on it for up to 0.4 s around the middle
        at = self._here() - (self.position - end)
        for rank in reversed(range(len(BOXES))):
            box = BOXES[rank]
            if 3 * box - 2 <= end - change.moved - 8 and at + 1 >= 3 * box:
                self.level_ug = self.means.mean_mg(box, at) * 1_000
                # The swing of now is the second change's.
                self.level_mg2 = 2 * noise.variance_mg2(self.track, rank, self.track.swing)
                return

    def _refine(self, change: Change) -> None:
        """Know the new level better with every reading; make it final when it is known."""
        assert self.level_ug is not None
        delta_mg = self.level_ug // 1_000 - change.base_ug // 1_000
        settle = 12 if abs(delta_mg) > HEAVY_MG else 5
        rested = self.position - change.moved
        rank = self._longest_within(rested - settle)
        if rank is None or not self._has(8):
            return
        away = self._mean(8) - self.level_ug // 1_000
        still = away * away < 36 * self._variance(BOXES.index(8)) + 4_000_000
        if rested < REST_BETWEEN or still:
            self.level_ug, self.level_mg2 = self._mean(BOXES[rank]) * 1_000, self._variance(rank)
        known = rested >= FINAL_AFTER and still and self.level_mg2 < FINAL_SIGMA_MG**2
        if known or rested >= FINAL_AT_LAST:
            self._finish(change)

    def _longest_within(self, readings: int) -> int | None:
        fitting = [r for r, box in enumerate(BOXES) if 3 * box - 2 <= readings and self._has(box)]
        return fitting[-1] if fitting else None

    def _finish(self, change: Change) -> None:
        assert self.level_ug is not None
        delta_mg = (self.level_ug - change.base_ug) // 1_000
        self.found.append(self._told(change, delta_mg, self.level_mg2, final=True))
        self.change = None
        self.anchored = self.anchored or self.motion == STANDING

    def _told(self, change: Change, delta_mg: int, variance_mg2: int, *, final: bool) -> Step:
        sigma_mg = isqrt(variance_mg2 + change.base_mg2)
        return Step(change.id, change.t_start_ms, change.t_accept_ms, delta_mg, sigma_mg, change.motion, final)

    # -- windows of the track in use --------------------------------------------------------

    def _here(self) -> int:
        return self.at - self.raw_means.first + self.means.first

    def _has(self, box: int) -> bool:
        return self.means.has(box, self._here())

    def _mean(self, box: int) -> int:
        return self.means.mean_mg(box, self._here())

    def _variance(self, rank: int) -> int:
        return noise.variance_mg2(self.track, rank, self.swing)


def _lately(track: Track) -> int:
    """Return the swing's variance over the last blocks of a track that has some."""
    last = track.blocks[-4:]
    return sum(last) // len(last)


def _motion(motion: str, blocks: tuple[int, ...]) -> str:
    """Return how the cart moves, from the swing of the last blocks; a change of class needs most of them."""
    last = blocks[-MOVING_OF:]
    if motion != STANDING and len(last) >= STILL_BLOCKS and max(last[-STILL_BLOCKS:]) < STILL_SWING_MG**2:
        return STANDING
    noisy = sum(block > MOVING_SWING_MG**2 for block in last)
    if motion == STANDING and noisy < MOVING_BLOCKS:
        return STANDING
    middle = sorted(last)[len(last) // 2]
    return ROUGH if middle > ROUGH_SWING_MG**2 else ROLLING
