"""What the load showed in motion since its level was taken, and where another level begins.

A mark is left each tenth of a second: a soft window of 0.28 s without the shaking. What is left in it is the
accelerometer's noise, which is white: so a mean of marks is known as well as one of all their readings, and it is known
how far two may differ by chance. Each place at which the marks may be parted is tried, the likeliest is judged (a
generalised likelihood ratio for one step of unknown time and size; Basseville and Nikiforov, Detection of Abrupt
Changes, 1993, section 2.4), and either part is parted again. All marks are judged again each time, so what was taken
for a better knowledge of the level becomes a change as soon as that is the likelier of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise

from cart.core.weight_sway import Sway, unknown_mg2

SURE_SQUARED = 12
"""Two levels are two from 3.5 standard deviations, squared. What chance parts so is seen again, and found to be one."""

MARK_BOX = 8
"""The window of a mark, and the readings from one to the next: laid so, the weights of a row add up to an even one."""

UNIT_PERMILLE = 1_805
"""Variance that a mark adds to a mean, over that of its window: 1/8 over the sum of the window's squared weights."""

FULL = 64
"""Weight of a mark in the usual noise."""

HAND_MARKS = 6
"""A hand may be at work for so long between two levels."""

LEAST_MARKS = 8
"""Marks that show a level; fewer are of something that moves."""

AROUND_MARKS, FAR = 5, 4
"""A mark is laid beside so many on either side; further off than so many sigmas it is a hand or a shock."""

HOLD_AFTER = 240
"""Readings, 3 s, after which another level is taken: what is heavier is believed by then."""

HOLD_MARKS = 12
"""Marks that must show it, and one that came before it."""

ENDED_AFTER = 160
"""Readings, 2 s, that a level between two others must have lasted: a shorter one is part of a placement."""

APART = 3
"""Marks that share no reading are so far apart."""

PRIOR_MARKS = 24
"""What is believed of the noise before any mark counts for so many."""

FEW_MARKS = 12
"""A noise that so many marks showed counts twice, and what more showed by their share more: levels that are apart by so
many of its standard deviations are so by chance the more often, the less is known of it (Student's distribution)."""

LEARN_MARKS = 256
"""Marks of which the middle one is what is usual, 26 s: neither a hand nor a shock lasts half as long."""

MIDDLE_PERMILLE = 910
"""Middle one of the squared differences of two normal values, over the variance of one: 2 * 0.455 (chi-squared)."""

AGREES_SQUARED = 9
"""Levels agree that are no further apart than 3 standard deviations, squared."""

MARKS_MAX, FOLDED = 128, 32
"""Longest trail, 13 s, and how many of the oldest then become one with what was known before."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A level that marks show, or that is known from elsewhere.

    weight  of the marks; of a level from elsewhere, of as many as say as much
    marks   their number
    first   position of the first;  last: of the last
    pull_mg mean force along the cart
    """

    ug: int
    weight: int
    marks: int = 0
    first: int = 0
    last: int = 0
    pull_mg: int = 0

    def mg2(self, unit_mg2: int) -> int:
        """Return its variance; `unit_mg2` is that of a mark of full weight."""
        return unit_mg2 * FULL // max(1, self.weight)

    def agrees(self, other: Rest, unit_mg2: int) -> bool:
        """Whether both may be the same level."""
        apart_mg = (self.ug - other.ug) // 1_000
        return apart_mg * apart_mg <= AGREES_SQUARED * (self.mg2(unit_mg2) + other.mg2(unit_mg2))

    def passes(self, before: Rest | None, later: Rest, unit_mg2: int) -> bool:
        """Whether it came and went between two others, or was not at rest yet."""
        lasted = later.first - self.first
        came_and_went = before is not None and lasted < HOLD_AFTER and later.agrees(before, unit_mg2)
        return lasted < ENDED_AFTER or self.marks < HOLD_MARKS or came_and_went

    def joined(self, later: Rest) -> Rest:
        """Return the level that both show."""
        weight = max(1, self.weight + later.weight)
        ug = self.ug + (later.ug - self.ug) * later.weight // weight
        pull_mg = self.pull_mg + (later.pull_mg - self.pull_mg) * later.weight // weight
        return Rest(ug, weight, self.marks + later.marks, self.first, later.last, pull_mg)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the load was for a moment.

    position   of the newest reading then
    ug         the load, without what pushing and braking make of it
    weight     FULL in the usual noise, less in more, and where little is known of pushing
    calm       the weight without the latter
    pull_mg    force along the cart as a mass, of which share_ppm was taken off; 0 where it is not known
    """

    position: int
    ug: int
    weight: int
    calm: int = FULL
    pull_mg: int = 0
    share_ppm: int = 0

    def seen_with(self, sway: Sway, unit_mg2: int) -> Mark:
        """Return it as it would be left now that more is known of what pushing makes the load read."""
        if not self.pull_mg:
            return self
        ug = self.ug + self.pull_mg * (self.share_ppm - sway.share_ppm) // 1_000
        weight = weighed(self.calm, sway.unknown_mg2(self.pull_mg), unit_mg2)
        return replace(self, ug=ug, weight=weight, share_ppm=sway.share_ppm)


def weighed(calm: int, pulled_mg2: int, unit_mg2: int) -> int:
    """Return the weight of a mark to whose window pushing adds so much variance."""
    return max(1, calm * unit_mg2 // (unit_mg2 + pulled_mg2 * UNIT_PERMILLE // 1_000))


@dataclass(frozen=True, slots=True)
class Usual:
    """The noise of the last marks, oldest first, in nano-g squared: of it the middle one counts.

    squares  squared differences of two marks
    swings   swing around a mark
    """

    squares: tuple[int, ...] = ()
    swings: tuple[int, ...] = ()

    def with_swing(self, swing_mg2: int, moving_mg: int) -> Usual:
        """Return it after a mark with so much swing around it, whatever it weighs."""
        return replace(self, swings=(*self.swings[1 - LEARN_MARKS :], swing_mg2 * 10**18 // moving_mg**2))

    def with_mark(self, square_mg2: int, moving_mg: int) -> Usual:
        """Return it after a mark; `square_mg2` is what `Trail.square_mg2` says of it."""
        return replace(self, squares=(*self.squares[1 - LEARN_MARKS :], square_mg2 * 10**18 // moving_mg**2))

    def unit_mg2(self, prior_mg2: int, moving_mg: int) -> int:
        """Return the variance of a mark of full weight; `prior_mg2` counts for PRIOR_MARKS."""
        seen = len(self.squares)
        shown_mg2 = _middle(self.squares) * moving_mg**2 // (MIDDLE_PERMILLE * 10**15)
        rest = max(0, PRIOR_MARKS - seen)
        return max(1, (shown_mg2 * (seen + FEW_MARKS) + prior_mg2 * rest) // (seen + rest))

    def swing_mg2(self, moving_mg: int) -> int:
        """Return the usual swing."""
        return max(1, _middle(self.swings) * moving_mg**2 // 10**18)


@dataclass(frozen=True, slots=True)
class Trail:
    """What the load showed.

    ug        level as it was taken;  mg2: its variance, None where only the marks tell the level
    taken_at  position of the last reading that it says something of
    marks     those since, oldest first
    unknown   percent of what a usual share of pushing makes that is not known
    """

    ug: int
    mg2: int | None
    taken_at: int
    marks: tuple[Mark, ...] = ()
    unknown: int = 0

    def with_mark(self, mark: Mark, unit_mg2: int) -> Trail:
        """Return the trail one mark longer; when there are too many, the oldest become one with the level.

        A hand must not: so what came and went is taken out first, for good. Two levels among the oldest were told apart
        before, unless nobody looked at the trail for all of its length.
        """
        trail = self if len(self.marks) < MARKS_MAX else self.without_transients(unit_mg2)
        if len(trail.marks) < MARKS_MAX:
            return replace(trail, marks=(*trail.marks, mark))
        old, rest = trail.marks[:FOLDED], trail.marks[FOLDED:]
        level = replace(trail, marks=old).mean(unit_mg2)
        return replace(trail, ug=level.ug, mg2=level.mg2(unit_mg2), taken_at=old[-1].position, marks=(*rest, mark))

    def wandered(self, by_mg: int) -> Trail:
        """Return the trail when the level that was taken may have wandered by so much more."""
        return self if self.mg2 is None else replace(self, mg2=self.mg2 + by_mg**2)

    def seen_with(self, sway: Sway, unit_mg2: int) -> Trail:
        """Return the trail as it would have been left with what is known of pushing now."""
        marks = tuple(mark.seen_with(sway, unit_mg2) for mark in self.marks)
        return replace(self, marks=marks, unknown=sway.unknown_percent())

    def shifted(self, by_ug: int) -> Trail:
        """Return the trail when all of it was wrong by so much."""
        marks = tuple(replace(mark, ug=mark.ug + by_ug) for mark in self.marks)
        return replace(self, ug=self.ug + by_ug, marks=marks)

    def between(self, first: int, last: int) -> Trail:
        """Return the trail with the marks of these positions only."""
        return replace(self, marks=tuple(mark for mark in self.marks if first <= mark.position <= last))

    def without(self, after: int, before: int) -> Trail:
        """Return the trail without the marks between two positions."""
        return replace(self, marks=tuple(mark for mark in self.marks if not after < mark.position < before))

    def square_mg2(self) -> int | None:
        """Return how far the two newest marks that share no reading are apart, squared; None while there are none.

        As if both were of full weight.
        """
        if len(self.marks) <= APART:
            return None
        one, other = self.marks[-1], self.marks[-APART - 1]
        return (one.ug - other.ug) ** 2 * min(one.weight, other.weight) * UNIT_PERMILLE // (FULL * 10**9)

    def mean(self, unit_mg2: int) -> Rest:
        """Return the level, if it is one."""
        shown = self._shown(unit_mg2)
        return self._joined(shown, unit_mg2) if shown else Rest(self.ug, 0)

    def shown(self, first: int, last: int, unit_mg2: int) -> Rest:
        """Return the level that the marks of these positions show by themselves."""
        return replace(self.between(first, last), mg2=None).mean(unit_mg2)

    def levels(self, unit_mg2: int, now: Rest | None = None) -> list[Rest]:
        """Return the levels that surely are apart, in their order; one or more, none where nothing was seen.

        now  what the load rests at now, where that is known from elsewhere: it bears witness to the last one
        """
        shown = [*self._shown(unit_mg2), *([now] if now else [])]
        weights = [0, *accumulate(one.weight for one in shown)]
        counts = [0, *accumulate(one.marks or LEAST_MARKS * (one.weight > 0) for one in shown)]
        sums = [0, *accumulate((one.ug - self.ug) // 1_000 * one.weight for one in shown)]
        pulls = [0, *accumulate(one.pull_mg * one.weight for one in shown)]

        def parted(first: int, end: int) -> list[Rest]:
            best, at = SURE_SQUARED * unit_mg2 * FULL, None
            for middle in range(first + 1, end):
                second = middle
                # No hand was at work in the level as it was taken.
                if self.mg2 is None or middle > 1:
                    rested = shown[middle - 1].last + (HAND_MARKS + 1) * MARK_BOX
                    while second < end and shown[second].first < rested:
                        second += 1
                if second >= end:
                    if end < len(shown) or not now:
                        break
                    second = end - 1
                weight, later = weights[middle] - weights[first], weights[end] - weights[second]
                least = min(counts[middle] - counts[first], counts[end] - counts[second])
                if least >= LEAST_MARKS:
                    apart_mg = (sums[middle] - sums[first]) // weight - (sums[end] - sums[second]) // later
                    weight = self._worth(weight, (pulls[middle] - pulls[first]) // weight, unit_mg2)
                    later = self._worth(later, (pulls[end] - pulls[second]) // later, unit_mg2)
                    score = apart_mg * apart_mg * weight * later // (weight + later)
                    if score > best:
                        best, at = score, (middle, second)
            if at:
                return parted(first, at[0]) + parted(at[1], end)
            return [self._joined(shown[first:end], unit_mg2)]

        return parted(0, len(shown)) if shown else []

    def without_transients(self, unit_mg2: int, now: Rest | None = None) -> Trail:
        """Return the trail without the marks of what came and went, as under a hand, or was not at rest yet.

        Of what came last too little may have been seen to say that of the level before it.
        """
        trail, levels = self, self.levels(unit_mg2, now)
        before = None if self.mg2 is None else levels[0]
        for one, later in pairwise(levels):
            if one is before:
                continue
            if not one.passes(before, later, unit_mg2):
                before = one
            elif later.marks >= HOLD_MARKS or later is not levels[-1] or now:
                trail = trail.without(before.last if before else self.taken_at, later.first)
        return trail

    def decided(self, levels: list[Rest], unit_mg2: int) -> list[Rest]:
        """Return the levels without the last, of which too little was seen, and without what may have come and gone.

        That is judged again when the last has been seen for longer.
        """
        decided = levels[:-1]
        before = decided[-2] if len(decided) > 1 else None
        taken = len(decided) == 1 and self.mg2 is not None
        if decided and not taken and decided[-1].passes(before, levels[-1], unit_mg2):
            decided.pop()
        return decided

    def _joined(self, shown: list[Rest], unit_mg2: int) -> Rest:
        """Return the level that all of these show."""
        level = reduce(Rest.joined, shown)
        return replace(level, weight=self._worth(level.weight, level.pull_mg, unit_mg2))

    def _worth(self, weight: int, pull_mg: int, unit_mg2: int) -> int:
        """Return what marks of so much weight are worth together: what is not known of pushing errs in all alike."""
        pulled_mg2 = unknown_mg2(pull_mg, self.unknown)
        return max(1, weight * unit_mg2 * FULL // (unit_mg2 * FULL + weight * pulled_mg2)) if weight else 0

    def _shown(self, unit_mg2: int) -> list[Rest]:
        """Return what bears witness: the level as it was taken, and each mark; a hand or a shock bears none."""
        marks = _without_hands(self.marks, unit_mg2)
        shown = [
            Rest(one.ug, one.weight, int(one.weight > 0), one.position, one.position, one.pull_mg) for one in marks
        ]
        if self.mg2 is not None:
            weight = max(1, unit_mg2 * FULL // max(1, self.mg2))
            shown.insert(0, Rest(self.ug, weight, 0, self.taken_at, self.taken_at))
        return shown


def _middle(values: tuple[int, ...]) -> int:
    return sorted(values)[len(values) // 2] if values else 0


def _without_hands(marks: tuple[Mark, ...], unit_mg2: int) -> list[Mark]:
    """Return the marks, those without weight that are far from the middle one of those around them: a hand, a shock."""
    cleaned = []
    for n, mark in enumerate(marks):
        around = sorted(one.ug for one in marks[max(0, n - AROUND_MARKS) : n + AROUND_MARKS + 1])
        away_mg = (mark.ug - around[len(around) // 2]) // 1_000
        far = away_mg * away_mg * mark.weight > FAR * FAR * unit_mg2 * FULL
        cleaned.append(replace(mark, weight=0) if far else mark)
    return cleaned
