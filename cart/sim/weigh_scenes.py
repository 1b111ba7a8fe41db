"""How well changes of load are found: scenes on the simulated platform, and a score against the truth.

Each scene is one cart with a load in it, on some ground, into which things are put and from which they are taken, a
hand's length apart in time. What the weight tells is held against what really happened:

    delay  from the hand letting go to the provisional;  error  of the final;  false  told without a true change

`score` runs many scenes; `false_events` runs hours without any change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from cart.core.events import CellAccelerated, LoadSampled
from cart.core.weight import Calibration, Limits, Step, WeightState, accelerated, initial, sampled
from cart.core.weight_values import Told
from cart.sim.physics import STEP_US, Params, Platform, Sample

BATCH_US = 50_000
MATCH_BEFORE_MS, MATCH_AFTER_MS = 900, 4_500
KINDS = ("place", "drop", "lift")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the cart does during a scene: speed in mm/s, roughness, bumps, and whether it stops and goes."""

    speed_mm_s: int = 0
    roughness: float = 0.0
    bumps_per_m: float = 0.0
    bump_m_s2: float = 0.0
    stop_and_go: bool = False


GROUNDS = {
    "standing": Ground(),
    "smooth": Ground(500, 0.3),
    "tiles": Ground(1_000, 1.0, 0.5, 6.0, True),
}


@dataclass(slots=True)
class Score:
    """Sums over scenes. Delays in ms; errors in mg of finals that were found; lists in the order of the scenes."""

    changes: int = 0
    delays_ms: list[int] = field(default_factory=list)
    errors_mg: list[int] = field(default_factory=list)
    finals_ms: list[int] = field(default_factory=list)
    missed: list[tuple[int, int]] = field(default_factory=list)
    false: list[Step] = field(default_factory=list)
    seconds: int = 0

    def summary(self) -> dict[str, int]:
        """Return the figures of a report: counts, medians and 95th percentiles."""
        return {
            "changes": self.changes,
            "found": len(self.delays_ms),
            "false": len(self.false),
            "seconds": self.seconds,
            "delay_ms_median": percentile(self.delays_ms, 50),
            "delay_ms_p95": percentile(self.delays_ms, 95),
            "final_ms_median": percentile(self.finals_ms, 50),
            "error_mg_median": percentile(self.errors_mg, 50),
            "error_mg_p95": percentile(self.errors_mg, 95),
        }


def score(
    ground: Ground,
    masses_mg: tuple[int, ...],
    scenes: int,
    *,
    seed: int = 1,
    changes: int = 6,
    params: Params | None = None,
    with_imu: bool = True,
) -> Score:
    """Return the score of `scenes` scenes of `changes` changes each, the masses taken in turn."""
    total = Score()
    for number in range(scenes):
        _scene(total, ground, masses_mg, Random(seed * 100_003 + number), changes, params or Params(), with_imu)
    return total


def false_events(
    ground: Ground, seconds: int, *, seed: int = 1, params: Params | None = None, with_imu: bool = True
) -> list[Step]:
    """Return everything that is told in a time in which nothing changes, on a cart with 0 to 15 kg in it."""
    random = Random(seed)
    params = params or Params()
    told: list[Told] = []
    feed = Feed(Platform(random.getrandbits(32), params, random.randrange(0, 15_000_000)), params, with_imu)
    driver = _driver(feed.platform, ground, random)
    for _ in range(seconds):
        next(driver)
        told += feed.run(1_000_000)
    return [event for event in told if isinstance(event, Step)]


class Feed:
    """A platform and the weight that listens to it."""

    def __init__(self, platform: Platform, params: Params, with_imu: bool = False) -> None:
        """Begin before the first reading."""
        self.platform = platform
        calibration = Calibration(params.counts_per_kg, params.zero_counts)
        self.weight: WeightState = initial(calibration, Limits(samples_per_s=params.samples_per_s))
        self.with_imu = with_imu
        self.told: list[tuple[int, Told]] = []

    def run(self, duration_us: int) -> list[Told]:
        """Let time pass in batches, as the reader thread does, and return what the weight told."""
        told: list[Told] = []
        end_us = self.platform.now_us + duration_us
        while (now_us := self.platform.now_us) + STEP_US <= end_us:
            samples = self.platform.advance_to(min(now_us + BATCH_US, end_us))
            news = self._hear(samples) if samples else []
            self.told += [(self.platform.now_us // 1_000, event) for event in news]
            told += news
        return told

    def _hear(self, samples: list[Sample]) -> list[Told]:
        t_ns = self.platform.now_us * 1_000
        t_us = tuple(s.t_us for s in samples)
        told: tuple[Told, ...] = ()
        load = LoadSampled(
            t_ns, samples[-1].seq, t_us, tuple(s.counts for s in samples), tuple(s.flags for s in samples)
        )
        self.weight, told = sampled(self.weight, load)
        if not self.with_imu:
            return list(told)
        motion = CellAccelerated(
            t_ns,
            t_us,
            tuple(s.ax_ug for s in samples),
            tuple(s.ay_ug for s in samples),
            tuple(s.az_ug for s in samples),
        )
        self.weight, more = accelerated(self.weight, motion)
        return [*told, *more]


def _scene(
    total: Score,
    ground: Ground,
    masses_mg: tuple[int, ...],
    random: Random,
    changes: int,
    params: Params,
    with_imu: bool,
) -> None:
    load_mg = random.randrange(3_000_000, 15_000_000)
    platform = Platform(random.getrandbits(32), params, load_mg)
    feed = Feed(platform, params, with_imu)
    driver = _driver(platform, ground, random)
    for _ in range(4):
        next(driver)
        feed.run(1_000_000)
    truth: list[tuple[int, int]] = []
    for _ in range(changes):
        mass_mg = masses_mg[total.changes % len(masses_mg)]
        kind = KINDS[total.changes % len(KINDS)]
        # The cell has no floor: a lift of something that was never put in reads the same as one that was.
        delta_mg = -mass_mg if kind == "lift" else mass_mg
        released_us = platform.add(delta_mg, kind, platform.now_us + random.randrange(450_000, 950_000))
        truth.append((released_us // 1_000, delta_mg))
        total.changes += 1
        for _ in range(6):
            next(driver)
            feed.run(1_000_000)
    total.seconds += platform.now_us // 1_000_000
    _match(total, truth, feed.told)


def _match(total: Score, truth: list[tuple[int, int]], told: list[tuple[int, Told]]) -> None:
    """Give each true change the first provisional of its sign around it; what is left over is false."""
    firsts = {e.id: e for _, e in told if isinstance(e, Step) and not e.final}
    finals = {e.id: (t_ms, e) for t_ms, e in told if isinstance(e, Step) and e.final}
    free = dict(firsts)
    for released_ms, delta_mg in truth:
        found = next(
            (
                step
                for step in free.values()
                if -MATCH_BEFORE_MS <= step.t_accept_ms - released_ms <= MATCH_AFTER_MS
                and step.delta_mg * delta_mg > 0
                and abs(finals.get(step.id, (0, step))[1].delta_mg - delta_mg) < abs(delta_mg) // 2
            ),
            None,
        )
        if found is None:
            total.missed.append((released_ms, delta_mg))
            continue
        del free[found.id]
        total.delays_ms.append(max(0, found.t_accept_ms - released_ms))
        if found.id in finals:
            final_ms, final = finals[found.id]
            total.errors_mg.append(abs(final.delta_mg - delta_mg))
            total.finals_ms.append(final_ms - released_ms)
    total.false += free.values()


def _driver(platform: Platform, ground: Ground, random: Random) -> Iterator[None]:
    """Push the cart; to be asked once a second."""
    platform.ground(ground.roughness, ground.bumps_per_m, ground.bump_m_s2)
    if ground.speed_mm_s:
        platform.push_to(ground.speed_mm_s)
    rolling = True
    while True:
        yield
        if ground.stop_and_go and random.random() < 0.07:
            rolling = not rolling
            platform.push_to(ground.speed_mm_s if rolling else 0)


def percentile(values: list[int], percent: int) -> int:
    """Return the value below which `percent` of the values lie (nearest rank), or -1 for none."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)] if values else -1
