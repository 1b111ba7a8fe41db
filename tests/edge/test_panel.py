import itertools
import queue
from collections import deque

import pytest

from cart.clock import ManualClock
from cart.core.effects import Note, SetPanel
from cart.core.events import ExitSeen, PanelPressed, SourceBack, SourceLost
from cart.edge.panel import AGREE, WINDOW, Contact, PanelPoller, debounce
from cart.faults import Fault
from cart.ports import PanelInputs

PRESSED, RELEASED = PanelInputs(help=True), PanelInputs()


class TapedPanel:
    """Plays what the contacts say, poll by poll, and keeps what it was told to show."""

    def __init__(self, polls):
        self.polls = deque(polls)
        self.shown = []
        self.closed = 0

    def read(self):
        said = self.polls.popleft() if self.polls else RELEASED
        if isinstance(said, Exception):
            raise said
        return said

    def show(self, light, sound):
        self.shown.append((light, sound))

    def close(self):
        self.closed += 1


def poller(open_panel=None):
    numbers = itertools.count(1)
    return PanelPoller(open_panel or (lambda: TapedPanel([])), ManualClock(t_ns=7), lambda: f"id-{next(numbers)}")


def events_of(polls):
    panel, events = TapedPanel(polls), []
    polled = poller()
    while panel.polls:
        polled.poll(panel, events.append)
    return events


@pytest.mark.parametrize("recent", list(itertools.product([False, True], repeat=WINDOW)))
def test_a_contact_is_what_most_of_its_polls_say_and_else_stays(recent):
    if sum(recent) >= AGREE:
        expected = (True, True)
    elif sum(recent) <= WINDOW - AGREE:
        expected = (False, False)
    else:
        expected = (False, True)
    assert (debounce(False, recent), debounce(True, recent)) == expected


def test_a_held_button_is_one_press():
    assert events_of([RELEASED] * 5 + [PRESSED] * 50 + [RELEASED] * 5) == [PanelPressed(7, "help")]


def test_bounces_of_one_press_are_one_press():
    bounces = [PRESSED, RELEASED, PRESSED, RELEASED, PRESSED, PRESSED, RELEASED, PRESSED, PRESSED, PRESSED]
    assert events_of(bounces + [PRESSED] * 10 + bounces[::-1] + [RELEASED] * 9) == [PanelPressed(7, "help")]


def test_a_spike_of_two_polls_is_nothing():
    assert events_of([RELEASED, PRESSED, PRESSED, RELEASED, RELEASED] * 20) == []


def test_two_presses_are_two():
    assert len(events_of(([PRESSED] * 6 + [RELEASED] * 6) * 2)) == 2


def test_the_gate_is_an_exit_with_an_id_of_its_own():
    gate = PanelInputs(gate=True)
    assert events_of(([gate] * 6 + [RELEASED] * 6) * 2) == [ExitSeen(7, "gate", "id-1"), ExitSeen(7, "gate", "id-2")]


def test_a_gate_that_is_closed_at_the_start_counts_because_an_exit_must_not_be_missed():
    contact = Contact()
    assert [contact.closes(True) for _ in range(6)] == [False, False, True, False, False, False]


def test_lights_and_sounds_reach_the_panel_in_order_and_other_effects_do_not():
    panel, polled = TapedPanel([]), poller()
    for effect in (SetPanel("green", "ok"), Note("X", "info", ""), SetPanel("red", "attention")):
        polled.handle(effect)
    polled.poll(panel, lambda event: None)
    assert panel.shown == [("green", "ok"), ("red", "attention")]


def test_a_panel_that_comes_late_or_goes_is_said_once_and_tried_again(monkeypatch):
    monkeypatch.setattr("cart.edge.panel.RETRY_S", 0.01)
    first, second = TapedPanel([PRESSED] * 6 + [OSError("pulled")]), TapedPanel([])
    opened = iter([Fault("PANEL-MISSING", "no pins"), OSError("still none"), first, OSError("none"), second])

    def open_panel():
        answer = next(opened)
        if isinstance(answer, Exception):
            raise answer
        return answer

    events: queue.Queue = queue.Queue()
    polled = poller(open_panel)
    polled.start(events.put)
    seen = [events.get(timeout=10) for _ in range(5)]
    polled.stop()
    polled.stop()
    assert seen == [
        SourceLost(7, "panel", "PANEL-MISSING: no pins"),
        SourceBack(7, "panel"),
        PanelPressed(7, "help"),
        SourceLost(7, "panel", "PANEL-MISSING: pulled"),
        SourceBack(7, "panel"),
    ]
    assert (first.closed, second.closed) == (1, 1)


def test_a_mistake_in_the_thread_is_not_silent():
    events: queue.Queue = queue.Queue()
    polled = poller(lambda: TapedPanel([ZeroDivisionError()]))
    polled.start(events.put)
    assert events.get(timeout=10) == SourceLost(7, "panel", "ZeroDivisionError()")
    polled.stop()
