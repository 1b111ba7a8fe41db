"""The guided calibration of a load cell: a list of tasks, and a small machine that walks it.

    zero -> each mass up -> one mass down -> zero again -> the same mass on four corners -> one mass to verify

                       ready                  at rest, and every check of its kind passes
    asking (a task) ----------> resting -----------------------------------------------> asking the next ... -> done
          ^   ^                    |
          |   +---- back ----------+---- refused: back to the task that must be done again, with the reason
          +-- back: one task earlier

Time, readings and the operator's words come as data; whoever holds this machine keeps each point that was taken, and
`begin` takes them up again. Every refusal is a row of `calibration_refusals`.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import calibration_refusals as why
from cart.core import calibration_rest as rest
from cart.core.calibration_checks import CHECKS
from cart.core.calibration_plan import ASKING, DONE, MASSES_MIN, RESTING, Plan, Procedure, e_milli, line, task, tasks
from cart.core.calibration_refusals import Refusal
from cart.core.calibration_rest import Mean, Rest
from cart.core.events import LoadSampled

WAIT_NS = 60_000_000_000
PATIENCE_NS = {rest.SATURATED: 3_000_000_000, rest.STUCK: 0, rest.WRONG_RATE: 0}
"""How long a reason may last before the point is refused for it, where that is not WAIT_NS."""

WAITED_OUT = frozenset({why.HYSTERESIS, why.ZERO_MOVED})
"""Creep comes back within a minute of unloading, so these are refused only after WAIT_NS."""

READY, TAKEN, LAST_TAKEN, REFUSED, BACK = "ready", "taken", "last taken", "refused", "back"

TRANSITIONS: dict[tuple[str, str], str] = {
    (ASKING, READY): RESTING,
    (ASKING, BACK): ASKING,
    (RESTING, TAKEN): ASKING,
    (RESTING, LAST_TAKEN): DONE,
    (RESTING, REFUSED): ASKING,
    (RESTING, BACK): ASKING,
}
"""What is not here changes nothing."""


def begin(plan: Plan, taken: tuple[Mean, ...] = ()) -> Procedure:
    """Return the procedure before its first task, or after those whose points are given."""
    assert len(plan.masses_mg) >= MASSES_MIN
    assert list(plan.masses_mg) == sorted(set(plan.masses_mg))
    assert plan.masses_mg[0] > 0
    assert 0 < plan.e_mg <= plan.max_mg
    return Procedure(plan, taken, DONE if len(taken) == len(tasks(plan)) else ASKING)


def ready(at: Procedure) -> Procedure:
    """Return the procedure after the operator said that the task is done: it reads until the load is at rest."""
    if (at.phase, READY) not in TRANSITIONS:
        return at
    return replace(at, phase=TRANSITIONS[at.phase, READY], rest=Rest(), since_ns=None, refusal=None)


def back(at: Procedure) -> Procedure:
    """Return the procedure one point earlier; while it reads, with this point asked for again."""
    if (at.phase, BACK) not in TRANSITIONS:
        return at
    taken = at.taken[:-1] if at.phase == ASKING else at.taken
    return replace(at, taken=taken, phase=TRANSITIONS[at.phase, BACK], refusal=None)


def silent(at: Procedure, detail: str) -> Procedure:
    """Return the procedure after the readings ceased."""
    return _refused(at, Refusal(why.SILENT, detail, len(at.taken))) if at.phase == RESTING else at


def sampled(at: Procedure, event: LoadSampled) -> Procedure:
    """Return the procedure after a batch of readings: the point taken, refused, or still waited for."""
    if at.phase != RESTING:
        return at
    since_ns = event.t_ns if at.since_ns is None else at.since_ns
    at = replace(
        at, rest=rest.sampled(at.rest, event, at.plan.samples_per_s, e_milli(line(at), at.plan)), since_ns=since_ns
    )
    waited_ns = event.t_ns - since_ns
    if at.rest.why == rest.AT_REST:
        return _taken(at, at.rest.mean(), waited_ns)
    if waited_ns >= PATIENCE_NS.get(at.rest.why, WAIT_NS):
        return _refused(at, Refusal(at.rest.why, f"after {waited_ns // 1_000_000_000} s", len(at.taken)))
    return at


def _taken(at: Procedure, mean: Mean, waited_ns: int) -> Procedure:
    done, number = task(at), len(at.taken)
    with_it = replace(at, taken=(*at.taken, mean))
    for check in CHECKS[done.kind]:
        if refusal := check(with_it, done, number):
            return at if refusal.code in WAITED_OUT and waited_ns < WAIT_NS else _refused(at, refusal)
    what = LAST_TAKEN if len(with_it.taken) == len(tasks(at.plan)) else TAKEN
    return replace(with_it, phase=TRANSITIONS[at.phase, what], rest=Rest())


def _refused(at: Procedure, refusal: Refusal) -> Procedure:
    return replace(
        at, taken=at.taken[: refusal.redo], phase=TRANSITIONS[at.phase, REFUSED], rest=Rest(), refusal=refusal
    )
