"""A charge's whole way, over a real broker: committed, published, booked, receipted, closed."""

import queue
import threading
from contextlib import contextmanager

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cart.core.events import BrokerDown, BrokerUp, Delivered, MessageRefused, Receipted
from cart.edge.keys import make_pair
from cart.wire import messages

pytestmark = pytest.mark.broker

LONG_S = 40


def until_drained(cart, timeout_s=LONG_S):
    cart.run_until(lambda: cart.drained, timeout_s)


def states(cart):
    cart.writer.stop()  # the last CloseCharge is on disk then
    return [line.state for line in cart.database.outbox_lines()]


def test_a_charge_is_booked_and_receipted_and_its_row_closed(store):
    store.broker.start()
    store.open_office()
    cart = store.cart()
    cart.start()
    charge = cart.sell(1_234)
    until_drained(cart)
    (row,) = store.rows
    assert (row.charge_id, row.seq, row.total_minor, row.deliveries) == (charge.charge_id, 1, 1_234, 1)
    assert row.body == cart.database.outbox_row(charge.charge_id).body
    (line,) = [cart.database.outbox_lines()[0]]
    assert states(cart) == ["done"]
    assert line.charge_id == charge.charge_id
    assert cart.notes == []


def test_many_charges_pass_since_both_ends_acknowledge_what_they_took(store):
    """mosquitto has 20 messages under way to a client at most: without acknowledgements the 21st never comes."""
    store.broker.start()
    store.open_office()
    cart = store.cart()
    cart.start()
    for _ in range(60):
        cart.sell(10)
    until_drained(cart, 20)
    rows = store.rows
    assert [row.seq for row in rows] == list(range(1, 61))
    assert {row.deliveries for row in rows} == {1}


def test_the_broker_may_be_absent_at_the_start(store):
    cart = store.cart()
    cart.start()
    cart.sell(500)
    cart.run_until(lambda: cart.saw(BrokerDown) and len(cart.state.outbox) == 1, LONG_S)
    assert not cart.state.online
    store.broker.start()
    store.open_office()
    until_drained(cart)
    assert [row.total_minor for row in store.rows] == [500]


def test_the_same_message_twice_is_one_row_and_the_receipt_says_duplicate(store):
    store.broker.start()
    store.open_office()
    cart = store.cart()
    cart.start()
    charge = cart.sell(700)
    until_drained(cart)
    publish_raw(store, cart.origin, payload_of(cart, charge.charge_id))
    cart.run_until(lambda: sum(isinstance(event, Receipted) for event in cart.events) == 2, LONG_S)
    verdicts = [event.verdict for event in cart.events if isinstance(event, Receipted)]
    assert verdicts == ["accepted", "duplicate"]
    assert [(row.charge_id, row.deliveries) for row in store.rows] == [(charge.charge_id, 2)]


def test_a_charge_signed_by_another_key_is_quarantined_and_gets_no_receipt(store, tmp_path):
    store.broker.start()
    store.open_office()
    cart = store.cart()
    cart.start()
    until_up(cart)
    body = payload_body(cart)
    forger = make_pair(tmp_path / "forger", "cart")
    publish_raw(store, cart.origin, messages.seal(body, forger.sign(body), forger.key_id))
    publish_raw(store, cart.origin, messages.seal(body, forger.sign(body), cart.writer._identity.signer.key_id))
    publish_raw(store, cart.origin, b"not even an envelope")
    publish_raw(store, cart.origin, b"x" * (messages.UP_BYTES_MAX + 1))
    cart.sell(300)  # what comes after them is booked as ever
    until_drained(cart)
    assert [row.total_minor for row in store.rows] == [300]
    reasons = [row.reason for row in store.quarantined]
    assert len(reasons) == 4
    assert "not registered" in reasons[0]
    assert "signature does not match" in reasons[1]
    assert sum(isinstance(event, Receipted) for event in cart.events) == 1


def test_an_acknowledgement_of_the_broker_closes_nothing_and_says_when_nobody_listens(store):
    store.broker.start()
    cart = store.cart()
    cart.start()
    cart.sell(900)
    cart.run_until(lambda: cart.saw(Delivered), LONG_S)
    (delivered,) = [event for event in cart.events if isinstance(event, Delivered)]
    assert (delivered.ok, delivered.reason) == (False, "No matching subscribers")
    assert len(cart.state.outbox) == 1


def test_a_store_killed_before_it_took_the_charge_gets_it_from_the_broker_even_when_the_cart_is_off(store):
    store.broker.start()
    store.open_office()
    store.office.kill()
    cart = store.cart()
    cart.start()
    cart.sell(900)
    cart.run_until(lambda: cart.saw(Delivered), LONG_S)
    assert cart.state.outbox, "an acknowledgement of the broker must not close a charge"
    cart.stop()
    with heard_on(store, cart.origin, "down/receipt") as receipts:
        store.open_office()
        receipts.get(timeout=LONG_S)
    assert [row.total_minor for row in store.rows] == [900]
    again = store.cart()  # the broker kept the receipt for it, or it asks again: either way it is closed
    again.start()
    until_drained(again)
    assert states(again) == ["done"]


def test_a_broker_that_forgot_everything_loses_no_charge(store):
    store.broker.start()
    store.open_office()
    cart = store.cart()
    cart.start()
    until_up(cart)
    store.office.kill()
    cart.sell(100)
    cart.run_until(lambda: cart.saw(Delivered), LONG_S)
    seen = len(cart.events)
    store.broker.kill()
    store.broker.wipe()
    store.broker.start()
    store.open_office()
    cart.run_until(lambda: cart.saw(BrokerUp, seen), LONG_S)
    until_drained(cart)
    assert [row.total_minor for row in store.rows] == [100]


def test_a_restarted_cart_sends_what_its_database_remembers(store):
    cart = store.cart()
    cart.start()
    charge = cart.sell(250)
    cart.run_until(lambda: len(cart.state.outbox) == 1, LONG_S)
    cart.stop()
    store.broker.start()
    store.open_office()
    again = store.cart()
    assert [row.charge_id for row in again.state.outbox] == [charge.charge_id]
    again.start()
    until_drained(again)
    again.sell(251)
    until_drained(again)
    assert [(row.seq, row.total_minor) for row in store.rows] == [(1, 250), (2, 251)]


def test_a_rebuilt_cart_of_the_same_name_does_not_collide_with_its_old_numbers(store):
    store.broker.start()
    store.open_office()
    for folder in ("before", "rebuilt"):
        cart = store.cart(folder=folder)
        cart.start()
        cart.sell(10)
        until_drained(cart)
        cart.stop()
    assert [row.seq for row in store.rows] == [1, 1]
    assert len({row.incarnation for row in store.rows}) == 2


def test_a_receipt_that_the_store_did_not_sign_changes_nothing(store, tmp_path):
    store.broker.start()
    cart = store.cart()
    cart.start()
    charge = cart.sell(990)
    cart.run_until(lambda: cart.saw(Delivered), LONG_S)
    forger = make_pair(tmp_path / "forger", "store")
    receipt = messages.ReceiptDocument(
        chain="demo", store="store-1", cart="cart-1", incarnation=cart.database.incarnation,
        charge_id=charge.charge_id, sha256=cart.state.outbox[0].sha256, verdict="accepted", position="1", wall_ms="0",
    )  # fmt: skip
    body = messages.body_of(receipt)
    publish_raw(store, cart.origin, messages.seal(body, forger.sign(body), forger.key_id), "down/receipt")
    cart.run_until(lambda: cart.saw(MessageRefused), LONG_S)
    assert len(cart.state.outbox) == 1


def until_up(cart):
    cart.run_until(lambda: cart.saw(BrokerUp), LONG_S)


def payload_of(cart, charge_id):
    row = cart.database.outbox_row(charge_id)
    return messages.seal(row.body, row.signature, row.key_id)


def payload_body(cart):
    from cart.core.trip import Charge

    charge = Charge(cart.fresh_id(), 1, cart.fresh_id(), 1, "EUR", 0, (), (), "demo-1")
    return messages.charge_body(charge, cart.origin, cart.database.incarnation, "")


def test_a_cart_says_that_it_is_there_and_when_it_leaves_on_purpose(store):
    store.broker.start()
    cart = store.cart()
    with heard_on(store, cart.origin, "up/status") as heard:
        cart.start()
        assert messages.read_body(heard.get(timeout=LONG_S), messages.StatusDocument).online
        until_up(cart)
        cart.stop()
        assert not messages.read_body(heard.get(timeout=LONG_S), messages.StatusDocument).online


@contextmanager
def heard_on(store, origin, tail):
    """Listen to one of a cart's topics as any client of the broker can; gives a queue of payloads."""
    heard, listening = queue.Queue(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.put(message.payload)
    client.on_subscribe = lambda *_: listening.set()
    client.connect("127.0.0.1", store.broker.port)
    client.loop_start()
    client.subscribe(messages.topic_of(origin, tail), qos=1)
    assert listening.wait(LONG_S)
    yield heard
    client.disconnect()
    client.loop_stop()


def publish_raw(store, origin, payload, tail="up/charge"):
    """Publish as any client of the broker can: what arrives is up to the receiver to judge."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", store.broker.port)
    client.loop_start()
    client.publish(messages.topic_of(origin, tail), payload, qos=1).wait_for_publish(LONG_S)
    client.disconnect()
    client.loop_stop()
