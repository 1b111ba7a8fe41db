"""The rows of `./tools/bars` for the place at which an item lands, from four cells. The seed is no developer's."""

import subprocess
from functools import cache

from tools.measuring import bar, cart, field, scope

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
