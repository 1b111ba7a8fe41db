"""Changes that are too small to be told in motion: each is found, kept apart, and told at the next standstill.

In motion a level is known to a gram or two after some seconds, and what is believed at once must weigh 20 g on a smooth
floor and 100 g on tiles: a kerb or a hand on the handle must not fill the basket. So the level is followed window by
window, and where it stays away from what it was by far more than both may be wrong, that is a change which is held. The
standstill shows exactly what the last of them led to; then they are told, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

AGREES = 2
"""Standard deviations within which a window shows the same level again."""

SURE = 5
"""From here a level is another one. Ten thousand windows pass in three hours of rolling."""

POURED_MG, POURED_MS = 15_000, 20_000
"""Smaller pieces that come sooner after one another than this were poured: apart, none would be worth a question."""

HELD_MAX = 8
"""So many are kept apart; what comes on top is joined to the last."""


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is not told yet.

    start_ms    when it came, to a second or two
    position    of the last reading that showed the level after it
    mg2         its variance;  before_mg2: the part of it that the level before it has
    motion      how the cart moved
    """

    start_ms: int
    position: int
    delta_ug: int
    mg2: int
    before_mg2: int
    motion: str

    def put_right(self, by_ug: int, mg2: int) -> Held:
        """Return the change when the level after it is known better: it was off by so much, and has this variance."""
        return replace(self, delta_ug=self.delta_ug + by_ug, mg2=self.before_mg2 + mg2)


@dataclass(frozen=True, slots=True)
class Seen:
    """A level in motion as windows show it: its variance, and when the first of them began to show it."""

    ug: int
    mg2: int
    since_ms: int

    def agrees(self, other: Seen) -> bool:
        """Whether both may be the same level."""
        return not self.differs(other, AGREES)

    def differs(self, other: Seen, sigmas: int) -> bool:
        """Whether they are apart by more than so many standard deviations of both."""
        away_mg = (other.ug - self.ug) // 1_000
        return away_mg * away_mg > sigmas * sigmas * (self.mg2 + other.mg2)

    def with_window(self, window: Seen) -> Seen:
        """Return the mean of both, weighed by what is known of each (Kalman's gain)."""
        total = max(1, self.mg2 + window.mg2)
        by_ug = (window.ug - self.ug) * self.mg2 // total
        return replace(self, ug=self.ug + by_ug, mg2=self.mg2 * window.mg2 // total)


def with_held(held: tuple[Held, ...], new: Held) -> tuple[Held, ...]:
    """Return all that is held, with one more."""
    if len(held) < HELD_MAX:
        return (*held, new)
    last = held[-1]
    both = replace(last, position=new.position, delta_ug=last.delta_ug + new.delta_ug, mg2=last.mg2 + new.mg2)
    return (*held[:-1], both)


def joined(held: tuple[Held, ...]) -> tuple[Held, ...]:
    """Return what is held with the pieces of what was poured made one again."""
    result: list[Held] = []
    before: Held | None = None
    for one in held:
        if before and _of_one_pour(before, one):
            first = result.pop()
            total_ug, mg2 = first.delta_ug + one.delta_ug, first.before_mg2 + one.mg2 - one.before_mg2
            result.append(replace(first, position=one.position, delta_ug=total_ug, mg2=mg2))
        else:
            result.append(one)
        before = one
    return tuple(result)


def _of_one_pour(one: Held, later: Held) -> bool:
    small = max(abs(one.delta_ug), abs(later.delta_ug)) < POURED_MG * 1_000
    return small and (one.delta_ug > 0) == (later.delta_ug > 0) and later.start_ms - one.start_ms < POURED_MS


def may_undo(held: tuple[Held, ...], delta_mg: int) -> bool:
    """Whether a change may take back some of what is held: it goes the other way and is not much heavier."""
    other_ug = sum(abs(one.delta_ug) for one in held if (one.delta_ug > 0) != (delta_mg > 0))
    return 2 * abs(delta_mg) * 1_000 < 3 * other_ug
