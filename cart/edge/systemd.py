"""Tells systemd how the service is: sd_notify(3) without its library, one datagram a message."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("cart.systemd")


class Notifier:
    """Speaks to the socket that systemd names in NOTIFY_SOCKET; silent where there is none.

    A message that cannot be sent is dropped: systemd then restarts the service, which is right if the machine is
    that badly off, and a full socket buffer must not hold up the loop.
    """

    def __init__(self, address: str | None = None) -> None:
        """Use `address`, a path or "@name" in the abstract namespace; by default what the environment says."""
        path = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if path else None
        if self._socket:
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say that the service is up; `status` is shown by `systemctl status`, one line."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog (WatchdogSec= in the unit). Only the loop may call this."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("systemd did not take %s: %s", message.partition("=")[0], error)
