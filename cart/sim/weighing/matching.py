"""What was told against what happened: which change was found, when, how well, and what never was.

A claim explains a change when it came while the hand was at work (0.4 s at most before it let go) or up to 4.5 s after,
has its sign, is off by less than half of it, and does not say that it had come long before, nor fits another change
better in both; of several the one nearest in mass. It was in time by its first word that is as near: a word that is far
off is not an early one. What is left over may be a change (or several in one) that was held in motion and confirmed at
a standstill. The rest is false, and the second half of a placement that was told in two is too. A change of which no
claim speaks may still be in the sum that another was told with: then they were told together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from cart.core.weight import Step
from cart.sim.weighing.feed import Heard
from cart.sim.weighing.plateau import PlateauStep

HAND_MS, AFTER_MS = 400, 4_500
"""The longest that a hand takes to put something down (`place_s_max`): what was told earlier is no word about it."""

HELD_WITHIN_MG, HELD_WITHIN_PERCENT = 12_000, 5
HELD_MAX = 6
"""So many missed changes at most are looked at for one confirmation."""

WITHDRAWN_MG = 5_000
"""A final below this takes its provisional back: nothing of it reaches the basket."""

SUM_SIGMAS = 3
"""A claim speaks of more than its change if it is off by more than so many of its own sigmas, and their sum is not."""

SAME_MS = 3_500
"""A held change is known by when it is said to have come: windows of 2.4 s had to show it."""

AT_WORK_MS = 1_500
"""What was released so long before a standstill may be missing in it: a hand was at work."""

AT_ONCE, HELD, TOGETHER, MISSED = "at once", "held", "together", "missed"


@dataclass(frozen=True, slots=True)
class Change:
    """A true change of load: when the hand was off it, what came (positive) or went, how long the hand was at it."""

    released_ms: int
    delta_mg: int
    hand_ms: int = HAND_MS


@dataclass(frozen=True, slots=True)
class Claim:
    """Something told as a change: when it was first told, and its mass as first and as last told.

    final     the last word was a final
    start_ms  when it is said to have come; None: when it was told
    words  (t_ms, mass) of each word, oldest first; empty: its first word was its last
    """

    t_ms: int
    first_mg: int
    last_mg: int
    sigma_mg: int = 0
    final: bool = True
    words: tuple[tuple[int, int], ...] = ()
    start_ms: int | None = None

    @property
    def last_ms(self) -> int:
        """When it was last told."""
        return self.words[-1][0] if self.words else self.t_ms

    @property
    def withdrawn(self) -> bool:
        """Whether the final said that it was nothing."""
        return self.final and abs(self.last_mg) < min(WITHDRAWN_MG, abs(self.first_mg))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One change, and what became of it.

    how  "at once", "held" (confirmed later), "together" (in the sum that another was told with) or "missed"
    """

    change: Change
    how: str
    claim: Claim | None = None

    @property
    def delay_ms(self) -> int:
        """From the hand letting go to the first word off by less than half; 0 when it was known before."""
        assert self.claim is not None
        right_ms = (t_ms for t_ms, mass_mg in self.claim.words if _is_near(mass_mg, self.change))
        return max(0, next(right_ms, self.claim.t_ms) - self.change.released_ms)

    @property
    def error_mg(self) -> int:
        """How far the last word was off."""
        assert self.claim is not None
        return abs(self.claim.last_mg - self.change.delta_mg)


@dataclass(frozen=True, slots=True)
class Matched:
    """All changes in order, and the claims that no change explains."""

    outcomes: tuple[Outcome, ...]
    false: tuple[Claim, ...]


def claims_of_weight(told: Iterable[Heard]) -> list[Claim]:
    """Return what the weight told as changes: provisional and final under one id are one claim."""
    claims: dict[int, Claim] = {}
    for heard in told:
        if isinstance(step := heard.event, Step):
            began_ms = heard.t_ms - step.t_accept_ms + step.t_start_ms
            first = claims.get(step.id, Claim(heard.t_ms, step.delta_mg, step.delta_mg, start_ms=began_ms))
            words = (*first.words, (heard.t_ms, step.delta_mg))
            claims[step.id] = replace(
                first, last_mg=step.delta_mg, sigma_mg=step.sigma_mg, final=step.final, words=words
            )
    return list(claims.values())


def claims_of_plateau(told: Iterable[PlateauStep]) -> list[Claim]:
    """Return the same of the plateau method, which has one word for each change."""
    return [Claim(step.t_ms, step.delta_mg, step.delta_mg) for step in told]


def matched(truth: Sequence[Change], claims: Sequence[Claim], rests_ms: Sequence[int] = ()) -> Matched:
    """Return what became of each change, and what was told without one.

    rests_ms  when a standstill was told, oldest first: what came before one is not confirmed by what is told after it
    """
    free = list(claims)
    outcomes = []
    for change in truth:
        fitting = (claim for claim in free if _explains(claim, change) and not _is_anothers(claim, change, truth))
        found = min(fitting, key=lambda claim: abs(claim.last_mg - change.delta_mg), default=None)
        if found:
            free.remove(found)
        outcomes.append(Outcome(change, AT_ONCE, found) if found else Outcome(change, MISSED))
    false = []
    for claim in free:
        confirmed = _confirmed(claim, outcomes, _open_ms(claim, rests_ms))
        for n in confirmed:
            outcomes[n] = Outcome(outcomes[n].change, HELD, claim)
        if not confirmed:
            false.append(claim)
    for claim in claims:
        for n in _told_with(claim, outcomes, _open_ms(claim, rests_ms)):
            outcomes[n] = Outcome(outcomes[n].change, TOGETHER, claim)
    return Matched(tuple(outcomes), tuple(false))


def _open_ms(claim: Claim, rests_ms: Sequence[int]) -> int:
    """Return since when changes may have been held that this claim confirms."""
    return max((rest_ms - AT_WORK_MS for rest_ms in rests_ms if rest_ms < claim.t_ms), default=0)


def _explains(claim: Claim, change: Change) -> bool:
    in_time = -change.hand_ms <= claim.t_ms - change.released_ms <= AFTER_MS
    # What was held in motion is told when the cart stands, which may be just as the next one comes.
    of_before = claim.start_ms is not None and claim.start_ms < change.released_ms - change.hand_ms - SAME_MS
    return in_time and not of_before and _is_near(claim.last_mg, change)


def _is_anothers(claim: Claim, change: Change, truth: Sequence[Change]) -> bool:
    """Return whether the claim speaks of another change: nearer in mass, and to when it is said to have come."""
    began_ms = claim.t_ms if claim.start_ms is None else claim.start_ms
    return any(
        _explains(claim, other)
        and abs(other.released_ms - began_ms) < abs(change.released_ms - began_ms)
        and abs(other.delta_mg - claim.last_mg) < abs(change.delta_mg - claim.last_mg)
        for other in truth
    )


def _is_near(mass_mg: int, change: Change) -> bool:
    """Return whether a word is off by less than half of the change: that is also the same sign."""
    return abs(mass_mg - change.delta_mg) < abs(change.delta_mg) // 2


def _missed(outcomes: Sequence[Outcome], claim: Claim, since_ms: int) -> list[int]:
    """Return the changes without a claim, of which this one may still speak: at most the last HELD_MAX."""
    return [
        n
        for n, o in enumerate(outcomes)
        if o.how == MISSED and since_ms <= o.change.released_ms <= claim.last_ms + o.change.hand_ms
    ][-HELD_MAX:]


def _confirmed(claim: Claim, outcomes: Sequence[Outcome], since_ms: int) -> tuple[int, ...]:
    """Return the missed change that came when this claim says, if it is as heavy; else those whose sum is nearest."""
    missed = _missed(outcomes, claim, since_ms)
    near = [n for n in missed if _is_near(claim.last_mg, outcomes[n].change)]
    began_ms = claim.t_ms if claim.start_ms is None else claim.start_ms
    apart_ms, soonest = min(((abs(began_ms - outcomes[n].change.released_ms), n) for n in near), default=(0, -1))
    if near and apart_ms <= SAME_MS:
        return (soonest,)
    sums = []
    for count in range(1, len(missed) + 1):
        for some in combinations(missed, count):
            total = sum(outcomes[n].change.delta_mg for n in some)
            off, allowed = abs(claim.last_mg - total), max(HELD_WITHIN_MG, abs(total) * HELD_WITHIN_PERCENT // 100)
            # Half of the change, as for those found at once: a claim of 12 g is no confirmation of 3 g.
            if off < min(allowed, max(abs(total) // 2, 1)):
                sums.append((off, some))
    return min(sums, default=(0, ()))[1]


def _told_with(claim: Claim, outcomes: Sequence[Outcome], since_ms: int) -> tuple[int, ...]:
    """Return the missed changes that this claim tells together with its own; none if its own alone may explain it."""
    own = sum(o.change.delta_mg for o in outcomes if o.claim is claim)
    allowed = SUM_SIGMAS * claim.sigma_mg
    if abs(claim.last_mg - own) <= allowed or all(o.claim is not claim for o in outcomes):
        return ()
    missed = _missed(outcomes, claim, since_ms)
    sums = [
        (abs(claim.last_mg - own - sum(outcomes[n].change.delta_mg for n in some)), some)
        for count in range(1, len(missed) + 1)
        for some in combinations(missed, count)
    ]
    off, nearest = min(sums, default=(allowed + 1, ()))
    return nearest if off <= allowed else ()
