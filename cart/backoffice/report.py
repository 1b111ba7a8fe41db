"""What people and scripts see of the ledger: charges, and the numbers that are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cart.backoffice.ledger import LedgerRow, QuarantineRow
from cart.wire.messages import ChargeDocument, int64, read_body

RANGES_MAX = 20
"""Most missing ranges that are listed for one cart."""


def charge_report(row: LedgerRow) -> dict[str, Any]:
    """Return one charge as plain values; amounts in minor units."""
    document = read_body(row.body, ChargeDocument)
    lines = [
        {
            "product_id": line.product_id,
            "name": line.name,
            "sold_by": line.sold_by,
            "mass_mg": line.mass_mg,
            "unit_price_minor": int64(line.unit_price_minor),
            "amount_minor": int64(line.amount_minor),
        }
        for line in document.lines
    ]
    return {
        "charge_id": row.charge_id,
        "cart": row.cart,
        "incarnation": row.incarnation,
        "seq": row.seq,
        "total_minor": row.total_minor,
        "currency": row.currency,
        "lines": lines,
        "flags": list(document.flags),
        "received_at": utc_text(row.received_ms),
        "body_sha256": row.body_sha256,
        "position": row.position,
        "deliveries": row.deliveries,
    }


def quarantine_report(row: QuarantineRow) -> dict[str, Any]:
    """Return one message of the quarantine as plain values."""
    return {
        "received_at": utc_text(row.received_ms),
        "topic": row.topic,
        "reason": row.reason,
        "bytes": row.bytes,
        "sha256": row.sha256,
    }


def gap_reports(rows: Iterable[LedgerRow]) -> list[dict[str, Any]]:
    """Return, for each cart and incarnation, what came and what is missing: a gap means that something was lost.

    Numbers run from 1 within an incarnation. `contiguous` is the highest number up to which all are there; `missing`
    lists ranges [first, last]; `unchained` lists numbers whose charge does not name the hash of the one before it.
    What is missing above the highest number only the cart's outbox can tell.
    """
    numbers: dict[tuple[str, str, str, str], list[LedgerRow]] = defaultdict(list)
    for row in rows:
        numbers[row.chain, row.store, row.cart, row.incarnation].append(row)
    return [_gap_report(*key, found) for key, found in sorted(numbers.items())]


def missing_ranges(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """Return the ranges between 1 and the highest of `seqs` that are not among them."""
    missing, expected = [], 1
    for seq in sorted(seqs):
        if seq > expected:
            missing.append((expected, seq - 1))
        expected = seq + 1
    return missing


def unchained(rows: list[LedgerRow]) -> list[int]:
    """Return the numbers of one incarnation whose charge names another predecessor than the ledger holds."""
    hashes = {0: ""} | {row.seq: row.body_sha256 for row in rows}
    known = [row for row in rows if row.seq - 1 in hashes]
    return sorted(row.seq for row in known if read_body(row.body, ChargeDocument).prev != hashes[row.seq - 1])


def utc_text(unix_ms: int) -> str:
    """Return Unix time in ms as RFC 3339 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(unix_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1_000:03d}Z"


def _gap_report(chain: str, store: str, cart: str, incarnation: str, rows: list[LedgerRow]) -> dict[str, Any]:
    missing = missing_ranges(row.seq for row in rows)
    highest = max(row.seq for row in rows)
    return {
        "chain": chain,
        "store": store,
        "cart": cart,
        "incarnation": incarnation,
        "count": len(rows),
        "sum_minor": sum(row.total_minor for row in rows),
        "highest": highest,
        "contiguous": missing[0][0] - 1 if missing else highest,
        "missing_count": sum(last - first + 1 for first, last in missing),
        "missing": [list(part) for part in missing[:RANGES_MAX]],
        "unchained": unchained(rows)[:RANGES_MAX],
    }
