"""carts.csv: the table of a fleet as a spreadsheet saves it, and everything that is wrong in it, said at once.

Spreadsheets save "CSV" with a comma, a semicolon or a tab, depending on the country; the first line decides.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.imaging import cart_file, small
from tools.imaging.cart_file import CartFile

ROWS_MAX = 10_000
TABLE_BYTES_MAX = 64 << 20
FAULTS_SHOWN = 20
SEPARATORS = ",;\t"
OWN_COLUMNS = ("device", "serial", "image")
COLUMNS = (*cart_file.COLUMNS, *OWN_COLUMNS)


@dataclass(frozen=True, slots=True)
class Row:
    """One cart.

    device  where its card is written
    serial  the card or reader that must be there, "" for any that a person confirms
    image   an image that is stamped already, or None: one is stamped from the base
    file    what is stamped, or None
    """

    cart: str
    device: str
    serial: str = ""
    image: Path | None = None
    file: CartFile | None = None


def read_rows(path: Path, device: str, common: Path | None = None) -> tuple[Row, ...]:
    """Return the carts of a table, each checked; Fault FLEET-BAD names every line that cannot be used.

    device  for rows that name none
    common  a cart file that says what all carts have in common
    """
    shared = cart_file.load_common(common) if common else {}
    columns, lines = _lines(path)
    if not 1 <= len(lines) <= ROWS_MAX:
        raise Fault("FLEET-BAD", f"{path} has {len(lines)} carts; 1 to {ROWS_MAX} are taken")
    rows: list[Row] = []
    faults: list[str] = []
    for number, cells in lines:
        try:
            rows.append(_row(columns, cells, path.parent, device, shared))
        except Fault as fault:
            faults.append(f"{path.name}:{number}: {fault.detail}")
    faults += [f"{path.name}: {complaint}" for complaint in _twice(rows)]
    refuse(faults, str(path))
    return tuple(rows)


def refuse(faults: list[str], where: str) -> None:
    """Raise FLEET-BAD with all faults, or as many as a screen holds; none is no fault."""
    if faults:
        more = [f"and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
        raise Fault("FLEET-BAD", "\n  ".join([f"{len(faults)} in {where}", *faults[:FAULTS_SHOWN], *more]))


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the columns, and each line that is not empty with its number in the file."""
    text = small.read_text(path, "FLEET-BAD", TABLE_BYTES_MAX)
    named = re.match(r"sep=(.)\r?\n", text)  # a line of Excel's own
    first = text.splitlines()[1 if named else 0 :][:1]
    separator = named[1] if named else max(SEPARATORS, key="".join(first).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise Fault("FLEET-BAD", f"{path}:{reader.line_num}: {error}") from None
    lines = [(number, cells) for number, cells in lines if any(cells)][1 if named else 0 :]
    if not lines:
        raise Fault("FLEET-BAD", f"{path} has 0 carts; 1 to {ROWS_MAX} are taken")
    columns = [name.lower() for name in lines[0][1]]
    refuse(_column_faults(columns), f"the first line of {path}")
    return columns, lines[1:]


def _column_faults(columns: list[str]) -> list[str]:
    named = [name for name in columns if name]
    found = [f"the column {name!r} means nothing" for name in named if name not in COLUMNS]
    if found:
        found.append(f"known are {', '.join(COLUMNS)}")
    found += [f"the column `{name}` is there twice" for name in sorted(set(named)) if named.count(name) > 1]
    return found if "cart" in named else [f"there is no column `cart` among {', '.join(named)}"]


def _row(columns: list[str], cells: list[str], folder: Path, device: str, shared: dict[str, Any]) -> Row:
    if len(cells) != len(columns):
        raise Fault("FLEET-BAD", f"it has more or fewer values than columns: {len(cells)}, not {len(columns)}")
    if any(cell for name, cell in zip(columns, cells, strict=True) if not name):
        raise Fault("FLEET-BAD", "it has a value in a column without a name")
    values = {name: cell for name, cell in zip(columns, cells, strict=True) if name}
    own = {name: values.pop(name, "") for name in OWN_COLUMNS}
    cart, device = values["cart"], own["device"] or device
    if not cart:
        raise Fault("FLEET-BAD", "no value in the column `cart`")
    if not device:
        raise Fault("FLEET-BAD", "no device: give the column `device`, or --device")
    if not own["image"]:
        return Row(cart, device, own["serial"], file=cart_file.from_row(values, folder, shared))
    idle = [name for name, cell in values.items() if cell and name != "cart"]
    if idle:
        raise Fault("FLEET-BAD", f"{cart}: its image is stamped already, so {', '.join(idle)} would have no effect")
    if not re.fullmatch(cart_file.NAME, cart):
        raise Fault("FLEET-BAD", f"cart {cart!r}: has to be {cart_file.FORMS['cart.id']}")
    return Row(cart, device, own["serial"], image=folder / own["image"])


def _twice(rows: list[Row]) -> list[str]:
    """Return what only one cart may have: its name, its image, its token, which is good for one enrolment."""
    kinds: tuple[tuple[str, Callable[[Row], str]], ...] = (
        ("names a cart twice", lambda row: row.cart),
        ("names an image twice", lambda row: str(row.image or "")),
        ("gives a token twice, for", lambda row: row.file.enrolment.token if row.file and row.file.enrolment else ""),
    )
    found = []
    for complaint, of in kinds:
        owners: dict[str, list[str]] = {}
        for row in rows:
            owners.setdefault(of(row), []).append(row.cart)
        shared = [" and ".join(dict.fromkeys(carts)) for key, carts in owners.items() if key and len(carts) > 1]
        found += [f"{complaint}: {', '.join(shared)}"] if shared else []
    return found
