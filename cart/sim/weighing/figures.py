"""Figures out of scenes: shares, delays, errors and rates with their 95 % intervals, by motion, mass and method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from cart.sim.weighing.intervals import quantile, quantile_interval, rate_interval, share_interval
from cart.sim.weighing.items import MASSES_MG, Balance, Scene
from cart.sim.weighing.matching import AT_ONCE, HELD, MISSED, TOGETHER, Claim, Matched, Outcome

METHODS = ("weight", "plateau")
ERROR_MASS_MG_MAX = 1_000_000
"""Errors are judged up to 1 kg; delays over all."""

PROMISED_MG = {"standing": 10_000, "strolling": 50_000, "tiles": 250_000}
"""What must be found at once, by class of motion; smaller changes may be held until the next standstill."""

LARGEST = 5
"""So many false changes are shown with their mass."""

DRIFT_MG = 12_000
"""Beside its own sigmas, what drift may leave over at a standstill: the tracking's bound in motion, and an edge."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure with its 95 % interval; None where there was nothing to measure, or no end to the interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One mass (0: all that is promised) in one class of motion, by one method."""

    motion: str
    mass_mg: int
    method: str
    changes: int
    found: Figure
    held: int
    together: int
    missed: int
    delay_ms: Figure
    delay_ms_p95: Figure
    error_mg: Figure
    error_mg_p95: Figure


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was told in a time without changes, by one method.

    per_hour      the rate;  in_basket: how many were not taken back
    masses_mg     what they claimed, the largest first, at most LARGEST of them
    """

    motion: str
    method: str
    hours: float
    false: int
    per_hour: Figure
    in_basket: int
    masses_mg: tuple[int, ...]


def rows(motion: str, scenes: Sequence[Scene]) -> list[Row]:
    """Return the rows of one class of motion: all that is promised first, then each mass, by both methods."""
    promised = PROMISED_MG[motion]
    masses = [mass for mass in MASSES_MG if any(_of(scenes, "weight", mass, mass))]
    return [
        _row(motion, mass, method, list(_of(scenes, method, mass or promised, mass or MASSES_MG[-1])))
        for mass in (0, *masses)
        for method in METHODS
    ]


def quiet(motion: str, scenes: Sequence[Scene], method: str) -> Quiet:
    """Return the false changes of quiet scenes."""
    false = [claim for scene in scenes for claim in _matched(scene, method).false]
    hours = sum(scene.seconds for scene in scenes) / 3_600
    low, high = rate_interval(len(false), hours) if hours else (0.0, 0.0)
    per_hour = Figure(len(false) / hours if hours else None, low, high)
    largest = sorted((claim.first_mg for claim in false), key=abs, reverse=True)[:LARGEST]
    return Quiet(motion, method, hours, len(false), per_hour, len(in_basket(false)), tuple(largest))


def in_basket(false: Iterable[Claim]) -> list[Claim]:
    """Return the false claims that were not taken back."""
    return [claim for claim in false if not claim.withdrawn]


def unaccounted(scenes: Iterable[Scene]) -> list[Balance]:
    """Return the standstills at which what was told does not add up to what happened."""
    return [b for scene in scenes for b in scene.standstills if abs(b.over_mg) > b.allowed_mg + DRIFT_MG]


def _matched(scene: Scene, method: str) -> Matched:
    return scene.weight if method == "weight" else scene.plateau


def _of(scenes: Iterable[Scene], method: str, low_mg: int, high_mg: int) -> Iterable[Outcome]:
    for scene in scenes:
        for outcome in _matched(scene, method).outcomes:
            if low_mg <= abs(outcome.change.delta_mg) <= high_mg:
                yield outcome


def _row(motion: str, mass_mg: int, method: str, outcomes: list[Outcome]) -> Row:
    found = [outcome for outcome in outcomes if outcome.how == AT_ONCE]
    delays = [outcome.delay_ms for outcome in found]
    errors = [o.error_mg for o in found if abs(o.change.delta_mg) <= ERROR_MASS_MG_MAX or mass_mg]
    share = len(found) / len(outcomes) if outcomes else None
    return Row(
        motion,
        mass_mg,
        method,
        len(outcomes),
        Figure(share, *share_interval(len(found), len(outcomes))),
        sum(outcome.how == HELD for outcome in outcomes),
        sum(outcome.how == TOGETHER for outcome in outcomes),
        sum(outcome.how == MISSED for outcome in outcomes),
        _quantile(delays, 0.5),
        _quantile(delays, 0.95),
        _quantile(errors, 0.5),
        _quantile(errors, 0.95),
    )


def _quantile(values: list[int], q: float) -> Figure:
    low, high = quantile_interval(values, q)
    return Figure(quantile(values, q), low if isfinite(low) else None, high if isfinite(high) else None)
