"""Was the bill right? Judged from the truth of the world and the store's ledger, and from nothing else.

The arithmetic is its own, apart from the cart's: a mistake there must not
excuse itself here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

DIVISION_MG = 5_000
"""The scale's division: a weighed lot may be off by one."""


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict; wrong holds one sentence for each thing that is not right."""

    passed: bool
    truth_minor: int
    charged_minor: int
    wrong: tuple[str, ...]


def score(truth: list[dict[str, Any]], charges: list[dict[str, Any]]) -> Score:
    """Return whether the store's ledger holds exactly one charge, of exactly what is in the cart.

    truth    pieces as the world tells them: product_id, sold_by, unit_price_minor, mass_mg
    charges  rows of `cart-backoffice ledger -o json`
    """
    truth_minor = sum(price_minor(piece) for piece in truth)
    charged_minor = sum(charge["total_minor"] for charge in charges)
    wrong = []
    if len(charges) != 1:
        wrong.append(f"the ledger holds {len(charges)} charges, not one")
    for charge in charges:
        wrong += _compare(truth, charge)
    return Score(not wrong, truth_minor, charged_minor, tuple(wrong))


def price_minor(piece: dict[str, Any]) -> int:
    """Return what a piece or lot costs in minor units: of its mass in whole divisions, halves up, if sold by weight."""
    if piece["sold_by"] != "weight":
        return int(piece["unit_price_minor"])
    shown_mg = (2 * piece["mass_mg"] + DIVISION_MG) // (2 * DIVISION_MG) * DIVISION_MG
    return int((2 * shown_mg * piece["unit_price_minor"] + 1_000_000) // 2_000_000)


def _compare(truth: list[dict[str, Any]], charge: dict[str, Any]) -> list[str]:
    lines = charge["lines"]
    really, charged = (Counter(row["product_id"] for row in rows) for rows in (truth, lines))
    wrong = [f"{count} {name} taken, not charged" for name, count in (really - charged).items()]
    wrong += [f"{count} {name} charged, not taken" for name, count in (charged - really).items()]
    wrong += [f"{row['product_id']} is charged at {row['amount_minor']}" for row in lines if not _priced(row)]
    wrong += _lots_off(truth, lines) if not wrong else []
    if charge["total_minor"] != sum(row["amount_minor"] for row in lines):
        wrong.append("the total is not the sum of its lines")
    return wrong


def _priced(row: dict[str, Any]) -> bool:
    return int(row["amount_minor"]) == price_minor(row)


def _lots_off(truth: list[dict[str, Any]], lines: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the masses of weighed lots; both sides hold the same products here."""
    wrong = []
    for name in sorted({row["product_id"] for row in truth if row["sold_by"] == "weight"}):
        really, charged = (sorted(r["mass_mg"] for r in rows if r["product_id"] == name) for rows in (truth, lines))
        for mass_mg, seen_mg in zip(really, charged, strict=True):
            if abs(mass_mg - seen_mg) > DIVISION_MG:
                wrong.append(f"{name} weighs {mass_mg // 1_000} g and is charged as {seen_mg // 1_000} g")
    return wrong
