"""Scenes beyond single items: each with what must be told, what must not, and the name that the case should be given.

right    the truth was told, the case was named where a name is expected, and nothing else became an item
unnamed  nothing became an item that is none, but the case was not named
wrong    something that is no item was told as one, an item was not, or a fault was named late or not at all
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cart.core.weight import LoadState, Standstill, Step
from cart.core.weight_values import Alarm
from cart.sim.physics import Params, Platform
from cart.sim.weighing.feed import Feed, Heard, Spoil
from cart.sim.weighing.matching import MISSED, Change, Claim, claims_of_weight, matched

RIGHT, UNNAMED, WRONG = "right", "unnamed", "wrong"
VERDICTS = (RIGHT, UNNAMED, WRONG)

SECOND_US = 1_000_000
NAMED_WITHIN_MS = 1_000
"""A fault of the line must have its name so soon."""

BACK_WITHIN_MS = 2_000


class Stage:
    """One cart on which a case is played.

    truth     changes that are items
    fault_ms  when a fault of the line began and ended, None without one
    stale     whether there was still a weight when the fault should have been named
    """

    def __init__(self, params: Params, random: Random, load_mg: int = 8_000_000) -> None:
        """Begin standing, with a load that is known when 4 s have passed."""
        self.params, self.random = params, random
        self.platform = Platform(random.getrandbits(32), params, load_mg)
        self.feed = Feed(self.platform)
        self.truth: list[Change] = []
        self.fault_ms: list[int] = []
        self.stale = False
        self.wait(4)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.feed.run(round(seconds * SECOND_US))

    def put(self, mass_mg: int, kind: str = "place", where: tuple[float, float] | None = None) -> None:
        """Put an item in, or take one out when negative; it is part of the truth."""
        released_us = self.platform.add(mass_mg, "lift" if mass_mg < 0 else kind, where=where)
        self.truth.append(Change(released_us // 1_000, mass_mg, self.params.hand_ms_max))

    def break_line(self, fault: Spoil, seconds: float) -> None:
        """Let the line have a fault for a while (at least 1 s), and look for a weight when it should have a name."""
        self.fault_ms = [self.feed.now_ms]
        self.feed.spoil = fault
        self.wait(NAMED_WITHIN_MS / 1_000)
        self.stale = self.feed.weight.gross_mg is not None
        self.wait(seconds - NAMED_WITHIN_MS / 1_000)
        self.feed.spoil = None
        self.fault_ms.append(self.feed.now_ms)


@dataclass(frozen=True, slots=True)
class Case:
    """A scene, and what is expected of it.

    name           of the scene
    what           happens, in a few words
    names          one of these should be told; empty: nothing but the items
    play           lets it happen
    sum_within_mg  the items may be told in parts, if their sum is right within this; 0: one by one
    """

    name: str
    what: str
    names: tuple[str, ...]
    play: Callable[[Stage], None]
    sum_within_mg: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one case: verdict, what was told in words, and the trace for drawing.

    named_ms  from the beginning of a fault of the line to its name; None without a fault, or a name
    """

    case: str
    number: int
    verdict: str
    told: str
    named_ms: int | None
    false: tuple[Claim, ...]
    truth: tuple[Change, ...]
    names: tuple[tuple[int, str], ...]
    claims: tuple[Claim, ...]
    trace: tuple[tuple[int, int], ...]


def judged(case: Case, number: int, seed: int, params: Params) -> Judged:
    """Play a case and return the verdict; the same for the same arguments."""
    stage = Stage(params, Random(f"{seed} {case.name} {number}"))
    case.play(stage)
    names = tuple((heard.t_ms, name) for heard in stage.feed.told if (name := name_of(heard)))
    claims = [claim for claim in claims_of_weight(stage.feed.told) if not claim.withdrawn]
    false, missed = _items(case, stage, claims)
    told = [name for name in dict.fromkeys(name for _, name in names) if name != "ok"]
    if stage.fault_ms:
        verdict, remark = _of_fault(case, stage, names, claims)
        told += [remark] * bool(remark)
        verdict = WRONG if false or missed else verdict
    elif false or missed:
        verdict = WRONG
    else:
        verdict = RIGHT if not case.names or set(told) & set(case.names) else UNNAMED
    told += [f"{claim.last_mg / 1e3:+.0f} g" for claim in false]
    told += [f"{missed} missed"] if missed else []
    found = len(stage.truth) - missed
    told += [f"{found} item{'s' * (found > 1)}"] if found and stage.truth else []
    return Judged(
        case.name,
        number,
        verdict,
        ", ".join(told) or "nothing",
        _named_after(case, stage, names),
        tuple(false),
        tuple(stage.truth),
        names,
        tuple(claims),
        tuple(stage.feed.trace),
    )


def name_of(heard: Heard) -> str:
    """Return the name that was told: a state of the load, or a named case of any later kind; empty for items."""
    event = heard.event
    if isinstance(event, LoadState):
        return event.state
    if isinstance(event, Step | Standstill | Alarm):
        return ""
    return str(getattr(event, "case", "") or getattr(event, "name", "") or type(event).__name__.lower())


def _items(case: Case, stage: Stage, claims: list[Claim]) -> tuple[list[Claim], int]:
    """Return the claims that are no items, and how many items were not told."""
    if case.sum_within_mg:
        total = sum(change.delta_mg for change in stage.truth)
        off = abs(sum(claim.last_mg for claim in claims) - total) > case.sum_within_mg
        wrong_way = [claim for claim in claims if claim.last_mg * total < 0]
        return wrong_way, len(stage.truth) if off else 0
    result = matched(stage.truth, claims)
    return list(result.false), sum(outcome.how == MISSED for outcome in result.outcomes)


def _of_fault(case: Case, stage: Stage, names: tuple[tuple[int, str], ...], claims: list[Claim]) -> tuple[str, str]:
    """Return the verdict on a fault of the line, with what was wrong."""
    begin_ms, end_ms = stage.fault_ms
    named_ms = _named_after(case, stage, names)
    if not case.names:
        return (WRONG, "lost the weight") if any(name != "ok" for _, name in names) else (RIGHT, "")
    if named_ms is None or named_ms > NAMED_WITHIN_MS:
        return WRONG, "named late" if named_ms else "not named"
    if stage.stale:
        return WRONG, "a weight all the same"
    if any(begin_ms + NAMED_WITHIN_MS < claim.t_ms < end_ms for claim in claims):
        return WRONG, "a change meanwhile"
    if not any(name == "ok" and end_ms <= t_ms <= end_ms + BACK_WITHIN_MS for t_ms, name in names):
        return WRONG, "not back in 2 s"
    return RIGHT, ""


def _named_after(case: Case, stage: Stage, names: tuple[tuple[int, str], ...]) -> int | None:
    """Return how long a fault of the line was without its name, in ms; None without a fault, or a name."""
    if not stage.fault_ms or not case.names:
        return None
    begin_ms = stage.fault_ms[0]
    return next((t_ms - begin_ms for t_ms, name in names if name in case.names and t_ms >= begin_ms), None)
