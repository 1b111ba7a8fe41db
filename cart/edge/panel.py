"""Polls the panel's contacts and sets its lights, on one thread, for whatever panel there is.

The contacts are polled and debounced here because edge detection of RPi.GPIO is broken on kernels from 6.6
(raspberrypi/linux#6037), and because a bounce that is counted in samples needs no clock.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from cart.core.effects import Effect, SetPanel
from cart.core.events import ExitSeen, PanelPressed, SourceBack, SourceLost
from cart.faults import Fault
from cart.ports import PanelInputs

if TYPE_CHECKING:
    from cart.ports import Clock, Panel, Put

log = logging.getLogger("cart.panel")

POLL_S = 0.008
"""125 polls a second: a press of 50 ms is seen six times."""

RETRY_S = 2.0
WINDOW = 4
AGREE = 3
"""A contact is what AGREE of its last WINDOW polls say: 24 to 32 ms; fewer leave it as it was."""

SHOWN_MAX = 8
"""Most lights and sounds that wait for the next poll; the newest stay."""


def debounce(level: bool, recent: tuple[bool, ...]) -> bool:
    """Return the debounced level of a contact.

    level   the debounced level so far
    recent  the last WINDOW polls, in any order
    """
    pressed = sum(recent)
    if pressed >= AGREE:
        return True
    return level and len(recent) - pressed < AGREE


class Contact:
    """One contact over time."""

    def __init__(self) -> None:
        """Begin released, so that a contact which is closed at the start counts: an exit must not be missed."""
        self._recent: deque[bool] = deque([False] * WINDOW, WINDOW)
        self._level = False

    def closes(self, polled: bool) -> bool:
        """Return True at the poll that makes the debounced level go from open to closed."""
        self._recent.append(polled)
        before, self._level = self._level, debounce(self._level, tuple(self._recent))
        return self._level and not before


class PanelPoller:
    """Source of PanelPressed("help") and ExitSeen("gate"), sink of SetPanel."""

    name = "panel"

    def __init__(self, open_panel: Callable[[], Panel], clock: Clock, fresh_id: Callable[[], str]) -> None:
        """Use the panel that `open_panel` gives (OSError or Fault where it is not there)."""
        self._open_panel = open_panel
        self._clock = clock
        self._fresh_id = fresh_id
        self._wanted: deque[SetPanel] = deque(maxlen=SHOWN_MAX)
        self._light = "off"
        self._help, self._gate = Contact(), Contact()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, put: Put) -> None:
        """Begin to poll; a panel that is not there becomes SourceLost, and is tried again every RETRY_S."""
        self._thread = threading.Thread(target=self._guarded, args=(put,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and switch the panel off; safe to call twice."""
        self._stopped.set()
        if self._thread:
            self._thread.join(timeout=5)

    def handle(self, effect: Effect) -> None:
        """Show a SetPanel at the next poll."""
        if isinstance(effect, SetPanel):
            self._wanted.append(effect)

    def poll(self, panel: Panel, put: Put) -> None:
        """Look once at the contacts and show what is wanted; OSError where the panel is lost."""
        while self._wanted:
            wanted = self._wanted.popleft()
            self._light = wanted.light
            panel.show(wanted.light, wanted.sound)
        inputs: PanelInputs = panel.read()
        if self._help.closes(inputs.help):
            put(PanelPressed(self._clock.monotonic_ns(), "help"))
        if self._gate.closes(inputs.gate):
            put(ExitSeen(self._clock.monotonic_ns(), "gate", self._fresh_id()))

    def _guarded(self, put: Put) -> None:
        try:
            self._run(put)
        except Exception as error:  # a mistake of ours: the thread ends, and that must be seen
            log.exception("the panel's thread ends")
            put(SourceLost(self._clock.monotonic_ns(), self.name, repr(error)))

    def _run(self, put: Put) -> None:
        lost = False
        while not self._stopped.is_set():
            try:
                panel = self._open_panel()
            except (OSError, Fault) as error:
                lost = self._lose(put, lost, error)
                self._stopped.wait(RETRY_S)
                continue
            try:
                panel.show(self._light, "")
                if lost:
                    put(SourceBack(self._clock.monotonic_ns(), self.name))
                    lost = False
                while not self._stopped.wait(POLL_S):
                    self.poll(panel, put)
            except OSError as error:
                lost = self._lose(put, lost, error)
                self._stopped.wait(RETRY_S)
            finally:
                panel.close()

    def _lose(self, put: Put, lost: bool, error: Exception) -> bool:
        """Say once that the panel is lost; return True."""
        if not lost:
            reason = str(error) if isinstance(error, Fault) else f"PANEL-MISSING: {error}"
            log.error("%s", reason)
            put(SourceLost(self._clock.monotonic_ns(), self.name, reason))
        return True
