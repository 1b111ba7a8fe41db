"""Where items landed, as a cart with four cells tells it, against where the world put them. Standing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from random import Random

from cart.core.weight import Step
from cart.core.weight_values import Limits, Place
from cart.sim.physics import Params, Platform
from cart.sim.weighing.feed import Feed
from cart.sim.weighing.figures import Figure
from cart.sim.weighing.intervals import quantile, quantile_interval
from cart.sim.weighing.items import LAST_WORDS_S, LOAD_MG_MAX, LOAD_MG_MIN, SECOND_US, STAND_S
from cart.sim.weighing.matching import AFTER_MS

MASSES_MG = tuple(grams * 1_000 for grams in (20, 50, 100, 250, 1_000))
SIGMAS = 3


@dataclass(frozen=True, slots=True)
class Landing:
    """One item: where it was put, in mm from the middle between the cells, and where it was told to be."""

    mass_mg: int
    x_mm: float
    y_mm: float
    told: Place | None

    @property
    def error_mm(self) -> float:
        """How far the two are apart."""
        assert self.told is not None
        return ((self.told.x_mm - self.x_mm) ** 2 + (self.told.y_mm - self.y_mm) ** 2) ** 0.5

    @property
    def is_within(self) -> bool:
        """Whether both coordinates are right within 3 of the told sigma."""
        assert self.told is not None
        off_mm = max(abs(self.told.x_mm - self.x_mm), abs(self.told.y_mm - self.y_mm))
        return off_mm <= SIGMAS * self.told.sigma_mm


@dataclass(frozen=True, slots=True)
class LandingRow:
    """All items of one mass. placed: told with a place;  outside_sigma: of those, further off than 3 sigma."""

    mass_mg: int
    items: int
    placed: int
    error_mm: Figure
    error_mm_p95: Figure
    outside_sigma: int


def landings(number: int, seed: int, params: Params) -> list[Landing]:
    """Return what came of one scene: each mass once, in a random order, anywhere; the same for the same arguments."""
    random = Random(f"{seed} landings {number}")
    platform = Platform(random.getrandbits(32), replace(params, cells=4), random.randrange(LOAD_MG_MIN, LOAD_MG_MAX))
    feed = Feed(platform)
    feed.run(STAND_S * SECOND_US)
    put = []
    for mass_mg in random.sample(MASSES_MG, len(MASSES_MG)):
        where = random.uniform(-params.spread, params.spread), random.uniform(-params.spread, params.spread)
        at_us = platform.now_us + random.randrange(450_000, 1_450_000)
        put.append((platform.add(mass_mg, random.choice(("place", "drop")), at_us, where), mass_mg, where))
        feed.run(random.randint(5, 7) * SECOND_US)
    feed.run(LAST_WORDS_S * SECOND_US)
    limits = Limits()
    return [
        Landing(
            mass_mg,
            fore * limits.cells_fore_mm / 2,
            left * limits.cells_left_mm / 2,
            _told_of(feed, released_us // 1_000),
        )
        for released_us, mass_mg, (fore, left) in put
    ]


def rows(found: Iterable[Landing]) -> list[LandingRow]:
    """Return a row for each mass."""
    found = list(found)
    return [_row(mass_mg, [x for x in found if x.mass_mg == mass_mg]) for mass_mg in MASSES_MG]


def _told_of(feed: Feed, released_ms: int) -> Place | None:
    """Return the place in the first final after the hand let go."""
    finals = (h for h in feed.told if isinstance(h.event, Step) and h.event.final and h.t_ms > released_ms)
    first = next(finals, None)
    if first is None or first.t_ms - released_ms > AFTER_MS or not isinstance(first.event, Step):
        return None
    return first.event.place


def _row(mass_mg: int, found: list[Landing]) -> LandingRow:
    placed = [x for x in found if x.told is not None]
    errors = [x.error_mm for x in placed]
    return LandingRow(
        mass_mg,
        len(found),
        len(placed),
        _figure(errors, 0.5),
        _figure(errors, 0.95),
        sum(not x.is_within for x in placed),
    )


def _figure(errors: list[float], q: float) -> Figure:
    low, high = quantile_interval(errors, q)
    return Figure(quantile(errors, q), low if isfinite(low) else None, high if isfinite(high) else None)
