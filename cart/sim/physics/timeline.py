"""Quantities planned ahead of time, and first-order lags: what the modules of the physics share."""

from __future__ import annotations

import numpy as np

STEPS_PER_S = 1_600
STEP_US = 1_000_000 // STEPS_PER_S


class Timeline:
    """Quantities over steps: profiles are added, then taken from the front.

    level    what all that has passed adds up to, one value a row
    """

    def __init__(self, level: np.ndarray) -> None:
        """Begin at a level, one value a row."""
        self.level = np.array(level, dtype=float)
        self._planned: list[tuple[int, np.ndarray, np.ndarray]] = []

    def add(self, start: int, profile: np.ndarray, rows: np.ndarray) -> None:
        """Plan a profile, times `rows`; its last value stays for ever (0 for a push, the mass for an item)."""
        self._planned.append((start, profile, rows))

    def goal(self) -> np.ndarray:
        """Return the level when all that is planned has passed."""
        return self.level + sum((profile[-1] * rows for _, profile, rows in self._planned), np.zeros_like(self.level))

    def busy(self) -> bool:
        """Return whether anything is planned."""
        return bool(self._planned)

    def take(self, first: int, count: int) -> np.ndarray:
        """Return the sum of what is planned for `count` steps from `first`, rows by steps, and forget what passed."""
        out = np.repeat(self.level[:, None], count, axis=1)
        waiting = []
        for start, profile, rows in self._planned:
            at, end = max(start - first, 0), start + len(profile) - first
            if at < count:
                piece = profile[max(first - start, 0) : max(first - start, 0) + count - at]
                out[:, at : at + len(piece)] += rows[:, None] * piece
                out[:, at + len(piece) :] += rows[:, None] * profile[-1]
            if end <= count:
                self.level = self.level + profile[-1] * rows
            else:
                waiting.append((start, profile, rows))
        self._planned = waiting
        return out


def lagged(goal: np.ndarray, value: float, rate: float) -> np.ndarray:
    """Return the path of a first-order lag that follows `goal` from `value`; rate is step over time constant."""
    if np.all(goal == goal[0]):
        return goal[0] + (value - goal[0]) * (1 - rate) ** np.arange(1, len(goal) + 1)
    path = []
    for g in goal.tolist():
        value += (g - value) * rate
        path.append(value)
    return np.array(path)
