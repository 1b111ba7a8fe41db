"""What every source and every sink keeps to: begin at once, lose devices quietly, end twice, mind one's own effects."""

import queue

import pytest

from cart.clock import SystemClock
from cart.core.effects import CloseCharge, KeepCrop, Note, Publish, Screen, SetPanel, Show
from cart.core.events import Event, SourceLost
from cart.edge.broker import Address, Broker
from cart.edge.inbox import Inbox
from cart.edge.journal import Journal
from cart.edge.kiosk import Kiosk
from cart.edge.link import KeepSender, LinkReader
from cart.edge.panel import PanelPoller
from cart.edge.scale import FileLine, ScaleReader, SerialLine
from cart.faults import Fault
from cart.sim.runner import demo_catalog
from cart.wire.messages import Origin

EFFECTS = (
    Note("TEST", "info", "a line"),
    Show(Screen(1, "idle")),
    SetPanel("green", "ok"),
    KeepCrop(1, "test"),
    Publish("nobody", 1),
    CloseCharge("nobody", "accepted", 1),
)
CLOCK = SystemClock()


def _kiosk(_):
    return Kiosk("127.0.0.1", 0, CLOCK, demo_catalog(), lambda: "id")


def _broker(_):
    origin = Origin("chain", "store", "cart")
    inbox = Inbox(origin, "0" * 16, {}, lambda seq: True, lambda: "id", CLOCK)
    return Broker(Address("127.0.0.1", 1, 5), origin, "0" * 16, lambda charge_id: None, inbox, CLOCK)


def _no_panel():
    raise OSError("no panel here")


SOURCES = {
    "scale without a port": lambda folder: ScaleReader(lambda: SerialLine(str(folder / "none"), 115_200), CLOCK),
    "scale without a file": lambda folder: ScaleReader(lambda: FileLine(folder / "none", CLOCK), CLOCK),
    "panel that is not there": lambda folder: PanelPoller(_no_panel, CLOCK, lambda: "id"),
    "link without a camera process": lambda folder: LinkReader(folder, CLOCK),
    "kiosk": _kiosk,
    "broker that is not there": _broker,
}

SINKS = {
    "panel that is not there": SOURCES["panel that is not there"],
    "kiosk": _kiosk,
    "broker that is not there": _broker,
    "keep sender": lambda folder: KeepSender(folder),
    "journal": lambda folder: Journal(),
}


@pytest.fixture
def events():
    return queue.Queue()


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_starts_ends_and_ends_again(name, tmp_path, events):
    source = SOURCES[name](tmp_path)
    assert source.name
    source.start(events.put)
    source.stop()
    source.stop()
    while not events.empty():
        assert isinstance(events.get(), Event)


LOSING = ["scale without a port", "scale without a file", "panel that is not there", "link without a camera process"]


@pytest.mark.parametrize("name", LOSING)
def test_a_device_that_is_not_there_is_an_event(name, tmp_path, events):
    source = SOURCES[name](tmp_path)
    source.start(events.put)
    try:
        event = events.get(timeout=10)
    finally:
        source.stop()
    assert isinstance(event, SourceLost)
    assert event.reason


@pytest.mark.parametrize("name", SINKS)
def test_a_sink_takes_any_effect_without_a_word(name, tmp_path):
    sink = SINKS[name](tmp_path)
    for effect in EFFECTS:
        sink.handle(effect)


def test_a_port_in_use_is_a_fault_with_a_code(tmp_path, events):
    first = _kiosk(tmp_path)
    first.start(events.put)
    try:
        with pytest.raises(Fault) as caught:
            Kiosk("127.0.0.1", first.port, CLOCK, demo_catalog(), lambda: "id").start(events.put)
        assert caught.value.code == "KIOSK-PORT-BUSY"
    finally:
        first.stop()
