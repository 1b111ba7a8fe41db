"""The MQTT broker, as the store sees it: the back office's only owner of paho.

The session outlives this process, so charges wait at the broker while the store is away. A charge is acknowledged only
after its receipt was acknowledged, and that only after the ledger has it on disk: a crash anywhere before brings the
charge again, and the ledger makes a duplicate of it.
"""

from __future__ import annotations

import logging
import random
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cart.backoffice.consumer import Answer
from cart.wire import messages

log = logging.getLogger("cart.backoffice")

CLIENT_ID = "backoffice"
"""One consumer per store: a second one with this id would throw the first one out, and so be seen."""

SESSION_EXPIRY_S = 7 * 86_400
KEEPALIVE_S = 15
RECONNECT_FIRST_S = 0.5
RECONNECT_MAX_S = 10.0
POLL_S = 1.0


class Address(NamedTuple):
    """Where the broker listens."""

    host: str
    port: int


class StoreBroker:
    """Feeds charges to `take` and sends its answers, until told to stop.

    take      (topic, payload) -> Answer, or None for no answer; what it raises ends `serve`, unacknowledged
    on_ready  called each time the subscription is granted
    """

    def __init__(
        self,
        address: Address,
        take: Callable[[str, bytes], Answer | None],
        on_ready: Callable[[], None],
        rng: random.Random | None = None,
    ) -> None:
        """Take the address and who judges the charges; nothing is connected yet."""
        self._address = address
        self._take = take
        self._on_ready = on_ready
        self._rng = rng or random.Random()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._stopping = False
        self._up = False

    def stop(self) -> None:
        """Make `serve` return soon; may be called from a signal handler."""
        self._stopping = True
        with suppress(BlockingIOError):
            self._wake_write.send(b"\0")

    def serve(self) -> None:
        """Stay connected, and take charges, until `stop`."""
        pause_s = RECONNECT_FIRST_S
        while not self._stopping:
            self._up = False
            client = self._make_client()  # a new one each time: nothing of the old connection is sent on the new one
            try:
                client.connect(
                    self._address.host, self._address.port, KEEPALIVE_S, clean_start=False, properties=_session()
                )
                while not self._stopping and self._wait(client, POLL_S):
                    pass
                reason = "the connection ended"
            except OSError as error:
                reason = error.strerror or str(error)
            client.disconnect()
            if self._stopping:
                return
            log.warning("BROKER-UNREACHABLE: %s:%d: %s", self._address.host, self._address.port, reason)
            pause_s = RECONNECT_FIRST_S if self._up else min(2 * pause_s, RECONNECT_MAX_S)
            select.select([self._wake_read], [], [], pause_s * self._rng.uniform(0.5, 1.0))

    def _wait(self, client: Client, timeout_s: float) -> bool:
        """Wait for the broker and let paho work; return False when the connection is over."""
        connection = client.socket()
        if connection is None:
            return False
        writers = [connection] if client.want_write() else []
        readable, writable, _ = select.select([connection, self._wake_read], writers, [], timeout_s)
        if connection in readable and client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if writable and client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        return client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _make_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=CLIENT_ID,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        answered: dict[int, int] = {}  # packet id of a receipt -> packet id of its charge

        def on_connect(_client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
            if reason.is_failure:
                log.error("BROKER-UNREACHABLE: connection refused: %s", reason)
                client.disconnect()
            else:
                client.subscribe(messages.every_cart("up/charge"), qos=1)

        def on_subscribe(_client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
            if reasons[0].is_failure:
                log.error("BROKER-UNREACHABLE: subscription refused: %s", reasons[0])
                client.disconnect()
            else:
                self._up = True
                self._on_ready()

        def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
            answer = self._take(message.topic, bytes(message.payload))
            if answer is None:
                client.ack(message.mid, message.qos)
            else:
                answered[client.publish(answer.topic, answer.payload, qos=1).mid] = message.mid

        def on_publish(_client: Client, _data: Any, mid: int, _reason: ReasonCode, _properties: Any) -> None:
            # Even when nobody listened to the receipt: the cart asks again, and bringing the charge again helps nobody.
            charge = answered.pop(mid, None)
            if charge is not None:
                client.ack(charge, 1)

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_publish = on_publish
        return client


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.MaximumPacketSize = 2 * messages.UP_BYTES_MAX  # the broker then throws longer ones away itself
    return properties
