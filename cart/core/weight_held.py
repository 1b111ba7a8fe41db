"""Changes that are too small to be told in motion: each is found, kept apart, and told at the next standstill.

In motion a level is known to a gram or two after some seconds, and what is believed at once must weigh 20 g on a smooth
floor and 100 g on tiles: a kerb or a hand on the handle must not fill the basket. So what the load showed since its
level was taken is kept (`weight_trail`), and where it parts into two levels, that is a change which is held. The
standstill shows exactly what the last of them led to; then they are told, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

POURED_MG, POURED_MS = 15_000, 20_000
"""Smaller pieces that come sooner after one another than this were poured: apart, none would be worth a question."""

TOLD_SQUARED = 10
"""Standard deviations, squared, from which what was held in motion is told at a standstill."""

UNDONE_SQUARED = 20
"""The same for what a surer one next to it takes back: a level that was seen wrong makes such two."""

UNSEEN_SQUARED = 14
"""The same for what begins where a level was taken that was not seen again: it may have been seen wrong; and beside a
surer one that goes the other way and is more than twice as heavy: that is no mere taking back."""

HELD_MAX = 8
"""So many are kept apart; what comes on top is joined to the last."""


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is not told yet.

    start_ms    when it came, to a second
    position    of the last reading that showed the level after it
    mg2         its variance;  before_mg2: the part of it that the level before it has
    motion      how the cart moved
    linked      the level before it is the one that the held change before it led to
    unseen      the level before it was not seen again since it was taken
    """

    start_ms: int
    position: int
    delta_ug: int
    mg2: int
    before_mg2: int
    motion: str
    linked: bool = False
    unseen: bool = False

    def sure(self, smallest_mg: int, sigmas_squared: int = TOLD_SQUARED) -> bool:
        """Whether it is more than `smallest_mg`, and more than the levels may be wrong by."""
        delta_mg = abs(self.delta_ug) // 1_000
        return delta_mg > smallest_mg and delta_mg * delta_mg > sigmas_squared * self.mg2

    def surer(self, other: Held) -> bool:
        """Whether it stands out of its levels' noise further than another one does."""
        return self.delta_ug * self.delta_ug * other.mg2 > other.delta_ug * other.delta_ug * self.mg2

    def put_right(self, by_ug: int, mg2: int) -> Held:
        """Return the change when the level after it is known better: it was off by so much, and has this variance."""
        return replace(self, delta_ug=self.delta_ug + by_ug, mg2=self.before_mg2 + mg2)


def with_held(held: tuple[Held, ...], new: Held) -> tuple[Held, ...]:
    """Return all that is held, with one more."""
    if len(held) < HELD_MAX:
        return (*held, new)
    last = held[-1]
    both = replace(last, position=new.position, delta_ug=last.delta_ug + new.delta_ug, mg2=last.mg2 + new.mg2)
    return (*held[:-1], both)


def joined(held: tuple[Held, ...], smallest_mg: int) -> tuple[Held, ...]:
    """Return what is held and surely came: the pieces of what was poured made one again, what is doubted taken out.

    A level that was seen wrong for a while makes a change that never was, and makes the next one wrong.
    """
    pieces = _poured_together(held)
    while True:
        doubted = [n for n in range(len(pieces)) if _is_doubted(pieces, n, smallest_mg)]
        if not doubted:
            return tuple(pieces)
        least = doubted[0]
        for n in doubted[1:]:
            least = n if pieces[least].surer(pieces[n]) else least
        pieces = _without(pieces, least)


def _poured_together(held: tuple[Held, ...]) -> list[Held]:
    pieces: list[Held] = []
    before: Held | None = None
    for one in held:
        if before and _of_one_pour(before, one):
            first = pieces.pop()
            total_ug, mg2 = first.delta_ug + one.delta_ug, first.before_mg2 + one.mg2 - one.before_mg2
            one_poured = replace(first, position=one.position, delta_ug=total_ug, mg2=mg2)
            pieces.append(one_poured)
        else:
            pieces.append(one)
        before = one
    return pieces


def _is_doubted(pieces: list[Held], n: int, smallest_mg: int) -> bool:
    one = pieces[n]
    beside = [pieces[n - 1]] if one.linked and n else []
    beside += [later for later in pieces[n + 1 : n + 2] if later.linked]
    against = [other for other in beside if (one.delta_ug > 0) != (other.delta_ug > 0) and other.surer(one)]
    if any(abs(other.delta_ug) <= 2 * abs(one.delta_ug) for other in against):
        return not one.sure(smallest_mg, UNDONE_SQUARED)
    return not one.sure(smallest_mg, UNSEEN_SQUARED if against or one.unseen else TOLD_SQUARED)


def _without(pieces: list[Held], n: int) -> list[Held]:
    """Return the changes when one of them never was: the levels before and after it are one, their mean."""
    one, result = pieces[n], [*pieces[:n], *pieces[n + 1 :]]
    after_mg2 = one.mg2 - one.before_mg2
    both_mg2 = one.before_mg2 * after_mg2 // max(1, one.mg2)
    up_ug = one.delta_ug * one.before_mg2 // max(1, one.mg2)
    if one.linked and n:
        result[n - 1] = result[n - 1].put_right(up_ug, both_mg2)
    if n < len(result):
        later = result[n]
        if later.linked:
            later = replace(
                later,
                delta_ug=later.delta_ug + one.delta_ug - up_ug,
                mg2=later.mg2 - later.before_mg2 + both_mg2,
                before_mg2=both_mg2,
                linked=one.linked,
                unseen=one.unseen,
            )
        result[n] = later
    return result


def _of_one_pour(one: Held, later: Held) -> bool:
    small = max(abs(one.delta_ug), abs(later.delta_ug)) < POURED_MG * 1_000
    near = later.linked and later.start_ms - one.start_ms < POURED_MS
    return small and near and (one.delta_ug > 0) == (later.delta_ug > 0)


def may_undo(held: tuple[Held, ...], delta_mg: int) -> bool:
    """Whether a change may take back some of what is held: it goes the other way and is not much heavier."""
    other_ug = sum(abs(one.delta_ug) for one in held if (one.delta_ug > 0) != (delta_mg > 0))
    return 2 * abs(delta_mg) * 1_000 < 3 * other_ug
