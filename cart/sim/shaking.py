"""What shakes a cart from below: rough ground, turning wheels, bumps. Streams that can be taken in any pieces."""

from __future__ import annotations

import numpy as np

BLOCK = 8_192
WHEEL_DIAMETER_M = 0.125


class BandNoise:
    """Gaussian noise between two frequencies, of rms 1, without end.

    Blocks are filtered in the frequency domain and faded into each other with weights whose squares add up to 1, so
    the joints cannot be told.
    """

    def __init__(self, rng: np.random.Generator, low_hz: float, high_hz: float, rate_hz: int) -> None:
        """Take the generator over: nobody else may draw from it."""
        frequencies = np.fft.rfftfreq(2 * BLOCK, 1 / rate_hz)
        # A band narrower than a block resolves still keeps its nearest line.
        self._band = (frequencies >= min(low_hz, frequencies[1])) & (frequencies <= max(high_hz, frequencies[1]))
        self._band &= (frequencies >= low_hz) | (frequencies == frequencies[1])
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

    def __init__(self, rng: np.random.Generator, rate_hz: int) -> None:
        """Start at a random angle."""
        self._angle = float(rng.uniform(0, 2 * np.pi))
        self._rate_hz = rate_hz

    def take(self, speed_m_s: np.ndarray) -> np.ndarray:
        """Return the shape for each step, to be multiplied by speed and roughness."""
        angle = self._angle + np.cumsum(speed_m_s) / (WHEEL_DIAMETER_M / 2) / self._rate_hz
        self._angle = float(angle[-1]) % (2 * np.pi)
        return 0.35 * np.sin(angle) + 0.2 * np.sin(2 * angle)


class Bumps:
    """Kerbs and joints, met at random per metre: half a sine up, the other half down, 20 to 50 ms each."""

    def __init__(self, rng: np.random.Generator, rate_hz: int) -> None:
        """Start on even ground: none until `per_m` and `strength` (m/s2) are set."""
        self.per_m = self.strength = 0.0
        self._rng, self._rate_hz = rng, rate_hz
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
                width = int(self._rate_hz * (0.02 + 0.03 * draws[step, 1]))
                # A sum of uniforms would do as well: the strength spreads by about a factor of two either way.
                strength = self.strength * np.exp(1.7 * (draws[step, 2] - 0.5))
                half = np.sin(np.pi * np.arange(width) / width) * strength
                out[step : step + 2 * width] += np.concatenate([half, -half])
        rest = np.flatnonzero(out[count:])
        self._rest = out[count : count + rest[-1] + 1] if len(rest) else np.zeros(0)
        return out[:count]
