"""The standing alarm against what happened: was it raised for each change, how soon, and for nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cart.sim.weighing.figures import Figure
from cart.sim.weighing.intervals import quantile
from cart.sim.weighing.items import Scene
from cart.sim.weighing.matching import Change

WITHIN_MS = 1_500
"""Later than this after the hand let go it is no news."""


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """Over all changes of the scenes: how many had an alarm, from hand off to alarm; and alarms in quiet scenes."""

    changes: int
    missed: int
    delay_ms: Figure
    delay_ms_p95: Figure
    quiet: int
    quiet_hours: float


def alarm_figures(scenes: Iterable[Scene], quiet: Sequence[Scene]) -> AlarmFigures:
    """Return the figures of some scenes of one class of motion."""
    found = [delay_ms(outcome.change, scene.alarms_ms) for scene in scenes for outcome in scene.weight.outcomes]
    delays = [delay for delay in found if delay is not None]
    return AlarmFigures(
        len(found),
        len(found) - len(delays),
        Figure(quantile(delays, 0.5)),
        Figure(quantile(delays, 0.95)),
        sum(len(scene.alarms_ms) for scene in quiet),
        sum(scene.seconds for scene in quiet) / 3_600,
    )


def delay_ms(change: Change, alarms_ms: Iterable[int]) -> int | None:
    """Return how long after the hand let go the first alarm of a change came, 0 for before; None without one."""
    after = [t_ms - change.released_ms for t_ms in alarms_ms]
    return next((max(0, late) for late in after if -change.hand_ms <= late <= WITHIN_MS), None)
