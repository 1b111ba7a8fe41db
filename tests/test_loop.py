import itertools
import queue
import threading

import pytest

from cart.clock import ManualClock
from cart.core.effects import Note
from cart.core.events import SourceLost, Tick, VisionAlive
from cart.loop import FEED_TICKS, LAG_MAX_NS, QUEUE_MAX, TICK_NS, Loop, Poisoned

POISON = SourceLost(0, "poison", "")


class Book:
    """Keeps, in order, what a loop recorded, folded and handed to its sink."""

    def __init__(self):
        self.entries = []

    def event(self, number, event):
        self.entries.append(("event", number, event))

    def effects(self, number, effects):
        self.entries.append(("effects", number, effects))

    def handle(self, effect):
        self.entries.append(("sink", effect))


def counting(state, event):
    """Count events, and say so in a note; the poison breaks it."""
    if event == POISON:
        raise ZeroDivisionError
    return state + 1, (Note("N", "info", str(state)),)


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def clock():
    return ManualClock(t_ns=1_000, wall_ms=50)


@pytest.fixture
def loop(book, clock):
    fed = []
    made = Loop(
        step=counting, state=0, clock=clock, recorder=book, sinks=[book], feed=lambda: fed.append(1), dead=print
    )
    made.fed = fed
    made.turn(0)  # the first tick is due at once
    book.entries.clear()
    return made


def alive(t_ns):
    return VisionAlive(t_ns, 1)


def test_an_event_is_recorded_before_the_step_and_its_effects_before_the_sinks(loop, book):
    loop.put(alive(1))
    loop.turn(0)
    note = Note("N", "info", "1")
    assert book.entries == [("event", 2, alive(1)), ("effects", 2, (note,)), ("sink", note)]


def test_events_are_folded_in_the_order_they_came(loop, book):
    for t_ns in range(5):
        loop.put(alive(t_ns))
    loop.drain()
    assert [entry[2].t_ns for entry in book.entries if entry[0] == "event"] == [0, 1, 2, 3, 4]


def test_ten_ticks_a_second_whatever_else_happens(loop, book, clock):
    for _ in range(1_000):
        clock.advance_ms(3)
        loop.put(alive(clock.monotonic_ns()))
        loop.turn(0)
    ticks = [entry[2] for entry in book.entries if entry[0] == "event" and isinstance(entry[2], Tick)]
    assert len(ticks) in (29, 30)
    assert ticks[0].wall_ms == 50 + 102
    assert all(later.t_ns - tick.t_ns < 2 * TICK_NS for tick, later in itertools.pairwise(ticks))


def test_time_does_not_overtake_the_events_that_wait(loop, book, clock):
    """A backlog must not look like silence: the core sees each tick among the events of its time."""
    for _ in range(40):
        clock.advance_ms(50)
        loop.put(alive(clock.monotonic_ns()))
    for _ in range(60):
        loop.turn(0)
    times = [entry[2].t_ns for entry in book.entries if entry[0] == "event"]
    assert times == sorted(times)
    assert sum(isinstance(entry[2], Tick) for entry in book.entries if entry[0] == "event") in (19, 20, 21)


def test_the_clock_wins_over_events_that_never_age(loop, book, clock):
    loop.put(alive(clock.monotonic_ns()))
    loop.turn(0)
    for _ in range(100):
        clock.advance_ms(100)
        loop.put(alive(5))
        loop.turn(0)
    ticks = [entry[2] for entry in book.entries if entry[0] == "event" and isinstance(entry[2], Tick)]
    assert ticks
    assert clock.monotonic_ns() - ticks[-1].t_ns <= LAG_MAX_NS + 2 * TICK_NS


def test_a_hold_up_is_followed_by_one_tick_and_not_by_all_that_were_missed(loop, book, clock):
    clock.advance_ms(5_000)
    for _ in range(10):
        loop.turn(0)
    assert [entry[0] for entry in book.entries].count("event") == 1


def test_the_watchdog_is_fed_by_the_ticks_of_the_loop(loop, clock):
    for _ in range(FEED_TICKS * 3):
        clock.advance_ms(100)
        loop.turn(0)
    assert len(loop.fed) == 3


def test_an_exception_in_the_step_is_raised_with_the_event_that_was_recorded(loop, book):
    loop.put(POISON)
    with pytest.raises(Poisoned) as caught:
        loop.turn(0)
    assert (caught.value.number, caught.value.event) == (2, POISON)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert book.entries == [("event", 2, POISON)]


def test_a_full_queue_means_a_dead_core(book, clock):
    said = []
    loop = Loop(step=counting, state=0, clock=clock, recorder=book, sinks=[], feed=print, dead=said.append)
    for _ in range(QUEUE_MAX):
        loop.put(alive(1))
    assert said == []
    with pytest.raises(queue.Full):
        loop.put(alive(1))
    assert said == [f"CORE-STUCK: {QUEUE_MAX} events wait for the core"]


def test_an_event_wakes_a_waiting_loop_and_stop_ends_it(book):
    from cart.clock import SystemClock

    class Stopper:
        def handle(self, effect):
            if woken.is_set():
                loop.stop()

    woken = threading.Event()
    loop = Loop(
        step=lambda state, event: (state, (Note("N", "info", ""),) if isinstance(event, VisionAlive) else ()),
        state=0,
        clock=SystemClock(),
        recorder=book,
        sinks=[Stopper()],
        feed=lambda: None,
        dead=print,
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    woken.set()
    loop.put(alive(1))
    thread.join(timeout=10)
    assert not thread.is_alive()
