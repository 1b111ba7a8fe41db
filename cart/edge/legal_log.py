"""The append-only log of trade weighing inside the cart's database: what `database.py` runs in its transactions.

Nothing here opens a file or a transaction: a record is stored with the line it belongs to or not at all, and a disk
that takes none keeps the trip waiting too (the core then prices nothing more). Triggers refuse UPDATE, DELETE and
REPLACE; whoever removes them still lacks the cart's key, and what is cut from the end is missed by the charges.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from cart.wire.alibi import NO_SHA256, BadLogError, LogLine, check, event_of, log_line

if TYPE_CHECKING:
    from cart.core.effects import CommitSale, Save
    from cart.core.legal_record import Alibi, LegalEvent
    from cart.edge.keys import Signer, Verifier


log = logging.getLogger("cart.legal")


class Connection(Protocol):
    """What is needed of the database's connection; `database.py` alone owns sqlite3."""

    def execute(self, sql: str, parameters: tuple[Any, ...] = ..., /) -> Any:
        """Run one statement."""
        ...


SCHEMA = (
    """
CREATE TABLE legal_log (
    id        INTEGER PRIMARY KEY,
    save_seq  INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    number    INTEGER NOT NULL,
    body      BLOB NOT NULL,
    crc       TEXT NOT NULL,
    sha256    TEXT NOT NULL UNIQUE,
    signature BLOB NOT NULL,
    key_id    TEXT NOT NULL,
    UNIQUE (kind, number)
) STRICT""",
    "CREATE TRIGGER legal_log_is_not_changed BEFORE UPDATE ON legal_log BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    "CREATE TRIGGER legal_log_is_not_cut BEFORE DELETE ON legal_log BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    # INSERT OR REPLACE deletes what is in its way without asking the trigger above.
    "CREATE TRIGGER legal_log_is_not_replaced BEFORE INSERT ON legal_log WHEN EXISTS (SELECT 1 FROM legal_log"
    " WHERE id = NEW.id OR sha256 = NEW.sha256 OR (kind = NEW.kind AND number = NEW.number))"
    " BEGIN SELECT RAISE(ABORT, 'append-only'); END",
)
"""What version 2 of the schema adds."""


def append(connection: Connection, effect: Save | CommitSale, signer: Signer | None) -> None:
    """Append the effect's records, signed by the cart, in the transaction that is open."""
    records: tuple[Alibi | LegalEvent, ...] = (*effect.legal_events, *effect.alibis)
    for record in records:
        assert signer is not None, "records of trade weighing are signed"
        row = connection.execute("SELECT sha256 FROM legal_log ORDER BY id DESC LIMIT 1").fetchone()
        line = log_line(record, row[0] if row else NO_SHA256)
        connection.execute(
            "INSERT INTO legal_log (save_seq, kind, number, body, crc, sha256, signature, key_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (effect.seq, *_columns(line), signer.sign(line.body), signer.key_id),
        )


def last_numbers(connection: Connection) -> tuple[int, int, str]:
    """Return the last alibi's number, the event counter, and what prices rested on then; 0, 0, "" for none."""
    (alibi_id,) = connection.execute("SELECT coalesce(max(number), 0) FROM legal_log WHERE kind = 'Alibi'").fetchone()
    row = connection.execute(
        "SELECT number, body FROM legal_log WHERE kind = 'LegalEvent' ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return alibi_id, 0, ""
    try:
        return alibi_id, row[0], event_of(row[1]).after
    except ValueError as error:  # the cart starts, and records that what prices rest on is not known to be the same
        log.error("LEGAL-LOG-BAD: event %d: %s", row[0], error)
        return alibi_id, row[0], ""


NAMED = """
SELECT coalesce(max(CAST(json_extract(line.value, '$.alibi_id') AS INTEGER)), 0) FROM (
    SELECT CAST(body AS TEXT) AS text, '$.lines' AS place FROM outbox
    UNION ALL SELECT CAST(trip AS TEXT), '$.v.lines' FROM snapshot
) AS kept, json_each(kept.text, kept.place) AS line"""
"""The last record that a charge or the open trip names."""


def read(connection: Connection, cart: Verifier) -> tuple[Alibi | LegalEvent, ...]:
    """Return every record, oldest first; BadLogError names the first bad one.

    cart  its key: a chain can be made anew by anybody, its signatures cannot

    Checked are the chain, each signature, and that no charge and not the open trip names a record that is gone.
    """
    rows = connection.execute("SELECT kind, number, body, crc, sha256, signature, key_id FROM legal_log ORDER BY id")
    lines = []
    for position, (*line, signature, key_id) in enumerate(rows, 1):
        lines.append(LogLine(*line))
        if key_id != cart.key_id:
            raise BadLogError(position, f"signed with key {key_id}, not with this cart's {cart.key_id}")
        if not cart.verify(line[2], signature):
            raise BadLogError(position, "the signature does not fit: it was changed")
    records = check(lines)
    (named,) = connection.execute(NAMED).fetchone()
    last = max((line.number for line in lines if line.kind == "Alibi"), default=0)
    if named > last:
        raise BadLogError(len(lines) + 1, f"missing: Alibi {named} is on a bill, the last here is {last}")
    return records


def _columns(line: LogLine) -> tuple[str, int, bytes, str, str]:
    return line.kind, line.number, line.body, line.crc, line.sha256
