"""The catalogue file: CSV text to products, or every fault with its row number.

    # catalog version=2026-07 currency=EUR
    id,name,group,label,sold_by,price_minor,mass_mg,mass_sd_mg,gtins,plu,age_min
    banana,Banana,Banana,Banana,weight,189,170000,25000,,4011,0
    oat-milk-1l,Oat Milk 1 l,Milk,,piece,199,1058000,4000,9521000000452,,0

The first row names the version and the currency, the second the columns, in any order; group, label, gtins, plu and
age_min may be left out. Money is in minor units (cents), per piece or per kilogram by `sold_by`; mass in milligrams
with its package. `gtins` holds any number of GTIN-8, -12, -13 or -14, separated by spaces. Rows are numbered as a
spreadsheet shows them, from 1. A fault anywhere means no catalogue at all: half a price list charges wrongly.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cart.core.catalog import PIECE, WEIGHT, Catalog, Product
from cart.wire.gtin import gtin14

PRODUCTS_MAX = 20_000
"""Most products of one catalogue: the look-ups stay in memory on a cart with 1 GB."""

FAULTS_MAX = 200
"""Most faults that are listed; after that the file is of another kind, not mistyped."""

TEXT_MAX = 120
"""Longest id, name, group or label in characters: more does not fit on the screen."""

REQUIRED = ("id", "name", "sold_by", "price_minor", "mass_mg", "mass_sd_mg")
OPTIONAL = ("group", "label", "gtins", "plu", "age_min")

PRICE_MAX_MINOR = 10_000_000
MASS_MAX_MG = 100_000_000
AGE_MAX = 120

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PLU = re.compile(r"[0-9]{4,5}")


@dataclass(frozen=True, slots=True)
class RowNote:
    """Something to mend (a fault) or to look at (a warning); column is "" for the whole row."""

    row: int
    column: str
    text: str

    def __str__(self) -> str:
        """Return the line that people see."""
        return f"row {self.row}: {self.column + ': ' if self.column else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a catalogue file held: the catalogue is None exactly when there are faults."""

    catalog: Catalog | None
    faults: tuple[RowNote, ...]
    warnings: tuple[RowNote, ...]


def parse_catalog(text: str) -> Parsed:
    """Return the catalogue of this CSV text, or every fault of it, in row order; never raises."""
    reader = _Reader()
    products = reader.read(text)
    faults = tuple(sorted(reader.faults, key=lambda note: note.row))[:FAULTS_MAX]
    warnings = tuple(reader.warnings[:FAULTS_MAX])
    if faults:
        return Parsed(None, faults, warnings)
    return Parsed(Catalog(reader.version, reader.currency, products), (), warnings)


class _Reader:
    """Reads one file and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.version = ""
        self.currency = ""
        self.faults: list[RowNote] = []
        self.warnings: list[RowNote] = []
        self._seen: dict[tuple[str, str], int] = {}

    def read(self, text: str) -> list[Product]:
        rows = self._rows(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))
        header = next(rows, None)
        if header is None:
            self._fault(1, "", "the file is empty")
            return []
        columns = self._read_columns(next(rows, None)) if self._read_header(*header) else None
        if columns is None:
            return []
        products = [product for row, cells in rows if (product := self._product(row, columns, cells))]
        if not products and not self.faults:
            self._fault(2, "", "there is no product below the columns")
        return products

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Give each row that is not blank with its number; stop at a broken row or too many."""
        reader = csv.reader(text.split("\n"), strict=True)
        try:
            for row, cells in enumerate(reader, start=1):
                if row > PRODUCTS_MAX + 2:
                    self._fault(row, "", f"more than {PRODUCTS_MAX} products")
                    return
                if any(cell.strip() for cell in cells) and len(self.faults) < FAULTS_MAX:
                    yield row, [cell.strip() for cell in cells]
        except csv.Error as error:
            self._fault(reader.line_num, "", f"not CSV: {error}")

    def _read_header(self, row: int, cells: list[str]) -> bool:
        """Take version and currency; False when this is no first row of a catalogue at all."""
        words = " ".join(cells).split()
        if words[:2] != ["#", "catalog"]:
            self._fault(row, "", "the first row must read: # catalog version=... currency=...")
            return False
        given = dict(word.partition("=")[::2] for word in words[2:])
        self.version, self.currency = given.pop("version", ""), given.pop("currency", "")
        if not self.version or len(self.version) > TEXT_MAX:
            self._fault(row, "version", f"missing, or longer than {TEXT_MAX} characters")
        if not _CURRENCY.fullmatch(self.currency):
            self._fault(row, "currency", f"{self.currency or 'nothing'} is no ISO 4217 code of three capitals")
        for name in given:
            self._fault(row, name, "unknown word in the first row")
        return True

    def _read_columns(self, header: tuple[int, list[str]] | None) -> list[str] | None:
        if header is None:
            self._fault(2, "", "the row of column names is missing")
            return None
        row, columns = header
        while columns and not columns[-1]:  # a spreadsheet pads short rows with empty cells
            columns.pop()
        known = (*REQUIRED, *OPTIONAL)
        unknown = [name for name in columns if name not in known]
        twice = sorted({name for name in columns if columns.count(name) > 1})
        missing = [name for name in REQUIRED if name not in columns]
        for name in unknown:
            self._fault(row, name or "(no name)", f"unknown column; known are {', '.join(known)}")
        for name in twice:
            self._fault(row, name, "column given twice")
        for name in missing:
            self._fault(row, name, "column missing")
        return None if unknown or twice or missing else columns

    def _product(self, row: int, columns: list[str], cells: list[str]) -> Product | None:
        if any(cells[len(columns) :]) or len(cells) < len(columns):
            self._fault(row, "", f"{len(cells)} cells where the columns are {len(columns)}")
            return None
        faults_before = len(self.faults)
        value = dict.fromkeys(OPTIONAL, "") | dict(zip(columns, cells, strict=False))
        product = Product(
            id=self._id(row, value["id"]),
            name=self._text(row, "name", value["name"], required=True),
            sold_by=self._sold_by(row, value["sold_by"]),
            price_minor=self._whole(row, "price_minor", value["price_minor"], 1, PRICE_MAX_MINOR),
            mass_mg=self._whole(row, "mass_mg", value["mass_mg"], 1, MASS_MAX_MG),
            mass_sd_mg=self._whole(row, "mass_sd_mg", value["mass_sd_mg"], 1, MASS_MAX_MG),
            gtins=self._gtins(row, value["gtins"]),
            plu=self._plu(row, value["plu"]),
            label=self._unique(row, "label", self._text(row, "label", value["label"])),
            group=self._text(row, "group", value["group"]),
            age_min=self._whole(row, "age_min", value["age_min"] or "0", 0, AGE_MAX),
        )
        if len(self.faults) > faults_before:
            return None
        self._look_twice(row, product)
        return product

    def _id(self, row: int, text: str) -> str:
        if not _ID.fullmatch(text) or len(text) > TEXT_MAX:
            self._fault(row, "id", f"{text or 'nothing'} is not small letters, digits and single hyphens")
        return self._unique(row, "id", text)

    def _text(self, row: int, column: str, text: str, *, required: bool = False) -> str:
        if required and not text:
            self._fault(row, column, "missing")
        if len(text) > TEXT_MAX:
            self._fault(row, column, f"longer than {TEXT_MAX} characters")
        if not text.isprintable():
            self._fault(row, column, "holds characters that cannot be printed")
        return text

    def _sold_by(self, row: int, text: str) -> str:
        if text not in (PIECE, WEIGHT):
            self._fault(row, "sold_by", f"{text or 'nothing'} is neither {PIECE} nor {WEIGHT}")
        return text

    def _whole(self, row: int, column: str, text: str, low: int, high: int) -> int:
        # isdigit alone would let other scripts' digits and superscripts in.
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
        if not low <= value <= high:
            self._fault(row, column, f"{text or 'nothing'} is no whole number from {low} to {high}")
        return value

    def _gtins(self, row: int, text: str) -> tuple[str, ...]:
        codes: list[str] = []
        for word in text.split():
            try:
                code = gtin14(word)
            except ValueError as error:
                self._fault(row, "gtins", str(error))
            else:
                codes.append(self._unique(row, "gtins", code))
        return tuple(codes)

    def _plu(self, row: int, text: str) -> str:
        if text and not _PLU.fullmatch(text):
            self._fault(row, "plu", f"{text} is no number of 4 or 5 digits")
        return self._unique(row, "plu", text)

    def _unique(self, row: int, column: str, value: str) -> str:
        first_row = self._seen.setdefault((column, value), row) if value else row
        if first_row != row:
            self._fault(row, column, f"{value} is in row {first_row} already")
        return value

    def _look_twice(self, row: int, product: Product) -> None:
        if product.mass_sd_mg * 2 > product.mass_mg:
            self._warn(row, "mass_sd_mg", "more than half of the mass: the weight will tell little")
        if not (product.gtins or product.plu or product.label):
            self._warn(row, "", f"{product.name} has no code, PLU or label: only found by name")

    def _fault(self, row: int, column: str, text: str) -> None:
        self.faults.append(RowNote(row, column, text))

    def _warn(self, row: int, column: str, text: str) -> None:
        self.warnings.append(RowNote(row, column, text))
