"""What shakes a cart from below: rough ground, turning wheels, bumps, slopes, pushing. Taken in any pieces of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cart.sim.physics.parameters import G, Params
from cart.sim.physics.timeline import STEPS_PER_S, Timeline

BLOCK = 8_192
ROLLING_M_S = 0.05
LATERAL_SHARE = 0.5
"""Sideways shaking, as a part of fore-and-aft shaking."""


@dataclass(frozen=True, slots=True)
class Shaken:
    """What the floor does in each step: accelerations in m/s2 (down, fore, to the left), and the pitch in rad."""

    down: np.ndarray
    fore: np.ndarray
    left: np.ndarray
    pitch: np.ndarray


class Ground:
    """The floor under the cart, and how the cart is pushed over it.

    roughness  in m/s2 rms per m/s, set when it changes
    bumps      their number per metre and strength, the same
    pitch      nose up is positive; planned with `tilt_to`
    """

    def __init__(self, streams: list[np.random.Generator], params: Params) -> None:
        """Begin standing on even ground; takes seven generators over."""
        p = self._params = params
        self._rough = BandNoise(streams[0], p.rough_low_hz, p.rough_high_hz, STEPS_PER_S)
        self._hum = BandNoise(streams[1], 1.0, 30.0, STEPS_PER_S)
        self._fore = BandNoise(streams[2], 0.5, 3.0, STEPS_PER_S)
        self._slope = BandNoise(streams[3], 0.02, 0.25, STEPS_PER_S)
        self._wheel = Wheel(streams[4], STEPS_PER_S, p)
        self.bumps = Bumps(streams[5], STEPS_PER_S, p)
        self._left = BandNoise(streams[6], 0.5, 3.0, STEPS_PER_S)
        self._speed = Timeline(np.zeros(1))
        self._pitch = Timeline(np.zeros(1))
        self._speed_before = self._pitch_before = 0.0
        self.roughness = 0.0

    def push_to(self, start: int, speed_m_s: float, steps: int) -> None:
        """Bring the cart to a speed, smoothly within so many steps."""
        _glide(self._speed, start, speed_m_s, steps)

    def tilt_to(self, start: int, pitch_rad: float, steps: int) -> None:
        """Bring the cart to a pitch, smoothly within so many steps."""
        _glide(self._pitch, start, pitch_rad, steps)

    def take(self, first: int, count: int) -> Shaken:
        """Return what the floor does in the next `count` steps."""
        p = self._params
        speed = self._speed.take(first, count)[0]
        rolling = speed > ROLLING_M_S
        down = self.roughness * speed * (self._rough.take(count) + self._wheel.take(speed))
        down += p.hum_m_s2 * self._hum.take(count) + self.bumps.take(speed)
        fore = np.diff(speed, prepend=self._speed_before) * STEPS_PER_S
        fore += p.fore_m_s2 * rolling * self._fore.take(count)
        left = LATERAL_SHARE * p.fore_m_s2 * rolling * self._left.take(count)
        slope = np.deg2rad(p.slope_deg) * self._slope.take(count) * np.minimum(speed, 1.0)
        self._speed_before = float(speed[-1])
        pitch = self._pitch.take(first, count)[0] + slope
        # Where the floor bends, what rolls over it is turned: across its own way that is speed times turning.
        down += speed * np.diff(pitch, prepend=self._pitch_before) * STEPS_PER_S
        self._pitch_before = float(pitch[-1])
        return Shaken(down, fore + G * np.sin(pitch), left, pitch)


def _glide(line: Timeline, start: int, goal: float, steps: int) -> None:
    change = goal - float(line.goal()[0])
    line.add(start, np.sin(np.pi / 2 * np.arange(1, steps + 1) / steps) ** 2, np.array([change]))


class BandNoise:
    """Gaussian noise between two frequencies, of rms 1, without end.

    Blocks are filtered in the frequency domain and faded into each other with weights whose squares add up to 1, so
    the joints cannot be told.
    """

    def __init__(self, rng: np.random.Generator, low_hz: float, high_hz: float, rate_hz: int) -> None:
        """Take the generator over: nobody else may draw from it."""
        frequencies = np.fft.rfftfreq(2 * BLOCK, 1 / rate_hz)
        self._band = (frequencies >= low_hz) & (frequencies <= high_hz) & (frequencies > 0)
        if not self._band.any():
            # A band narrower than a block resolves still keeps its nearest line, never the constant one.
            self._band[max(1, int(np.argmin(np.abs(frequencies - (low_hz + high_hz) / 2))))] = True
        self._fade = np.sin(np.pi / 2 * (np.arange(BLOCK) + 0.5) / BLOCK)
        self._rng = rng
        self._tail = self._block()[BLOCK:]
        self._ready = np.zeros(0)

    def take(self, count: int) -> np.ndarray:
        """Return the next `count` values."""
        while len(self._ready) < count:
            block = self._block()
            joined = self._tail * self._fade[::-1] + block[:BLOCK] * self._fade
            self._tail = block[BLOCK:]
            self._ready = np.concatenate([self._ready, joined])
        out, self._ready = self._ready[:count], self._ready[count:]
        return out

    def _block(self) -> np.ndarray:
        spectrum = np.fft.rfft(self._rng.standard_normal(2 * BLOCK)) * self._band
        # Parseval: white noise of rms 1 keeps the share of its lines that pass.
        return np.fft.irfft(spectrum, 2 * BLOCK) / np.sqrt(self._band.sum() / BLOCK)


class Wheel:
    """A flat spot: once and twice a turn, as strong as the ground is rough."""

    def __init__(self, rng: np.random.Generator, rate_hz: int, params: Params) -> None:
        """Start at a random angle."""
        self._angle = float(rng.uniform(0, 2 * np.pi))
        self._rate_hz = rate_hz
        self._radius_m = params.wheel_mm / 2e3
        self._once, self._twice = params.wheel_once, params.wheel_twice

    def take(self, speed_m_s: np.ndarray) -> np.ndarray:
        """Return the shape for each step, to be multiplied by speed and roughness."""
        angle = self._angle + np.cumsum(speed_m_s) / self._radius_m / self._rate_hz
        self._angle = float(angle[-1]) % (2 * np.pi)
        return self._once * np.sin(angle) + self._twice * np.sin(2 * angle)


class Bumps:
    """Kerbs and joints, met at random per metre: half a sine up, the other half down."""

    def __init__(self, rng: np.random.Generator, rate_hz: int, params: Params) -> None:
        """Start on even ground: none until `per_m` and `strength` (m/s2) are set."""
        self.per_m = self.strength = 0.0
        self._rng, self._rate_hz = rng, rate_hz
        self._shortest_s, self._longest_s = params.bump_ms_min / 1e3, params.bump_ms_max / 1e3
        self._rest = np.zeros(0)

    def take(self, speed_m_s: np.ndarray) -> np.ndarray:
        """Return the acceleration in m/s2 for each step."""
        count = len(speed_m_s)
        out = np.zeros(max(count, len(self._rest)) + 2 * self._rate_hz)
        out[: len(self._rest)] = self._rest
        if self.per_m > 0:
            # Three numbers are drawn for every step, used or not: the stream then does not depend on how time is cut.
            draws = self._rng.random((count, 3))
            for step in np.flatnonzero(draws[:, 0] < self.per_m * speed_m_s / self._rate_hz):
                half_s = self._shortest_s + (self._longest_s - self._shortest_s) * draws[step, 1]
                width = max(1, int(self._rate_hz * half_s))
                # A sum of uniforms would do as well: the strength spreads by about a factor of two either way.
                strength = self.strength * np.exp(1.7 * (draws[step, 2] - 0.5))
                half = np.sin(np.pi * np.arange(width) / width) * strength
                out[step : step + 2 * width] += np.concatenate([half, -half])
        rest = np.flatnonzero(out[count:])
        self._rest = out[count : count + rest[-1] + 1] if len(rest) else np.zeros(0)
        return out[:count]
