"""A database and a store in memory, for virtual runs: answers the core's effects as the real ones would.

It keeps what the real ones keep: the saved trip, the outbox, the ledger. The
real database, broker and back office are met on the live bench and in the
chaos tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from cart.core.effects import CloseCharge, CommitSale, Effect, Publish, Save
from cart.core.events import Delivered, Event, OutboxRow, Receipted, Restored, Saved
from cart.core.legal_record import Alibi, LegalEvent
from cart.core.trip import Charge, Trip
from cart.wire import codec

SAVE_NS = 5_000_000
PUBACK_NS = 20_000_000
RECEIPT_NS = 60_000_000

Reply = tuple[int, Callable[[int], Event]]
"""How long after the effect, and the event made with the moment it arrives."""


class Backstore:
    """The cart's database and the store's ledger.

    connected  whether the network carries anything
    ledger     charges that the store signed for, in order
    alibis     records of trade weighings, in order;  legal_events: the same
    """

    def __init__(self) -> None:
        self.connected = True
        self.trip: Trip | None = None
        self.save_seq = 0
        self.charge_seq = 0
        self.outbox: dict[str, OutboxRow] = {}
        self.charges: dict[str, Charge] = {}
        self.ledger: list[Charge] = []
        self.verdicts: dict[str, str] = {}
        self.alibis: list[Alibi] = []
        self.legal_events: list[LegalEvent] = []
        self._before: tuple[int, Trip | None, int, int, dict[str, OutboxRow]] | None = None

    def restored(self, t_ns: int, wall_ms: int) -> Restored:
        """Return the first event of a run on this database."""
        return Restored(
            t_ns=t_ns,
            wall_ms=wall_ms,
            incarnation="00000000000000a1",
            trip=self.trip,
            save_seq=self.save_seq,
            charge_seq=self.charge_seq,
            outbox=tuple(self.outbox.values()),
            verdict=self.verdicts.get(self.trip.charge_id if self.trip else "", ""),
            alibi_id=max((x.id for x in self.alibis), default=0),
            legal_counter=self.legal_events[-1].counter if self.legal_events else 0,
            legal_parameters=self.legal_events[-1].after if self.legal_events else "",
        )

    def forget_unconfirmed(self, t_ns: int) -> None:
        """Let the power fail at t_ns: the newest transaction, unless it is confirmed by then, never was."""
        if self._before is not None and t_ns < self._before[0]:
            _, self.trip, self.save_seq, self.charge_seq, self.outbox = self._before

    def answer(self, effect: Effect, t_ns: int) -> list[Reply]:
        """Carry out one effect at t_ns and return the replies it will have."""
        if isinstance(effect, Save | CommitSale):
            self._before = (t_ns + SAVE_NS, self.trip, self.save_seq, self.charge_seq, dict(self.outbox))
        match effect:
            case Save(seq=seq):
                self._save(effect)
                return [(SAVE_NS, lambda t_ns: Saved(t_ns, seq))]
            case CommitSale():
                return [self._commit(effect)]
            case Publish(charge_id=charge_id) if self.connected and charge_id in self.charges:
                return self._publish(charge_id)
            case CloseCharge(charge_id=charge_id, verdict=verdict):
                self.verdicts[charge_id] = verdict
                self.outbox.pop(charge_id, None)
        return []

    def _save(self, effect: Save | CommitSale) -> None:
        assert effect.seq > self.save_seq, "transactions are numbered upwards"
        self.save_seq, self.trip = effect.seq, effect.trip
        self.alibis += effect.alibis
        self.legal_events += effect.legal_events

    def _commit(self, effect: CommitSale) -> Reply:
        charge, digest = effect.charge, sha256(codec.encode(effect)).hexdigest()
        self._save(effect)
        self.charge_seq = charge.seq
        self.charges[charge.charge_id] = charge
        row = OutboxRow(charge.charge_id, charge.seq, digest, charge.total_minor, charge.wall_ms)
        self.outbox[charge.charge_id] = row
        return SAVE_NS, lambda t_ns: Saved(t_ns, effect.seq, charge.charge_id, digest)

    def _publish(self, charge_id: str) -> list[Reply]:
        verdict = "duplicate" if any(c.charge_id == charge_id for c in self.ledger) else "accepted"
        if verdict == "accepted":
            self.ledger.append(replace(self.charges[charge_id]))
        position = 1 + next(n for n, c in enumerate(self.ledger) if c.charge_id == charge_id)
        digest = self.outbox[charge_id].sha256 if charge_id in self.outbox else ""
        return [
            (PUBACK_NS, lambda t_ns: Delivered(t_ns, charge_id)),
            (RECEIPT_NS, lambda t_ns: Receipted(t_ns, charge_id, digest, verdict, position)),
        ]
