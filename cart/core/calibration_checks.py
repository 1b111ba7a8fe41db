"""The checks that a point must pass, by the kind of its task; each says why it does not, with the figures.

Rules: OIML R 76-1 for permitted errors, corners and the return to zero; span and offset as Klipper's load cell has
them, with the platform's own weight taken off the offset, which for a basket is several per cent of full scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cart.core import calibration_refusals as why
from cart.core import calibration_rest as rest
from cart.core.calibration_fit import MG_PER_KG, mpe_mg, trimmed
from cart.core.calibration_plan import (
    CORNER,
    CORNERS,
    DOWN,
    RETURN,
    UP,
    VERIFY,
    ZERO,
    Line,
    Procedure,
    Task,
    e_milli,
    line,
    tasks,
)
from cart.core.calibration_refusals import Refusal

FULL_SCALE = 1 << 23
SPAN_PERCENT = 1
OFFSET_PERCENT = 2
HEADROOM_PERCENT = 90
WRONG_MASS_PERCENT = 2
CORNER_PERCENT = 10
CHANGED_COUNTS_MIN = 100

Check = Callable[[Procedure, Task, int], Refusal | None]
"""Takes the procedure with the new point, its task and its number."""


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
    division_milli = e_milli(line(at), at.plan)
    assert division_milli is not None
    for earlier, mean in enumerate(at.taken[:2]):
        if rest.too_noisy(mean.noise_milli, division_milli):
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
    return _bent(at, line(at))


def _bent(at: Procedure, found: Line) -> Refusal | None:
    """Whether a point lies off the line: on the way up by more than half of what is permitted, then by all of it."""
    with_trims = ", with the corners trimmed" if found.trims_ppm else ""
    for t, mean in zip(tasks(at.plan), at.taken, strict=False):
        if t.kind == CORNER:
            break
        limit_mg = mpe_mg(t.mass_mg, at.plan.e_mg) // (2 if t.kind == UP else 1)
        error_mg = found.mass_mg(trimmed(mean, found.trims_ppm)) - t.mass_mg
        if abs(error_mg) > limit_mg:
            text = f"{_off(error_mg, t.mass_mg)}; {_grams(limit_mg)} is permitted{with_trims}"
            return Refusal(why.NON_LINEAR, text, 0)
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
    # The points were judged before the cells had trims, and are kept with them.
    if cells and (refusal := _bent(at, found)):
        return refusal
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


CHECKS: dict[str, tuple[Check, ...]] = {
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
