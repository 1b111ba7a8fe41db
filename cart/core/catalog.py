"""What the store sells, as far as the cart must know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PIECE, WEIGHT = "piece", "weight"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing that can be sold.

    gtins        canonical GTIN-14 codes on its packages, none for loose goods
    plu          IFPS price look-up code of loose produce, "" for none
    label        name of the classifier's class that shows it, "" for none
    sold_by      PIECE (price_minor each) or WEIGHT (price_minor per kilogram)
    mass_mg      mass of one piece with its package; of a typical piece if sold by weight
    mass_sd_mg   spread of that mass from piece to piece, > 0
    age_min      age in years below which it may not be sold, 0 for none
    """

    id: str
    name: str
    sold_by: str
    price_minor: int
    mass_mg: int
    mass_sd_mg: int
    gtins: tuple[str, ...] = ()
    plu: str = ""
    label: str = ""
    group: str = ""
    age_min: int = 0


class Catalog:
    """An immutable list of products with its look-ups.

    Raises ValueError when an id, code, PLU or label belongs to two products:
    `cart.wire.catalog` reports such faults with row numbers before it comes to that.
    """

    def __init__(self, version: str, currency: str, products: Iterable[Product]) -> None:
        self.version = version
        self.currency = currency
        self.products = tuple(products)
        self._by_id = _index(((p.id, p) for p in self.products), "id")
        self._by_gtin = _index(((g, p) for p in self.products for g in p.gtins), "code")
        self._by_plu = _index(((p.plu, p) for p in self.products if p.plu), "PLU")
        self._by_label = _index(((p.label, p) for p in self.products if p.label), "label")

    def product(self, product_id: str) -> Product | None:
        """Return the product of this id, or None."""
        return self._by_id.get(product_id)

    def of_gtin(self, gtin: str) -> Product | None:
        """Return the product that carries this GTIN-14, or None."""
        return self._by_gtin.get(gtin)

    def of_plu(self, plu: str) -> Product | None:
        """Return the product of this PLU, or None."""
        return self._by_plu.get(plu)

    def of_label(self, label: str) -> Product | None:
        """Return the product that this classifier label shows, or None."""
        return self._by_label.get(label)

    def search(self, words: str, limit: int = 12) -> tuple[Product, ...]:
        """Return products whose name holds every word as the start of a word, in list order."""
        wanted = words.casefold().split()
        if not wanted:
            return ()
        found = (p for p in self.products if _matches(p.name.casefold().split(), wanted))
        return tuple(p for p, _ in zip(found, range(limit), strict=False))


def _matches(name_words: list[str], wanted: list[str]) -> bool:
    return all(any(word.startswith(part) for word in name_words) for part in wanted)


def _index(pairs: Iterable[tuple[str, Product]], what: str) -> dict[str, Product]:
    index: dict[str, Product] = {}
    for key, product in pairs:
        other = index.setdefault(key, product)
        if other is not product:
            raise ValueError(f"{what} {key} belongs to both {other.id} and {product.id}")
    return index
