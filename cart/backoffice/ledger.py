"""The store's ledger: every charge once, nothing ever overwritten. The back office's only owner of sqlite3.

A charge enters by `take`, in one transaction that either inserts it or leaves everything as it was. The same charge
again is a duplicate. The same id, or the same number of the same cart, with other bytes is neither: it goes to
quarantine with an alarm, and staff decide. The database itself refuses to change or delete a charge (triggers), so
positions run from 1 without a gap.

`Ledger` is the seam: SQLite is what there is now, PostgreSQL by URL comes behind the same methods.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from cart.faults import Fault
from cart.wire.messages import ChargeDocument, Sealed, int64, sha256_of

log = logging.getLogger("cart.ledger")

SCHEMA = """
CREATE TABLE IF NOT EXISTS charge (
    position    INTEGER PRIMARY KEY,
    charge_id   TEXT NOT NULL UNIQUE,
    chain       TEXT NOT NULL,
    store       TEXT NOT NULL,
    cart        TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    body        BLOB NOT NULL,
    body_sha256 TEXT NOT NULL,
    signature   BLOB NOT NULL,
    key_id      TEXT NOT NULL,
    UNIQUE (chain, store, cart, incarnation, seq)
) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    charge_id TEXT PRIMARY KEY,
    count     INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS quarantine (
    id          INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    topic       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    sha256      TEXT NOT NULL UNIQUE,
    payload     BLOB NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS charge_is_never_changed BEFORE UPDATE ON charge
    BEGIN SELECT RAISE(ABORT, 'a charge is never changed'); END;
CREATE TRIGGER IF NOT EXISTS charge_is_never_deleted BEFORE DELETE ON charge
    BEGIN SELECT RAISE(ABORT, 'a charge is never deleted'); END;
"""

INSERT = """
INSERT INTO charge (charge_id, chain, store, cart, incarnation, seq, total_minor, currency, received_ms, body,
                    body_sha256, signature, key_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING position
"""

QUARANTINE_ROWS_MAX = 10_000
"""Most messages kept for staff; more are only logged, so that a forger cannot fill the disk."""

QUARANTINE_BYTES_MAX = 65_536
"""Most that is kept of one of them."""


class Taken(NamedTuple):
    """What became of a charge: "accepted", "duplicate" or "rejected"; position 0 when rejected."""

    verdict: str
    position: int
    reason: str = ""


class LedgerRow(NamedTuple):
    """One charge of the ledger; deliveries counts how often it came."""

    position: int
    charge_id: str
    chain: str
    store: str
    cart: str
    incarnation: str
    seq: int
    total_minor: int
    currency: str
    received_ms: int
    body: bytes
    body_sha256: str
    deliveries: int


class QuarantineRow(NamedTuple):
    """A message that was not understood or not believed."""

    received_ms: int
    topic: str
    reason: str
    bytes: int
    sha256: str


class Ledger(Protocol):
    """Where charges end up. Methods raise Fault LEDGER-BAD when the storage fails."""

    def take(self, charge: ChargeDocument, sealed: Sealed, received_ms: int) -> Taken:
        """Insert a verified charge unless it is there; return what became of it, once that is on disk."""

    def quarantine(self, topic: str, payload: bytes, reason: str, received_ms: int) -> None:
        """Keep a message for staff; the same payload again changes nothing."""

    def rows(self) -> list[LedgerRow]:
        """Return every charge by position."""

    def quarantined(self) -> list[QuarantineRow]:
        """Return the quarantine, oldest first."""

    def close(self) -> None:
        """Close it; safe to call twice."""


def open_ledger(url: str, *, create: bool = True) -> Ledger:
    """Return the ledger at `url`: sqlite:PATH, made where there is none if `create`.

    Raises LEDGER-URL for another scheme (PostgreSQL is not built yet), LEDGER-BAD where it cannot be opened.
    """
    scheme, _, path = url.partition(":")
    if scheme in ("postgresql", "postgres"):
        raise Fault("LEDGER-URL", "postgresql: is not built yet, use sqlite:PATH")
    if scheme != "sqlite" or not path.lstrip("/"):
        raise Fault("LEDGER-URL", url)
    file = Path(path.removeprefix("//"))
    if not create and not file.exists():
        raise Fault("LEDGER-BAD", f"{file}: no such file")
    return SqliteLedger(file, create=create)


class SqliteLedger:
    """The ledger in one SQLite file; used by one thread."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open or make the file at `path`, or only read it unless `create`; LEDGER-BAD where that fails."""
        self._path = path
        with _faults(path):
            if not create:
                # A report changes nothing: another file that was named by mistake must not become a ledger.
                self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2)):
                (value,) = self._connection.execute(f"PRAGMA {pragma}").fetchone()
                if value != wanted:
                    raise sqlite3.OperationalError(f"{pragma} is {value}, not {wanted}")
            self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._connection.close()

    def take(self, charge: ChargeDocument, sealed: Sealed, received_ms: int) -> Taken:
        """As in `Ledger.take`."""
        sha256 = sha256_of(sealed.body)
        with self._transaction() as run:
            inserted = run(INSERT, _values(charge, sealed, sha256, received_ms)).fetchone()
            known = run("SELECT position, body_sha256 FROM charge WHERE charge_id = ?", (charge.charge_id,)).fetchone()
            if known and known[1] == sha256:
                run(
                    "INSERT INTO delivery VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                    (charge.charge_id,),
                )
        if inserted:
            return Taken("accepted", inserted[0])
        if known is None:
            return Taken("rejected", 0, "another charge has this number of this cart")
        if known[1] != sha256:
            return Taken("rejected", 0, "another charge has this id")
        return Taken("duplicate", known[0])

    def quarantine(self, topic: str, payload: bytes, reason: str, received_ms: int) -> None:
        """As in `Ledger.quarantine`."""
        log.error("QUARANTINE: %s: %s", topic[:120], reason)
        kept = (
            received_ms,
            topic[:512],
            reason[:512],
            len(payload),
            sha256_of(payload),
            payload[:QUARANTINE_BYTES_MAX],
        )
        with self._transaction() as run:
            (count,) = run("SELECT count(*) FROM quarantine").fetchone()
            if count >= QUARANTINE_ROWS_MAX:
                log.error("QUARANTINE: full with %d messages, this one is not kept", count)
                return
            run(
                "INSERT INTO quarantine (received_ms, topic, reason, bytes, sha256, payload) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                kept,
            )

    def rows(self) -> list[LedgerRow]:
        """As in `Ledger.rows`."""
        with _faults(self._path):
            found = self._connection.execute(
                "SELECT position, charge_id, chain, store, cart, incarnation, seq, total_minor, currency, received_ms,"
                " body, body_sha256, count FROM charge JOIN delivery USING (charge_id) ORDER BY position"
            )
            return [LedgerRow(*row) for row in found]

    def quarantined(self) -> list[QuarantineRow]:
        """As in `Ledger.quarantined`."""
        with _faults(self._path):
            found = self._connection.execute(
                "SELECT received_ms, topic, reason, bytes, sha256 FROM quarantine ORDER BY id"
            )
            return [QuarantineRow(*row) for row in found]

    @contextmanager
    def _transaction(self) -> Iterator:
        with _faults(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what the disk did into LEDGER-BAD."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a broken rule of the schema is a programmer's mistake
    except sqlite3.DatabaseError as error:
        raise Fault("LEDGER-BAD", f"{path}: {error}") from error
    except OSError as error:
        raise Fault("LEDGER-BAD", f"{path}: {error.strerror}") from error


def _values(charge: ChargeDocument, sealed: Sealed, sha256: str, received_ms: int) -> tuple:
    return (
        charge.charge_id,
        charge.chain,
        charge.store,
        charge.cart,
        charge.incarnation,
        int64(charge.seq),
        int64(charge.total_minor),
        charge.currency,
        received_ms,
        sealed.body,
        sha256,
        sealed.signature,
        sealed.key_id,
    )
