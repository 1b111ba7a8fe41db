"""The sprung mass, step by step, with what may touch it beside the gauges: dry friction, and a rim that jams.

    M x'' = drive - c x' - k x - friction(x) - rim(x)         gauge force F = k x

Friction follows the movement elastically and slips at its limit (an elastic-plastic element). A rim that touches the
frame is a second spring beside the gauges from where it touched: it takes its share of every change.
"""

from __future__ import annotations

import numpy as np

from cart.sim.physics.parameters import G, Params
from cart.sim.physics.timeline import STEPS_PER_S


class Suspension:
    """Position and speed of the platform; x in m, down is positive."""

    def __init__(self, params: Params, load_kg: float) -> None:
        """Begin at rest."""
        platform_kg = params.platform_g / 1e3
        self._k = float((2 * np.pi * params.resonance_hz) ** 2 * platform_kg)
        self._c = float(2 * params.damping * np.sqrt(self._k * platform_kg))
        self._x = self._anchor = (platform_kg + load_kg) * G / self._k
        self._v = 0.0
        self._drag_n = params.cable_drag_mn / 1e3
        self._slack_m = params.cable_drag_um / 1e6
        self._rim_k = self._rim_x = 0.0

    def touch(self, share: float) -> None:
        """Let the rim touch the frame from now on, taking `share` (0 to below 1) of every change; 0 lets it go."""
        assert 0 <= share < 1
        self._rim_k, self._rim_x = self._k * share / (1 - share), self._x

    def swing(self, mass: list[float], drive: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return gauge force in N and downward acceleration in m/s2, for masses in kg and driving forces in N."""
        x, v, k, c, dt = self._x, self._v, self._k, self._c, 1 / STEPS_PER_S
        rim_k, rim_x, anchor, slack_m = self._rim_k, self._rim_x, self._anchor, self._slack_m
        drag_k = self._drag_n / slack_m
        gauge, rebound = [], []
        for m, f in zip(mass, drive, strict=True):
            a = (f - c * v - k * x - drag_k * (x - anchor) - rim_k * (x - rim_x)) / m
            v += a * dt
            x += v * dt
            if x - anchor > slack_m:
                anchor = x - slack_m
            elif anchor - x > slack_m:
                anchor = x + slack_m
            gauge.append(k * x)
            rebound.append(a)
        self._x, self._v, self._anchor = x, v, anchor
        return np.array(gauge), np.array(rebound)
