"""What hands and goods do to the platform: putting, dropping, lifting, pouring, leaning, rolling about."""

from __future__ import annotations

import numpy as np

from cart.sim.physics.cell import corner_shares
from cart.sim.physics.parameters import G, Params
from cart.sim.physics.timeline import STEPS_PER_S, Timeline

ROLL_HZ = 0.8
ROLL_FADE_S = 1.5
KNOCK_S = 0.02
KNOCK_M_S = 0.3
"""A loose item rolls to and fro so often a second, fades in so long, and meets the wall at so much."""


class Hand:
    """Plans masses (kg) and forces (N, down) on the four corners of the platform; times are in steps."""

    def __init__(self, actions: np.random.Generator, places: np.random.Generator, params: Params) -> None:
        """Take two generators over."""
        self._actions, self._places, self._params = actions, places, params

    def place(self) -> np.ndarray:
        """Return the corner shares of a random place."""
        x, y = self._places.uniform(-1, 1, 2) * self._params.spread
        return corner_shares(float(x), float(y))

    def drop(self, mass: Timeline, force: Timeline, kg: float, release: int, where: np.ndarray) -> None:
        """Let it fall: the mass is there at once, with a half sine of a blow."""
        p, draw = self._params, self._actions
        mass.add(release, np.array([1.0]), kg * where)
        width = int(STEPS_PER_S * draw.uniform(p.drop_ms_min, p.drop_ms_max) / 1e3)
        blow = np.sin(np.pi * np.arange(width + 1) / width)
        impulse = p.drop_bounce * kg * np.sqrt(2 * G * draw.uniform(p.drop_cm_min, p.drop_cm_max) / 100)
        force.add(release, blow * impulse * STEPS_PER_S / blow.sum() * (blow > 1e-9), where)

    def carrying_steps(self, kind: str) -> int:
        """Return how long this hand takes to place or to lift."""
        p = self._params
        short, long = (p.place_s_min, p.place_s_max) if kind == "place" else (p.lift_s_min, p.lift_s_max)
        return int(STEPS_PER_S * self._actions.uniform(short, long))

    def carry(
        self, mass: Timeline, force: Timeline, kg: float, kind: str, width: int, release: int, where: np.ndarray
    ) -> None:
        """Put it down (or lift it, when negative) over `width` steps until `release`; the hand pushes or pulls."""
        p, draw = self._params, self._actions
        mass.add(release - width, np.arange(1, width + 1) / width, kg * where)
        push_n = (draw.uniform(0, p.push_share) * abs(kg) + draw.uniform(0, p.push_kg)) * G
        push_n *= 1 if draw.random() < (0.7 if kind == "place" else 0.5) else -1
        force.add(release - width, push_n * np.sin(np.pi * np.arange(1, width + 1) / width) ** 2, where)


def leaning(force_n: float, steps: int, rise: int) -> np.ndarray:
    """Return a force that grows and vanishes softly over `rise` steps each."""
    ramp = np.clip(np.minimum(np.arange(steps), np.arange(steps)[::-1]) / max(1, rise), 0, 1)
    return force_n * np.sin(np.pi / 2 * ramp) ** 2


def trembling(rng: np.random.Generator, force_n: float, hz: float, steps: int) -> np.ndarray:
    """Return a restless force of that rms around that frequency: a child that fidgets, a hand that shakes."""
    t = np.arange(steps) / STEPS_PER_S
    tones = [(hz * rng.uniform(0.5, 1.6), rng.uniform(0, 2 * np.pi)) for _ in range(5)]
    restless = np.sum([np.sin(2 * np.pi * f * t + at) for f, at in tones], axis=0)
    fade = np.clip(np.minimum(np.arange(steps), np.arange(steps)[::-1]) / (0.3 * STEPS_PER_S), 0, 1)
    return force_n * np.sqrt(2 / len(tones)) * restless * fade


def roll(mass: Timeline, force: Timeline, kg: float, start: int, reach: float) -> None:
    """Let a loose item of that mass roll fore and aft: its place swings, and it knocks at each wall.

    reach  part of the platform's half length, 0 to 1
    """
    steps = int(4 * ROLL_FADE_S * STEPS_PER_S)
    t = np.arange(1, steps + 1) / STEPS_PER_S
    swing = reach * np.sin(2 * np.pi * ROLL_HZ * t) * np.exp(-t / ROLL_FADE_S)
    swing[-1] = 0.0
    mass.add(start, swing, kg * np.array([1, 1, -1, -1]) / 4)
    knock = np.sin(np.pi * np.arange(int(KNOCK_S * STEPS_PER_S)) / int(KNOCK_S * STEPS_PER_S))
    knock[-1] = 0.0
    for n in range(4):
        at = start + int((0.25 + n / 2) / ROLL_HZ * STEPS_PER_S)
        impulse = kg * KNOCK_M_S * np.exp(-(0.25 + n / 2) / ROLL_HZ / ROLL_FADE_S)
        force.add(at, knock * impulse * STEPS_PER_S / knock.sum(), corner_shares(1.0 if n % 2 == 0 else -1.0, 0.0))
