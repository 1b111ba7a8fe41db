"""Finds changes of load in evenly spaced readings, 80 a second.

There is a level at which the load rests. A change is believed when a window's mean has left the level by more than
its noise can explain, its two halves agree (the load rests again), and both hold for some readings. Short windows see
kilograms early, long ones see grams; a window never reaches back over the change before.

    resting --believed: provisional--> open --rested 1.3 s and sure, or 4 s: final--> resting

While a change is open its level is refined with ever longer windows. A second change within 0.52 s is the rest of the
same one (a hand that hesitates, an item that tips over): it is merged and told only in the final. A later one is a
change of its own: the first is closed with the level between the two.

A load that never comes to rest has a hand or a child on it: its change stays open, all that comes meanwhile belongs to
it, and when it has gone again the final says that nothing came.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import weight_held, weight_slope, weight_sway
from cart.core.weight_detector import Change, Detector
from cart.core.weight_inertia import CHANGE_AFTER, LEARN_LATE, ONE_G_UG, TRUSTED_BLOCKS
from cart.core.weight_level import DOUBT_MG, READINGS_PER_S, TILT_ALONE_UG, Felt, Found
from cart.core.weight_motion import STILL_BLOCKS, motion_after
from cart.core.weight_noise import BLOCK, BOXES, LONGEST
from cart.core.weight_rest import FINAL_AFTER, Resting
from cart.core.weight_trail import AGREES_SQUARED
from cart.core.weight_values import CHILD, JAM, LEAN, STANDING, TILT, Calibration, Case, Limits

REST_BETWEEN = 42  # readings of rest, 0.52 s, that make two changes out of one: longer than a hand's placement
FINAL_AFTER_MOVING = 3 * LONGEST + 12  # in motion the longest window is worth waiting for
REST_AFTER_CHILD = 240  # 3 s: what is as heavy as a child may sit still for a moment
FINAL_AT_LAST = 320  # 4 s: then with whatever sigma there is
FINAL_SIGMA_MG = 1_500
FINAL_SIGMA_MOVING_MG = 3_000  # of the longest window in motion: no other says more
BLURRED = 2  # times the least variance of the level, beyond which a window says less than was known already
HAND_READINGS = 16  # a hand is on it for up to 0.4 s around the middle
HAND_BEFORE = 40  # and before that it may press on the goods for as long again
RINGING_MS = 300
RINGING = RINGING_MS * READINGS_PER_S // 1_000  # the same in readings
TILTING = 100  # readings, 1.25 s, that it may take
LONG_SHAKE = 56  # readings, 0.7 s, beyond which only a hand or a child keeps the load restless
LEANT_AT_LAST = 4_800  # 60 s: then it is told as it is
JAM_PERMILLE = 650, 1_500  # of the static mass: further off than a platform that was configured badly
CHILD_MG = 6_000_000  # heavier than an arm
CREEP_PPM = 1_000  # of what pressed on the cells, that may stay behind for a while: creep and hysteresis
HEAVY_MG = 500_000  # a heavier change swings longer
CALM_AFTER = 3 * LONGEST + BLOCK  # readings without a change that learning of the noise looks back over


def detected(
    detector: Detector,
    readings: list[int],
    felt: list[Felt] | None,
    t_ms: list[int],
    calibration: Calibration,
    limits: Limits,
) -> tuple[Detector, list[Found]]:
    """Return the detector after these readings, and what it found.

    readings  counts above zero, evenly spaced, oldest first
    felt      accelerations, one a reading; None without an accelerometer
    t_ms      time of each reading
    """
    work = _Detection(detector, readings, felt, calibration.counts_per_kg, limits)
    for n, t in enumerate(t_ms):
        if felt:
            work.slope = weight_slope.felt(work.slope, felt[n][1:])
        work.take(t)
    return work.frozen(), work.found


class _Detection(Resting):
    """The detector with new readings, while one call lasts."""

    def take(self, t_ms: int) -> None:
        """Take the next reading."""
        self.position += 1
        self.t_ms = t_ms
        self.senses.take(None if self.level_ug is None else self.level_ug // 1_000)
        if self.position % BLOCK == 0:
            self._end_block()
        if self.motion == STANDING and not self.settled:
            self.settle()
            if self.settled and not self.change:
                # However little was known of the level on the way: what it is off by further than that is told. While
                # a change is open its windows say now what it led to, and need no such limit.
                self.level_mg2 = min(self.level_mg2, DOUBT_MG**2)
        sight = self.senses.look(self.motion, settled=self.settled)
        if sight is None:
            return
        self.sight = sight
        sight.tilt_mg = self.tilt_mg
        if self.level_ug is None:
            self.acquire()
            return
        if self.stirs():
            self.stirred = self.position
        if self.near():
            self.runs, self.uneasy = [0] * len(BOXES), 0
        elif (rank := self._departed()) is not None:
            self._believe(rank)
        if self.change:
            self._refine(self.change)
        else:
            # A load that trembles before it is believed is held by somebody, as is one that trembles after it.
            self.uneasy += self._touched()
            self.rest()

    def _end_block(self) -> None:
        undisturbed = self.position - max(self.clear, self.stirred) > CALM_AFTER
        calm = self.level_ug is not None and undisturbed and not any(self.runs)
        self.senses.end_block(calm=calm)
        self._feel_slope()
        self._learn_inertia()
        self.mark()
        self.feel_shock()
        motion = motion_after(self.motion, self.senses.raw.blocks, self.moving_mg())
        if motion != self.motion:
            self._move(motion)

    def _feel_slope(self) -> None:
        """Note the slope, and name one that the cart rolls over; the vertical axis takes its weight off."""
        self.slope = weight_slope.with_block(self.slope)
        if self.motion == STANDING and self.slope.pulled():
            self.pulled = self.position
        if self.slope.even is None and self.level_ug is not None:
            self.level_slope()
        if self.motion != STANDING:
            self.slope, came = weight_slope.on_ramp(self.slope)
            if came:
                self.found.append(Case(self.t_ms, TILT))

    def _learn_inertia(self) -> None:
        """Learn from the block two seconds ago, unless the load changed around it."""
        if self.level_ug is None:
            return
        # Standing, what shakes the platform is a hand, and its force is no inertia.
        apart = self.position - LEARN_LATE - self.clear
        doubted = self.change is None and self.stirred == self.position - 1
        if self.motion != STANDING and apart > CHANGE_AFTER and not doubted:
            self.senses.learn_inertia(self.level_ug // 1_000)
            self._compare_masses()
        if self.motion != STANDING and self.position - self.clear > weight_sway.AFTER and not any(self.runs):
            self.senses.learn_sway(self.position, self.level_ug // 1_000, self.unit_mg2())
        # A level that was taken with another acceleration of rest is put right by as much as the windows are.
        rest = self.senses.guessed_rest(standing=self.motion == STANDING)
        if rest:
            self.rest_moved(rest[0], sure=False, blocks=rest[1])

    def _compare_masses(self) -> None:
        """Name a jam when it begins: the moving mass disagrees with the static one.

        Whatever touches the platform beside the cells takes part of the force and none of the mass.
        """
        assert self.level_ug is not None
        inertia = self.senses.inertia
        static_mg = max(0, self.level_ug // 1_000) + self.limits.platform_mg
        agrees = static_mg * JAM_PERMILLE[0] < inertia.moving_mg * 1_000 < static_mg * JAM_PERMILLE[1]
        if inertia.blocks >= TRUSTED_BLOCKS and self.jammed == agrees:
            self.jammed = not agrees
            if self.jammed:
                self.found.append(Case(self.t_ms, JAM))

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
            if self.anchored:
                self.moved_s, self.trail = 0, None
            self.change = replace(self.change, stood=self.change.stood or self.settled) if self.change else None
            self.anchored = self.settled = self.rested = False
            if self.senses.corrected_means is None:
                # What trembled until now was the floor; an accelerometer would have said so.
                self.uneasy = 0
                self.change = replace(self.change, restless=0, leant=False) if self.change else None
        else:
            self.moved_s += seconds
        self.runs = [0] * len(BOXES)

    def _departed(self) -> int | None:
        """Return the rank of the shortest window that is sure of a change, or None."""
        assert self.level_ug is not None
        if self.sight.looks_stuck():
            return None
        usable, level, smallest = self.usable(), self.level_ug // 1_000, self.smallest_mg()
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
        if abs(self.sight.mean_mg(BOXES[rank])) > self.limits.over_range_mg:
            return False  # there is no weight beyond the safe load: in a moment that will have its name
        if not self.sight.sure(rank, delta_mg, self.level_mg2, self.anchored) or not self.sight.steady(rank, delta_mg):
            return False
        return not self._tilts(BOXES[rank], delta_mg)

    def _tilts(self, box: int, delta_mg: int) -> bool:
        """Whether, standing, the accelerometer explains most of a small change, or feels the cart being tilted."""
        felt_ug, rest_ug = self.senses.felt_ug(max(box, 12)), self.senses.inertia.rest_ug
        if self.sight.corrected or self.motion != STANDING or felt_ug is None or rest_ug is None:
            return False
        moving_mg = self.moving_mg()
        by_ug = felt_ug - rest_ug - self.tilt_mg * ONE_G_UG // moving_mg
        lighter = abs(by_ug) >= TILT_ALONE_UG and 2 * by_ug * moving_mg // ONE_G_UG * delta_mg >= delta_mg * delta_mg
        if not lighter and abs(delta_mg) > self.slope.weighs_mg(moving_mg):
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
        change, trail = self.change, self.trail
        if change and (change.leant or moved - change.moved < self._rest_between(change)):
            opened = replace(
                change,
                moved=max(moved, change.moved),
                peak_mg=max(change.peak_mg, abs(mean_mg - change.base_ug // 1_000)),
            )
        else:
            if change:
                self._settle_before(change, moved)
                self.know_landed(moved - HAND_BEFORE)
                self._finish(change)
            # What was too small to be told in motion is kept out of what comes now: a standstill tells it.
            self.part_before(moved - HAND_BEFORE, mean_mg, self.sight.variance_mg2(rank))
            if self.motion == STANDING and self.level_ug != level_ug:
                came_mg = mean_mg - self.level_ug // 1_000
                sure = self.sight.sure(rank, came_mg, self.level_mg2, self.anchored)
                if abs(came_mg) <= self.smallest_mg() or not sure:
                    self.runs = [0] * len(BOXES)
                    return  # all of it had come before
                moved = self.position - self.sight.crossed(rank, self.level_ug // 1_000, self.position - self.clear)
            # Nothing is told to leave before it was told to come.
            if weight_held.may_undo(self.held, mean_mg - self.level_ug // 1_000):
                self.tell_held()
            opened = self._opened(moved, mean_mg, rank)
        self._level(mean_mg, rank)
        self.senses.settle_sway(moved - HAND_BEFORE, mean_mg)
        self.begin_landed(trail, moved)
        self.change = replace(opened, known_mg2=self.level_mg2, stood=False)
        self.clear, self.landed, self.rested = moved, moved, False
        self.runs = [0] * len(BOXES)

    def _rest_between(self, change: Change) -> int:
        """Return how long the load must rest after a change before the next one is another: a child sits down first."""
        assert self.level_ug is not None
        heavy = abs(self.level_ug - change.base_ug) > CHILD_MG * 1_000
        return REST_AFTER_CHILD if heavy else REST_BETWEEN

    def _level(self, mean_mg: int, rank: int) -> None:
        """Take a window's mean as the level."""
        assert self.level_ug is not None
        self.senses.load_changed(mean_mg - self.level_ug // 1_000, mean_mg)
        self.level_ug, self.level_mg2 = mean_mg * 1_000, self.level_variance_mg2(rank)
        self.followed = self.position

    def _opened(self, moved: int, mean_mg: int, rank: int) -> Change:
        """Return the change that begins, told."""
        assert self.level_ug is not None
        delta_mg = mean_mg - self.level_ug // 1_000
        start_ms = self.t_ms - (self.position - moved) * 1_000 // READINGS_PER_S
        motion = self.moved_as if self.motion == STANDING and not self.anchored else self.motion
        base = self.level_ug, self.level_mg2
        uneasy, self.uneasy = max(0, self.uneasy - RINGING), 0
        leant, peak_mg = uneasy >= LONG_SHAKE, abs(delta_mg)
        first = (self.next_id, max(0, start_ms), self.t_ms, moved, *base, delta_mg, motion)
        opened = Change(*first, restless=uneasy, leant=leant, peak_mg=peak_mg)
        self.next_id += 1
        self.found.append(opened.told(delta_mg, self.sight.variance_mg2(rank), final=False))
        return opened

    def _settle_before(self, change: Change, moved: int) -> None:
        """Take the level between two changes from a window that ends before the second began, if it is another one."""
        assert self.level_ug is not None
        end = moved - HAND_READINGS
        found = self.sight.ending(self.position - end, end - max(change.moved + 8, self.pulled + 1))
        if found:
            rank, mean_mg = found
            # The swing of now is the second change's.
            mg2, away_mg = 2 * self.sight.learned_mg2(rank), mean_mg - self.level_ug // 1_000
            # Where it agrees, more was known than so short a window says.
            if away_mg * away_mg > AGREES_SQUARED * mg2:
                self.level_ug, self.level_mg2 = mean_mg * 1_000, mg2

    def _refine(self, change: Change) -> None:
        """Know the new level better with every reading; make it final when it is known."""
        assert self.level_ug is not None
        if self.motion == STANDING and not self.settled:
            return  # the windows of now still reach into the stopping, which pulls at the gauges
        delta_mg = self.level_ug // 1_000 - change.base_ug // 1_000
        settle = 12 if abs(delta_mg) > HEAVY_MG else 5
        rested = self.position - change.moved
        away = rested >= REST_BETWEEN and self.sight.has(8) and not self._near_level()
        if away and self.motion != STANDING:
            # What a hand does to the goods for a moment is in every window that reaches back to it. Standing, that of
            # one who leans on them calmly would be taken for the level.
            self.change = change = replace(change, away=self.position)
        at_rest = min(rested - settle, self.position - self.unpulled() + 1, self.position - change.away)
        rank = self.sight.longest_within(at_rest)
        known = False
        if rank is not None and self.sight.has(8):
            if not away:
                self.change = change = self._known_better(change, rank, rested)
            full = self.motion != STANDING and BOXES[rank] == LONGEST
            sigma_mg = FINAL_SIGMA_MOVING_MG if full else FINAL_SIGMA_MG
            known = self._near_level() and self.sight.variance_mg2(rank) < sigma_mg**2
        touched = self._touched()
        if touched and self.t_ms - change.t_accept_ms > RINGING_MS:
            if change.restless >= RINGING:
                # What was seen since it landed is of a hand. (A cart that is stopped trembles for some readings.)
                self.trail = None
            leant, peak_mg = change.restless + 1 >= LONG_SHAKE, max(change.peak_mg, abs(delta_mg))
            self.change = change = replace(change, restless=change.restless + 1, leant=leant, peak_mg=peak_mg)
        # Until somebody is known to be on it, each restless reading puts the final off by one more: an item that was
        # put down and rings has few.
        after = FINAL_AFTER if self.motion == STANDING else FINAL_AFTER_MOVING
        doubted = RINGING < change.restless < LONG_SHAKE
        after = max(after, self._rest_between(change)) + (change.restless if doubted else 0)
        if (known and rested >= after and not touched) or rested >= (LEANT_AT_LAST if change.leant else FINAL_AT_LAST):
            self.know_landed(self.position)
            self._finish(change)

    def _known_better(self, change: Change, rank: int, rested: int) -> Change:
        """Know the level better by a window, if it says more than is known."""
        if rested >= REST_BETWEEN and self._blurs(change, rank):
            return change
        self._level(self.sight.mean_mg(BOXES[rank]), rank)
        stood = change.stood and self.motion == STANDING
        return replace(change, known_mg2=min(change.known_mg2, self.level_mg2), stood=stood)

    def _blurs(self, change: Change, rank: int) -> bool:
        """Whether what shakes now, or a change that begins, would blur a level that was known well."""
        # What was seen standing no window in motion says better, unless it is surer.
        least_mg2 = change.known_mg2 if change.stood else BLURRED * max(change.known_mg2, FINAL_SIGMA_MG**2)
        if self.level_variance_mg2(rank) > least_mg2:
            return True
        return self.sight.corrected and not self.sight.even(rank)

    def _near_level(self) -> bool:
        """Whether the load of this moment is where its level is said to be."""
        assert self.level_ug is not None
        away = self.sight.mean_mg(8) - self.level_ug // 1_000
        return away * away < 36 * (self.sight.variance_mg2(BOXES.index(8)) + self.level_mg2) + 4_000_000

    def _touched(self) -> bool:
        """Whether the load trembles as under a hand or a body, and not because the cart is set going."""
        return self.senses.restless(self.motion) and not self.sets_off()

    def _finish(self, change: Change) -> None:
        assert self.level_ug is not None
        delta_mg = (self.level_ug - change.base_ug) // 1_000
        if change.leant and abs(delta_mg) * 1_000_000 < change.peak_mg * CREEP_PPM:
            # It has gone: what it leaves is the cells' own.
            self.drifted_ug += delta_mg * 1_000
            delta_mg = 0
        self.found.append(change.told(delta_mg, self.level_mg2, final=True))
        if change.leant and abs(delta_mg) * 8 < change.peak_mg:
            self.found.append(Case(self.t_ms, CHILD if change.peak_mg > CHILD_MG else LEAN))
        self.change = None
        # What is held is told at this standstill; before that the level is not seen.
        self.anchored = self.anchored or (self.motion == STANDING and self.settled and not self.held)
