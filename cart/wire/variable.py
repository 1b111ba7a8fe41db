"""Price and weight inside a number: what counters and packers print on cheese and cuts of meat.

Numbers that begin with 2 (and with 02, which is a UPC-A of system 2) mean what a country, and inside it a chain,
agreed on; nothing in the code tells. So nothing is taken from them until a layout is named, and a named layout takes
only what fits it. A layout spells the 13 digits: digits stand for themselves, X any digit, I the item, P the price in
minor units, W the mass in grams, V the verifier of the price or mass, K the check digit.

LAYOUTS are those in common use, written from memory and not confirmed with the national organisations:
compare with a label of the store before using one. Source of the forms: GS1 General Specifications, 2.1.12 and 7.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cart.wire.gs1 import price_verifier
from cart.wire.gtin import check_digit, has_valid_check_digit

LAYOUTS = {
    "US": ("02IIIIIVPPPPK",),
    "FR": ("02IIIIIPPPPPK", "2XIIIIIPPPPPK"),
    "IT": ("2IIIIIIPPPPPK",),
    "ES": ("2XIIIIIPPPPPK",),
    "NL": ("2XIIIIVPPPPPK",),
    "02-price": ("02IIIIIPPPPPK",),
    "02-weight": ("02IIIIIWWWWWK",),
}
"""By country, and by name for prefix 02 alone."""

MG_PER_G = 1_000


class Variable(NamedTuple):
    """What a variable number says.

    item         GTIN-14 of the item: value and verifier are 0, the check digit is right again
    price_minor  price of this piece in minor units, None where the mass is printed
    mass_mg      mass of this piece, None where the price is printed
    """

    item: str
    price_minor: int | None
    mass_mg: int | None


def variable_of(gtin: str, layouts: Sequence[str]) -> Variable | None:
    """Return what a GTIN-14 says under the first layout that it fits, or None where it fits none.

    layouts  as in LAYOUTS; () takes nothing from any number
    """
    if len(gtin) != 14 or gtin[0] != "0" or not has_valid_check_digit(gtin):
        return None
    for layout in layouts:
        if (found := _under(gtin[1:], layout)) is not None:
            return found
    return None


def is_layout(layout: str) -> bool:
    """Return True if the text can be used as a layout.

    Only numbers that begin with 02 or 2 hold a price or a mass: every other number of a till is that of a product.
    """
    values = set(layout) & set("PW")
    return (
        len(layout) == 13
        and layout[-1] == "K"
        and layout.count("K") == 1
        and layout.startswith(("02", "2"))
        and set(layout) <= set("0123456789XIVPWK")
        and len(values) == 1
        and "I" in layout
        and layout.count("V") <= 1
        and ("V" not in layout or layout.count(values.pop()) in (4, 5))
    )


def _under(digits: str, layout: str) -> Variable | None:
    assert is_layout(layout), layout
    if any(place.isdigit() and place != digit for place, digit in zip(layout, digits, strict=True)):
        return None
    value = _field(digits, layout, "P") or _field(digits, layout, "W")
    if "V" in layout and _field(digits, layout, "V") != price_verifier(value):
        return None
    body = "".join("0" if place in "PWV" else digit for place, digit in zip(layout[:-1], digits[:-1], strict=True))
    item = f"0{body}{check_digit(body)}"
    if "P" in layout:
        return Variable(item, int(value), None)
    return Variable(item, None, int(value) * MG_PER_G)


def _field(digits: str, layout: str, name: str) -> str:
    return "".join(digit for place, digit in zip(layout, digits, strict=True) if place == name)
