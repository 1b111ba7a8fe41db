"""What a calibration consists of: its plan, tasks and points, and the line through the points so far. Values only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core.calibration_fit import mass_mg, slope, trimmed, trims_ppm
from cart.core.calibration_refusals import Refusal
from cart.core.calibration_rest import Mean, Rest

ZERO, UP, DOWN, RETURN, CORNER, VERIFY = "zero", "up", "down", "return", "corner", "verify"
CORNERS = ("front left", "front right", "rear left", "rear right")
MASSES_MIN = 3
ASKING, RESTING, DONE = "asking", "resting", "done"


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
    """How far the calibration is; `calibrating.begin` makes the first.

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


def task(at: Procedure) -> Task:
    """Return what is asked for; the last one when all is done."""
    todo = tasks(at.plan)
    return todo[min(len(at.taken), len(todo) - 1)]


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


def e_milli(found: Line, plan: Plan) -> int | None:
    """Return e in thousandths of a count, or None before there is a slope."""
    return plan.e_mg * abs(found.counts_per_kg) // 1_000 if found.counts_per_kg else None
