"""The kiosk's stream of screens: the newest for everybody, at each one's own pace. No decisions, no vendor package."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator

from cart.core.effects import Screen
from cart.wire.kiosk import HEARTBEAT, screen_frame

HEARTBEAT_S = 1.0
"""Longest silence of a stream; the page calls two seconds of it a lost connection."""

SHOWN_MAX = 64
"""How many screens back a touch on "pay" may refer to."""


class Feed:
    """The newest screen and the streams that wait for it.

    `publish` and `close` may be called from any thread; the rest runs on the kiosk's loop.
    """

    def __init__(self) -> None:
        """Start without a screen."""
        self.streams = 0
        self._newest: Screen | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._wake_due = False
        # What was on the screen at the latest revisions: what a touch on "pay" agreed to.
        self._shown: OrderedDict[int, tuple[str, int]] = OrderedDict()

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake streams on this loop."""
        self._loop = loop

    def publish(self, screen: Screen) -> None:
        """Let every stream send this screen next, instead of any that it has not sent yet."""
        self._newest = screen
        self._shown[screen.revision] = (screen.phase, screen.total_minor)
        while len(self._shown) > SHOWN_MAX:
            self._shown.popitem(last=False)
        self._wake()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    def may_pay(self, revision: int) -> bool:
        """Return whether the touched screen asked for the very payment that the newest one asks for."""
        newest = self._newest
        agreed = self._shown.get(revision)
        return newest is not None and agreed == (newest.phase, newest.total_minor) and newest.phase == "locked"

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the bytes of one stream, until closed."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        self.streams += 1
        sent: Screen | None = None
        try:
            yield b"retry: 500\n\n"
            while not self._closed:
                changed.clear()
                newest = self._newest
                if newest is not None and newest is not sent:
                    sent = newest
                    yield screen_frame(newest)
                elif not await _within(HEARTBEAT_S, changed):
                    yield HEARTBEAT
        finally:
            self._waiting.discard(changed)
            self.streams -= 1

    def _wake(self) -> None:
        # At most one wake-up is under way, so a stalled kiosk gathers no callbacks.
        if self._loop is None or self._wake_due:
            return
        self._wake_due = True
        try:
            self._loop.call_soon_threadsafe(self._wake_all)
        except RuntimeError:
            self._wake_due = False  # the loop is closed: nobody waits any more

    def _wake_all(self) -> None:
        self._wake_due = False
        for changed in self._waiting:
            changed.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
