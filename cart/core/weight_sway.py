"""What pushing and braking make the load read: a small share of the force along the cart reaches the gauges.

No accelerometer takes that off with the vertical axis, but the axis along the cart feels the same force. The share
belongs to the platform and its cells: it is fitted to the slow part of what is left of the load in motion, by least
squares, in whole numbers, and shrinks to none where little was felt.

    load left over = share * (moving mass) * (felt along the cart - felt along it where the level was taken) / g
"""

from __future__ import annotations

from dataclasses import dataclass, replace

BOX, AROUND_BOX = 8, 32
"""Windows, 0.28 s and 1.2 s long, of whose difference it is learned: slower is drift, faster is the floor."""

AFTER = 3 * AROUND_BOX + 16
"""Readings without a change, and room for a hand, before the window may be learned from."""

MEMORY_BLOCKS = 512  # 51 s of motion
PRIOR_MG2 = 8 * 500_000**2  # no share at all, worth so much pushing
LOAD_MG_MAX = 10_000  # what differs by more is a thing put in
UNKNOWN_PERCENT_MIN = 5
USUAL_SHARE = 200  # a part in so many is a usual share, by which one that is not known may be off
UNFELT = 6_000  # part of the moving mass that a load in motion may be off by where nobody knows how it is pulled
SHARE_PPM_MAX = 50_000  # of a platform that is sound; more would be taken for one that hangs askew


@dataclass(frozen=True, slots=True)
class Sway:
    """What is known of the share.

    history    accelerations along the cart in micro-g, one a reading, oldest first, as long as the vertical ones
    even_ug    what was felt along it where the level was taken; None before the first
    sums       of squares of the pull, and of the pull times the load, in mg2
    blocks     learned from so far, at most MEMORY_BLOCKS
    share_ppm  of the force along the cart, that the load reads
    """

    history: tuple[int, ...] = ()
    even_ug: int | None = None
    sums: tuple[int, int] = (0, 0)
    blocks: int = 0
    share_ppm: int = 0

    def unknown_percent(self) -> int:
        """Return how much of the variance that the pull makes is not taken off: all before the first was learned."""
        return max(UNKNOWN_PERCENT_MIN, 100 * PRIOR_MG2 // (self.sums[0] + PRIOR_MG2))


def learned(sway: Sway, pull_mg: int, load_mg: int) -> Sway:
    """Return what is known after one more block of motion.

    pull_mg  force along the cart as a mass, over a short window less that over a long one around the same moment
    load_mg  the same of the load, from which nothing was taken for the pull
    """
    load_mg = max(-LOAD_MG_MAX, min(LOAD_MG_MAX, load_mg))
    squares = sway.sums[0] - sway.sums[0] // MEMORY_BLOCKS + pull_mg * pull_mg
    products = sway.sums[1] - sway.sums[1] // MEMORY_BLOCKS + pull_mg * load_mg
    share_ppm = products * 1_000_000 // (squares + PRIOR_MG2)
    return replace(
        sway,
        sums=(squares, products),
        blocks=min(sway.blocks + 1, MEMORY_BLOCKS),
        share_ppm=max(-SHARE_PPM_MAX, min(SHARE_PPM_MAX, share_ppm)),
    )
