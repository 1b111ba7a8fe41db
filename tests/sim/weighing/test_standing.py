"""The weight against the truth while standing, in short; `./tools/bars` runs the long form."""

import pytest

from cart.sim.physics import Params
from cart.sim.weighing.figures import in_basket, quiet, rows, unaccounted
from cart.sim.weighing.items import item_scene, quiet_scene


@pytest.fixture(scope="module")
def scenes():
    return [item_scene("standing", number, 3, Params()) for number in range(3)]


def test_every_change_is_found_quickly_and_right(scenes):
    promised = next(row for row in rows("standing", scenes) if (row.mass_mg, row.method) == (0, "weight"))
    assert (promised.changes, promised.found.value) == (27, 1.0)
    assert promised.delay_ms.value <= 500
    assert promised.delay_ms_p95.value <= 800
    assert promised.error_mg.value <= 1_000
    assert promised.error_mg_p95.value <= 3_000


def test_nothing_is_made_up_and_every_standstill_adds_up(scenes):
    assert in_basket(claim for scene in scenes for claim in scene.weight.false) == []
    assert unaccounted(scenes) == []


def test_five_minutes_without_a_change_tell_nothing():
    found = quiet("standing", [quiet_scene("standing", 0, 5, 300, Params())], "weight")
    assert (found.false, found.masses_mg) == (0, ())
    assert found.per_hour.low == 0
    assert found.per_hour.high == pytest.approx(3.6889 / found.hours, rel=0.001)
