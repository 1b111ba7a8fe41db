"""The sprung basket on its load cells: what the converter would read, sample by sample.

    M x'' + c x' + k x = M (g cos(tilt) + a_floor) + f_hand,    M = platform + goods,    gauge force F = k x

The spring and damper are fixed, so a fuller basket swings slower and longer. The floor shakes it (rough ground, wheel
turns, bumps, the hum of a shop), hands push it, goods fall into it; then creep, drift, the converter's sinc filter and
its noise. An accelerometer sits on the sprung platform, behind the same filter and 1 ms late.

`Platform` advances by time and may be pushed about between two steps, so that the live world process and a virtual run
drive the same object. Same seed and same calls give the same samples, however the time is cut into steps. All
parameters of the floor are assumed, not measured on a real cart: see docs/ROADMAP.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cart.sim.shaking import BandNoise, Bumps, Wheel

G = 9.80665
STEPS_PER_S = 1_600
STEP_US = 1_000_000 // STEPS_PER_S
FULL_SCALE = 0x7FFFFF

FLAG_SATURATED = 0x01
T_US_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class Params:
    """The cart's mechanics and electronics. Defaults: four 20 kg cells, 2 mV/V at 5 V, an HX711 at gain 128.

    platform_g         sprung mass without goods
    resonance_hz       of the empty platform
    damping            ratio of the empty platform
    counts_per_kg      gauge and converter together
    zero_counts        what an empty, level, resting basket reads
    noise_counts_rms   of the converter at this rate
    hum_m_s2           1 to 30 Hz, always there
    creep              (share of the load, time constant in s) of each slow element
    zero_drift_g_k     grams per kelvin;  walk_g: random walk in grams per root second
    sideways_share     share of the fore-and-aft force that reaches the gauges
    accelerometer_*    micro-g per root Hz, and its error of scale
    """

    samples_per_s: int = 80
    platform_g: float = 8_000.0
    resonance_hz: float = 15.0
    damping: float = 0.25
    counts_per_kg: int = 52_429
    zero_counts: int = 335_432
    noise_counts_rms: float = 38.0
    hum_m_s2: float = 0.003
    creep: tuple[tuple[float, float], ...] = ((2.0e-4, 20.0), (1.5e-4, 300.0))
    zero_drift_g_k: float = 2.0
    walk_g: float = 0.02
    sideways_share: float = 0.004
    accelerometer_noise_ug: float = 100.0
    accelerometer_gain: float = 1.01


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversion, as the line to the host carries it. t_us wraps at 2**32; accelerations in micro-g, z up."""

    seq: int
    t_us: int
    counts: int
    flags: int
    ax_ug: int
    ay_ug: int
    az_ug: int


@dataclass(slots=True)
class _Timeline:
    """Quantities planned ahead in steps: profiles are added, then taken from the front."""

    planned: list[tuple[int, np.ndarray]] = field(default_factory=list)
    level: float = 0.0

    def add(self, start: int, profile: np.ndarray) -> None:
        """Plan a profile; its last value stays for ever (0 for a push, the mass for an item)."""
        self.planned.append((start, profile))

    def take(self, first: int, count: int) -> np.ndarray:
        """Return the sum of what is planned for `count` steps from `first`, and forget what has passed."""
        out = np.full(count, self.level)
        waiting = []
        for start, profile in self.planned:
            at, end = max(start - first, 0), start + len(profile) - first
            if at < count:
                piece = profile[max(first - start, 0) : max(first - start, 0) + count - at]
                out[at : at + len(piece)] += piece
                out[at + len(piece) :] += profile[-1]
            if end <= count:
                self.level += float(profile[-1])
            else:
                waiting.append((start, profile))
        self.planned = waiting
        return out


class Platform:
    """The basket of one cart. Time begins at 0 us with `load_mg` at rest in it.

    seed      of every random quantity
    speed, roughness, tilt and temperature are set when they change and stay
    """

    def __init__(self, seed: int, params: Params | None = None, load_mg: int = 0, start_us: int = 0) -> None:
        """Begin at rest; start_us is where the converter's own clock stands."""
        self.params = params or Params()
        p = self.params
        assert STEPS_PER_S % p.samples_per_s == 0
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(12)]
        self._hands, self._adc, self._walk_rng, self._imu_rng = streams[:4]
        self._rough = BandNoise(streams[4], 5.0, 30.0, STEPS_PER_S)
        self._hum = BandNoise(streams[5], 1.0, 30.0, STEPS_PER_S)
        self._fore = BandNoise(streams[6], 0.5, 3.0, STEPS_PER_S)
        self._floor = BandNoise(streams[7], 0.02, 0.25, STEPS_PER_S)  # slope of the floor, at walking speed
        self._wheel = Wheel(streams[8], STEPS_PER_S)
        self._bumps = Bumps(streams[9], STEPS_PER_S)
        self._mass_kg = _Timeline(level=load_mg / 1e6)
        self._force_n = _Timeline()
        self._speed = _Timeline()
        self._start_us = start_us
        self._step = self._taken = 0
        self.roughness = 0.0
        self.tilt_rad = 0.0
        self.kelvin_per_s = 0.0
        self._k = (2 * np.pi * p.resonance_hz) ** 2 * p.platform_g / 1e3
        self._c = 2 * p.damping * np.sqrt(self._k * p.platform_g / 1e3)
        self._x = (p.platform_g / 1e3 + load_mg / 1e6) * G / self._k
        self._v = 0.0
        self._speed_before = 0.0
        self._drift_g = self._walk_g = 0.0
        self._creep_g = [share * load_mg / 1e3 for share, _ in p.creep]
        self._sinc_steps = max(1, round(STEPS_PER_S * 4 / p.samples_per_s / 3))
        rest = 3 * self._sinc_steps
        self._tail_g = np.full(rest, load_mg / 1e3 + sum(self._creep_g))
        self._tail_a = np.zeros((3, rest))

    # -- what a shopper or a floor does ------------------------------------------

    @property
    def now_us(self) -> int:
        """Time since the beginning, in us, unwrapped."""
        return self._step * STEP_US

    def add(self, mass_mg: int, kind: str = "place", at_us: int | None = None) -> int:
        """Put mass in (or take it out, when negative) and return the time in us at which the hand is off it.

        kind   "drop": it falls 1 to 10 cm; "place" and "lift": a hand carries it over 0.1 to 0.4 s, and pushes or
               pulls meanwhile
        at_us  when the hand lets go, not before now + 0.4 s for "place"; None: as soon as can be
        """
        hand, kg = self._hands, mass_mg / 1e6
        if kind == "drop":
            release = max(self._step, (at_us or 0) // STEP_US)
            self._mass_kg.add(release, np.array([kg]))
            width = int(STEPS_PER_S * hand.uniform(0.012, 0.03))
            blow = np.sin(np.pi * np.arange(width + 1) / width)
            impulse = 1.2 * kg * np.sqrt(2 * G * hand.uniform(0.01, 0.10))
            self._force_n.add(release, blow * impulse * STEPS_PER_S / blow.sum() * (blow > 0))
            return release * STEP_US
        assert kind in ("place", "lift")
        width = int(STEPS_PER_S * (hand.uniform(0.1, 0.4) if kind == "place" else hand.uniform(0.08, 0.3)))
        release = max(self._step + width, (at_us or 0) // STEP_US)
        self._mass_kg.add(release - width, kg * np.arange(1, width + 1) / width)
        push_n = (hand.uniform(0, 0.25) * abs(kg) + hand.uniform(0, 0.15)) * G
        push_n *= 1 if hand.random() < (0.7 if kind == "place" else 0.5) else -1
        self._force_n.add(release - width, push_n * np.sin(np.pi * np.arange(1, width + 1) / width) ** 2)
        return release * STEP_US

    def pour(self, mass_mg: int, duration_us: int) -> None:
        """Let mass flow in evenly from now on; negative flows out."""
        steps = max(1, duration_us // STEP_US)
        self._mass_kg.add(self._step, mass_mg / 1e6 * np.arange(1, steps + 1) / steps)

    def lean(self, force_mn: int, duration_us: int, rise_us: int = 150_000) -> None:
        """Press with a hand (in millinewton, up is negative) for a while from now on; it grows and vanishes softly."""
        steps, rise = max(2, duration_us // STEP_US), max(1, rise_us // STEP_US)
        ramp = np.clip(np.minimum(np.arange(steps), np.arange(steps)[::-1]) / rise, 0, 1)
        self._force_n.add(self._step, force_mn / 1e3 * np.sin(np.pi / 2 * ramp) ** 2)

    def push_to(self, speed_mm_s: int, duration_us: int = 1_000_000) -> None:
        """Bring the cart to a speed, smoothly within the duration."""
        steps = max(1, duration_us // STEP_US)
        change = speed_mm_s / 1e3 - self._speed.level - sum(float(p[-1]) for _, p in self._speed.planned)
        self._speed.add(self._step, change * np.sin(np.pi / 2 * np.arange(1, steps + 1) / steps) ** 2)

    def ground(self, roughness: float, bumps_per_m: float = 0.0, bump_m_s2: float = 0.0) -> None:
        """Set what it rolls on: roughness in m/s2 rms per m/s (0.3 smooth, 1.0 tiles), and bumps."""
        self.roughness = roughness
        self._bumps.per_m, self._bumps.strength = bumps_per_m, bump_m_s2

    # -- what the converter sees ---------------------------------------------------

    def advance(self, duration_us: int) -> list[Sample]:
        """Let time pass and return the conversions that complete in it, oldest first."""
        return self.advance_to(self.now_us + duration_us)

    def advance_to(self, t_us: int) -> list[Sample]:
        """Let time pass up to a moment and return the conversions that complete until then."""
        samples: list[Sample] = []
        while (left := t_us // STEP_US - self._step) > 0:
            samples += self._run(min(left, STEPS_PER_S))
        return samples

    def _run(self, count: int) -> list[Sample]:
        p, first = self.params, self._step
        goods = self._mass_kg.take(first, count)
        mass = goods + p.platform_g / 1e3
        a_floor, a_fore, tilt = self._shaken(first, count)
        drive = mass * (G * np.cos(tilt) + a_floor) + self._force_n.take(first, count)
        gauge_n, rebound = self._swing(mass.tolist(), drive.tolist())
        grams = gauge_n / G * 1e3 - p.platform_g + p.sideways_share * mass * a_fore / G * 1e3
        grams += self._slow(goods * 1e3)
        felt = np.stack([a_fore, np.zeros(count), a_floor - rebound + G * (np.cos(tilt) - 1)])
        self._step += count
        return self._convert(first, count, grams, felt)

    def _shaken(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return vertical and fore-and-aft acceleration of the floor in m/s2, and the tilt in rad."""
        speed = self._speed.take(first, count)
        rolling = speed > 0.05
        a = self.roughness * speed * (self._rough.take(count) + self._wheel.take(speed))
        a += self.params.hum_m_s2 * self._hum.take(count) + self._bumps.take(speed)
        a_fore = np.diff(speed, prepend=self._speed_before) * STEPS_PER_S + 0.15 * rolling * self._fore.take(count)
        slope = np.deg2rad(0.4) * self._floor.take(count) * np.minimum(speed, 1.0)
        self._speed_before = float(speed[-1])
        return a, a_fore, self.tilt_rad + slope

    def _swing(self, mass: list[float], drive: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Integrate the sprung mass and return gauge force in N and downward acceleration in m/s2."""
        x, v, k, c, dt = self._x, self._v, float(self._k), float(self._c), 1 / STEPS_PER_S
        gauge, rebound = [], []
        for m, f in zip(mass, drive, strict=True):
            a = (f - c * v - k * x) / m
            v += a * dt
            x += v * dt
            gauge.append(k * x)
            rebound.append(a)
        self._x, self._v = x, v
        return np.array(gauge), np.array(rebound)

    def _slow(self, goods_g: np.ndarray) -> np.ndarray:
        """Return creep, temperature drift and random walk in grams for each step."""
        dt = 1 / STEPS_PER_S
        steps = np.arange(1, len(goods_g) + 1) * dt
        out = np.zeros(len(goods_g))
        for n, (share, tau_s) in enumerate(self.params.creep):
            path = _lag(goods_g * share, self._creep_g[n], dt / tau_s)
            self._creep_g[n] = float(path[-1])
            out += path
        drift = self._drift_g + self.params.zero_drift_g_k * self.kelvin_per_s * steps
        walk = self._walk_g + np.cumsum(self._walk_rng.standard_normal(len(steps))) * self.params.walk_g * np.sqrt(dt)
        self._drift_g, self._walk_g = float(drift[-1]), float(walk[-1])
        return out + drift + walk

    def _convert(self, first: int, count: int, grams: np.ndarray, felt: np.ndarray) -> list[Sample]:
        """Filter, sample and quantise; keep the filter's memory for the next run."""
        p, memory = self.params, 3 * self._sinc_steps
        every = STEPS_PER_S // p.samples_per_s
        grams = np.concatenate([self._tail_g, grams])
        felt = np.concatenate([self._tail_a, felt], axis=1)
        self._tail_g, self._tail_a = grams[-memory:], felt[:, -memory:]
        ends = np.arange(first + (-first) % every, first + count, every) - first + memory
        if not len(ends):
            return []
        kernel = self._sinc()
        taps = ends[:, None] - np.arange(len(kernel))[None, :]
        counts = np.rint(grams[taps] @ kernel * p.counts_per_kg / 1e3 + self._noise(len(ends))) + p.zero_counts
        late = round(0.001 * STEPS_PER_S)
        ug = felt[:, taps - late] @ kernel / G * 1e6 * p.accelerometer_gain
        ug += self._imu_rng.standard_normal((len(ends), 3)).T * p.accelerometer_noise_ug * np.sqrt(p.samples_per_s / 2)
        ug[2] += 1e6
        return [
            self._sample(int(step), int(c), ug[:, n])
            for n, (step, c) in enumerate(zip(ends - memory + first, counts, strict=True))
        ]

    def _sample(self, step: int, counts: int, ug: np.ndarray) -> Sample:
        flags = FLAG_SATURATED if not -FULL_SCALE - 1 < counts < FULL_SCALE else 0
        counts = min(max(counts, -FULL_SCALE - 1), FULL_SCALE)
        seq, self._taken = self._taken % 65_536, self._taken + 1
        t_us = (self._start_us + step * STEP_US) % T_US_MODULUS
        return Sample(seq, t_us, counts, flags, *(round(float(a)) for a in ug))

    def _noise(self, count: int) -> np.ndarray:
        return self._adc.standard_normal(count) * self.params.noise_counts_rms

    def _sinc(self) -> np.ndarray:
        """Return the converter's filter: three box means in a row, four conversions long in all."""
        box = np.full(self._sinc_steps, 1 / self._sinc_steps)
        return np.convolve(np.convolve(box, box), box)


def _lag(goal: np.ndarray, value: float, rate: float) -> np.ndarray:
    """Return the path of a first-order lag that follows `goal` from `value`; rate is step over time constant."""
    path = []
    for g in goal.tolist():
        value += (g - value) * rate
        path.append(value)
    return np.array(path)
