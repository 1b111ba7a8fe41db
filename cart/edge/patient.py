"""Starts a source that may not be able to start yet, and goes on trying: the cart runs without it meanwhile."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from cart.core.events import SourceBack, SourceLost
from cart.faults import Fault

if TYPE_CHECKING:
    from cart.ports import Clock, Put, Source

log = logging.getLogger("cart.patient")

RETRY_S = 5.0


class Patient:
    """A source whose `start` may raise Fault or OSError: then SourceLost, and another try every RETRY_S.

    fault  why it could not start yet, None once it has
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        """Stand before `source`, with its name."""
        self.name = source.name
        self._source = source
        self._clock = clock
        self.fault: Exception | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, put: Put) -> None:
        """Start the source now if it can be, else later, on a thread that ends when it could."""
        if not self._starts(put):
            log.error("%s", self.fault)
            put(SourceLost(self._clock.monotonic_ns(), self.name, str(self.fault)))
            self._thread = threading.Thread(target=self._again, args=(put,), name=f"{self.name}-retry", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop trying, and the source; safe to call twice."""
        self._stopped.set()
        if self._thread:
            self._thread.join(timeout=5)
        self._source.stop()

    def _again(self, put: Put) -> None:
        while not self._stopped.wait(RETRY_S):
            if self._starts(put):
                put(SourceBack(self._clock.monotonic_ns(), self.name))
                return

    def _starts(self, put: Put) -> bool:
        try:
            self._source.start(put)
            self.fault = None
        except (Fault, OSError) as error:
            self.fault = error
        return self.fault is None
