"""Scenes with items: a cart in one class of motion, into which things are put and from which they are taken.

Each scene is one cart with 6 to 15 kg in it. The masses come in a random order, placed, dropped or lifted, 4 to 7 s
apart, anywhere on the platform. Each scene begins and ends standing, long enough for every final; a quiet one has no
change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from cart.core.weight import Standstill
from cart.core.weight_values import Alarm
from cart.sim.physics import Params, Platform
from cart.sim.weighing.feed import Feed
from cart.sim.weighing.matching import Change, Claim, Matched, claims_of_plateau, claims_of_weight, matched

SECOND_US = 1_000_000
MASSES_MG = tuple(grams * 1_000 for grams in (10, 20, 50, 100, 250, 500, 1_000, 2_000, 5_000))
LOAD_MG_MIN, LOAD_MG_MAX = 6_000_000, 15_000_000
STAND_S, SETTLE_S = 4, 4
"""A cart is fetched standing, which gives its weight a first level; then it sets off."""

LAST_WORDS_S = 9
"""At the end of a scene: 1 s to stop, a standstill, and 4 s at most to the last final."""

STOP, GO = 0.07, 0.3
"""Chance in each second that a cart in stop and go stops, and that it goes on: it rolls four fifths of the time."""

BELONGS_MS = 1_000
AT_WORK_BEFORE_MS, AT_WORK_AFTER_MS = 1_500, 1_000
"""A change is being made for so long before, and may be told for so long after, the hand lets go."""

QUIET_PIECE_S = 600
"""A quiet time is cut into carts of 10 minutes each, with loads of their own."""


@dataclass(frozen=True, slots=True)
class Motion:
    """A class of motion.

    rough        the floor is tiles, else smooth;  bumps: there are joints and kerbs
    stop_and_go  the cart stops and goes at random
    """

    speed_mm_s: int = 0
    rough: bool = False
    bumps: bool = False
    stop_and_go: bool = False


MOTIONS = {
    "standing": Motion(),
    "strolling": Motion(500),
    "tiles": Motion(1_000, rough=True, bumps=True, stop_and_go=True),
}


@dataclass(frozen=True, slots=True)
class Balance:
    """A standstill: what the weight had told by then less what had happened, and what its own sigmas allow (3)."""

    t_ms: int
    over_mg: int
    allowed_mg: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What came of one scene.

    seconds          of the world's time
    weight, plateau  the changes against what each of the two told
    standstills      what was over at each of them
    trace            (t_ms, mg) for drawing
    alarms_ms        when something was said to happen to a standing load
    """

    motion: str
    number: int
    seconds: int
    weight: Matched
    plateau: Matched
    claims: tuple[Claim, ...]
    standstills: tuple[Balance, ...]
    trace: tuple[tuple[int, int], ...]
    alarms_ms: tuple[int, ...] = ()


def item_scene(
    motion: str,
    number: int,
    seed: int,
    params: Params,
    masses_mg: tuple[int, ...] = MASSES_MG,
    *,
    accelerometer: bool = True,
    rolled_s: int = 0,
) -> Scene:
    """Return what came of one scene; the same for the same arguments.

    rolled_s  the cart rolled so long before, and stood again: what its sensors are like was learned there
    """
    random = Random(f"{seed} {motion} {number}")
    load_mg = random.randrange(LOAD_MG_MIN, LOAD_MG_MAX)
    platform = Platform(random.getrandbits(32), params, load_mg)
    feed = Feed(platform, with_imu=accelerometer)
    feed.run(STAND_S * SECOND_US)
    if rolled_s:
        before = drive(platform, MOTIONS[motion], params, Random(f"{seed} rolled {motion} {number}"))
        _seconds(feed, before, rolled_s)
        platform.push_to(0)
        feed.run(LAST_WORDS_S * SECOND_US)
    driven = drive(platform, MOTIONS[motion], params, random)
    _seconds(feed, driven, SETTLE_S)
    truth = []
    for mass_mg in random.sample(masses_mg, len(masses_mg)):
        kind = random.choice(("place", "drop", "lift"))
        if kind == "lift" and mass_mg > load_mg - 1_000_000:
            kind = "place"
        delta_mg = -mass_mg if kind == "lift" else mass_mg
        load_mg += delta_mg
        released_us = platform.add(delta_mg, kind, platform.now_us + random.randrange(450_000, 1_450_000))
        truth.append(Change(released_us // 1_000, delta_mg, params.hand_ms_max))
        _seconds(feed, driven, random.randint(4, 7))
    platform.push_to(0)
    feed.run(LAST_WORDS_S * SECOND_US)
    return _scene(motion, number, feed, truth)


def quiet_scene(
    motion: str, number: int, seed: int, seconds: int, params: Params, *, accelerometer: bool = True
) -> Scene:
    """Return what came of a time without any change."""
    random = Random(f"{seed} quiet {motion} {number}")
    platform = Platform(random.getrandbits(32), params, random.randrange(0, LOAD_MG_MAX))
    feed = Feed(platform, with_imu=accelerometer)
    feed.run(STAND_S * SECOND_US)
    _seconds(feed, drive(platform, MOTIONS[motion], params, random), seconds)
    scene = _scene(motion, number, feed, [])
    # Hours in which nothing was told are not drawn.
    return scene if scene.claims else replace(scene, trace=())


def drive(platform: Platform, motion: Motion, params: Params, random: Random) -> Iterator[None]:
    """Push the cart as the class says; to be asked once a second."""
    roughness = params.tiles_roughness if motion.rough else params.smooth_roughness
    platform.ground(roughness, *((params.bumps_per_m, params.bump_m_s2) if motion.bumps else ()))
    if motion.speed_mm_s:
        platform.push_to(motion.speed_mm_s)
    rolling = True
    while True:
        yield
        if motion.stop_and_go and random.random() < (STOP if rolling else GO):
            rolling = not rolling
            platform.push_to(motion.speed_mm_s if rolling else 0)


def _seconds(feed: Feed, driven: Iterator[None], seconds: int) -> None:
    for _ in range(seconds):
        next(driven)
        feed.run(SECOND_US)


def _scene(motion: str, number: int, feed: Feed, truth: list[Change]) -> Scene:
    claims = claims_of_weight(feed.told)
    rests_ms = [heard.t_ms for heard in feed.told if isinstance(heard.event, Standstill)]
    return Scene(
        motion,
        number,
        feed.now_ms // 1_000,
        matched(truth, claims, rests_ms),
        matched(truth, claims_of_plateau(feed.plateau_told)),
        tuple(claims),
        tuple(_balances(feed, truth, claims)),
        tuple(feed.trace),
        tuple(heard.t_ms for heard in feed.told if isinstance(heard.event, Alarm)),
    )


def _balances(feed: Feed, truth: list[Change], claims: list[Claim]) -> Iterator[Balance]:
    """Yield the balance at each standstill that was told, and at the end of the scene.

    What is told within a second of a standstill belongs to it. One at which a hand is at work is no standstill.
    """
    rests = [(heard.t_ms, heard.event.sigma_mg) for heard in feed.told if isinstance(heard.event, Standstill)]
    if not rests:
        return
    for t_ms, sigma_mg in [*rests, (feed.now_ms, rests[-1][1])]:
        if any(-AT_WORK_BEFORE_MS < t_ms - change.released_ms < AT_WORK_AFTER_MS for change in truth):
            continue
        told = [claim for claim in claims if claim.t_ms <= t_ms + BELONGS_MS]
        happened = sum(change.delta_mg for change in truth if change.released_ms <= t_ms)
        sigma2 = sum(claim.sigma_mg**2 for claim in told) + sigma_mg**2
        yield Balance(t_ms, sum(claim.last_mg for claim in told) - happened, round(3 * sigma2**0.5))
