"""The world's side of the load cell's line: a basket with real goods in it, weighed whether the cart listens or not.

It outlives the board, as a shop outlives a power cut: what was put in before the cut is still in the basket after it.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

from cart.clock import SystemClock
from cart.edge.catalog_file import load_catalog
from cart.sim.hands import Hands
from cart.sim.physics import Platform
from cart.sim.pictures import Pictures
from cart.sim.wire_out import Converter

PERIOD_S = 0.0125
"""One conversion."""

UNREAD_BYTES_MAX = 8_192
"""About a second of lines. A microcontroller's buffer is no longer; what nobody reads in time is lost there, too."""

CONNECT_S = 5.0


class Cell:
    """The basket, and a thread that speaks for its converter in real time.

    dropped_bytes  what the board did not read in time
    """

    def __init__(self, seed: int) -> None:
        """Begin with an empty basket; nobody listens yet."""
        self.dropped_bytes = 0
        self._clock = SystemClock()
        self._platform = Platform(seed)
        self._converter = Converter(self._platform)
        self._hands = Hands(load_catalog(""), Pictures(None), self._platform, seed, swapped=False)
        self._start_ns = self._clock.monotonic_ns()
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cell", daemon=True)
        self._thread.start()

    def plug(self, path: Path) -> None:
        """Lead the line to the board's socket; the converter starts anew, as it is powered by the board."""
        line = socket.socket(socket.AF_UNIX)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES_MAX)
        line.settimeout(CONNECT_S)
        line.connect(str(path))
        line.setblocking(False)
        with self._lock:
            self._converter.reboot()
            self._line = line

    def unplug(self) -> None:
        """Take the line away; safe to call twice."""
        with self._lock:
            self._hang_up()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()
        self.unplug()

    def act(self, **wanted: Any) -> dict[str, Any]:
        """Let a shopper do something and return what will come of it; LookupError where it cannot be done."""
        with self._lock:
            self._advance()
            now_ns = self._start_ns + self._platform.now_us * 1_000
            answer = self._hands.act(wanted, now_ns, self._start_ns)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            with self._lock:
                self._send(self._advance())

    def _advance(self) -> bytes:
        """Let time pass up to now and return the lines that the converter would have said meanwhile."""
        now_ns = self._clock.monotonic_ns()
        self._hands.happen(now_ns)
        data, _ = self._converter.advance_to((now_ns - self._start_ns) // 1_000)
        return data

    def _send(self, data: bytes) -> None:
        if self._line is None or not data:
            return
        try:
            sent = self._line.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the board is gone
            self._hang_up()
            return
        self.dropped_bytes += len(data) - sent

    def _hang_up(self) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.close()
            self._line = None
