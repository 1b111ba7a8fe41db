"""The one main loop: take an event, record it, step, record the effects, hand them to the sinks.

It holds the only mutable `state =` of the product. Sources put events from their own threads. Overflow policy: samples
are never dropped, so a full queue (QUEUE_MAX) means that the core is dead, and the process ends and starts again.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cart.core.events import Tick

if TYPE_CHECKING:
    from cart.core.effects import Effect
    from cart.core.events import Event
    from cart.edge.recorder import Recorder
    from cart.ports import Clock, Sink

log = logging.getLogger("cart.loop")

QUEUE_MAX = 10_000
"""Most events that wait: minutes of a busy cart."""

TICK_NS = 100_000_000

LAG_MAX_NS = 5_000_000_000
"""How far ticks may fall behind the clock while older events wait; beyond it the clock wins, whatever they say."""

FEED_TICKS = 10
"""The watchdog is fed once in so many ticks, by this loop and nothing else."""

SLOW_NS = 50_000_000
"""A step with its sinks that takes longer is logged: drop to verdict has 1.2 s in all."""

_NS_PER_S = 1_000_000_000

Step = Callable[[Any, "Event"], "tuple[Any, tuple[Effect, ...]]"]


class Poisoned(Exception):
    """An event broke the core; `event` and `number` say which, the cause says how."""

    def __init__(self, number: int, event: Event) -> None:
        """Keep the event."""
        super().__init__(f"CORE-POISONED: event {number}, {type(event).__name__}")
        self.number = number
        self.event = event


class Loop:
    """Folds events into state; `put` may be called by any thread, all else by the main thread only."""

    def __init__(
        self,
        *,
        step: Step,
        state: Any,
        clock: Clock,
        recorder: Recorder,
        sinks: Sequence[Sink],
        feed: Callable[[], None],
        dead: Callable[[str], None],
    ) -> None:
        """Begin with `state`; `feed` feeds the watchdog, and `dead` ends a process whose core no longer answers."""
        self._step = step
        self._state = state
        self._clock = clock
        self._recorder = recorder
        self._sinks = tuple(sinks)
        self._feed = feed
        self._dead = dead
        self._queue: queue.Queue[Event] = queue.Queue(QUEUE_MAX)
        self._number = 0
        self._tick_due_ns = clock.monotonic_ns()
        self._ticks = 0
        self._stopping = False

    def put(self, event: Event) -> None:
        """Enqueue an event without waiting; a full queue ends the process."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._dead(f"CORE-STUCK: {QUEUE_MAX} events wait for the core")
            raise

    def stop(self) -> None:
        """Let `run` return after the present turn; safe in a signal handler, for it takes no lock."""
        self._stopping = True

    def run(self) -> None:
        """Fold events and ticks until `stop`; raises Poisoned when an event breaks the core."""
        while not self._stopping:
            self.turn(max(0, self._tick_due_ns - self._clock.monotonic_ns()))

    def turn(self, wait_ns: int) -> None:
        """Fold one event, waiting up to `wait_ns` for it, or the tick that is due before it.

        Time passes for the core in the order of its events: while some wait, a tick that told the time of day would
        make it believe that nothing had come since.
        """
        try:
            event = self._queue.get(timeout=wait_ns / _NS_PER_S) if wait_ns else self._queue.get_nowait()
        except queue.Empty:
            event = None
        now_ns = self._clock.monotonic_ns()
        time_ns = now_ns if event is None else min(event.t_ns, now_ns)
        if now_ns - self._tick_due_ns > LAG_MAX_NS:
            time_ns = now_ns
        if time_ns >= self._tick_due_ns and (self._number or event is None):  # the first event is `Restored`
            self._tick(time_ns)
        if event is not None:
            self._fold(event)

    def drain(self) -> None:
        """Fold what is queued now, without ticks; for the end, when the sources have stopped."""
        for _ in range(self._queue.qsize()):
            self._fold(self._queue.get_nowait())

    def _tick(self, time_ns: int) -> None:
        # After a hold-up there is one tick, not one for each that was missed: a tick only tells the time.
        on_time_ns = self._tick_due_ns + TICK_NS
        self._tick_due_ns = on_time_ns if on_time_ns > time_ns else time_ns + TICK_NS
        self._fold(Tick(time_ns, self._clock.wall_ms()))
        self._ticks += 1
        if self._ticks % FEED_TICKS == 0:
            self._feed()

    def _fold(self, event: Event) -> None:
        begun_ns = self._clock.monotonic_ns()
        self._number += 1
        self._recorder.event(self._number, event)
        try:
            self._state, effects = self._step(self._state, event)
        except Exception as error:
            raise Poisoned(self._number, event) from error
        self._recorder.effects(self._number, effects)
        for effect in effects:
            for sink in self._sinks:
                sink.handle(effect)
        took_ns = self._clock.monotonic_ns() - begun_ns
        if took_ns > SLOW_NS:
            log.warning("CORE-SLOW: event %d, %s, took %d ms", self._number, type(event).__name__, took_ns // 1_000_000)
