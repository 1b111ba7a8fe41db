"""What the store says to this cart: verified first, understood second.

A broken broker can delay, drop or replay, but not forge: every message that changes state is signed by the store, over
the chain, store, cart and incarnation it is for. Commands carry an expiry and a rising number as well, so that an old
one is not obeyed again; receipts need neither, because the same receipt twice has no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cart.core.events import ExitSeen, Receipted
from cart.wire import messages
from cart.wire.messages import CommandDocument, Origin, ReceiptDocument

if TYPE_CHECKING:
    from cart.edge.keys import Verifier
    from cart.ports import Clock

COMMAND_LIFE_MS_MAX = 120_000
"""A command that would live longer is refused: a stolen one must not open the exit tomorrow."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """Reads the messages on this cart's `down` topics.

    verifiers     the store's public keys; more than one while a key is being replaced
    take_command  returns True once for a command number above every earlier one
    fresh_id      returns a new UUIDv7
    """

    origin: Origin
    incarnation: str
    verifiers: tuple[Verifier, ...]
    take_command: Callable[[int], bool]
    fresh_id: Callable[[], str]
    clock: Clock

    def read(self, topic: str, payload: bytes) -> Receipted | ExitSeen:
        """Return the event of a message; ValueError with the reason when it is refused."""
        origin, tail = messages.parse_topic(topic)
        if origin != self.origin:
            raise ValueError("for another cart's topic")
        sealed = messages.unseal(payload, messages.DOWN_BYTES_MAX)
        self._verify(sealed)
        if tail == "down/receipt":
            return self._receipt(messages.read_body(sealed.body, ReceiptDocument))
        if tail == "down/cmd":
            return self._command(messages.read_body(sealed.body, CommandDocument))
        raise ValueError("not a topic that carts listen to")

    def _verify(self, sealed: messages.Sealed) -> None:
        for verifier in self.verifiers:
            if verifier.key_id == sealed.key_id:
                if verifier.verify(sealed.body, sealed.signature):
                    return
                raise ValueError("the signature does not match")
        raise ValueError(f"signed with the unknown key {sealed.key_id}")

    def _receipt(self, receipt: ReceiptDocument) -> Receipted:
        self._is_for_us(receipt)
        return Receipted(
            t_ns=self.clock.monotonic_ns(),
            charge_id=receipt.charge_id,
            sha256=receipt.sha256,
            verdict=receipt.verdict,
            position=messages.int64(receipt.position),
            reason=receipt.reason,
        )

    def _command(self, command: CommandDocument) -> ExitSeen:
        self._is_for_us(command)
        left_ms = messages.int64(command.expires_ms) - self.clock.wall_ms()
        if left_ms <= 0:
            raise ValueError("the command has expired")
        if left_ms > COMMAND_LIFE_MS_MAX:
            raise ValueError("the command lives too long")
        if not self.take_command(messages.int64(command.seq)):
            raise ValueError("the command is a replay")
        return ExitSeen(self.clock.monotonic_ns(), "lane", self.fresh_id())

    def _is_for_us(self, document: ReceiptDocument | CommandDocument) -> None:
        if Origin(document.chain, document.store, document.cart) != self.origin:
            raise ValueError("for another cart")
        if document.incarnation != self.incarnation:
            raise ValueError("for an earlier life of this cart's database")
