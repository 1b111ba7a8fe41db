"""Charges on their way to the store: the outbox as values, and when to publish which.

A broker is a lossy pipe: it may forget what it acknowledged. So a charge leaves the outbox only when the store signed a
receipt for exactly its bytes; everything else is a hint about when to try again.

    on disk ---> due ---publish--> in flight ---PUBACK or refusal--> waiting ---retry is due--> due
                  ^                   |                                 |
                  +---broker up-------+------------broker down----------+     receipt that matches, in any state: done

Four rules keep a weak network from becoming a storm of duplicates:

* nothing is published again while the client library still holds it (`in_flight`);
* a first publish takes one of WINDOW places, and gives it back at its receipt or its first retry, so that a long outbox
  drains at the pace of the receipts and charges that never get one cannot block the ones behind them;
* retries back off from 2 s, doubling to 30 s, and to 300 s once a charge went unanswered for minutes;
* the delays differ from charge to charge and from try to try, yet a replay finds the same ones: they are computed from
  the charge's id, not drawn.

When the broker comes back the schedule starts over, so that the outbox drains within a minute of the last fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core.effects import CloseCharge, Effect, Note, Publish
from cart.core.events import BrokerDown, BrokerUp, Delivered, Receipted, Restored, Saved

WINDOW = 10
"""Most charges that are in flight, or published once and not yet due again."""

FIRST_RETRY_NS = 2_000_000_000
RETRY_MAX_NS = 30_000_000_000
RETRY_LONG_NS = 300_000_000_000

PATIENT_ATTEMPTS = 8
"""Publishes on one connection, about two and a half minutes, before RETRY_LONG_NS is waited between them."""

JITTER_PERMILLE = 250
"""Most that is added to a delay."""

VERDICTS = frozenset({"accepted", "duplicate", "rejected"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A charge that is on disk and has no receipt.

    seq        number of the transaction that stored it: the order of the outbox
    attempts   publishes on this connection; 0 was never tried on it, or only before the daemon's start
    next_ns    monotonic time before which it is not published again
    in_flight  the client library holds it: neither acknowledged nor given up
    """

    charge_id: str
    seq: int
    sha256: str
    total_minor: int
    wall_ms: int
    attempts: int = 0
    next_ns: int = 0
    in_flight: bool = False


@dataclass(frozen=True, slots=True)
class Sync:
    """The outbox, oldest charge first, and whether the broker is there.

    down_since_ns  when the broker was lost, or the run's start; means nothing while online
    """

    online: bool = False
    outbox: tuple[Outgoing, ...] = ()
    down_since_ns: int = 0


Step = tuple[Sync, tuple[Effect, ...]]


def restored(event: Restored) -> Sync:
    """Return the outbox as the database held it: offline, and everything due once the broker is there."""
    rows = sorted(event.outbox, key=lambda row: row.seq)
    outbox = tuple(Outgoing(row.charge_id, row.seq, row.sha256, row.total_minor, row.wall_ms) for row in rows)
    return Sync(outbox=outbox, down_since_ns=event.t_ns)


def committed(sync: Sync, saved: Saved, total_minor: int, wall_ms: int) -> Step:
    """Return the outbox with the charge that `saved` put on disk, published at once if there is room in the window.

    A charge that is already in the outbox changes nothing, so a commit may be confirmed twice.
    """
    assert saved.charge_id, "the transaction held no charge"
    if _find(sync, saved.charge_id) is not None:
        return sync, ()
    charge = Outgoing(saved.charge_id, saved.seq, saved.sha256, total_minor, wall_ms, next_ns=saved.t_ns)
    return ticked(replace(sync, outbox=(*sync.outbox, charge)), saved.t_ns)


def changed(sync: Sync, event: BrokerUp | BrokerDown | Delivered | Receipted) -> Step:
    """Return the outbox after what the broker or the store said, and what to do about it."""
    match event:
        case BrokerUp():
            return _came_up(sync, event.t_ns)
        case BrokerDown():
            return _went_down(sync, event.t_ns), ()
        case Delivered():
            return _delivered(sync, event)
        case Receipted():
            return _receipted(sync, event)


def ticked(sync: Sync, t_ns: int) -> Step:
    """Publish what is due, as far as the window allows; fewest attempts first, then the oldest.

    So retries wait while first tries fill the window: a cart that sells faster than the store answers does not add
    duplicates to its backlog. A cart sells once in half an hour, so no retry waits long.
    """
    if not sync.online:
        return sync, ()
    due = [charge for charge in sync.outbox if not charge.in_flight and charge.next_ns <= t_ns]
    if not due:
        return sync, ()
    due.sort(key=lambda charge: (charge.attempts, charge.seq))
    room = WINDOW - sum(_holds_a_place(charge, t_ns) for charge in sync.outbox)
    published = tuple(_published(charge, t_ns) for charge in due[: max(room, 0)])
    return _with(sync, published), tuple(Publish(charge.charge_id, charge.attempts) for charge in published)


def retry_delay_ns(charge_id: str, attempt: int) -> int:
    """Return how long after publish number `attempt` (from 1) the next one of this charge may follow, in ns."""
    assert attempt >= 1
    if attempt > PATIENT_ATTEMPTS:
        delay_ns = RETRY_LONG_NS
    else:
        delay_ns = min(FIRST_RETRY_NS << (attempt - 1), RETRY_MAX_NS)
    return delay_ns + delay_ns * (_spread(charge_id, attempt) % (JITTER_PERMILLE + 1)) // 1_000


def _came_up(sync: Sync, t_ns: int) -> Step:
    return ticked(replace(sync, online=True, outbox=tuple(_started_over(c, t_ns) for c in sync.outbox)), t_ns)


def _started_over(charge: Outgoing, t_ns: int) -> Outgoing:
    if charge.attempts == 0:
        return replace(charge, next_ns=t_ns, in_flight=False)
    # It was sent before the outage: its receipt may already be on the way, so it waits one short delay for it.
    return replace(charge, attempts=1, next_ns=t_ns + retry_delay_ns(charge.charge_id, 1), in_flight=False)


def _went_down(sync: Sync, t_ns: int) -> Sync:
    # The client library's memory goes with its connection, so it holds nothing any more.
    outbox = tuple(replace(charge, in_flight=False) for charge in sync.outbox)
    return Sync(online=False, outbox=outbox, down_since_ns=t_ns if sync.online else sync.down_since_ns)


def _delivered(sync: Sync, event: Delivered) -> Step:
    charge = _find(sync, event.charge_id)
    if charge is None or not charge.in_flight:
        return sync, ()
    next_ns = event.t_ns + retry_delay_ns(charge.charge_id, charge.attempts)
    after = _with(sync, (replace(charge, in_flight=False, next_ns=next_ns),))
    if event.ok:
        return after, ()
    return after, (Note("PUBLISH-REFUSED", "warning", f"charge {charge.charge_id}: {event.reason}"),)


def _receipted(sync: Sync, event: Receipted) -> Step:
    charge = _find(sync, event.charge_id)
    if charge is None:  # receipts are replayable: this charge is done
        return sync, ()
    if event.sha256 != charge.sha256 or event.verdict not in VERDICTS:
        return sync, (Note("RECEIPT-MISMATCH", "error", _mismatch(charge, event)),)
    rest = replace(sync, outbox=tuple(other for other in sync.outbox if other is not charge))
    after, more = ticked(rest, event.t_ns)
    effects: tuple[Effect, ...] = (CloseCharge(charge.charge_id, event.verdict, event.position),)
    if event.verdict == "rejected":
        # The money is not lost: the database keeps the row as rejected until staff settle it.
        effects += (Note("CHARGE-REJECTED", "error", f"charge {charge.charge_id}: {event.reason}"),)
    return after, effects + more


def _mismatch(charge: Outgoing, event: Receipted) -> str:
    return (
        f"charge {charge.charge_id}: stored sha256 {charge.sha256[:16]}, "
        f"receipt says {event.verdict} for {event.sha256[:16]}"
    )


def _find(sync: Sync, charge_id: str) -> Outgoing | None:
    return next((charge for charge in sync.outbox if charge.charge_id == charge_id), None)


def _holds_a_place(charge: Outgoing, t_ns: int) -> bool:
    return charge.in_flight or (charge.attempts == 1 and charge.next_ns > t_ns)


def _published(charge: Outgoing, t_ns: int) -> Outgoing:
    attempts = charge.attempts + 1
    return replace(charge, attempts=attempts, in_flight=True, next_ns=t_ns + retry_delay_ns(charge.charge_id, attempts))


def _with(sync: Sync, charges: tuple[Outgoing, ...]) -> Sync:
    new = {charge.charge_id: charge for charge in charges}
    return replace(sync, outbox=tuple(new.get(charge.charge_id, charge) for charge in sync.outbox))


def _spread(charge_id: str, attempt: int) -> int:
    """Return 32 bits that differ between charges and attempts (FNV-1a), the same on every machine."""
    bits = 0x811C9DC5
    for character in f"{charge_id}/{attempt}":
        bits = ((bits ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
    return bits >> 7  # the low bits of FNV-1a mix least
