"""The method of shop scales, as the baseline: median, low-pass, and differences of stable plateaus.

    median of 5 -> second-order low-pass at 2 Hz -> stable: within 15 g for 0.5 s -> a new plateau, 6 g or more away

A plateau is the mean of its stable window and follows slow drift while stable, as zero tracking does. Standing, this
is a good scale; on a moving cart it is never stable, which is what the bench is there to show.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

CUT_OFF_HZ = 2.0
STABLE_MG = 15_000
STABLE_MS = 500
STEP_MG = 6_000
FOLLOW = 0.02
"""Part of the way that a plateau follows its window with each reading: 0.6 s."""


@dataclass(frozen=True, slots=True)
class PlateauStep:
    """A difference of two plateaus, told when the second is stable."""

    t_ms: int
    delta_mg: int


class Plateau:
    """The indicator of one scale; readings must come evenly."""

    def __init__(self, samples_per_s: int) -> None:
        """Begin before the first reading."""
        self._b, self._a = _butterworth(CUT_OFF_HZ, samples_per_s)
        self._last: deque[int] = deque(maxlen=5)
        self._window: deque[float] = deque(maxlen=max(2, samples_per_s * STABLE_MS // 1_000))
        self._state: tuple[float, float] | None = None
        self._level: float | None = None

    def take(self, mass_mg: int, t_ms: int) -> PlateauStep | None:
        """Return the step that this reading completes, if it does."""
        self._last.append(mass_mg)
        self._window.append(self._filtered(sorted(self._last)[len(self._last) // 2]))
        if len(self._window) < (self._window.maxlen or 0) or max(self._window) - min(self._window) >= STABLE_MG:
            return None
        mean = sum(self._window) / len(self._window)
        if self._level is None:
            self._level = mean
        elif abs(mean - self._level) < STEP_MG:
            self._level += (mean - self._level) * FOLLOW
        else:
            delta, self._level = mean - self._level, mean
            return PlateauStep(t_ms, round(delta))
        return None

    def _filtered(self, mass_mg: int) -> float:
        """Return the low-passed mass (transposed direct form II), settled at the first reading."""
        b0, b1, b2 = self._b
        a1, a2 = self._a
        if self._state is None:
            self._state = (mass_mg * (1 - b0), mass_mg * (b2 - a2))
        s1, s2 = self._state
        out = b0 * mass_mg + s1
        self._state = (b1 * mass_mg - a1 * out + s2, b2 * mass_mg - a2 * out)
        return out


def _butterworth(cut_off_hz: float, samples_per_s: int) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Return numerator and denominator of a second-order low-pass (bilinear transform)."""
    w = 2 * pi * cut_off_hz / samples_per_s
    alpha = sin(w) / sqrt(2)
    b1 = (1 - cos(w)) / (1 + alpha)
    return (b1 / 2, b1, b1 / 2), (-2 * cos(w) / (1 + alpha), (1 - alpha) / (1 + alpha))
