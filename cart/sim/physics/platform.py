"""The whole basket: what hands and floor do to it, and the samples that come out, by time.

`Platform` advances by time and may be pushed about between two steps, so that the live world process and a virtual run
drive the same object. Same seed and same calls give the same samples, however the time is cut into steps.
"""

from __future__ import annotations

import numpy as np

from cart.sim.physics import hand
from cart.sim.physics.adc import Adc, Sample
from cart.sim.physics.cell import Cell, corner_shares
from cart.sim.physics.ground import Ground
from cart.sim.physics.hand import Hand
from cart.sim.physics.parameters import G, Params
from cart.sim.physics.suspension import Suspension
from cart.sim.physics.timeline import STEP_US, STEPS_PER_S, Timeline

__all__ = ["STEPS_PER_S", "STEP_US", "Platform", "Sample"]

CENTRE = corner_shares(0.0, 0.0)


class Platform:
    """The basket of one cart. Time begins at 0 us with `load_mg` at rest in the middle of it.

    seed          of every random quantity
    kelvin_per_s  how fast it warms up; set when it changes, and stays
    """

    def __init__(self, seed: int, params: Params | None = None, load_mg: int = 0, start_us: int = 0) -> None:
        """Begin at rest; start_us is where the converter's own clock stands."""
        p = self.params = params or Params()
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(13)]
        self._hand = Hand(streams[0], streams[11], p)
        self._restless = streams[12]
        self._ground = Ground(streams[4:11], p)
        self._cell = Cell(streams[2], p, load_mg / 1e3)
        self._suspension = Suspension(p, load_mg / 1e6)
        self._mass = Timeline(load_mg / 1e6 * CENTRE)
        self._force = Timeline(np.zeros(4))
        self._step = 0
        self._gains = 1 + np.array(p.corners)
        goods_kg = self._mass.take(0, 1)
        rest_g = self._shared(goods_kg.sum(0) * 1e3, goods_kg, np.zeros((4, 1)))
        self._adc = Adc(streams[1], streams[3], p, rest_g[:, 0], start_us)

    # -- what a shopper or a floor does ------------------------------------------

    @property
    def now_us(self) -> int:
        """Time since the beginning, in us, unwrapped."""
        return self._step * STEP_US

    @property
    def centi_c(self) -> int:
        """Temperature at the cell in hundredths of a degree Celsius."""
        return round((self.params.temperature_c + self._cell.kelvin) * 100)

    @property
    def kelvin_per_s(self) -> float:
        """How fast the cell warms up."""
        return self._cell.kelvin_per_s

    @kelvin_per_s.setter
    def kelvin_per_s(self, rate: float) -> None:
        self._cell.kelvin_per_s = rate

    def add(
        self, mass_mg: int, kind: str = "place", at_us: int | None = None, where: tuple[float, float] | None = None
    ) -> int:
        """Put mass in (or take it out, when negative) and return the time in us at which the hand is off it.

        kind   "drop": it falls 1 to 10 cm; "place" and "lift": a hand carries it over 0.1 to 0.4 s, and pushes or
               pulls meanwhile
        at_us  when the hand lets go, not before now + 0.4 s for "place"; None: as soon as can be
        where  (fore, left), each -1 to 1 from corner to corner; None: anywhere
        """
        assert kind in ("place", "lift", "drop")
        kg, shares = mass_mg / 1e6, corner_shares(*where) if where else self._hand.place()
        if kind == "drop":
            release = max(self._step, (at_us or 0) // STEP_US)
            self._hand.drop(self._mass, self._force, kg, release, shares)
            return release * STEP_US
        width = self._hand.carrying_steps(kind)
        release = max(self._step + width, (at_us or 0) // STEP_US)
        self._hand.carry(self._mass, self._force, kg, kind, width, release, shares)
        return release * STEP_US

    def pour(self, mass_mg: int, duration_us: int) -> None:
        """Let mass flow in evenly from now on; negative flows out."""
        steps = max(1, duration_us // STEP_US)
        self._mass.add(self._step, np.arange(1, steps + 1) / steps, mass_mg / 1e6 * CENTRE)

    def lean(
        self, force_mn: int, duration_us: int, rise_us: int = 150_000, where: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Press with a hand (in millinewton, up is negative) for a while from now on; it grows and vanishes softly."""
        steps = max(2, duration_us // STEP_US)
        profile = hand.leaning(force_mn / 1e3, steps, rise_us // STEP_US)
        self._force.add(self._step, profile, corner_shares(*where))

    def fidget(self, force_mn: int, duration_us: int, hz: float = 1.5, where: tuple[float, float] = (0.0, 0.0)) -> None:
        """Let somebody be restless on it: a force of that rms around that frequency, from now on."""
        profile = hand.trembling(self._restless, force_mn / 1e3, hz, max(2, duration_us // STEP_US))
        profile[-1] = 0.0
        self._force.add(self._step, profile, corner_shares(*where))

    def roll(self, mass_mg: int, reach: float = 0.8) -> None:
        """Let a loose item that is already in roll to and fro from now on, and knock at the walls."""
        hand.roll(self._mass, self._force, mass_mg / 1e6, self._step, reach)

    def touch_rim(self, share: float) -> None:
        """Let the rim touch the frame from now on: it takes `share` of every change; 0 lets it go again."""
        self._suspension.touch(share)

    def push_to(self, speed_mm_s: int, duration_us: int = 1_000_000) -> None:
        """Bring the cart to a speed, smoothly within the duration."""
        self._ground.push_to(self._step, speed_mm_s / 1e3, max(1, duration_us // STEP_US))

    def tilt_to(self, tilt_mrad: int, duration_us: int = 2_000_000) -> None:
        """Bring the cart to a pitch in 1/1000 (nose up is positive), smoothly within the duration."""
        self._ground.tilt_to(self._step, float(np.arctan(tilt_mrad / 1e3)), max(1, duration_us // STEP_US))

    def ground(self, roughness: float, bumps_per_m: float = 0.0, bump_m_s2: float = 0.0) -> None:
        """Set what it rolls on: roughness in m/s2 rms per m/s (0.3 smooth, 1.0 tiles), and bumps."""
        self._ground.roughness = roughness
        self._ground.bumps.per_m, self._ground.bumps.strength = bumps_per_m, bump_m_s2

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
        goods_kg, hands_n = self._mass.take(first, count), self._force.take(first, count)
        goods = goods_kg.sum(axis=0)
        mass = goods + p.platform_g / 1e3
        shaken = self._ground.take(first, count)
        drive = mass * (G * np.cos(shaken.pitch) + shaken.down) + hands_n.sum(axis=0)
        gauge_n, rebound = self._suspension.swing(mass.tolist(), drive.tolist())
        grams = gauge_n / G * 1e3 - p.platform_g + p.sideways_share * mass * shaken.fore / G * 1e3
        grams += self._cell.faults(goods * 1e3)
        felt = np.stack([shaken.fore, shaken.left, shaken.down - rebound + G * (np.cos(shaken.pitch) - 1)])
        self._step += count
        return self._adc.convert(first, self._shared(grams, goods_kg, hands_n), felt)

    def _shared(self, grams: np.ndarray, goods_kg: np.ndarray, hands_n: np.ndarray) -> np.ndarray:
        """Return what each channel reads, channels by steps: each corner its share of all forces, with its error."""
        p = self.params
        platform_kg = p.platform_g / 1e3
        held_kg = goods_kg + hands_n / G + platform_kg / 4
        whole_g = grams + p.platform_g
        corners_g = whole_g * held_kg / held_kg.sum(axis=0) * self._gains[:, None]
        # The platform's own weight is in the zero point.
        corners_g -= p.platform_g / 4 * self._gains[:, None]
        return corners_g if p.cells == 4 else corners_g.sum(axis=0, keepdims=True)
