"""The gauges' own faults: creep, hysteresis, a bowed slope, corners, drift with temperature and time.

Slow faults act on the load at rest (goods, in grams), not on the shaking: what shakes averages out of them. All are
exact at the calibration: corrected at the empty cell, at the calibrated load approached from below, at 21.5 degrees.
"""

from __future__ import annotations

import numpy as np

from cart.sim.physics.parameters import Params
from cart.sim.physics.timeline import STEPS_PER_S, lagged

PLAYS = 12
"""Elements of the hysteresis: each follows the load with some slack, from 1/1600 to 1/2 of the span."""


class Cell:
    """The slow faults of one basket's gauges.

    kelvin        warmer than at the calibration
    kelvin_per_s  set when it changes, and stays
    """

    def __init__(self, rng: np.random.Generator, params: Params, goods_g: float) -> None:
        """Begin with a load that has rested for long, approached from below."""
        p = self._params = params
        self._rng = rng
        self.kelvin = self.kelvin_per_s = 0.0
        self._walk_g = 0.0
        self._creep_g = [share * goods_g for share, _ in p.creep]
        span_g = p.span_kg * 1e3
        self._slack_g = span_g * np.geomspace(1 / 1_600, 1 / 2, PLAYS)
        self._weight = p.hysteresis_ppm / 1e6 * span_g / np.minimum(2 * self._slack_g, span_g / 2).sum()
        self._plays = np.maximum(goods_g - self._slack_g, 0.0)
        chord_g = p.calibrated_kg * 1e3
        self._chord = self._weight * np.maximum(chord_g - self._slack_g, 0.0).sum() / chord_g
        self._goods_g = goods_g

    def faults(self, goods_g: np.ndarray) -> np.ndarray:
        """Return what is read beside the goods, in grams, for each step of a time that follows the last one."""
        p, dt = self._params, 1 / STEPS_PER_S
        kelvin = self.kelvin + self.kelvin_per_s * dt * np.arange(1, len(goods_g) + 1)
        self.kelvin = float(kelvin[-1])
        walk = self._walk_g + np.cumsum(self._rng.standard_normal(len(goods_g))) * p.walk_g * np.sqrt(dt)
        self._walk_g = float(walk[-1])
        drift = kelvin * p.zero_drift_g_k + kelvin * p.span_drift_ppm_k / 1e6 * (goods_g + p.platform_g)
        return self._creep(goods_g) + self._hysteresis(goods_g) + self._bow(goods_g) + drift + walk

    def _creep(self, goods_g: np.ndarray) -> np.ndarray:
        out = np.zeros(len(goods_g))
        for n, (share, tau_s) in enumerate(self._params.creep):
            path = lagged(goods_g * share, self._creep_g[n], 1 / STEPS_PER_S / tau_s)
            self._creep_g[n] = float(path[-1])
            out += path
        return out

    def _hysteresis(self, goods_g: np.ndarray) -> np.ndarray:
        """Return the sum of the slack followers (Prandtl-Ishlinskii), less its chord.

        A loop is in its middle as wide as `hysteresis_ppm` of the load it reaches; exactly so over the whole span.
        """
        resting = goods_g[0] == self._goods_g and np.all(goods_g == goods_g[0])
        if resting:
            return np.full(len(goods_g), self._weight * self._plays.sum() - self._chord * goods_g[0])
        out = np.empty(len(goods_g))
        for n, load_g in enumerate(goods_g):
            self._plays = np.clip(self._plays, load_g - self._slack_g, load_g + self._slack_g)
            out[n] = self._weight * self._plays.sum() - self._chord * load_g
        self._goods_g = float(goods_g[-1])
        return out

    def _bow(self, goods_g: np.ndarray) -> np.ndarray:
        """Return a parabola through zero and the calibrated load, bowed by `nonlinearity_ppm` of the span."""
        p = self._params
        part, chord = goods_g / (p.span_kg * 1e3), p.calibrated_kg / p.span_kg
        return 4 * p.nonlinearity_ppm / 1e6 * p.span_kg * 1e3 * part * (chord - part)


def corner_shares(x: float, y: float) -> np.ndarray:
    """Return how a load at (x, y), each -1 to 1 across the platform, lies on the corners; the four add up to 1.

    x is fore (+) and aft, y is left (+) and right; corners: front left, front right, rear left, rear right.
    """
    return np.array([(1 + x) * (1 + y), (1 + x) * (1 - y), (1 - x) * (1 + y), (1 - x) * (1 - y)]) / 4
