"""While nothing comes: the level follows drift, is better known in motion, and what is found there is held.

Standing, the level follows slow drift, and slowly. In motion it becomes better known by all that was seen since it was
taken, and where that parts into two levels there was a change, which is held (`weight_trail`, `weight_held`). The
standstill shows exactly what the last of them led to: then what is held is told, one by one. What was too small
even for that is counted as drift, and the ledger of drift says so.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isqrt

from cart.core import weight_held, weight_motion
from cart.core.weight_held import Held
from cart.core.weight_level import READINGS_PER_S, Level
from cart.core.weight_motion import MOVING_SWING_MG
from cart.core.weight_noise import BOXES, LONGEST
from cart.core.weight_sight import SURE_AGAIN, SURE_MOVING
from cart.core.weight_trail import (
    ENDED_AFTER,
    FULL,
    HOLD_AFTER,
    HOLD_MARKS,
    MARK_BOX,
    UNIT_PERMILLE,
    Mark,
    Rest,
    Trail,
    weighed,
)
from cart.core.weight_values import STANDING, Standstill, Step

FINAL_AFTER = 104  # readings of rest before the final, 1.3 s
DRIFT_SHARE = 240  # the level goes this part of the way to the mean per reading: 3 s
DRIFT_UG_MAX = 3_750  # ... and 0.3 g a second at most

FOLLOW_EVERY = 3 * LONGEST // 2
"""Readings from one look at a level in motion to the next."""

FOLLOW_LATE = 64
"""Readings, 0.8 s, by which the level is late: what lands now must not move it before it is seen to be another one."""

KNOWN_BLOCKS = 16
"""Blocks of motion, 1.6 s, after which the moving mass is known well enough."""

LANDS = 12
"""Readings after the middle of a change for which it still moves."""

MARK_RANK = BOXES.index(MARK_BOX)
SHOCKED = 9  # times the usual swing (as variances), from which no mark is left: it would be one of a shock

WANDERS_MG = 300
"""What the zero may wander from one look to the next, 0.25 g a second: a cell of 2 g/K among the freezers."""

KNOWN_AFTER = 10 * READINGS_PER_S
"""So long what is learned of a level is learned of the change that led to it. Later it is drift."""

AGREES_BARE = 2
"""Standard deviations within which a window of bare readings shows the same level again."""


class Resting(Level):
    """The level with what it does while nothing comes."""

    def rest(self) -> None:
        """Let the level follow drift, and tell the standstill once."""
        assert self.level_ug is not None
        if any(self.runs) or self.usable() < FINAL_AFTER or not self.sight.has(32):
            return
        if self.motion != STANDING:
            self._follow()
            return
        if self.sight.corrected or not self.settled or self.sight.swing > MOVING_SWING_MG**2:
            return
        rank = BOXES.index(LONGEST if self.usable() >= 3 * LONGEST and self.sight.has(LONGEST) else 32)
        variance = self.sight.variance_mg2(rank)
        if not self.anchored:
            if not self.sight.steady(rank, 0):
                return  # a hand was on it within the window
            self.part(self.sight.mean_mg(BOXES[rank]), variance)
        away = self.sight.mean_mg(BOXES[rank]) * 1_000 - self.level_ug
        if abs(away) > self._drift_mg(variance) * 1_000:
            return
        if not self.anchored:
            # Seen again after motion or a gap: what the zero did meanwhile is drift, all at once.
            self.anchored, self.moved_s = True, 0
            self._know_better(away, variance)
            self.tell_held()
        self._drift(max(-DRIFT_UG_MAX, min(DRIFT_UG_MAX, away // DRIFT_SHARE)))
        self.level_mg2 = min(self.level_mg2, variance)
        if not self.sets_off():
            self.senses.follow_rest(self.level_ug // 1_000, level=not self.tilt_mg, long=rank == BOXES.index(LONGEST))
        if not self.rested:
            self.rested = True
            # What was followed since the last one is in no change, so the sums may differ by it.
            followed_mg, self.stood_ug = (self.drifted_ug - self.stood_ug) // 1_000, self.drifted_ug
            self.found.append(Standstill(self.t_ms, self.level_ug // 1_000, isqrt(variance + followed_mg**2)))

    def _drift_mg(self, variance_mg2: int) -> int:
        """Return how far from its level the load may rest and still be where it was; `variance_mg2` is the window's.

        After motion or a gap that is all that no step can be: what is below the smallest, and what may be the error of
        a level that was taken in motion. The core's conservation judges it; else the load would never be said to stand.
        """
        if self.anchored:
            return self.smallest_mg() // 2
        return max(self.smallest_mg(), SURE_AGAIN * isqrt(variance_mg2 + self.level_mg2))

    def _know_better(self, by_ug: int, mg2: int) -> None:
        """Put the level right by so much. What led to it a moment ago is put right with it; else it is drift.

        mg2  variance of the level then
        """
        assert self.level_ug is not None
        last = self.held[-1] if self.held else None
        if last and last.position > self.landed and self.position - last.position < KNOWN_AFTER:
            self.held = (*self.held[:-1], last.put_right(by_ug, mg2))
            self.level_ug += by_ug
        else:
            self._drift(by_ug)

    def tell_held(self) -> None:
        """Tell what was held."""
        told_ug = 0
        for one in weight_held.joined(self.held, self.limits.step_mg):
            delta_mg = one.delta_ug // 1_000
            told = Step(self.next_id, one.start_ms, self.t_ms, delta_mg, isqrt(one.mg2), one.motion, final=False)
            self.found += [told, replace(told, final=True)]
            self.next_id += 1
            told_ug += delta_mg * 1_000
        # The rest is no more than errors of levels: it lies in the level, and nobody is told.
        self.drifted_ug += sum(one.delta_ug for one in self.held) - told_ug
        self.held = ()

    def mark(self) -> None:
        """In motion, note what the load is without its shaking."""
        if self.motion == STANDING or self.level_ug is None:
            return
        still = self.senses.look_still(self.motion)
        if still is None:
            self.trail = None  # what comes without the accelerometer leaves no mark
            return
        if not still.has(MARK_BOX):
            return
        if self.senses.inertia.blocks < KNOWN_BLOCKS:
            return  # what is not taken out of the shaking yet is no noise
        moving_mg, mean_mg = self.moving_mg(), still.mean_mg(MARK_BOX)
        self.usual = self.usual.with_swing(still.swing, moving_mg)
        first = self.change.moved + LANDS if self.change else self.clear
        if self.position - first < 3 * MARK_BOX or abs(mean_mg) > self.limits.over_range_mg:
            return
        if self.trail is None:
            # What all levels of a motion share parts none of them; that of a standstill has no part in it.
            own_mg2 = None if self.change else max(self.level_mg2 - self.uneven_mg2(), self.uneven_mg2())
            self.trail = Trail(self.level_ug, own_mg2, self.position - 1)
        usual_mg2, unit_mg2 = self.usual.swing_mg2(moving_mg), self.unit_mg2()
        if still.swing > SHOCKED * usual_mg2:
            return  # its neighbours err the same way, and no sigma says how far
        # A soft window takes off most of a swing: what is left goes with its root.
        calm = isqrt(FULL * FULL * usual_mg2 // max(usual_mg2, still.swing))
        weight = weighed(calm, still.means.pulled_mg2(MARK_BOX, still.at), unit_mg2)
        pull_mg, share_ppm = still.means.pull_mg(MARK_BOX, still.at), self.senses.inertia.sway.share_ppm
        mark = Mark(self.position, mean_mg * 1_000, weight, calm, pull_mg, share_ppm)
        self.trail = self.trail.with_mark(mark, unit_mg2)
        square_mg2 = self.trail.square_mg2()
        if square_mg2 is not None:
            self.usual = self.usual.with_mark(square_mg2, moving_mg)

    def unit_mg2(self) -> int:
        """Return the variance of a mark of full weight."""
        learned = self.senses.corrected.learned
        return self.usual.unit_mg2(learned[MARK_RANK] * UNIT_PERMILLE // 1_000 if learned else 1, self.moving_mg())

    def _seen_now(self, trail: Trail, unit_mg2: int) -> Trail:
        return trail.seen_with(self.senses.inertia.sway, unit_mg2)

    def _follow(self) -> None:
        """In motion, know the level better by what the load showed since it was taken, or find another one."""
        if self.position - self.followed < FOLLOW_EVERY:
            return
        if self.trail is None:
            self._follow_bare()
            return
        self.followed = self.position
        unit_mg2 = self.unit_mg2()
        self.trail = self._seen_now(self.trail, unit_mg2).wandered(WANDERS_MG)
        # What came and went is looked for anew each time: too little may have been seen of what follows it.
        trail = self.trail.without_transients(unit_mg2)
        levels, late = trail.levels(unit_mg2), self.position - FOLLOW_LATE
        if len(levels) == 1:
            levels = [trail.between(0, late).mean(unit_mg2)]
        elif levels:
            last = trail.shown(levels[-1].first, late, unit_mg2)
            levels = [*levels[:-1], last] if self._lasted(last) else trail.decided(levels, unit_mg2)
        self._take(levels, unit_mg2)

    def _lasted(self, level: Rest) -> bool:
        return self.position - level.first >= HOLD_AFTER and level.marks >= HOLD_MARKS

    def _take(self, levels: list[Rest], unit_mg2: int) -> None:
        """Know the level better by the first of these levels, and hold the changes between them."""
        assert self.trail is not None
        if levels:
            self.know(levels[0], unit_mg2)
        for before, after in pairwise(levels):
            self.hold(before, after, unit_mg2)
        if len(levels) > 1:
            last = levels[-1]
            # Its marks are kept: they may show two levels when more is seen.
            marks = self.trail.between(last.first, self.position).marks
            self.trail = Trail(last.ug, None, last.first - 1, marks)

    def _follow_bare(self) -> None:
        """Without an accelerometer, know the level better by a window that agrees with it (Kalman's gain)."""
        assert self.level_ug is not None
        rank = BOXES.index(LONGEST)
        if self.sight.corrected or self.usable() < 3 * LONGEST or not self.sight.has(LONGEST):
            return
        self.followed = self.position
        level_mg2, window_mg2 = self.level_mg2 + WANDERS_MG**2, self.sight.variance_mg2(rank)
        away_mg, total_mg2 = self.sight.mean_mg(LONGEST) - self.level_ug // 1_000, level_mg2 + window_mg2
        if self.sight.even(rank) and away_mg * away_mg < AGREES_BARE * AGREES_BARE * total_mg2:
            self._know_better(away_mg * 1_000 * level_mg2 // total_mg2, level_mg2 * window_mg2 // total_mg2)
            level_mg2 = level_mg2 * window_mg2 // total_mg2
        self.level_mg2 = level_mg2

    def know(self, level: Rest, unit_mg2: int) -> None:
        """Take what the trail shows for the level."""
        assert self.level_ug is not None
        if not level.weight:
            return
        mg2 = level.mg2(unit_mg2)
        self._know_better(level.ug - self.level_ug, mg2)
        self.level_mg2 = mg2 + self.uneven_mg2()

    def begin_landed(self, trail: Trail | None, moved: int) -> None:
        """Begin the trail of a change that is believed now with the marks left since it landed: it may be seconds."""
        assert self.level_ug is not None
        first = moved + LANDS + 3 * MARK_BOX
        marks = trail.between(first, self.position).marks if trail and self.motion != STANDING else ()
        self.trail = Trail(self.level_ug, None, moved, marks) if marks else None

    def know_landed(self, end: int) -> None:
        """Know the level that a change led to by the marks until `end`, unless something came before the first."""
        if self.trail is None or self.trail.mg2 is not None:
            return
        assert self.level_ug is not None
        unit_mg2, last = self.unit_mg2(), self.position
        self.trail = self._seen_now(self.trail, unit_mg2)
        trail = self.trail.between(0, end).without_transients(unit_mg2)
        levels = trail.levels(unit_mg2)
        if len(levels) > 1 and levels[-1].marks < HOLD_MARKS:
            levels = trail.decided(levels, unit_mg2)
        was = Rest(self.level_ug, max(1, unit_mg2 * FULL // max(1, self.level_mg2)))
        shown = levels[0] if levels and levels[0].marks >= HOLD_MARKS else None
        known_mg2 = shown.mg2(unit_mg2) + self.uneven_mg2() if shown else self.level_mg2
        if self.motion == STANDING and known_mg2 >= self.level_mg2:
            self.trail = None  # this level was seen standing: what came on the way to it is in the change
            return
        if self.change and self.change.stood and known_mg2 >= self.level_mg2:
            # What was seen standing is known better; all marks came after it.
            last = self.trail.taken_at
        elif shown and was.agrees(shown, unit_mg2):
            self.level_ug, self.level_mg2, last = shown.ug, known_mg2, shown.last
        # It is known now, and what later marks show is laid beside it; those of a window that told it bear no witness
        # a second time.
        self.trail = Trail(self.level_ug, self.level_mg2, last, self.trail.between(last + 1, self.position).marks)

    def part(self, mean_mg: int, variance_mg2: int) -> None:
        """At the first rest after motion, hold what the trail shows together with what the load rests at now.

        What was taken for a better knowledge of the level was a change then.
        """
        if self.trail is not None:
            unit_mg2 = self.unit_mg2()
            self.trail = self._seen_now(self.trail, unit_mg2)
            _, levels = self._levels_until(mean_mg, variance_mg2, unit_mg2)
            self._take(levels, unit_mg2)
            self.trail = None

    def part_before(self, end: int, mean_mg: int, variance_mg2: int) -> None:
        """Before a change that comes now, hold what the trail shows until `end`.

        mean_mg  what a window shows the load to be now;  variance_mg2: of that window
        """
        if self.trail is None or self.anchored:
            return
        unit_mg2 = self.unit_mg2()
        self.trail = self._seen_now(self.trail, unit_mg2)
        if self.motion == STANDING:
            trail, levels = self._levels_until(mean_mg, variance_mg2, unit_mg2)
            last = levels.pop()
            if levels and last.marks >= HOLD_MARKS:
                # It was seen on the way already: what comes now comes on top of it.
                levels.append(trail.shown(last.first, last.last, unit_mg2))
        else:
            trail = self.trail.between(0, end).without_transients(unit_mg2)
            levels = trail.levels(unit_mg2)
            if len(levels) > 1:
                last = levels[-1]
                brief = last.marks < HOLD_MARKS and end - last.first < ENDED_AFTER
                if brief or not self._apart(last, mean_mg, unit_mg2):
                    levels = trail.decided(levels, unit_mg2)
        self._take(levels, unit_mg2)

    def _levels_until(self, mean_mg: int, variance_mg2: int, unit_mg2: int) -> tuple[Trail, list[Rest]]:
        """Return the trail without what came and went, and its levels up to what a window of a standstill shows."""
        assert self.trail is not None
        now = self._now(mean_mg, variance_mg2, unit_mg2)
        trail = self.trail.without_transients(unit_mg2, now)
        return trail, trail.levels(unit_mg2, now)

    def _now(self, mean_mg: int, variance_mg2: int, unit_mg2: int) -> Rest:
        """Return what a window of a standstill shows, to be laid beside what was seen in motion."""
        mg2 = variance_mg2 + self.uneven_mg2() + (self.sideways_mg2() if self.tilt_mg else 0)
        return Rest(mean_mg * 1_000, max(1, unit_mg2 * FULL // mg2), 0, self.position, self.position)

    def _apart(self, level: Rest, mean_mg: int, unit_mg2: int) -> bool:
        """Whether what comes now would be told without what came just before; else both are one that took its time."""
        came_mg = abs(mean_mg - level.ug // 1_000)
        smallest = 3 * weight_motion.smallest_mg(self.limits, self.motion, None, corrected=True) // 4
        return came_mg > smallest and came_mg * came_mg > SURE_MOVING**2 * level.mg2(unit_mg2)

    def hold(self, before: Rest, after: Rest, unit_mg2: int) -> None:
        """Take another level in motion, and hold the change between the two."""
        self.know(before, unit_mg2)
        before_mg2, after_mg2 = before.mg2(unit_mg2), after.mg2(unit_mg2)
        start_ms = max(0, self.t_ms - (self.position - before.last) * 1_000 // READINGS_PER_S)
        linked = bool(self.held) and self.held[-1].position > self.landed
        delta_ug, mg2 = after.ug - before.ug, before_mg2 + after_mg2
        one = Held(start_ms, after.last, delta_ug, mg2, before_mg2, self.motion, linked, unseen=not before.marks)
        self.held = weight_held.with_held(self.held, one)
        self.level_ug, self.level_mg2 = after.ug, after_mg2 + self.uneven_mg2()
        self.senses.settle_sway(before.last, self.level_ug // 1_000)

    def _drift(self, by_ug: int) -> None:
        assert self.level_ug is not None
        self.level_ug += by_ug
        self.drifted_ug += by_ug
