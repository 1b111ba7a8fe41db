"""`cart vision` as a process of its own, with a folder of pictures for a camera."""

import os
import queue
import signal
import subprocess
import sys

import cv2
import pytest

from cart import config
from cart.clock import SystemClock
from cart.core.events import Sighted, VisionAlive
from cart.edge.link import KEEP_SOCKET, LinkReader
from cart.vision.reader import available_engines
from tests import labels

WAIT_S = 30


@pytest.fixture
def settings(tmp_path):
    """Return a configuration file whose camera shows one label."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), labels.turned(labels.label("EAN13", "9506000134352"), 20))
    values = config.to_dict(config.simulated(tmp_path))
    values["camera"] |= {"device": f"file:{folder}", "frames_per_s": 15}
    file = tmp_path / "cart.toml"
    lines = []
    for section, keys in values.items():
        lines += [f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in keys.items())]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _toml(value):
    return f'"{value}"' if isinstance(value, str) else str(value)


def start(settings):
    command = [sys.executable, "-m", "cart", "-v", "vision", "--config", str(settings)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})


def test_what_the_camera_sees_reaches_the_daemon_and_sigterm_ends_it_cleanly(settings, tmp_path):
    if not available_engines(thorough=False):
        pytest.skip("no barcode engine is installed")
    events = queue.Queue()
    link = LinkReader(tmp_path / "run", SystemClock())
    link.start(events.put)
    process = start(settings)
    try:
        seen = []
        while not {Sighted, VisionAlive} <= {type(event) for event in seen}:
            seen.append(events.get(timeout=WAIT_S))
        sighted = next(event for event in seen if isinstance(event, Sighted))
        assert (sighted.symbology, sighted.gtin) == ("EAN13", "09506000134352")
        assert 0 < sighted.t_frame_ns < sighted.t_ns
        assert link.refused == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
        assert not (tmp_path / "run" / KEEP_SOCKET).exists()
    finally:
        process.kill()
        process.communicate()
        link.stop()


def test_a_camera_that_is_not_there_ends_the_process_with_its_code(settings, tmp_path):
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace(f"{tmp_path}/pictures", f"{tmp_path}/nowhere"), encoding="utf-8")
    process = start(settings)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 4
    assert "cart: CAMERA-MISSING" in errors
    assert "Traceback" not in errors
