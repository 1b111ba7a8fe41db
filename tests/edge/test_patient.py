import queue

import pytest

from cart.clock import ManualClock
from cart.core.events import SourceBack, SourceLost
from cart.edge import patient as patient_module
from cart.edge.patient import Patient
from cart.faults import Fault


class Reluctant:
    """A source that raises these, one a start, and then starts."""

    name = "kiosk"

    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.started = self.stopped = 0

    def start(self, put):
        if self.refusals:
            raise self.refusals.pop(0)
        self.started += 1

    def stop(self):
        self.stopped += 1


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(patient_module, "RETRY_S", 0.01)


def test_a_source_that_can_start_is_started_and_nothing_is_said():
    source, said = Reluctant(), []
    patient = Patient(source, ManualClock())
    patient.start(said.append)
    patient.stop()
    assert (source.started, source.stopped, said, patient.fault) == (1, 1, [], None)


def test_a_source_that_cannot_start_is_said_once_and_tried_until_it_can():
    source = Reluctant(Fault("KIOSK-PORT-BUSY", "8080"), OSError("still"), OSError("still"))
    said: queue.Queue = queue.Queue()
    patient = Patient(source, ManualClock(t_ns=5))
    patient.start(said.put)
    assert str(patient.fault) == "KIOSK-PORT-BUSY: 8080"
    assert said.get(timeout=10) == SourceLost(5, "kiosk", "KIOSK-PORT-BUSY: 8080")
    assert said.get(timeout=10) == SourceBack(5, "kiosk")
    patient.stop()
    assert (source.started, patient.fault, said.empty()) == (1, None, True)


def test_stop_ends_the_trying():
    source = Reluctant(*[OSError("never")] * 100_000)
    patient = Patient(source, ManualClock())
    patient.start(lambda event: None)
    patient.stop()
    patient.stop()
    left = len(source.refusals)
    assert source.started == 0
    assert len(source.refusals) == left
