"""The MQTT broker, as the cart sees it: the only owner of paho on the cart.

One thread connects, subscribes, reads and writes; callbacks run on it and only enqueue events. Each connection gets a
client of its own: paho keeps unacknowledged messages in memory and would send them again after a reconnect, beside the
core's own retries. So a charge that was in flight is simply forgotten here when the connection goes, and the outbox in
the database, not paho, remembers it.

Charges go out with QoS 1. Receipts and commands come in under a session that the broker keeps for a day, and are
acknowledged only when their event is in the loop's queue. Whatever the store did not sign for this cart and this
incarnation changes nothing and becomes `MessageRefused`.
"""

from __future__ import annotations

import logging
import queue
import random
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cart.core.effects import Effect, Publish
from cart.core.events import BrokerDown, BrokerUp, Delivered, Event, MessageRefused
from cart.edge.database import StoreFailed
from cart.edge.inbox import Inbox
from cart.wire import messages

if TYPE_CHECKING:
    from cart.edge.database import StoredCharge
    from cart.ports import Clock, Put

log = logging.getLogger("cart.broker")

QUEUE_MAX = 64
"""Publishes that wait for the thread; the core has at most `core.sync.WINDOW` first tries under way."""

SESSION_EXPIRY_S = 86_400
"""How long the broker keeps receipts for a cart that is switched off; later ones come by retry."""

WILL_DELAY_S = 30
"""How long a lost cart may reconnect before the broker tells everyone that it is gone."""

RECONNECT_FIRST_S = 1.0
RECONNECT_MAX_S = 30.0

CONNECT_TIMEOUT_S = 5.0

POLL_S = 1.0
"""Longest wait for the socket: paho looks after its keep-alive in between."""

NO_MATCHING_SUBSCRIBERS = 0x10
"""MQTT v5 reason: the broker took the message and threw it away, since nobody listens and no session keeps it."""

DOWN_TAILS = ("down/receipt", "down/cmd")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, and how long a silence may last on the way there."""

    host: str
    port: int
    keepalive_s: int = 15


class Broker:
    """Sink for Publish; source of BrokerUp, BrokerDown, Delivered and what the store says."""

    name = "broker"

    def __init__(
        self,
        address: Address,
        origin: messages.Origin,
        incarnation: str,
        outbox_row: Callable[[str], StoredCharge | None],
        inbox: Inbox,
        clock: Clock,
        rng: random.Random | None = None,
    ) -> None:
        """Take the address, who this cart is, where the bytes of charges are, and what reads the store's messages.

        rng  draws the jitter of reconnects, so that 300 carts do not come back in one instant
        """
        self._address = address
        self._origin = origin
        self._incarnation = incarnation
        self._outbox_row = outbox_row
        self._inbox = inbox
        self._clock = clock
        self._rng = rng or random.Random()
        self._publishes: queue.Queue[Publish] = queue.Queue(QUEUE_MAX)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._put: Put = _nowhere

    def start(self, put: Put) -> None:
        """Begin to connect, and to go on doing so; events go to `put`."""
        assert self._thread is None
        self._put = put
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end the thread; safe to call twice."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(2 * CONNECT_TIMEOUT_S)

    def handle(self, effect: Effect) -> None:
        """Queue a Publish; when too many wait, this one counts as refused and the core tries again later."""
        if not isinstance(effect, Publish):
            return
        try:
            self._publishes.put_nowait(effect)
        except queue.Full:
            self._put(self._refused(effect.charge_id, "too many publishes wait"))
        self._wake()

    def _run(self) -> None:
        pause_s = RECONNECT_FIRST_S
        while not self._stopping.is_set():
            connection = _Connection(self._address, self._origin, self._incarnation, self._clock, self._on_message)
            self._forget_publishes()
            was_up, reason = self._stay_connected(connection)
            connection.close(goodbye=self._stopping.is_set())
            if self._stopping.is_set():
                return
            log.warning("BROKER-UNREACHABLE: %s:%d: %s", self._address.host, self._address.port, reason)
            self._put(BrokerDown(self._clock.monotonic_ns(), reason))
            pause_s = RECONNECT_FIRST_S if was_up else min(2 * pause_s, RECONNECT_MAX_S)
            self._stopping.wait(pause_s * self._rng.uniform(0.5, 1.0))

    def _stay_connected(self, connection: _Connection) -> tuple[bool, str]:
        """Serve one connection to its end; return whether it was ever up, and why it ended."""
        told = False
        try:
            connection.open()
            while not self._stopping.is_set() and not connection.ended:
                connection.wait(self._wake_read, POLL_S)
                if connection.up and not told:
                    told = True
                    log.info("connected to %s:%d", self._address.host, self._address.port)
                    self._put(BrokerUp(self._clock.monotonic_ns()))
                self._tell_acknowledged(connection)
                if connection.up:
                    self._publish_queued(connection)
        except OSError as error:
            return told, error.strerror or str(error)
        except Exception as error:  # paho met something it cannot parse: the next connection starts afresh
            log.exception("the connection is given up")
            return told, repr(error)
        return told, connection.ended

    def _tell_acknowledged(self, connection: _Connection) -> None:
        for charge_id, failed in connection.take_acknowledged():
            self._put(Delivered(self._clock.monotonic_ns(), charge_id, not failed, failed))

    def _publish_queued(self, connection: _Connection) -> None:
        while True:
            try:
                effect = self._publishes.get_nowait()
            except queue.Empty:
                return
            row = self._outbox_row(effect.charge_id)
            if row is None:
                self._put(self._refused(effect.charge_id, "not in the outbox"))
                continue
            log.info("charge %s, attempt %d", effect.charge_id, effect.attempt)
            connection.publish(effect.charge_id, messages.seal(row.body, row.signature, row.key_id))

    def _forget_publishes(self) -> None:
        # They were asked for before the core knew that the connection is gone; it asks again once the broker is back.
        with suppress(queue.Empty):
            while True:
                self._publishes.get_nowait()

    def _on_message(self, topic: str, payload: bytes) -> None:
        event: Event | None
        try:
            event = self._inbox.read(topic, payload)
        except (ValueError, StoreFailed) as error:
            log.warning("refused a message on %s: %s", topic[:120], error)
            event = MessageRefused(self._clock.monotonic_ns(), topic[:120], str(error)[:200])
        if event is not None:
            self._put(event)

    def _refused(self, charge_id: str, reason: str) -> Delivered:
        return Delivered(self._clock.monotonic_ns(), charge_id, False, reason)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full: the thread will wake anyway
            self._wake_write.send(b"\0")


class _Connection:
    """One connection with one paho client; used by the broker's thread alone.

    up     the broker granted every subscription
    ended  why the connection is over, "" while it is not
    """

    def __init__(
        self,
        address: Address,
        origin: messages.Origin,
        incarnation: str,
        clock: Clock,
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self.up = False
        self.ended = ""
        self._address = address
        self._origin = origin
        self._clock = clock
        self._incarnation = incarnation
        self._on_message_bytes = on_message
        self._charges: dict[int, str] = {}  # packet id -> charge id
        self._acknowledged: list[tuple[str, str]] = []
        self._client = self._make_client()

    def open(self) -> None:
        """Connect; OSError when nobody answers."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.MaximumPacketSize = 2 * messages.DOWN_BYTES_MAX
        self._client.connect(
            self._address.host,
            self._address.port,
            keepalive=self._address.keepalive_s,
            clean_start=False,
            properties=properties,
        )

    def wait(self, wake: socket.socket, timeout_s: float) -> None:
        """Wait for the socket or a wake-up, and let paho read, write and look after its keep-alive."""
        connection = self._client.socket()
        if connection is None:
            self.ended = self.ended or "the connection is closed"
            return
        writers = [connection] if self._client.want_write() else []
        readable, writable, _ = select.select([connection, wake], writers, [], timeout_s)
        if wake in readable:
            wake.recv(4_096)
        outcome = MQTTErrorCode.MQTT_ERR_SUCCESS
        if connection in readable:
            outcome = self._client.loop_read()
        if writable and outcome == MQTTErrorCode.MQTT_ERR_SUCCESS:
            outcome = self._client.loop_write()
        if outcome == MQTTErrorCode.MQTT_ERR_SUCCESS:
            outcome = self._client.loop_misc()
        if outcome != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.ended = self.ended or str(outcome.name)

    def publish(self, charge_id: str, payload: bytes) -> None:
        """Hand a charge to paho; `take_acknowledged` tells what became of it."""
        info = self._client.publish(messages.topic_of(self._origin, "up/charge"), payload, qos=1)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # then, and only then, paho did not keep it
            self._acknowledged.append((charge_id, "the client's queue is full"))
        else:
            self._charges[info.mid] = charge_id

    def take_acknowledged(self) -> list[tuple[str, str]]:
        """Return (charge id, why it failed or "") of the charges that the broker answered since the last call."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def close(self, *, goodbye: bool) -> None:
        """Disconnect. goodbye: this cart goes offline on purpose, and says so at once instead of by its will."""
        if goodbye and self._client.is_connected():
            self._client.publish(self._status_topic, self._status(online=False), qos=0, retain=True)
        self._client.disconnect()

    def _make_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._origin.cart,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(QUEUE_MAX)
        will = Properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = WILL_DELAY_S
        self._status_topic = messages.topic_of(self._origin, "up/status")
        client.will_set(self._status_topic, self._status(online=False), qos=1, retain=True, properties=will)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _status(self, *, online: bool) -> bytes:
        return messages.body_of(
            messages.StatusDocument(online=online, incarnation=self._incarnation, wall_ms=str(self._clock.wall_ms()))
        )

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            self.ended = str(reason)
            return
        topics = [(messages.topic_of(self._origin, tail), SubscribeOptions(qos=1)) for tail in DOWN_TAILS]
        client.subscribe(topics)
        client.publish(self._status_topic, self._status(online=True), qos=1, retain=True)

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self.ended = f"subscription refused: {refused[0]}"
        else:
            self.up = True

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _props: Any) -> None:
        charge_id = self._charges.pop(mid, None)
        if charge_id is None:  # the status
            return
        failed = reason.is_failure or reason.value == NO_MATCHING_SUBSCRIBERS
        self._acknowledged.append((charge_id, str(reason) if failed else ""))

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        self._on_message_bytes(message.topic, bytes(message.payload))
        client.ack(message.mid, message.qos)  # after the event is queued: if that fails, the broker sends it again

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        self.ended = self.ended or str(reason)


def _nowhere(_event: Event) -> None:
    raise AssertionError("the broker was not started")
