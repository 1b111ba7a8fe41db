"""What became of each card: a JSON file per card, a row in SQLite, and the same rows as CSV for a spreadsheet."""

import csv
import json
import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cart.faults import Fault

DATABASE = "cards.sqlite3"
TABLE = "cards.csv"
ROOM_BYTES = 256 << 10
OK, CHECKED, REFUSED, FAILED = "ok", "checked", "refused", "failed"
INTERRUPTED, DRY_RUN = "interrupted", "dry-run"
OVERWRITTEN = "overwritten"


@dataclass(frozen=True, slots=True)
class CardResult:
    """One attempt at one card.

    began_utc         ISO 8601, seconds
    cart              the cart it is for, "" for a plain write
    verdict           "ok" | "checked" | "refused" | "failed" | "interrupted" | "dry-run" | "overwritten"
    code              of the first refusal or of the fault, "" when ok
    detail            the reason, and what to do
    resumed_bytes     where an interrupted write went on
    mark              random number at the end of the finished card, "" where it has none
    """

    began_utc: str
    cart: str
    image: str
    image_sha256: str
    device: str
    serial: str
    model: str
    size_bytes: int
    verdict: str
    code: str = ""
    detail: str = ""
    resumed_bytes: int = 0
    written_bytes: int = 0
    zeroed_bytes: int = 0
    write_ms: int = 0
    read_back_ms: int = 0
    mark: str = ""

    @property
    def good(self) -> bool:
        """True when the card may be used, or when a dry run found nothing against it."""
        return self.verdict in (OK, CHECKED, DRY_RUN)

    @property
    def file_name(self) -> str:
        """Name of the JSON file: cart or image, serial, time."""
        words = (self.cart or Path(self.image).name, self.serial or Path(self.device).name, self.began_utc)
        return "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in word) for word in words) + ".json"


COLUMNS = tuple(field.name for field in fields(CardResult))


def check_folder(folder: Path) -> None:
    """Write a little to the folder and remove it: what keeps results out is told before a card. Fault CARD-RESULTS."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Fault("CARD-RESULTS", f"{folder}: {error.strerror}") from None


def add(folder: Path, result: CardResult) -> Path:
    """Store the result in all three forms; return the JSON file. Fault CARD-RESULTS when it cannot be stored."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _unused(folder / result.file_name)
        _replace(path, json.dumps(asdict(result), indent=2, ensure_ascii=False) + "\n")
        with closing(_database(folder)) as database:
            _insert(database, result)
            _tell_table(folder, database)
    except (OSError, sqlite3.Error) as error:
        raise Fault("CARD-RESULTS", f"{folder}: {error}") from None
    return path


def overwrite(folder: Path, old: CardResult, reason: str) -> None:
    """Mark a result as that of a card which is no longer there, in all three forms; Fault CARD-RESULTS.

    The files come first: cut off in between, they call a good card overwritten, and nothing calls a lost card good.
    """
    new = {"verdict": OVERWRITTEN, "detail": reason}
    key = {name: getattr(old, name) for name in ("began_utc", "cart", "device", "serial", "mark", "verdict")}
    try:
        for path in folder.glob(f"{old.file_name.removesuffix('.json')}*.json"):
            told = _told(path)
            if key.items() <= ({"mark": ""} | told).items():
                _replace(path, json.dumps(told | new, indent=2, ensure_ascii=False) + "\n")
        with closing(_database(folder)) as database:
            same = " AND ".join(f"{name} = ?" for name in key)
            values = (*new.values(), *key.values())
            database.execute(f"UPDATE cards SET verdict = ?, detail = ? WHERE {same}", values)
            _tell_table(folder, database)
    except (OSError, sqlite3.Error) as error:
        raise Fault("CARD-RESULTS", f"{folder}: {error}") from None


def all_of(folder: Path) -> list[CardResult]:
    """Return every result in the folder, oldest first."""
    if not (folder / DATABASE).exists():
        return []
    try:
        with closing(_database(folder)) as database:
            return [CardResult(*row) for row in _rows(database)]
    except sqlite3.Error as error:
        raise Fault("CARD-RESULTS", f"{folder / DATABASE}: {error}") from None


def _database(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=20)
    columns = ", ".join(
        f"{field.name} {'INTEGER' if field.type in (int, 'int') else 'TEXT'} NOT NULL" for field in fields(CardResult)
    )
    database.execute(f"CREATE TABLE IF NOT EXISTS cards (number INTEGER PRIMARY KEY, {columns})")
    if "mark" not in {row[1] for row in database.execute("PRAGMA table_info(cards)")}:  # of an older version
        with suppress(sqlite3.OperationalError):  # another reader's process was faster; if not, the next query fails
            database.execute("ALTER TABLE cards ADD COLUMN mark TEXT NOT NULL DEFAULT ''")
    return database


def _tell_table(folder: Path, database: sqlite3.Connection) -> None:
    """Write the table anew; two readers may finish at once: until it is written no other result comes in between."""
    database.execute("BEGIN IMMEDIATE")
    _write_table(folder / TABLE, _rows(database))
    database.execute("COMMIT")


def _told(path: Path) -> dict[str, Any]:
    """Return what a result's file says, nothing where it is torn or somebody's own."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _insert(database: sqlite3.Connection, result: CardResult) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    values = tuple(getattr(result, name) for name in COLUMNS)
    database.execute(f"INSERT INTO cards ({', '.join(COLUMNS)}) VALUES ({marks})", values)


def _rows(database: sqlite3.Connection) -> list[tuple]:
    return database.execute(f"SELECT {', '.join(COLUMNS)} FROM cards ORDER BY number").fetchall()


def _write_table(path: Path, rows: list[tuple]) -> None:
    temporary = path.with_suffix(".csv.new")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_inert(value) for value in row] for row in rows)
    temporary.replace(path)


def _inert(value: object) -> object:
    """Return a value that a spreadsheet takes for a text: a device's own name for itself must not be calculated."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".json.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _unused(path: Path) -> Path:
    """Return the path, with a number when a card was tried twice within a second."""
    number = 2
    candidate = path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}.json")
        number += 1
    return candidate
