"""The life of the daemon: start, run, stop in order, and what a crash leaves behind.

Start: recorder, `Restored` into the queue, database writer, then the sources in the order given. Stop: the sources in
the opposite order, the rest of the queue through the core, the database writer (every transaction on disk), its last
answers through the core, the recorder, and last the database file and the lock.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cart.faults import Fault
from cart.loop import Loop, Poisoned

if TYPE_CHECKING:
    from cart.core.events import Event
    from cart.edge.crashes import CrashBook
    from cart.edge.recorder import Recorder
    from cart.edge.systemd import Notifier
    from cart.edge.writer import DatabaseWriter
    from cart.ports import Source

log = logging.getLogger("cart.daemon")


@dataclass(frozen=True)
class Daemon:
    """Everything that runs, wired by `cart.app.build`.

    sources       in the order of start
    first_events  what the core learns before anything else, `Restored` first
    at_end        called at the very end, in order, whatever happened before
    describe      one line for people on what runs and where the screen is
    """

    loop: Loop
    recorder: Recorder
    writer: DatabaseWriter
    sources: tuple[Source, ...]
    first_events: tuple[Event, ...]
    crashes: CrashBook
    notifier: Notifier
    at_end: tuple[Callable[[], None], ...]
    describe: Callable[[], str]

    def run(self, started: Callable[[str], None]) -> None:
        """Run until `loop.stop`; `started` is told the line of `describe` once all is up.

        Raises CORE-POISONED when an event broke the core, after it was written to the recording and to `poison`.
        """
        try:
            self._start()
            self.notifier.ready(self.describe())
            started(self.describe())
            self.loop.run()
            self._stop()
        except Poisoned as error:
            self.crashes.keep_poison(error.number, error.event, "".join(traceback.format_exception(error)))
            self._crash(error, "poison")
            raise Fault("CORE-POISONED", f"event {error.number}, {type(error.event).__name__}") from error
        except Exception as error:
            self._crash(error, "crashed")
            raise
        finally:
            for end in self.at_end:
                end()

    def _start(self) -> None:
        self.recorder.start(self.loop.put)
        for event in self.first_events:
            self.loop.put(event)
        self.writer.start(self.loop.put)
        for source in self.sources:
            source.start(self.loop.put)

    def _stop(self) -> None:
        self.notifier.stopping()
        for source in reversed(self.sources):
            source.stop()
        self.loop.drain()
        self.writer.stop()
        self.loop.drain()
        self.recorder.close("stopped")

    def _crash(self, error: Exception, ending: str) -> None:
        """Save what can be saved, the money first; systemd starts the daemon again."""
        log.critical("the daemon ends: %s", error, exc_info=error)
        self.crashes.note()
        stops = [source.stop for source in reversed(self.sources)]
        for stop in (self.writer.stop, lambda: self.recorder.close(ending), *stops):
            try:
                stop()
            except Exception:
                log.exception("while ending after the crash")
