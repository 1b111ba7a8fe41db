"""What the simulated store has on its shelves: products by a shopper's words, and pieces that can be taken.

The world keeps the truth here. Nothing of it reaches the cart but mass on the platform and pixels or sightings.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass

from cart.core.catalog import WEIGHT, Catalog, Product

OFF_MASS_SD = 2
"""A drawn mass is cut at this many standard deviations; text scenarios are no place for freaks."""


@dataclass(slots=True)
class Piece:
    """One real thing: what it is, and what it weighs."""

    product: Product
    mass_mg: int


class Shelf:
    """Products of a catalogue, found by words; pieces drawn with the spread of their mass."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.catalog = catalog
        self._random = random.Random(f"shelf {seed}")

    def find(self, words: str) -> Product:
        """Return the one product that the words name: id, code, PLU, label, name, or a unique beginning of it.

        Raises LookupError with the closest names.
        """
        catalog = self.catalog
        exact = (
            catalog.product(words)
            or catalog.of_gtin(words.rjust(14, "0"))
            or catalog.of_plu(words)
            or catalog.of_label(words)
        )
        if exact is not None:
            return exact
        by_name = [p for p in catalog.products if p.name.casefold() == words.casefold()]
        found = by_name or list(catalog.search(words, limit=5))
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(f"'{words}' may be {', '.join(p.id for p in found)}; say which")
        known = [word for p in catalog.products for word in (p.id, p.name)]
        close = difflib.get_close_matches(words, known, n=3, cutoff=0.4)
        raise LookupError(f"no product '{words}'" + (f"; did you mean {' or '.join(close)}?" if close else ""))

    def piece(self, product: Product, mass_mg: int | None = None) -> Piece:
        """Return a piece of this mass, or of one drawn from the product's own spread."""
        if mass_mg is None:
            off_sd = max(-OFF_MASS_SD, min(OFF_MASS_SD, self._random.gauss(0, 1)))
            mass_mg = product.mass_mg + round(off_sd * product.mass_sd_mg)
        return Piece(product, max(1_000, mass_mg))


def price_minor(piece: Piece) -> int:
    """Return what this piece really costs: the truth's own arithmetic, half up, apart from the cart's."""
    if piece.product.sold_by != WEIGHT:
        return piece.product.price_minor
    return (piece.product.price_minor * piece.mass_mg + 500_000) // 1_000_000
