"""Kills in simulated time: a short run of them, and that the deaths happen and would be noticed."""

from functools import partial

import pytest

from cart.sim.backstore import Backstore
from cart.sim.bench import trip_text
from cart.sim.runner import Simulated, demo_catalog
from tools import chaos_simulated
from tools.chaos_simulated import Dying, Trip


def run(trips, kills, seed):
    return chaos_simulated.run(trip_text("demo"), trips, kills, seed, lambda line: None)


@pytest.mark.slow
def test_a_dying_daemon_changes_no_bill():
    result = run(trips=6, kills=4, seed=1)
    assert result["failures"] == []
    assert result["kills"] >= 12


def test_the_daemon_dies_as_planned_and_the_world_goes_on():
    cart = Simulated(demo_catalog(), 3, idle=True, make=partial(Dying, kills=4)).cart
    cart.advance_ms(62_000)
    assert len(cart.deaths) == 2, "those that follow a transaction need one"
    assert all(chaos_simulated.FIRST_MS <= ms <= chaos_simulated.LAST_MS for ms in cart.deaths)
    assert not cart.down


def test_a_cart_that_forgets_its_trip_is_found_out(monkeypatch):
    """Breaks on purpose what the kills are there to test."""
    monkeypatch.setattr(Backstore, "_save", lambda self, effect: setattr(self, "save_seq", effect.seq))
    assert run(trips=2, kills=2, seed=1)["wrong"] == 2


def test_a_transaction_that_is_not_confirmed_may_be_lost_with_the_power():
    trip = Trip("tap start\nscan arla-standard-milk\n", 0, 1)
    cart = trip.cart
    cart.advance_ms(1_000)
    trip.play()
    kept = cart.backstore.trip
    cart.restart(unsaved=True)
    assert cart.backstore.trip is kept, "it was confirmed long ago"
