"""The thread that writes: one effect, one transaction, one answer, in the order the core asked for them.

A transaction that the disk refuses is kept and tried again after a pause, and nothing behind it is written before it:
the journal stays without gaps, and a charge can never overtake the basket it bills. Each refusal is told as
`SaveFailed`, so that the core can say so on the screen; the core does not repeat the effect (if it does, the second one
has no effect). Only `Saved` means that it is on disk.

The queue holds QUEUE_MAX effects. A full one means that the disk has been dead for minutes: `handle` raises, the
process ends, and the restart finds the last state that did reach the disk. Nothing is ever dropped quietly.
"""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cart.core.effects import CloseCharge, CommitSale, Effect, Save
from cart.core.events import Saved, SaveFailed, SourceLost
from cart.edge.database import Database, Identity, StoreFailed

if TYPE_CHECKING:
    from cart.ports import Clock, Put

log = logging.getLogger("cart.database")

QUEUE_MAX = 256

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 8.0

JOIN_S = 10.0
"""How long `stop` waits for the last transaction."""


class DatabaseWriter:
    """Sink for Save, CommitSale and CloseCharge; source of Saved and SaveFailed."""

    name = "database"

    def __init__(self, database: Database, identity: Identity, clock: Clock) -> None:
        """Take the open database and who signs for which cart."""
        self._database = database
        self._identity = identity
        self._clock = clock
        self._queue: queue.Queue[Save | CommitSale | CloseCharge | None] = queue.Queue(QUEUE_MAX)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._broken = ""

    def start(self, put: Put) -> None:
        """Begin to write; answers go to `put`."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._run, args=(put,), name="database", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then end the thread; a refused transaction is not tried again. Safe to call twice."""
        self._stopping.set()
        if self._thread is not None and self._thread.is_alive():
            with suppress(queue.Full):  # then it is in a pause, and `_stopping` ends it
                self._queue.put_nowait(None)
            self._thread.join(JOIN_S)

    def handle(self, effect: Effect) -> None:
        """Queue the effect if it is one of ours; RuntimeError when the writer cannot take it."""
        if not isinstance(effect, Save | CommitSale | CloseCharge):
            return
        if self._broken:
            raise RuntimeError(f"the database writer ended: {self._broken}")
        try:
            self._queue.put_nowait(effect)
        except queue.Full:
            raise RuntimeError(f"{QUEUE_MAX} transactions wait for the disk") from None

    def _run(self, put: Put) -> None:
        try:
            while (effect := self._queue.get()) is not None and self._write(effect, put):
                pass
        except Exception as error:  # a mistake of ours: say so, and let the next effect end the process
            log.exception("the database writer ends")
            self._broken = repr(error)
            put(SourceLost(self._clock.monotonic_ns(), self.name, self._broken))

    def _write(self, effect: Save | CommitSale | CloseCharge, put: Put) -> bool:
        """Return True when the effect is on disk, False when `stop` came before the disk took it."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                self._store(effect, put)
                return True
            except StoreFailed as error:
                log.error("DATABASE-BAD: %s", error)
                if not isinstance(effect, CloseCharge):  # a receipt comes again, a lost commit does not
                    put(SaveFailed(self._clock.monotonic_ns(), effect.seq, str(error)))
            if self._stopping.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    def _store(self, effect: Save | CommitSale | CloseCharge, put: Put) -> None:
        match effect:
            case Save():
                self._database.save(effect, self._identity.signer)
                put(Saved(self._clock.monotonic_ns(), effect.seq))
            case CommitSale():
                sha256 = self._database.commit_sale(effect, self._identity)
                put(Saved(self._clock.monotonic_ns(), effect.seq, effect.charge.charge_id, sha256))
            case CloseCharge():
                self._database.close_charge(effect)
