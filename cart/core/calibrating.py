"""The guided calibration of a load cell: a list of tasks, and a small machine that walks it.

    zero -> each mass up -> one mass down -> zero again -> the same mass on four corners -> one mass to verify

                       ready                  at rest, and every check of its kind passes
    asking (a task) ----------> resting -----------------------------------------------> asking the next ... -> done
          ^   ^                    |
          |   +---- back ----------+---- refused: back to the task that must be done again, with the reason
          +-- back: one task earlier

Time, readings and the operator's words come as data; whoever holds this machine keeps each point that was taken, and
`begin` takes them up again. Every refusal is a row of `calibration_refusals`.

Rules: OIML R 76-1 for permitted errors, corners and the return to zero; span and offset as Klipper's load cell has
them, with the platform's own weight taken off the offset, which for a basket is several per cent of full scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cart.core import calibration_refusals as why
from cart.core import calibration_rest as rest
from cart.core.calibration_fit import MG_PER_KG, mass_mg, mpe_mg, slope, trimmed, trims_ppm
from cart.core.calibration_refusals import Refusal
from cart.core.calibration_rest import Mean, Rest
from cart.core.events import LoadSampled

ZERO, UP, DOWN, RETURN, CORNER, VERIFY = "zero", "up", "down", "return", "corner", "verify"
CORNERS = ("front left", "front right", "rear left", "rear right")
MASSES_MIN = 3

FULL_SCALE = 1 << 23
SPAN_PERCENT = 1
OFFSET_PERCENT = 2
HEADROOM_PERCENT = 90
WRONG_MASS_PERCENT = 2
CORNER_PERCENT = 10
CHANGED_COUNTS_MIN = 100

WAIT_NS = 60_000_000_000
PATIENCE_NS = {rest.SATURATED: 3_000_000_000, rest.STUCK: 0, rest.WRONG_RATE: 0}
"""How long a reason may last before the point is refused for it, where that is not WAIT_NS."""

WAITED_OUT = frozenset({why.HYSTERESIS, why.ZERO_MOVED})
"""Creep comes back within a minute of unloading, so these are refused only after WAIT_NS."""

ASKING, RESTING, DONE = "asking", "resting", "done"
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done.

    masses_mg      what lies in the basket at each step up, ascending, at least MASSES_MIN
    corner_mg      the mass for the corners: near a third of max_mg
    max_mg, e_mg   range and verification interval that the record will hold for
    platform_mg    sprung mass of the empty basket, for judging the empty reading
    samples_per_s  what the converter says that it runs at
    """

    masses_mg: tuple[int, ...]
    corner_mg: int
    max_mg: int
    e_mg: int
    platform_mg: int
    samples_per_s: int


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do: have mass_mg in the basket, at a place."""

    kind: str
    mass_mg: int
    place: str = "middle"


@dataclass(frozen=True, slots=True)
class Procedure:
    """How far the calibration is; `begin` makes the first.

    taken     points accepted, one for each task done
    rest      readings since the operator was ready;  since_ns: host time of the first of them
    refusal   why the last try was refused, until the next
    """

    plan: Plan
    taken: tuple[Mean, ...] = ()
    phase: str = ASKING
    rest: Rest = Rest()  # noqa: RUF009 (a frozen value)
    since_ns: int | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Counts to mass, as far as it is known. counts_per_kg: 0 before the first mass."""

    zero_counts: int
    counts_per_kg: int
    trims_ppm: tuple[int, ...] = ()

    def mass_mg(self, counts: int) -> int:
        """Return the mass that counts stand for; only with a slope."""
        return mass_mg(counts, self.zero_counts, self.counts_per_kg)


@dataclass(frozen=True, slots=True)
class Result:
    """A finished calibration.

    points      (mass_mg, point) of zero, masses up and down and zero again; counts with the trims
    corners_mg  what the corner's mass read on each of CORNERS
    """

    line: Line
    points: tuple[tuple[int, Mean], ...]
    residual_max_mg: int
    corners_mg: tuple[int, ...]
    verified_mg: int


# -- the tasks -----------------------------------------------------------------


def tasks(plan: Plan) -> tuple[Task, ...]:
    """Return all tasks, in order."""
    return (
        Task(ZERO, 0),
        *(Task(UP, mass) for mass in plan.masses_mg),
        Task(DOWN, plan.masses_mg[-2]),
        Task(RETURN, 0),
        *(Task(CORNER, plan.corner_mg, place) for place in CORNERS),
        Task(VERIFY, plan.masses_mg[-2]),
    )


def begin(plan: Plan, taken: tuple[Mean, ...] = ()) -> Procedure:
    """Return the procedure before its first task, or after those whose points are given."""
    assert len(plan.masses_mg) >= MASSES_MIN
    assert list(plan.masses_mg) == sorted(set(plan.masses_mg))
    assert plan.masses_mg[0] > 0
    assert 0 < plan.e_mg <= plan.max_mg
    return Procedure(plan, taken, DONE if len(taken) == len(tasks(plan)) else ASKING)


def task(at: Procedure) -> Task:
    """Return what is asked for; the last one when all is done."""
    todo = tasks(at.plan)
    return todo[min(len(at.taken), len(todo) - 1)]


# -- what happens ----------------------------------------------------------------


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
        at, rest=rest.sampled(at.rest, event, at.plan.samples_per_s, _e_milli(line(at), at.plan)), since_ns=since_ns
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
    for check in _CHECKS[done.kind]:
        if refusal := check(with_it, done, number):
            return at if refusal.code in WAITED_OUT and waited_ns < WAIT_NS else _refused(at, refusal)
    what = LAST_TAKEN if len(with_it.taken) == len(tasks(at.plan)) else TAKEN
    return replace(with_it, phase=TRANSITIONS[at.phase, what], rest=Rest())


def _refused(at: Procedure, refusal: Refusal) -> Procedure:
    return replace(
        at, taken=at.taken[: refusal.redo], phase=TRANSITIONS[at.phase, REFUSED], rest=Rest(), refusal=refusal
    )


# -- what is known so far ------------------------------------------------------------


def line(at: Procedure) -> Line:
    """Return the line through the points so far: with a slope after the first mass, with trims after the corners."""
    todo, taken = tasks(at.plan), at.taken
    if not taken:
        return Line(0, 0)
    corners = [mean for done, mean in zip(todo, taken, strict=False) if done.kind == CORNER]
    trims: tuple[int, ...] = ()
    if taken[0].cells and len(corners) == len(CORNERS):
        trims = trims_ppm(corners, taken[0]) or ()
    zero_counts = trimmed(taken[0], trims)
    ups = [(t.mass_mg, trimmed(mean, trims)) for t, mean in zip(todo, taken, strict=False) if t.kind == UP]
    return Line(zero_counts, slope(ups, zero_counts) if ups else 0, trims)


def result(at: Procedure) -> Result:
    """Return the finished calibration; only in the phase DONE."""
    assert at.phase == DONE
    found, todo = line(at), tasks(at.plan)
    done = list(zip(todo, at.taken, strict=True))
    straight = tuple(
        (t.mass_mg, replace(mean, counts=trimmed(mean, found.trims_ppm)))
        for t, mean in done
        if t.kind in (ZERO, UP, DOWN, RETURN)
    )
    return Result(
        line=found,
        points=straight,
        residual_max_mg=max(abs(found.mass_mg(mean.counts) - mass) for mass, mean in straight),
        corners_mg=tuple(found.mass_mg(trimmed(mean, found.trims_ppm)) for t, mean in done if t.kind == CORNER),
        verified_mg=found.mass_mg(trimmed(at.taken[-1], found.trims_ppm)),
    )


def _e_milli(found: Line, plan: Plan) -> int | None:
    """Return e in thousandths of a count, or None before there is a slope."""
    return plan.e_mg * abs(found.counts_per_kg) // 1_000 if found.counts_per_kg else None


# -- the checks: (procedure with the new point, its task, its number) -> Refusal or None ---

Check = Callable[[Procedure, Task, int], Refusal | None]


def _changed(at: Procedure, done: Task, number: int) -> Refusal | None:
    before, now = at.taken[-2], at.taken[-1]
    moved = abs(now.counts - before.counts)
    if moved * 1_000 >= max(10 * max(now.sd_milli, before.sd_milli), CHANGED_COUNTS_MIN * 1_000):
        return None
    return Refusal(why.NOTHING_CHANGED, f"the reading moved by {moved} counts only", number)


def _direction(at: Procedure, done: Task, number: int) -> Refusal | None:
    """The first mass says which way is down; every other must follow."""
    moved = at.taken[-1].counts - at.taken[-2].counts
    first = at.taken[1].counts - at.taken[0].counts
    more = done.mass_mg > tasks(at.plan)[number - 1].mass_mg
    if (moved > 0) == ((first > 0) == more):
        return None
    return Refusal(why.WRONG_DIRECTION, f"{moved:+} counts, after {first:+} for the first mass", number)


def _fits(at: Procedure, done: Task, number: int) -> Refusal | None:
    """Whether it is roughly the mass that was asked for, by the points before."""
    before = line(replace(at, taken=at.taken[:-1]))
    if not before.counts_per_kg:
        return None
    # A corner of four cells that are not trimmed yet may be off by more.
    percent = CORNER_PERCENT if done.kind == CORNER else WRONG_MASS_PERCENT
    read_mg = before.mass_mg(trimmed(at.taken[-1], before.trims_ppm))
    if abs(read_mg - done.mass_mg) * 100 <= done.mass_mg * percent + 100 * at.plan.e_mg:
        return None
    return Refusal(why.WRONG_MASS, f"{_grams(read_mg)} where {_grams(done.mass_mg)} was asked for", number)


def _quiet(at: Procedure, done: Task, number: int) -> Refusal | None:
    """With a slope, the points that were taken without one can be judged too."""
    e_milli = _e_milli(line(at), at.plan)
    assert e_milli is not None
    for earlier, mean in enumerate(at.taken[:2]):
        if rest.too_noisy(mean.noise_milli, e_milli):
            noise_mg = mean.noise_milli * 1_000 // abs(line(at).counts_per_kg)
            return Refusal(rest.NOISY, f"{_grams(noise_mg)} rms, e is {_grams(at.plan.e_mg)}", earlier)
    return None


def _span(at: Procedure, done: Task, number: int) -> Refusal | None:
    span = abs(at.taken[-1].counts - at.taken[0].counts)
    cells = max(1, len(at.taken[0].cells))
    if done.mass_mg < at.plan.masses_mg[-1] or span * 100 >= SPAN_PERCENT * FULL_SCALE * cells:
        return None
    return Refusal(why.SHORT_SPAN, f"{span} counts of {FULL_SCALE * cells}", 0)


def _offset(at: Procedure, done: Task, number: int) -> Refusal | None:
    found, full = line(at), FULL_SCALE * max(1, len(at.taken[0].cells))
    offset = found.zero_counts - at.plan.platform_mg * found.counts_per_kg // MG_PER_KG
    if done.mass_mg == at.plan.masses_mg[-1] and abs(offset) * 100 > OFFSET_PERCENT * full:
        return Refusal(why.OFFSET, f"{offset:+} counts of {full}", 0)
    return None


def _headroom(at: Procedure, done: Task, number: int) -> Refusal | None:
    found, full = line(at), FULL_SCALE * max(1, len(at.taken[0].cells))
    top = found.zero_counts + at.plan.max_mg * found.counts_per_kg // MG_PER_KG
    if done.mass_mg == at.plan.masses_mg[-1] and abs(top) * 100 > HEADROOM_PERCENT * full:
        return Refusal(why.HEADROOM, f"{top} of {full} counts at {_grams(at.plan.max_mg)}", 0)
    return None


def _linear(at: Procedure, done: Task, number: int) -> Refusal | None:
    if done.mass_mg < at.plan.masses_mg[-1]:
        return None
    found = line(at)
    for t, mean in zip(tasks(at.plan), at.taken, strict=False):
        error_mg = found.mass_mg(mean.counts) - t.mass_mg
        if 2 * abs(error_mg) > mpe_mg(t.mass_mg, at.plan.e_mg):
            limit_mg = mpe_mg(t.mass_mg, at.plan.e_mg) // 2
            return Refusal(why.NON_LINEAR, f"{_off(error_mg, t.mass_mg)}; {_grams(limit_mg)} is permitted", 0)
    return None


def _hysteresis(at: Procedure, done: Task, number: int) -> Refusal | None:
    found = line(at)
    up = next(n for n, t in enumerate(tasks(at.plan)) if t.kind == UP and t.mass_mg == done.mass_mg)
    apart_mg = found.mass_mg(at.taken[-1].counts) - found.mass_mg(at.taken[up].counts)
    if abs(apart_mg) <= mpe_mg(done.mass_mg, at.plan.e_mg):
        return None
    return Refusal(why.HYSTERESIS, f"{_signed(apart_mg)} at {_grams(done.mass_mg)}", 0)


def _returned(at: Procedure, done: Task, number: int) -> Refusal | None:
    left_mg = line(at).mass_mg(at.taken[-1].counts)
    if 2 * abs(left_mg) <= at.plan.e_mg:
        return None
    return Refusal(why.ZERO_MOVED, f"{_signed(left_mg)}", 0)


def _corner(at: Procedure, done: Task, number: int) -> Refusal | None:
    """One channel: each corner by itself. Four: when all are there, with the trims that they give."""
    first = number - CORNERS.index(done.place)
    cells = at.taken[0].cells
    if cells and done.place != CORNERS[-1]:
        return None
    found = line(at)
    if cells and not found.trims_ppm:
        return Refusal(why.BAD_CELL, "no trims within 10 %", first)
    for n in range(first if cells else number, number + 1):
        error_mg = found.mass_mg(trimmed(at.taken[n], found.trims_ppm)) - done.mass_mg
        if abs(error_mg) > mpe_mg(done.mass_mg, at.plan.e_mg):
            place = CORNERS[n - first]
            return Refusal(why.CORNER, f"{place}: {_off(error_mg, done.mass_mg)}", first if cells else number)
    return None


def _verified(at: Procedure, done: Task, number: int) -> Refusal | None:
    found = line(at)
    error_mg = found.mass_mg(trimmed(at.taken[-1], found.trims_ppm)) - done.mass_mg
    if abs(error_mg) <= mpe_mg(done.mass_mg, at.plan.e_mg):
        return None
    return Refusal(why.NOT_VERIFIED, _off(error_mg, done.mass_mg), 0)


_CHECKS: dict[str, tuple[Check, ...]] = {
    ZERO: (),
    UP: (_changed, _direction, _fits, _quiet, _span, _offset, _headroom, _linear),
    DOWN: (_changed, _direction, _fits, _hysteresis),
    RETURN: (_changed, _direction, _fits, _returned),
    CORNER: (_fits, _corner),
    VERIFY: (_fits, _verified),
}


def _grams(value_mg: int) -> str:
    sign = "-" if value_mg < 0 else ""
    return f"{sign}{abs(value_mg) // 1_000}.{abs(value_mg) % 1_000 // 100} g"


def _signed(value_mg: int) -> str:
    return _grams(value_mg) if value_mg < 0 else f"+{_grams(value_mg)}"


def _off(error_mg: int, load_mg: int) -> str:
    return f"{_signed(error_mg)} at {_grams(load_mg)}"
