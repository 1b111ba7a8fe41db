"""The level at which the load rests: taken first, judged anew at each standstill; `weight_rest` follows it between.

What the accelerometer reads at rest belongs to it: a level taken in motion hangs on that reading, and moves with it
when it becomes better known. A cart on a slope weighs less by the cosine; at a standstill that is seen and taken off.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import weight_motion, weight_slope
from cart.core.weight_detector import Detector
from cart.core.weight_inertia import CHANGE_BEFORE, ONE_G_UG
from cart.core.weight_motion import MOVING_OF, MOVING_SWING_MG
from cart.core.weight_noise import BLOCK, BOXES
from cart.core.weight_senses import TILT_UG, Senses
from cart.core.weight_sight import Sight
from cart.core.weight_values import BUMP, ROLLING, ROUGH, STANDING, TILT, Case, Limits, Standstill, Step

READINGS_PER_S = 80
SIDEWAYS = 6_000  # part of the moving mass that a level taken on another slope may be wrong by
DOUBT_MG = 10_000  # standard deviation that the level of a motion has at most when the cart stands
UNEVEN = 40_000  # part of it that a level taken in motion may be wrong by, however long it was looked at
SETTLED_AFTER = 30  # readings of standing: with the second that tells standing, a whole window of 1.2 s
SETTLED_AT_LAST = 240  # 3 s
TILT_ALONE_UG = 2 * TILT_UG  # what tilts the cart though the axes across feel no other slope
STEADY_FOR = 48  # readings, 0.6 s, for which the slope is known to be the same when a tilt has settled
SHOCK_SHARE = 14  # of the moving mass: 0.07 g of shaking within 0.1 s
SHOCK_OVER = 120  # readings, 1.5 s, in which a change would have been believed
ACQUIRE_AFTER = 94  # readings before the first level is taken
ACQUIRE_AT_LAST = 280
SET_OFF_WITHIN = MOVING_OF * BLOCK  # readings after a pull in which rolling must show

BARE_SHARE = {ROLLING: 150, ROUGH: 20}
"""Part of the moving mass that the floor may feign for a second or two, where no accelerometer takes it off."""

Found = Step | Standstill | Case
Felt = tuple[int, int, int]
"""Acceleration of the platform in micro-g: up, fore and aft, to the side."""


class Level:
    """The level while one call lasts, with all else that is kept between calls."""

    def __init__(
        self, old: Detector, readings: list[int], felt: list[Felt] | None, counts_per_kg: int, limits: Limits
    ) -> None:
        self.found: list[Found] = []
        self.limits = limits
        self.slope = old.slope
        gross_mg = None if old.level_ug is None else old.level_ug // 1_000
        self.senses = Senses(
            (old.raw, old.corrected), old.inertia, readings, felt, counts_per_kg, limits.platform_mg, gross_mg
        )
        self.position, self.clear = old.position, old.clear
        self.landed, self.pulled, self.stirred = old.landed, old.pulled, old.stirred
        self.level_ug, self.level_mg2 = old.level_ug, old.level_mg2
        self.followed = old.followed
        self.runs = list(old.runs)
        self.motion, self.motion_since = old.motion, old.motion_since
        self.moved_s, self.moved_as = old.moved_s, old.moved_as
        self.anchored, self.settled, self.rested = old.anchored, old.settled, old.rested
        self.tilt_mg, self.shocked = old.tilt_mg, old.shocked
        self.held, self.trail, self.usual = old.held, old.trail, old.usual
        self.jammed, self.uneasy = old.jammed, old.uneasy
        self.change, self.next_id = old.change, old.next_id
        self.drifted_ug, self.stood_ug = old.drifted_ug, old.stood_ug
        self.t_ms = 0
        self.sight: Sight

    def frozen(self) -> Detector:
        """Return what the next call begins with."""
        raw, corrected, inertia = self.senses.kept()
        return Detector(
            raw=raw,
            corrected=corrected,
            inertia=inertia,
            slope=self.slope,
            position=self.position,
            clear=self.clear,
            landed=self.landed,
            pulled=self.pulled,
            stirred=self.stirred,
            level_ug=self.level_ug,
            level_mg2=self.level_mg2,
            followed=self.followed,
            runs=tuple(self.runs),
            motion=self.motion,
            motion_since=self.motion_since,
            moved_s=self.moved_s,
            moved_as=self.moved_as,
            anchored=self.anchored,
            settled=self.settled,
            tilt_mg=self.tilt_mg,
            held=self.held,
            trail=self.trail,
            usual=self.usual,
            uneasy=self.uneasy,
            shocked=self.shocked,
            jammed=self.jammed,
            rested=self.rested,
            change=self.change,
            next_id=self.next_id,
            drifted_ug=self.drifted_ug,
            stood_ug=self.stood_ug,
        )

    def usable(self) -> int:
        """Return how many readings there are since the last disturbance."""
        return self.position - self.clear + 1

    def unpulled(self) -> int:
        """Return the first position that windows may reach back to which are to say what a load weighs."""
        return max(self.clear, self.pulled + 1)

    def sets_off(self) -> bool:
        """Whether the cart was set going just now, and it is not seen yet that it rolls: its shaking is no hand's."""
        return self.motion == STANDING and self.pulled >= 0 and self.position - self.pulled < SET_OFF_WITHIN

    def rest_moved(self, rest_ug: int, *, sure: bool, blocks: int) -> None:
        """Take another acceleration for that of rest; the level and the base of a change go with it."""
        assert self.level_ug is not None
        was = rest_ug if self.senses.inertia.rest_ug is None else self.senses.inertia.rest_ug
        by_level_ug = self.moving_mg() * (rest_ug - was) // 1_000
        self.level_ug += by_level_ug
        self.trail = self.trail.shifted(by_level_ug) if self.trail else None
        if self.change:
            self.change = replace(self.change, base_ug=self.change.base_ug + by_level_ug)
        self.senses.rest_at(rest_ug, self.level_ug // 1_000, sure=sure, blocks=blocks)

    def feel_shock(self) -> None:
        """Name a bump: a shock that left nothing behind."""
        blocks = self.senses.raw.blocks
        if self.level_ug is None or not blocks:
            return
        if blocks[-1] > (self.moving_mg() // SHOCK_SHARE) ** 2 and not self.shocked:
            self.shocked = self.position
        if self.shocked and self.position - self.shocked >= SHOCK_OVER:
            if self.clear < self.shocked - CHANGE_BEFORE and self.change is None:
                self.found.append(Case(self.t_ms, BUMP))
            self.shocked = 0

    def settle(self) -> None:
        """At a standstill, see which acceleration is that of rest, and how far the cart is tilted."""
        inertia = self.senses.inertia
        if self.senses.corrected_means is None or self.level_ug is None:
            self.settled = True
            return
        felt_ug = self.senses.felt_ug(32)
        stood = self.position - self.motion_since
        if stood < SETTLED_AFTER or felt_ug is None or not self.slope.steady():
            return
        landing = self.senses.raw_means.swing_mg2(self.senses.at) > MOVING_SWING_MG**2
        if landing and stood < SETTLED_AT_LAST:
            return  # what falls in now is felt up and down as well
        self.settled = True
        by_ug = felt_ug - (inertia.rest_ug or felt_ug)
        # The axes across feel a slope a hundred times better: without them it must be far beyond the vertical's noise.
        least_ug = TILT_UG if self.tilt_mg or self.slope.leans() else TILT_ALONE_UG
        tilted = inertia.rest_sure and abs(by_ug) > least_ug
        self.level_slope()
        if not inertia.rest_sure:
            self.rest_moved(felt_ug, sure=True, blocks=0)
        was, self.tilt_mg = self.tilt_mg, self.moving_mg() * by_ug // ONE_G_UG if tilted else 0
        if was or self.tilt_mg:
            # A slope pulls sideways as well, and the axis that says so is not quite that of the cells.
            self.anchored, self.clear = False, max(self.clear, self.position - STEADY_FOR)
            self.level_mg2 += self.sideways_mg2()
        if tilted:
            self.found.append(Case(self.t_ms, TILT))

    def level_slope(self) -> None:
        """Take the slope of now for that of the level."""
        self.slope = weight_slope.levelled(self.slope)
        if self.slope.even and self.level_ug is not None:
            self.senses.even_at(self.slope.even[0], self.level_ug // 1_000)

    def acquire(self) -> None:
        """Take the first level as soon as the load rests."""
        rest = self.senses.guessed_rest(standing=True)
        if rest:
            self.senses.rest_at(rest[0], None, sure=False, blocks=rest[1])
        usable = self.usable()
        box = 64 if usable >= ACQUIRE_AT_LAST else 32
        if usable < ACQUIRE_AFTER or not self.sight.has(box):
            return
        rank = BOXES.index(box)
        if usable >= ACQUIRE_AT_LAST or self.sight.steady(rank, 0):
            self.level_ug = self.sight.mean_mg(box) * 1_000
            self.level_mg2 = self.sight.variance_mg2(rank)

    def stirs(self) -> bool:
        """Whether the load changes, or is away from its level: nothing may be learned from what it does now."""
        assert self.level_ug is not None
        if self.change is not None:
            return True
        standing = self.motion == STANDING
        if not standing and not self.sight.corrected:
            return False  # what the floor does is all there is
        # In motion a bump may hide for seconds that something has landed.
        box = 8 if standing else 32
        if not self.sight.has(box):
            return standing
        return abs(self.sight.mean_mg(box) - self.level_ug // 1_000) > self.smallest_mg()

    def near(self) -> bool:
        """Whether every window lies within the noise of the level: nothing can be believed now. Quick."""
        assert self.level_ug is not None
        level = self.level_ug // 1_000
        reach = self.smallest_mg() // 2
        fitting = [box for box in (4, 8, 16, 32) if 3 * box <= self.usable() and self.sight.has(box)]
        return all(abs(self.sight.mean_mg(box) - level) < reach for box in fitting)

    def smallest_mg(self) -> int:
        """Return the smallest change that may be told now."""
        motion = self.moved_as if self.motion == STANDING and not self.settled else self.motion
        away_s = None if self.anchored else self.moved_s
        smallest_mg = weight_motion.smallest_mg(self.limits, motion, away_s, corrected=self.sight.corrected)
        if not self.sight.corrected and self.motion != STANDING:
            smallest_mg = max(smallest_mg, self.moving_mg() // BARE_SHARE[self.motion])
        return max(smallest_mg, self.slope.pulls_mg(self.moving_mg())) if self.sets_off() else smallest_mg

    def level_variance_mg2(self, rank: int) -> int:
        """Return the variance of a window's mean as a level; in motion there is more than what shakes and pulls."""
        return self.sight.variance_mg2(rank) + (self.uneven_mg2() if self.sight.corrected else 0)

    def uneven_mg2(self) -> int:
        """Return the variance that all levels of a motion share: what the floor and the gauges' own slow faults do."""
        return (self.moving_mg() // UNEVEN) ** 2

    def sideways_mg2(self) -> int:
        """Return the variance that a slope adds: it pulls sideways as well."""
        return (self.moving_mg() // SIDEWAYS) ** 2

    def moving_mg(self) -> int:
        """Return the mass that the floor shakes: platform and goods."""
        return max(1, max(0, self.level_ug or 0) // 1_000 + self.senses.platform_mg())
