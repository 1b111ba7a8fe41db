"""A load cell to practise on: the physics of the bench behind the driver's own seam, and hands that obey.

`cart scale calibrate --device simulated` and `cart scale watch --device simulated` read it instead of a port. Its world
goes on in real time by the clock it is given.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from cart.sim.physics import Params, Platform
from cart.sim.wire_out import Converter

if TYPE_CHECKING:
    from cart.ports import Clock

PLACES = {
    "middle": (0.0, 0.0),
    "front left": (1.0, 1.0),
    "front right": (1.0, -1.0),
    "rear left": (-1.0, 1.0),
    "rear right": (-1.0, -1.0),
}
"""Where the basket's places are: (fore, left), -1 to 1 from corner to corner."""

NS_PER_US = 1_000
ITEM_MG = (30_000, 900_000)


class PracticeCell:
    """A line like a serial port's; `hold` and `toss` may be called from any other thread than `read`.

    params  of the simulated cell; the bench's own unless given
    """

    def __init__(self, clock: Clock, seed: int = 7, params: Params | None = None) -> None:
        """Begin with an empty basket, now."""
        self._clock = clock
        self._platform = Platform(seed, params)
        self._converter = Converter(self._platform)
        self._chance = random.Random(seed)
        self._began_ns = clock.monotonic_ns()
        self._load: list[tuple[int, tuple[float, float]]] = []
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """Return the lines of the conversions that are due."""
        with self._lock:
            data, _ = self._converter.advance_to((self._clock.monotonic_ns() - self._began_ns) // NS_PER_US)
        return data

    def close(self) -> None:
        """Nothing is held."""

    def hold(self, mass_mg: int, place: str = "middle") -> None:
        """Let a hand take out what is in, and put mass_mg (0: nothing) at a place."""
        with self._lock:
            for mass, where in self._load:
                self._platform.add(-mass, "lift", where=where)
            self._load = [(mass_mg, PLACES[place])] if mass_mg else []
            for mass, where in self._load:
                self._platform.add(mass, "place", where=where)

    def toss(self, *, more: bool) -> int:
        """Put an item of the day in anywhere, or take the last one out; return its mass in mg, 0 for none."""
        with self._lock:
            if not more:
                mass, where = self._load.pop() if self._load else (0, (0.0, 0.0))
                if mass:
                    self._platform.add(-mass, "lift", where=where)
                return mass
            mass = self._chance.randint(*ITEM_MG)
            where = (self._chance.uniform(-0.8, 0.8), self._chance.uniform(-0.8, 0.8))
            self._load.append((mass, where))
            self._platform.add(mass, "place", where=where)
            return mass
