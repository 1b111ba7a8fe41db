"""A camera that is pulled out and put back, from its driver to what the daemon is told."""

import queue
import threading

import numpy as np
import pytest

from cart.clock import SystemClock
from cart.core.events import SourceBack, SourceLost, VisionAlive
from cart.edge.camera import CameraSettings, VideoCamera
from cart.edge.link import EventSender, LinkReader
from cart.edge.systemd import Notifier
from cart.vision import process
from cart.vision.crops import Crops
from cart.vision.frames import Watcher
from tests.films import film

WAIT_S = 30
SETTINGS = CameraSettings(320, 240, 50)


@pytest.fixture
def short_film(tmp_path):
    """A camera that is pulled out after a second: a film that ends."""
    picture = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    return film(tmp_path, [picture] * 50, 50)


def next_of(events, kind):
    while True:
        event = events.get(timeout=WAIT_S)
        if isinstance(event, kind):
            return event


def test_a_camera_that_is_pulled_out_is_a_lost_source_and_back_when_it_is_put_back(tmp_path, short_film, caplog):
    clock, events = SystemClock(), queue.Queue()
    stop, plugged = threading.Event(), threading.Event()
    plugged.set()
    link, sender = LinkReader(tmp_path / "run", clock), EventSender(tmp_path / "run")
    link.start(events.put)
    crops = Crops(tmp_path / "crops", None, clock)
    watcher = Watcher([], None, crops, clock, sender.send)

    def opened():
        if not plugged.is_set():
            raise OSError("no such device")
        plugged.clear()  # it is pulled out while this film plays
        return VideoCamera(str(short_film), SETTINGS, clock)

    thread = threading.Thread(target=process.watch, args=(opened, watcher, lambda: None, stop, Notifier("")))
    thread.start()
    try:
        assert next_of(events, VisionAlive).frames >= 1
        assert next_of(events, SourceLost).name == "vision"
        plugged.set()
        assert next_of(events, SourceBack).name == "vision"
        assert next_of(events, VisionAlive).frames > 1
    finally:
        stop.set()
        thread.join(WAIT_S)
        link.stop()
        sender.close()
    assert not thread.is_alive()
    assert "CAMERA-MISSING: no such device" in caplog.text
