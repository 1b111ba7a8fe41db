"""The shopper's eyes and finger: what the kiosk's stream shows, and touches back. No more of the cart is known here."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from cart.core.effects import Screen
from cart.ports import Clock
from cart.wire import codec

RETRY_S = 0.3
STREAM_TIMEOUT_S = 3.0
TAP_TIMEOUT_S = 2.0
TAP_TRIES = 5


class ScreenStream:
    """Follows the stream on a thread of its own, and reconnects for ever.

    screen    the newest, None before the first
    asked     kinds of the questions so far, in order
    on_screen called with (arrival time in ns, screen) for each one, on the thread
    """

    def __init__(self, port: int, clock: Clock, on_screen: Callable[[int, Screen], None]) -> None:
        self.screen: Screen | None = None
        self.asked: list[str] = []
        self._port = port
        self._clock = clock
        self._on_screen = on_screen
        self._prompt_ids: set[int] = set()
        self._keys = 0
        self._arrived = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="screen", daemon=True)
        self._thread.start()

    def wait(self, true: Callable[[Screen], bool], timeout_s: float) -> bool:
        """Return whether a screen came for which `true` holds; the newest one counts, too."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.screen is not None and true(self.screen), max(0.0, timeout_s))

    def tap(self, action: str, value: str = "") -> bool:
        """Touch the screen as it is now; repeated under one key when the line breaks. False: the cart refused it."""
        screen = self.screen
        self._keys += 1
        prompt = screen.prompt.id if screen is not None and screen.prompt is not None and action == "answer" else 0
        body = json.dumps(
            {
                "action": action,
                "value": value,
                "prompt": prompt,
                "key": f"shopper-{self._keys}-{self._clock.monotonic_ns()}",
                "revision": screen.revision if screen is not None else 0,
            }
        )
        for _ in range(TAP_TRIES):
            try:
                status, _ = self._request("POST", "/tap", body)
            except OSError:
                status = 503
            if status != 503:
                return status == 202
            self._stopped.wait(RETRY_S)
        return False

    def search(self, words: str) -> list[dict[str, Any]]:
        """Return what the cart finds for a name; nothing where it does not answer."""
        try:
            status, body = self._request("GET", f"/search?q={quote(words)}", None)
            return list(json.loads(body)) if status == 200 else []
        except (OSError, ValueError):
            return []

    def stop(self) -> None:
        """Look away."""
        self._stopped.set()

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TAP_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            # A daemon that restarts breaks the line; its basket comes back, and so do we.
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                self._read()
            self._stopped.wait(RETRY_S)

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=STREAM_TIMEOUT_S)
        try:
            connection.request("GET", "/stream")
            answer = connection.getresponse()
            while not self._stopped.is_set() and (line := answer.readline()):
                if line.startswith(b"data: "):
                    self._take(codec.convert(json.loads(line[6:]), Screen))
        finally:
            connection.close()

    def _take(self, screen: Screen) -> None:
        t_ns = self._clock.monotonic_ns()
        with self._arrived:
            self.screen = screen
            if screen.prompt is not None and screen.prompt.id not in self._prompt_ids:
                self._prompt_ids.add(screen.prompt.id)
                self.asked.append(screen.prompt.kind)
            self._on_screen(t_ns, screen)
            self._arrived.notify_all()
