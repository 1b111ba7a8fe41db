"""The thin line between the world process and what it feeds: JSON lines on a Unix stream socket.

A client says who it is in its first line, {"role": "camera"}, and then reads
lines; a panel also writes its lights, a shopper its acts. The world outlives
its clients and they outlive it: a lost line is OSError, and the next try
connects again.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

LINE_BYTES_MAX = 65_536
"""Longest line either side accepts; more ends the connection."""

CONNECT_S = 2.0


class WorldLink:
    """A client's end. Lines are read on a thread of its own; only the newest of each key is kept.

    latest()  all keys of all lines so far, newest value each
    """

    def __init__(self, socket_path: str, role: str) -> None:
        """Connect and say the role; OSError when the world is not there."""
        self._socket = connect(socket_path, role)
        self._latest: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._lost = False
        self._thread = threading.Thread(target=self._read, name=f"world-{role}", daemon=True)
        self._thread.start()

    def latest(self) -> dict[str, Any]:
        """Return what the world said last; OSError once the line is lost."""
        with self._changed:
            if self._lost:
                raise ConnectionError("the simulated world is gone")
            return dict(self._latest)

    def wait(self, key: str, timeout_s: float) -> bool:
        """Return True once the world has said anything about `key`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._lost or key in self._latest, timeout_s) and not self._lost

    def send(self, value: dict[str, Any]) -> None:
        """Say something; OSError once the line is lost."""
        self._socket.sendall(json.dumps(value).encode() + b"\n")

    def close(self) -> None:
        """End thread and connection; safe to call twice."""
        with contextlib.suppress(OSError):  # the world may have gone first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                while line := lines.readline(LINE_BYTES_MAX):
                    self._take(json.loads(line))
        except (OSError, ValueError):
            pass  # told to the user of the link by `latest`
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def _take(self, said: dict[str, Any]) -> None:
        with self._changed:
            self._latest.update(said)
            self._changed.notify_all()


def connect(socket_path: str, role: str) -> socket.socket:
    """Return a connection on which the role has been said; OSError when the world is not there."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(CONNECT_S)
        link.connect(socket_path)
        link.sendall(json.dumps({"role": role}).encode() + b"\n")
        link.settimeout(None)
    except OSError:
        link.close()
        raise
    return link


class WorldTalk:
    """A shopper's end: one act, one answer."""

    def __init__(self, socket_path: str) -> None:
        """Connect; OSError when the world is not there."""
        self._socket = connect(socket_path, "shopper")
        self._lines = self._socket.makefile("rb")

    def act(self, **wanted: Any) -> dict[str, Any]:
        """Do something in the world and return its answer; LookupError where it cannot be done."""
        self._socket.sendall(json.dumps(wanted).encode() + b"\n")
        line = self._lines.readline(LINE_BYTES_MAX)
        if not line:
            raise ConnectionError("the simulated world is gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self._socket.close()
