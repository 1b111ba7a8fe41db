"""How steeply the cart stands or rolls, as the accelerometer feels it across the cell.

The vertical axis loses only the cosine, 1.8 thousandths on a ramp of 60/1000, and its noise hides that for a second.
The axes across feel the slope itself, 60 thousandths, at once. So they say whether the cart is being tilted now, while
the vertical one says how much weight that takes. Rolling, a slope is what lasts: pushing off and stopping are over
sooner.

A cart that stands and is set going is felt here within two tenths of a second; its swing says so only after 1.2 s.
Until then the push is neither a hand that trembles nor a part of what was just put in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

BLOCKS = 40
"""Tenths of a second kept, 4 s: a push to 1 m/s or a stop is a mean of 25/1000 over them, however hard it was."""

NOW = 3
"""Tenths of a second whose mean is the slope of now."""

RAMP_UG = 35_000
"""From here what lasts is a slope, 2 degrees; an uneven floor is less."""

EVEN_UG = 15_000
TILTING_UG = 4_000
"""The cart is being tilted when it leans so much further than where its level was taken: 4/1000."""

LATE_UG = 8_000
"""So much further it may be by now: the mean of the last tenths is late."""

STEADY_UG = 3_000
PULLED_UG = 20_000
"""Within 0.2 s no slope comes or goes by so much: the cart is set going, or stopped."""

PULL_BLOCKS = 10
PULLED_SHARE = 50
"""What the cart is set going with is felt as weight by a hundredth at most. What is told must be twice as much, or half
of it may be the pull."""

FELT_UG_MAX = 1_000_000
"""No cart feels more than 1 g across: what reads more is the sensor's fault."""

ONE_G_UG = 1_000_000
STEEPEST_UG = 70_000
"""On no steeper slope does a cart stand; further tilting there takes the most weight."""


@dataclass(frozen=True, slots=True)
class Slope:
    """What is felt across, in micro-g, fore and aft and to the side.

    running  sums of the block that has not ended, and the readings in it
    blocks   means of the last BLOCKS, oldest first
    even     what was felt where the level was taken; None before the first standstill
    ramp     the cart rolls on a slope, and that was told
    """

    running: tuple[int, int, int] = (0, 0, 0)
    blocks: tuple[tuple[int, int], ...] = ()
    even: tuple[int, int] | None = None
    ramp: bool = False

    def leaning_ug(self, blocks: int = NOW) -> int:
        """Return how much further the cart leans, over the last blocks, than where its level was taken; 0: unknown."""
        if self.even is None or len(self.blocks) < blocks:
            return 0
        return _apart_ug(_mean(self.blocks[-blocks:]), self.even)

    def leans(self) -> bool:
        """Whether the cart leans further than where its level was taken, or nobody knows."""
        return self.even is None or len(self.blocks) < NOW or self.leaning_ug() >= TILTING_UG

    def weighs_mg(self, moving_mg: int) -> int:
        """Return the most that the tilting of now can make of a load; 0 while nobody tilts the cart.

        moving_mg  platform and goods
        """
        by_ug = self.leaning_ug()
        if by_ug < TILTING_UG:
            return 0
        by_ug += LATE_UG
        return moving_mg * by_ug // ONE_G_UG * (STEEPEST_UG + by_ug // 2) // ONE_G_UG

    def pulls_mg(self, moving_mg: int) -> int:
        """Return what setting off lets nobody tell from nothing in the second after; 0 where nothing is felt.

        moving_mg  platform and goods
        """
        if self.even is None or not self.blocks:
            return 0
        hardest_ug = max(_apart_ug(block, self.even) for block in self.blocks[-PULL_BLOCKS:])
        return moving_mg * hardest_ug // ONE_G_UG // PULLED_SHARE

    def steady(self) -> bool:
        """Whether the slope of now is that of 0.3 s ago."""
        if len(self.blocks) < 2 * NOW:
            return True
        return _apart_ug(_mean(self.blocks[-NOW:]), _mean(self.blocks[-2 * NOW : -NOW])) < STEADY_UG

    def pulled(self) -> bool:
        """Whether the cart is being set going or stopped: what is felt now is not what was felt 0.2 s ago."""
        if len(self.blocks) < NOW + 2:
            return False
        return _apart_ug(self.blocks[-1], _mean(self.blocks[-NOW - 2 : -2])) > PULLED_UG


def felt(slope: Slope, across: tuple[int, int]) -> Slope:
    """Return what is known after one more reading."""
    fore, side, readings = slope.running
    limited = [max(-FELT_UG_MAX, min(FELT_UG_MAX, ug)) for ug in across]
    return replace(slope, running=(fore + limited[0], side + limited[1], readings + 1))


def with_block(slope: Slope) -> Slope:
    """Return what is known at the end of a block; the same without an accelerometer."""
    fore, side, readings = slope.running
    if not readings:
        return slope
    blocks = (*slope.blocks[1 - BLOCKS :], (fore // readings, side // readings))
    return replace(slope, running=(0, 0, 0), blocks=blocks)


def levelled(slope: Slope) -> Slope:
    """Return what is known when the level is taken here."""
    return replace(slope, even=_mean(slope.blocks[-NOW:])) if len(slope.blocks) >= NOW else slope


def on_ramp(slope: Slope) -> tuple[Slope, bool]:
    """Return what is known of a rolling cart, and whether it has come to a slope just now."""
    by_ug = slope.leaning_ug(BLOCKS)
    came = by_ug > RAMP_UG and not slope.ramp
    return replace(slope, ramp=by_ug > (EVEN_UG if slope.ramp else RAMP_UG)), came


def _mean(blocks: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    return sum(b[0] for b in blocks) // len(blocks), sum(b[1] for b in blocks) // len(blocks)


def _apart_ug(one: tuple[int, int], other: tuple[int, int]) -> int:
    return isqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)
