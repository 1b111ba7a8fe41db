"""What a line costs: integers, one rounding rule.

A price by weight is computed from the *indicated* mass and the unit price that
are shown, so that a shopper can redo it (weighing.md).
"""

from __future__ import annotations

from cart.core.catalog import WEIGHT, Product

MG_PER_KG = 1_000_000


def round_half_up(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to the nearest integer, halves away from zero."""
    assert denominator > 0
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def indicated_mg(mass_mg: int, division_mg: int) -> int:
    """Return the mass as the scale shows it: whole divisions."""
    return round_half_up(mass_mg, division_mg) * division_mg


def amount_minor(product: Product, mass_mg: int, division_mg: int) -> int:
    """Return the price of one unit, or of a lot of mass_mg, in minor units."""
    if product.sold_by != WEIGHT:
        return product.price_minor
    return round_half_up(indicated_mg(mass_mg, division_mg) * product.price_minor, MG_PER_KG)
