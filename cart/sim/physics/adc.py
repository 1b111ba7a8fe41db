"""The converter and the accelerometer: a sinc3 filter four conversions long, noise, whole numbers, a full scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cart.sim.physics.parameters import G, Params
from cart.sim.physics.timeline import STEP_US, STEPS_PER_S

FULL_SCALE = 0x7FFFFF
FLAG_SATURATED = 0x01
T_US_MODULUS = 1 << 32
SEQ_MODULUS = 1 << 16
CONVERSIONS_LONG = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversion, as the line to the host carries it. t_us wraps at 2**32; accelerations in micro-g, z up.

    counts    sum over the channels
    channels  of each cell where there are four, else empty
    """

    seq: int
    t_us: int
    counts: int
    flags: int
    ax_ug: int
    ay_ug: int
    az_ug: int
    channels: tuple[int, ...] = ()


class Adc:
    """Turns grams on each channel, step by step, into samples; keeps the filter's memory between two calls."""

    def __init__(
        self,
        noise: np.random.Generator,
        imu_noise: np.random.Generator,
        params: Params,
        grams: np.ndarray,
        start_us: int,
    ) -> None:
        """Begin with the channels at rest at `grams`; start_us is where the converter's own clock stands."""
        self._noise, self._imu_noise, self._params, self._start_us = noise, imu_noise, params, start_us
        every = STEPS_PER_S // params.samples_per_s
        box_steps = max(1, round(CONVERSIONS_LONG * every / 3))
        box = np.full(box_steps, 1 / box_steps)
        self._kernel = np.convolve(np.convolve(box, box), box)
        self._every = every
        self._late = round(params.accelerometer_late_ms / 1e3 * STEPS_PER_S)
        memory = 3 * box_steps + self._late
        self._tail_g = np.repeat(grams[:, None], memory, axis=1)
        self._tail_a = np.zeros((3, memory))
        self._taken = 0

    def convert(self, first: int, grams: np.ndarray, felt: np.ndarray) -> list[Sample]:
        """Return the conversions that end within these steps.

        first  number of the first step
        grams  channels by steps;  felt: acceleration fore, left and up (less g) in m/s2, by steps
        """
        count, memory = grams.shape[1], self._tail_g.shape[1]
        grams = np.concatenate([self._tail_g, grams], axis=1)
        felt = np.concatenate([self._tail_a, felt], axis=1)
        self._tail_g, self._tail_a = grams[:, -memory:], felt[:, -memory:]
        ends = np.arange(first + (-first) % self._every, first + count, self._every) - first + memory
        if not len(ends):
            return []
        taps = ends[:, None] - np.arange(len(self._kernel))[None, :]
        counts = self._counts(grams[:, taps] @ self._kernel)
        micro_g = self._micro_g(felt[:, taps - self._late] @ self._kernel)
        full = np.any((counts >= FULL_SCALE) | (counts <= -FULL_SCALE - 1), axis=0)
        counts = np.clip(counts, -FULL_SCALE - 1, FULL_SCALE)
        steps = ends - memory + first
        return list(map(self._sample, steps.tolist(), counts.T.tolist(), full.tolist(), micro_g.T.tolist()))

    def _counts(self, grams: np.ndarray) -> np.ndarray:
        p, channels = self._params, len(grams)
        noise = self._noise.standard_normal((grams.shape[1], channels)).T * p.noise_counts_rms
        counts = np.rint(grams * p.counts_per_kg / 1e3 + noise).astype(np.int64)
        # The zero point is shared out so that the sum is exact.
        zeros = [p.zero_counts // channels + (n < p.zero_counts % channels) for n in range(channels)]
        return counts + np.array(zeros)[:, None]

    def _micro_g(self, felt: np.ndarray) -> np.ndarray:
        p = self._params
        noise = self._imu_noise.standard_normal((felt.shape[1], 3)).T
        micro_g = felt / G * 1e6 * p.accelerometer_gain
        micro_g = micro_g + noise * p.accelerometer_noise_ug * np.sqrt(p.samples_per_s / 2)
        micro_g[2] += 1e6
        return np.rint(micro_g).astype(np.int64)

    def _sample(self, step: int, channels: list[int], saturated: bool, micro_g: list[int]) -> Sample:
        seq, self._taken = self._taken % SEQ_MODULUS, self._taken + 1
        t_us = (self._start_us + step * STEP_US) % T_US_MODULUS
        flags = FLAG_SATURATED if saturated else 0
        several = tuple(channels) if len(channels) > 1 else ()
        return Sample(seq, t_us, sum(channels), flags, *micro_g, several)
