"""Prices by piece and by weight: a shopper must be able to redo them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.core.catalog import Product
from cart.core.pricing import amount_minor, indicated_mg, round_half_up

MILK = Product("milk", "Milk", "piece", 129, 1_040_000, 5_000)
PEAR = Product("pear", "Pear", "weight", 299, 180_000, 20_000)
E = 5_000


def test_a_piece_costs_its_price_whatever_it_weighs():
    assert amount_minor(MILK, 1_100_000, E) == 129


@pytest.mark.parametrize(
    ("mass_mg", "minor"),
    [(1_000_000, 299), (852_499, 254), (852_500, 256), (167_000, 49), (0, 0)],
)
def test_produce_is_priced_from_the_mass_that_is_shown(mass_mg, minor):
    assert amount_minor(PEAR, mass_mg, E) == minor


@given(st.integers(0, 50_000_000))
def test_the_price_follows_from_what_the_screen_shows(mass_mg):
    shown_g = indicated_mg(mass_mg, E) // 1000
    assert amount_minor(PEAR, mass_mg, E) == round_half_up(shown_g * PEAR.price_minor, 1000)
    assert abs(indicated_mg(mass_mg, E) - mass_mg) * 2 <= E


def test_halves_are_rounded_away_from_zero():
    assert [round_half_up(n, 2) for n in (-3, -1, 0, 1, 3)] == [-2, -1, 0, 1, 2]
