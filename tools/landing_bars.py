"""The rows of `./tools/bars` for the place at which an item lands, from four cells, and for the standing alarm.

The seed is none of those that anything was set with.
"""

import subprocess
from functools import cache

from tools.measuring import bar, cart, field, scope
from tools.weigh_bars import BENCH, standing

PLACES = "cart bench weigh --motion standing --scenes 0 --quiet-s 0 --cases 0 --landings 24 --seed 90417 -o json"


@cache
def places() -> subprocess.CompletedProcess:
    """Play the scenes once for all rows: 24 carts, with --full 200."""
    words = PLACES.replace("--landings 24", "--landings 200") if scope.full else PLACES
    return cart(*words.split()[1:], timeout_s=1_800)


@bar("weigh-place-100g", "simulated, four cells, standing, 100 g: place told to place put, median", "<=", 10, "mm",
     PLACES)  # fmt: skip
def place_100g() -> float:
    """Error of the middle one."""
    return field(places(), "landings.100.error_mm.value")


@bar("weigh-place-1kg", "the same, 1 kg", "<=", 10, "mm", PLACES)
def place_1kg() -> float:
    """Error of the middle one."""
    return field(places(), "landings.1000.error_mm.value")


@bar("weigh-place-missing", "the same, 100 g to 1 kg: told without a place", "=", 0, "items", PLACES)
def place_missing() -> float:
    """Items whose place was not known."""
    return sum(
        field(places(), f"landings.{grams}.items") - field(places(), f"landings.{grams}.placed")
        for grams in (100, 250, 1_000)
    )


@bar("weigh-place-sigma", "the same, all masses: places further off than 3 of their own sigmas", "<=", 2, "%", PLACES)
def place_sigma() -> float:
    """Share of places whose sigma promised too much."""
    masses = (20, 50, 100, 250, 1_000)
    beyond, placed = (
        sum(field(places(), f"landings.{grams}.{name}") for grams in masses) for name in ("outside_sigma", "placed")
    )
    return 100 * beyond / placed


@bar("weigh-alarm", "simulated, standing, 10 g to 5 kg: hand off to the word that something happens, median", "<=", 250,
     "ms", BENCH)  # fmt: skip
def alarm() -> float:
    """Delay of the middle one."""
    return field(standing(), "alarm.delay_ms.value")


@bar("weigh-alarm-missed", "the same: changes without such a word", "=", 0, "changes", BENCH)
def alarm_missed() -> float:
    """Changes that came without an alarm."""
    return field(standing(), "alarm.missed")


@bar("weigh-alarm-false", "the same while nothing happens (5 min; 10 h with --full)", "=", 0, "alarms", BENCH)
def alarm_false() -> float:
    """Alarms without a cause."""
    return field(standing(), "alarm.quiet")
