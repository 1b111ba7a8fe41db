"""What pushing and braking make the load read: a small share of the force along the cart reaches the gauges.

No accelerometer takes that off with the vertical axis, but the axis along the cart feels the same force. The share
belongs to the platform and its cells: it is fitted to the slow part of what is left of the load in motion, by weighted
least squares, in whole numbers, and shrinks to none where little was felt. A push from rest is several times as hard as
what rolling does, and tells the most.

    load left over = share * (moving mass) * (felt along the cart - felt along it where the level was taken) / g
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

BOX, AROUND_BOX = 8, 64
"""Windows, 0.28 s and 2.4 s long, of whose difference it is learned: slower is drift, faster is the floor.

A cart is set going within a second, of which the longer one leaves most.
"""

AFTER = 3 * AROUND_BOX + 16
"""Readings without a change, and room for a hand, before the window may be learned from."""

WAITING = 45
"""Blocks, 4.5 s, after which one may be learned from: by then it is known whether something came in its windows."""

MEMORY_BLOCKS = 2_048  # 3.4 min of motion
USUAL_SHARE = 200  # a part in so many is a usual share, by which one that is not known may be off
SCALE = 1_000  # of the sums, so that weak pulls are not rounded to nothing
PRIOR = SCALE * USUAL_SHARE**2
FAR = 2
"""Standard deviations from what is known: what is further off counts as no further, as under a bump or a hand."""

HARDEST = 4
"""No cart is pushed or stopped with more than this part of g for long: it fell over, or the sensor errs. Then nothing
is learned from what its windows hold, nor from those that wait."""

UNKNOWN_PERCENT_MIN = 5
UNFELT = 6_000  # part of the moving mass that a load in motion may be off by where nobody knows how it is pulled
SHARE_PPM_MAX = 50_000  # of a platform that is sound; more would be taken for one that hangs askew


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one block shows.

    position  of the last reading in its windows
    pull_mg   force along the cart as a mass, over a short window less that over a long one around the same moment
    load_mg   the same of the load, from which nothing was taken for the pull
    mg2       variance of that by the shaking and the accelerometer's noise
    """

    position: int
    pull_mg: int
    load_mg: int
    mg2: int


@dataclass(frozen=True, slots=True)
class Sway:
    """What is known of the share.

    history    accelerations along the cart in micro-g, one a reading, oldest first, as long as the vertical ones
    even_ug    what was felt along it where the level was taken; None before the first
    sums       of squares of the pull, and of the pull times the load, over the variance of the load, SCALE-fold
    share_ppm  of the force along the cart, that the load reads
    waiting    blocks that are not learned from yet, oldest first
    wild       position at which more was felt than any push makes; None before the first
    """

    history: tuple[int, ...] = ()
    even_ug: int | None = None
    sums: tuple[int, int] = (0, 0)
    share_ppm: int = 0
    waiting: tuple[Pulled, ...] = ()
    wild: int | None = None

    def unknown_percent(self) -> int:
        """Return how much of the variance that the pull makes is not taken off: all before the first was learned."""
        return max(UNKNOWN_PERCENT_MIN, 100 * PRIOR // (self.sums[0] + PRIOR))

    def unknown_mg2(self, pull_mg: int) -> int:
        """Return the variance that such a pull adds to the load: its share is known so well and no better."""
        return unknown_mg2(pull_mg, self.unknown_percent())


def unknown_mg2(pull_mg: int, unknown_percent: int) -> int:
    """Return the variance that a pull adds to the load when so much of what a usual share makes is not known."""
    return (pull_mg // USUAL_SHARE) ** 2 * unknown_percent // 100


def wild(sway: Sway, position: int) -> Sway:
    """Return what is known where more was felt than any push makes."""
    return replace(sway, waiting=(), wild=position)


def noted(sway: Sway, pulled: Pulled) -> Sway:
    """Return what is known after one more block of motion; the oldest that waits is learned from in its turn."""
    waiting = (*sway.waiting, pulled)
    if len(waiting) <= WAITING:
        return replace(sway, waiting=waiting)
    return learned(replace(sway, waiting=waiting[1:]), waiting[0])


def settled(sway: Sway, before: int) -> Sway:
    """Return what is known when a change came: blocks that end before that position are good, the others are not."""
    good, sway = [one for one in sway.waiting if one.position < before], replace(sway, waiting=())
    for pulled in good:
        sway = learned(sway, pulled)
    return sway


def learned(sway: Sway, pulled: Pulled) -> Sway:
    """Return what is known with one more block."""
    pull_mg, mg2, expected_mg = pulled.pull_mg, max(1, pulled.mg2), sway.share_ppm * pulled.pull_mg // 1_000_000
    far_mg = FAR * isqrt(mg2 + sway.unknown_mg2(pull_mg))
    load_mg = expected_mg + max(-far_mg, min(far_mg, pulled.load_mg - expected_mg))
    squares = sway.sums[0] - sway.sums[0] // MEMORY_BLOCKS + SCALE * pull_mg * pull_mg // mg2
    products = sway.sums[1] - sway.sums[1] // MEMORY_BLOCKS + SCALE * pull_mg * load_mg // mg2
    share_ppm = products * 1_000_000 // (squares + PRIOR)
    return replace(sway, sums=(squares, products), share_ppm=max(-SHARE_PPM_MAX, min(SHARE_PPM_MAX, share_ppm)))
