"""The money on disk: the trip as it is now, the journal of how it came about, and charges until the store signed.

The only owner of sqlite3 on the cart. One connection, one explicit `transaction()`, WAL with synchronous=FULL set and
asserted: Python's default (DELETE + FULL) loses the last committed charge in about half of all power cuts, WAL with
FULL lost none of 200.

A charge is encoded, signed and put in the outbox in the transaction that stores its trip, so there is never one without
the other. Its row holds the exact bytes: nothing is ever encoded twice. Every operation may be repeated without effect,
since a crash may come between the commit and the answer.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cart.core.effects import CloseCharge, CommitSale, Save
from cart.core.events import OutboxRow, Restored
from cart.core.trip import Charge, Trip
from cart.edge import legal_log
from cart.faults import Fault
from cart.wire import codec, messages
from cart.wire.alibi import BadLogError

if TYPE_CHECKING:
    from cart.core.legal_record import Alibi, LegalEvent
    from cart.edge.keys import Signer, Verifier
    from cart.ports import Clock

log = logging.getLogger("cart.database")

USER_VERSION = 2
"""Version of the schema. A newer file is refused: this program would not understand it."""

INCARNATION_BYTES = 8

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another process (`cart outbox`) that holds the file."""

SCHEMA = """
CREATE TABLE identity (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    incarnation TEXT NOT NULL CHECK (length(incarnation) = 16),
    created_ms  INTEGER NOT NULL
) STRICT;
CREATE TABLE snapshot (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    save_seq INTEGER NOT NULL,
    trip     BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
    id           INTEGER PRIMARY KEY,
    save_seq     INTEGER NOT NULL,
    trip_id      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    ref          INTEGER NOT NULL,
    product_id   TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    text         TEXT NOT NULL
) STRICT;
CREATE TABLE outbox (
    charge_id   TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL UNIQUE,
    save_seq    INTEGER NOT NULL UNIQUE,
    total_minor INTEGER NOT NULL,
    wall_ms     INTEGER NOT NULL,
    body        BLOB NOT NULL,
    sha256      TEXT NOT NULL,
    prev        TEXT NOT NULL,
    signature   BLOB NOT NULL,
    key_id      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'rejected'))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (save_seq) WHERE state = 'waiting';
CREATE TABLE receipt (
    charge_id TEXT PRIMARY KEY REFERENCES outbox (charge_id),
    verdict   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    wall_ms   INTEGER NOT NULL
) STRICT;
CREATE TABLE command (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;
"""

ADD_ENTRY = (
    "INSERT INTO journal (save_seq, trip_id, kind, ref, product_id, amount_minor, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class StoreFailed(Exception):
    """The disk would not take it (full, I/O error, damaged); nothing of the transaction is kept. May be tried again."""


class StoredCharge(NamedTuple):
    """The exact bytes of a charge, with their signature and the id of the key that made it."""

    body: bytes
    signature: bytes
    key_id: str


class OutboxLine(NamedTuple):
    """A row of the outbox, for people; verdict and position are "" and 0 without a receipt."""

    charge_id: str
    seq: int
    total_minor: int
    wall_ms: int
    sha256: str
    state: str
    verdict: str
    position: int


class Identity(NamedTuple):
    """Who signs for which cart: what a charge needs that the core does not know."""

    origin: messages.Origin
    signer: Signer


class Database:
    """The cart's database, open. Methods may be called from any thread; each waits its turn."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        """Take a connection that `connect` made and whose schema is in place."""
        self._connection = connection
        self._clock = clock
        self._turn = threading.RLock()
        (self.incarnation,) = connection.execute("SELECT incarnation FROM identity").fetchone()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._turn:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction: all of it is on the disk afterwards, or none of it is in the file.

        Raises StoreFailed for what the disk did; a broken rule of the schema is a programmer's mistake and passes.
        """
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                self._roll_back()
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, MISTAKES):
                    raise StoreFailed(str(error)) from error
                raise

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:  # some errors end the transaction by themselves
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            log.warning("DATABASE-BAD: rollback: %s", error)

    def restored(self, t_ns: int, wall_ms: int) -> Restored:
        """Return the first event of a run: the trip that was open and the charges without a receipt."""
        with self._turn:
            run = self._connection.execute
            row = run("SELECT save_seq, trip FROM snapshot").fetchone()
            (charge_seq,) = run("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()
            waiting = run(
                "SELECT charge_id, save_seq, sha256, total_minor, wall_ms FROM outbox WHERE state = 'waiting'"
                " ORDER BY save_seq"
            ).fetchall()
            save_seq, trip = (row[0], self._open_trip(*row)) if row else (0, None)
            charge_id = trip.charge_id if trip else ""
            receipt = run("SELECT verdict FROM receipt WHERE charge_id = ?", (charge_id,)).fetchone()
            legal = legal_log.last_numbers(self._connection)
        outbox = tuple(OutboxRow(*values) for values in waiting)
        verdict = receipt[0] if receipt else ""
        return Restored(t_ns, wall_ms, self.incarnation, trip, save_seq, charge_seq, outbox, verdict, *legal)

    def _open_trip(self, save_seq: int, data: bytes) -> Trip | None:
        """Return the stored trip; None for an idle cart, and for a trip of another version, which is kept beside.

        A trip that cannot be read must not keep the cart, and the charges that wait in it, from starting.
        """
        try:
            trip = codec.decode(data)
        except ValueError as error:
            (_, _, file) = self._connection.execute("PRAGMA database_list").fetchone()
            kept = Path(file).with_name(f"trip-unreadable-{save_seq}.json")
            try:
                kept.write_bytes(data)
            except OSError as refused:
                raise Fault("DATABASE-BAD", f"the stored trip cannot be read ({error}) or kept: {refused}") from None
            log.error("TRIP-UNREADABLE: %s; kept as %s", error, kept)
            return None
        assert isinstance(trip, Trip)
        return trip

    def save(self, effect: Save, signer: Signer | None = None) -> None:
        """Store journal entries, trip and records in one transaction; a transaction number seen before changes nothing.

        signer  signs records of trade weighing; needed where the effect has any
        """
        with self.transaction() as connection:
            _store_trip(connection, effect, signer)

    def commit_sale(self, effect: CommitSale, identity: Identity) -> str:
        """Store journal, trip and signed charge in one transaction; return the SHA-256 of the charge's bytes.

        Committing the same charge id again returns the hash of the first time and changes nothing.
        """
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT sha256 FROM outbox WHERE charge_id = ?", (effect.charge.charge_id,)
            ).fetchone()
            if row:
                return str(row[0])
            _store_trip(connection, effect, identity.signer)
            return _store_charge(connection, effect.charge, effect.seq, self.incarnation, identity)

    def close_charge(self, effect: CloseCharge) -> None:
        """Mark the charge as done or rejected, and keep what the store said. An unknown charge changes nothing."""
        state = "rejected" if effect.verdict == "rejected" else "done"
        with self.transaction() as connection:
            found = connection.execute(
                "UPDATE outbox SET state = ? WHERE charge_id = ? AND state = 'waiting'", (state, effect.charge_id)
            )
            if found.rowcount:
                connection.execute(
                    "INSERT INTO receipt VALUES (?, ?, ?, ?)",
                    (effect.charge_id, effect.verdict, effect.position, self._clock.wall_ms()),
                )

    def take_command(self, seq: int) -> bool:
        """Return True, once, for a command number above every earlier one: a replayed command is not obeyed."""
        with self.transaction() as connection:
            (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM command").fetchone()
            if seq <= last:
                return False
            connection.execute("INSERT OR REPLACE INTO command VALUES (1, ?)", (seq,))
            return True

    def outbox_row(self, charge_id: str) -> StoredCharge | None:
        """Return the bytes, signature and key id of a charge, or None for an unknown one."""
        with self._turn:
            row = self._connection.execute(
                "SELECT body, signature, key_id FROM outbox WHERE charge_id = ?", (charge_id,)
            ).fetchone()
        return StoredCharge(*row) if row else None

    def legal_records(self, cart: Verifier) -> tuple[Alibi | LegalEvent, ...]:
        """Return every record of trade weighing, oldest first, all checked against the cart's key; LEGAL-LOG-BAD."""
        with self._turn:
            try:
                return legal_log.read(self._connection, cart)
            except (BadLogError, sqlite3.DatabaseError) as error:
                raise Fault("LEGAL-LOG-BAD", str(error)) from None

    def outbox_lines(self) -> list[OutboxLine]:
        """Return every charge that the cart still keeps, oldest first."""
        with self._turn:
            rows = self._connection.execute(
                "SELECT outbox.charge_id, seq, total_minor, outbox.wall_ms, sha256, state,"
                " coalesce(verdict, ''), coalesce(position, 0) FROM outbox LEFT JOIN receipt USING (charge_id)"
                " ORDER BY seq"
            ).fetchall()
        return [OutboxLine(*row) for row in rows]


def open_database(path: Path, clock: Clock, random_hex: Callable[[int], str]) -> Database:
    """Return the database at `path`, made with a fresh incarnation where there is none.

    random_hex  returns n random bytes as 2 n hex digits (secrets.token_hex); called only for a new file

    Raises DATABASE-BAD where it cannot be opened or is newer than this program. A damaged file is moved aside, never
    deleted, and then DATABASE-BAD says where to: it may hold charges that no store has seen. The next start makes a
    new database, with a new incarnation, so that its numbers cannot collide with the old ones.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(path)
        try:
            _check(connection, path)
            _make_schema(connection, clock, random_hex)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise Fault("DATABASE-BAD", f"{path}: {error}") from None
        raise Fault("DATABASE-BAD", f"{path}: {error}; {_set_aside(path, clock)}") from None
    except OSError as error:
        raise Fault("DATABASE-BAD", f"{path}: {error.strerror}") from None
    return Database(connection, clock)


def look_into(path: Path, clock: Clock) -> Database:
    """Return the database at `path` for reading only, beside a running daemon; DATABASE-MISSING or DATABASE-BAD.

    Not a byte of the file changes, whatever it is: a damaged one is evidence.
    """
    if not path.exists():
        raise Fault("DATABASE-MISSING", str(path))
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1_000, isolation_level=None
        )
        try:
            return Database(connection, clock)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise Fault("DATABASE-BAD", f"{path}: {error}") from None


def files_set_aside(path: Path) -> list[Path]:
    """Return the damaged databases that were moved away from `path`, oldest first."""
    found = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(file for file in found if not file.name.endswith(("-wal", "-shm")))


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection with the settings that the money needs, each asked back; never another one to write with."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1_000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
            if value != wanted:
                raise sqlite3.OperationalError(f"{pragma} is {value}, not {wanted}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _Damaged(" ".join(found.split()))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > USER_VERSION:
        raise Fault("DATABASE-BAD", f"{path}: schema {version} is newer than this program's {USER_VERSION}")


class _Damaged(sqlite3.DatabaseError):
    """quick_check found damage."""


def _make_schema(connection: sqlite3.Connection, clock: Clock, random_hex: Callable[[int], str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == USER_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # a power cut leaves all of the schema or what was there before
    if version == 0:
        for statement in SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        values = (random_hex(INCARNATION_BYTES), clock.wall_ms())
        connection.execute("INSERT INTO identity VALUES (1, ?, ?)", values)
    for statement in legal_log.SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {USER_VERSION}")
    connection.execute("COMMIT")


def _store_trip(connection: sqlite3.Connection, effect: Save | CommitSale, signer: Signer | None) -> None:
    (last,) = connection.execute("SELECT coalesce(max(save_seq), 0) FROM snapshot").fetchone()
    if effect.seq <= last:
        log.info("transaction %d is stored already, the last is %d", effect.seq, last)
        return
    trip_id = effect.trip.trip_id
    rows = ((effect.seq, trip_id, e.kind, e.ref, e.product_id, e.amount_minor, e.text) for e in effect.entries)
    connection.executemany(ADD_ENTRY, rows)
    legal_log.append(connection, effect, signer)
    connection.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)", (effect.seq, codec.encode(effect.trip)))


def _store_charge(
    connection: sqlite3.Connection, charge: Charge, save_seq: int, incarnation: str, identity: Identity
) -> str:
    last = connection.execute("SELECT sha256 FROM outbox ORDER BY seq DESC LIMIT 1").fetchone()
    prev = last[0] if last else ""
    body = messages.charge_body(charge, identity.origin, incarnation, prev)
    sha256 = messages.sha256_of(body)
    connection.execute(
        "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
        (
            charge.charge_id,
            charge.seq,
            save_seq,
            charge.total_minor,
            charge.wall_ms,
            body,
            sha256,
            prev,
            identity.signer.sign(body),
            identity.signer.key_id,
        ),
    )
    return sha256


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, _Damaged) or getattr(error, "sqlite_errorcode", None) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def _set_aside(path: Path, clock: Clock) -> str:
    """Move the damaged file and its journal away; return in words where to."""
    target = path.with_name(f"{path.name}.damaged-{clock.wall_ms()}")
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(target.with_name(target.name + suffix))
    log.critical("DATABASE-BAD: damaged, kept as %s", target)
    return f"kept as {target.name}"
