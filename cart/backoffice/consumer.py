"""One message from a cart: believed or not, kept once, answered with a signed receipt.

    payload -> envelope -> signature of this cart's key -> document -> arithmetic -> ledger -> receipt

Only what a registered cart signed gets an answer: to sign something for a forger, even a refusal, would be a gift. The
caller acknowledges the charge to the broker only after the receipt went out; until then the broker brings it again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cart.backoffice.keys import Registry, StoreKey
from cart.backoffice.ledger import Ledger, Taken
from cart.wire import messages
from cart.wire.messages import ChargeDocument, Origin, ReceiptDocument, Sealed

if TYPE_CHECKING:
    from cart.clock import SystemClock

log = logging.getLogger("cart.backoffice")


class Answer(NamedTuple):
    """A message to send back."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Consumer:
    """Takes charges into a ledger."""

    ledger: Ledger
    registry: Registry
    key: StoreKey
    clock: SystemClock

    def take(self, topic: str, payload: bytes) -> Answer | None:
        """Return the receipt to send, or None for a message that was not believed and went to quarantine.

        Raises Fault LEDGER-BAD when the ledger cannot store it: then nothing may be acknowledged.
        """
        received_ms = self.clock.wall_ms()
        try:
            origin, sealed, charge = self._believe(topic, payload)
        except ValueError as error:
            self.ledger.quarantine(topic, payload, str(error), received_ms)
            return None
        taken = self._book(charge, sealed, received_ms)
        if taken.verdict == "rejected":
            self.ledger.quarantine(topic, payload, taken.reason, received_ms)
        log.info("charge %s of %s: %s at %d", charge.charge_id, origin.cart, taken.verdict, taken.position)
        return Answer(messages.topic_of(origin, "down/receipt"), self._receipt(charge, sealed, taken, received_ms))

    def _believe(self, topic: str, payload: bytes) -> tuple[Origin, Sealed, ChargeDocument]:
        origin, tail = messages.parse_topic(topic)
        if tail != "up/charge":
            raise ValueError("not a charge's topic")
        sealed = messages.unseal(payload, messages.UP_BYTES_MAX)
        self.registry.verify(origin.cart, sealed.key_id, sealed.body, sealed.signature)
        charge = messages.read_body(sealed.body, ChargeDocument)
        if Origin(charge.chain, charge.store, charge.cart) != origin:
            raise ValueError("the charge is of another cart than its topic")
        return origin, sealed, charge

    def _book(self, charge: ChargeDocument, sealed: Sealed, received_ms: int) -> Taken:
        fault = arithmetic_fault(charge)
        return Taken("rejected", 0, fault) if fault else self.ledger.take(charge, sealed, received_ms)

    def _receipt(self, charge: ChargeDocument, sealed: Sealed, taken: Taken, received_ms: int) -> bytes:
        receipt = ReceiptDocument(
            chain=charge.chain,
            store=charge.store,
            cart=charge.cart,
            incarnation=charge.incarnation,
            charge_id=charge.charge_id,
            sha256=messages.sha256_of(sealed.body),
            verdict=taken.verdict,
            position=str(taken.position),
            reason=taken.reason,
            wall_ms=str(received_ms),
        )
        body = messages.body_of(receipt)
        return messages.seal(body, self.key.sign(body), self.key.key_id)


def arithmetic_fault(charge: ChargeDocument) -> str:
    """Return why a signed charge cannot be booked, or "": numbers beyond 64 bits, or lines that do not add up."""
    try:
        total_minor = messages.int64(charge.total_minor)
        amounts_minor = [messages.int64(line.amount_minor) for line in charge.lines]
        seq = messages.int64(charge.seq)
    except ValueError as error:
        return str(error)
    if seq < 1:
        return "the charge's number is not above 0"
    if sum(amounts_minor) != total_minor:
        return f"the lines add up to {sum(amounts_minor)}, the total says {total_minor}"
    return ""
