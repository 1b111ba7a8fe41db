"""What a broken or hostile broker may bring, and that it changes nothing."""

from dataclasses import replace

import msgspec
import pytest

from cart.clock import ManualClock
from cart.core.events import ExitSeen, Receipted
from cart.edge.database import open_database
from cart.edge.inbox import COMMAND_LIFE_MS_MAX, Inbox
from cart.edge.keys import make_pair
from cart.wire import messages
from cart.wire.messages import CommandDocument, Origin, ReceiptDocument

ORIGIN = Origin("demo", "store-1", "cart-1")
INCARNATION = "0123456789abcdef"
WALL_MS = 1_767_225_600_000
TO = {"chain": "demo", "store": "store-1", "cart": "cart-1", "incarnation": INCARNATION}
RECEIPT = ReceiptDocument(
    **TO, charge_id="01998f3c-0000-7000-8000-000000000001", sha256="d" * 64,
    verdict="accepted", position="12", wall_ms="5",
)  # fmt: skip
COMMAND = CommandDocument(**TO, seq="1", expires_ms=str(WALL_MS + 30_000), name="exit")
RECEIPTS, COMMANDS = (messages.topic_of(ORIGIN, tail) for tail in ("down/receipt", "down/cmd"))

change = msgspec.structs.replace


@pytest.fixture
def store(tmp_path):
    return make_pair(tmp_path / "store", "store")


@pytest.fixture
def inbox(tmp_path, store):
    clock = ManualClock(77, WALL_MS)
    database = open_database(tmp_path / "cart.sqlite3", clock, lambda count: INCARNATION)
    yield Inbox(ORIGIN, INCARNATION, (store.verifier,), database.take_command, lambda: "fresh", clock)
    database.close()


def sealed(document, signer):
    body = messages.body_of(document)
    return messages.seal(body, signer.sign(body), signer.key_id)


def test_a_receipt_of_the_store_becomes_an_event(inbox, store):
    event = inbox.read(RECEIPTS, sealed(RECEIPT, store))
    assert event == Receipted(77, RECEIPT.charge_id, "d" * 64, "accepted", 12)


def test_a_receipt_may_come_again(inbox, store):
    assert inbox.read(RECEIPTS, sealed(RECEIPT, store)) == inbox.read(RECEIPTS, sealed(RECEIPT, store))


def test_an_exit_command_is_obeyed_once(inbox, store):
    assert inbox.read(COMMANDS, sealed(COMMAND, store)) == ExitSeen(77, "lane", "fresh")
    with pytest.raises(ValueError, match="replay"):
        inbox.read(COMMANDS, sealed(COMMAND, store))
    later = change(COMMAND, seq="2")
    assert inbox.read(COMMANDS, sealed(later, store)) == ExitSeen(77, "lane", "fresh")


@pytest.mark.parametrize(("document", "reason"), [
    (change(RECEIPT, cart="cart-2"), "another cart"),
    (change(RECEIPT, store="store-2"), "another cart"),
    (change(RECEIPT, incarnation="f" * 16), "an earlier life"),
    (change(RECEIPT, verdict="perhaps"), "verdict"),
    (change(RECEIPT, position="9" * 19), "64-bit"),
    (COMMAND, "kind"),
])  # fmt: skip
def test_a_receipt_that_is_not_for_this_cart_is_refused(inbox, store, document, reason):
    with pytest.raises(ValueError, match=reason):
        inbox.read(RECEIPTS, sealed(document, store))


@pytest.mark.parametrize(("document", "reason"), [
    (change(COMMAND, cart="cart-2"), "another cart"),
    (change(COMMAND, incarnation="f" * 16), "an earlier life"),
    (change(COMMAND, expires_ms=str(WALL_MS)), "expired"),
    (change(COMMAND, expires_ms=str(WALL_MS + COMMAND_LIFE_MS_MAX + 1)), "too long"),
    (change(COMMAND, seq="0"), "replay"),
    (change(COMMAND, name="reboot"), "name"),
    (RECEIPT, "kind"),
])  # fmt: skip
def test_a_command_that_is_not_for_here_and_now_is_refused_and_uses_up_no_number(inbox, store, document, reason):
    with pytest.raises(ValueError, match=reason):
        inbox.read(COMMANDS, sealed(document, store))
    assert inbox.read(COMMANDS, sealed(COMMAND, store)) == ExitSeen(77, "lane", "fresh")


@pytest.mark.parametrize(("topic", "document"), [(RECEIPTS, RECEIPT), (COMMANDS, COMMAND)])
def test_what_the_store_did_not_sign_is_refused(inbox, store, tmp_path, topic, document):
    forger = make_pair(tmp_path / "forger", "store")
    body = messages.body_of(document)
    altered = messages.body_of(change(document, v=1, cart="cart-9"))
    for payload, reason in (
        (sealed(document, forger), "unknown key"),
        (messages.seal(body, forger.sign(body), store.key_id), "does not match"),
        (messages.seal(altered, store.sign(body), store.key_id), "does not match"),
        (messages.seal(body, b"", store.key_id), "does not match"),
        (body, "not an envelope"),
        (b"", "not an envelope"),
        (b"x" * 10_000_000, "the limit is"),
    ):
        with pytest.raises(ValueError, match=reason):
            inbox.read(topic, payload)


def test_a_message_on_another_carts_topic_is_refused(inbox, store):
    for topic in (messages.topic_of(replace(ORIGIN, cart="cart-2"), "down/receipt"), "sc/v1/x", RECEIPTS + "/x"):
        with pytest.raises(ValueError, match="topic"):
            inbox.read(topic, sealed(RECEIPT, store))


def test_a_message_on_an_up_topic_is_none_for_a_cart(inbox, store):
    with pytest.raises(ValueError, match="not a topic that carts listen to"):
        inbox.read(messages.topic_of(ORIGIN, "up/charge"), sealed(RECEIPT, store))
