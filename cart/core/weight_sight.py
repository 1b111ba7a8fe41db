"""What the windows show at one reading: means, how far they may be trusted, and whether a change is to be believed."""

from __future__ import annotations

from cart.core.weight_noise import BOXES, Track, Windows, variance_mg2
from cart.core.weight_values import STANDING

SURE = 6  # standard deviations that a change must stand out by
SURE_AGAIN = 4  # at the first rest after motion
SURE_NOW = 2  # ... of the swing of the moment, standing
SURE_MOVING = 7
HAND_MG = 150_000  # a hand may push or pull so hard while it places something
HAND_RUN = 11
FROZEN_RUN = 5  # equal readings in a row in which nothing is believed: the converter may be stuck

_HALF_RANK = {4: 0, 8: 0, 12: 0, 16: 1, 24: 2, 32: 3, 64: 5}
"""Rank of the window whose noise stands for half of the window of this box."""


class Sight:
    """The windows that end with one reading.

    at     the reading's position in `means`
    swing  the swing's variance now, in mg2
    """

    __slots__ = ("at", "corrected", "means", "motion", "swing", "tilt_mg", "track")

    def __init__(self, means: Windows, track: Track, at: int, motion: str, *, corrected: bool = False) -> None:
        """Look at the reading `at`; the track must have learned."""
        self.corrected, self.tilt_mg = corrected, 0
        self.means, self.track, self.at, self.motion = means, track, at, motion
        self.swing = means.swing_mg2(at)

    @property
    def shaken(self) -> bool:
        """Whether the noise of this moment counts, not that of rest."""
        return self.corrected or self.motion != STANDING

    def has(self, box: int) -> bool:
        """Whether the window lies within what is kept."""
        return self.means.has(box, self.at)

    def mean_mg(self, box: int) -> int:
        """Return the window's mean."""
        mean_mg = self.means.mean_mg(box, self.at)
        return mean_mg if self.corrected else mean_mg - self.tilt_mg

    def variance_mg2(self, rank: int) -> int:
        """Return the variance believed now of the mean of window number `rank`."""
        return variance_mg2(self.track, rank, self.swing) + self.means.pulled_mg2(BOXES[rank], self.at)

    def learned_mg2(self, rank: int) -> int:
        """Return the variance that was learned, whatever happens now, of the mean of window number `rank`."""
        return variance_mg2(self.track, rank, self.track.swing) + self.means.pulled_mg2(BOXES[rank], self.at)

    def longest_within(self, readings: int) -> int | None:
        """Return the rank of the longest window that is no longer than so many readings; None when there is none."""
        fitting = [rank for rank, box in enumerate(BOXES) if 3 * box - 2 <= readings and self.has(box)]
        return fitting[-1] if fitting else None

    def ending(self, ago: int, readings: int) -> tuple[int, int] | None:
        """Return rank and mean of the longest window of at most so many readings that ended `ago`; None without one."""
        at = self.at - ago
        for rank in reversed(range(len(BOXES))):
            box = BOXES[rank]
            if 3 * box - 2 <= readings and self.means.has(box, at):
                mean_mg = self.means.mean_mg(box, at)
                return rank, mean_mg if self.corrected else mean_mg - self.tilt_mg
        return None

    def looks_stuck(self) -> bool:
        """Whether the last readings are all equal."""
        return self.means.equal_run(self.at, FROZEN_RUN)

    def sure(self, rank: int, delta_mg: int, level_mg2: int, anchored: bool) -> bool:
        """Whether a change stands out of the noise, and the noise is a small share of it.

        Standing, a change is its own noise: an item that falls shakes the basket more than it weighs. So it need not
        stand out as far of the swing of this moment as of the noise that was learned at rest.
        """
        now, square = self.variance_mg2(rank), delta_mg * delta_mg
        if self.shaken:
            return square > SURE_MOVING**2 * (now + level_mg2)
        tolerated = max(3_000, abs(delta_mg) // 20) ** 2
        learned = self.learned_mg2(rank)
        times = SURE if anchored else SURE_AGAIN
        return square > times**2 * (learned + level_mg2) and learned < tolerated and square > SURE_NOW**2 * now

    def steady(self, rank: int, delta_mg: int) -> bool:
        """Whether the load rests in a window: its two halves agree, and its middle lies on the line between them.

        The middle tells a hand's push, which comes and goes evenly, from a rest.
        """
        # Standing, the swing of the change itself must not excuse it: only what was learned at rest counts.
        half_rank = _HALF_RANK[BOXES[rank]]
        variance = self.variance_mg2(half_rank) if self.shaken else self.learned_mg2(half_rank)
        return self._rests(rank, variance, delta_mg * delta_mg // 2_500)

    def even(self, rank: int) -> bool:
        """Whether nothing came or went within the window, as far as was learned of the noise."""
        return self._rests(rank, self.learned_mg2(_HALF_RANK[BOXES[rank]]), 0)

    def _rests(self, rank: int, variance_mg2: int, share_mg2: int) -> bool:
        half, at = BOXES[rank] // 2, self.at
        # All three without the tilt: it is the same in each.
        new = self.means.mean_mg(half, at)
        middle = self.means.mean_mg(half, at - 3 * half // 2)
        old = self.means.mean_mg(half, at - 3 * half)
        apart, bent = new - old, new + old - 2 * middle
        return apart * apart < max(18 * variance_mg2 + 1_000_000, share_mg2) and (
            bent * bent < max(54 * variance_mg2 + 1_000_000, 4 * share_mg2)
        )

    def runs_needed(self, rank: int, delta_mg: int) -> int:
        """Return for how many readings a window must be sure; longer for what weighs less than a hand's push."""
        box = BOXES[rank]
        if self.shaken:
            return max(8, 3 * box // 4)
        return max(HAND_RUN if abs(delta_mg) < HAND_MG else 3, 3 * box // 8)

    def crossed(self, rank: int, level_mg: int, reach: int) -> int:
        """Return how many readings ago the load was half-way from the level to the window's mean.

        reach  readings to look back at most
        """
        box = BOXES[rank]
        half, mean_mg = max(2, box // 2), self.mean_mg(box)
        middle, rising = (level_mg + mean_mg) // 2, mean_mg > level_mg
        at, oldest = self.at, max(3 * half - 1, self.at - reach)
        while at > oldest and (self.means.mean_mg(half, at) > middle) == rising:
            at -= 1
        return self.at - at - 1 + (3 * half - 3) // 2
