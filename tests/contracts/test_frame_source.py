"""What every camera keeps to, as far as this machine can run it."""

import json
import socket
import threading

import cv2
import numpy as np
import pytest

from cart.clock import SystemClock
from cart.edge.camera import CameraSettings, VideoCamera
from cart.edge.frame_log import ABOUT, INDEX, line_of
from cart.edge.player import player_of
from cart.sim.aim import TargetCamera
from cart.sim.camera import SimulatedCamera
from tests.films import film

SIZE = (320, 240)
FRAMES_PER_S = 50


@pytest.fixture(params=["folder", "recording", "film", "y4m", "video", "simulated", "target"])
def camera(request, tmp_path):
    make = {"folder": _folder, "recording": _recording, "film": _film, "y4m": _y4m, "video": _video}
    made = (make | {"simulated": _simulated, "target": _target})[request.param](tmp_path, request)
    yield made
    made.close()


def _folder(tmp_path, request):
    for name, level in (("a.png", 40), ("b.jpg", 200)):
        cv2.imwrite(str(tmp_path / name), np.full((100, 160, 3), level, np.uint8))
    return player_of(tmp_path, *SIZE, FRAMES_PER_S, SystemClock())


def _recording(tmp_path, request):
    lines = []
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number:06d}.jpg"), np.full((SIZE[1], SIZE[0], 3), 10 * number, np.uint8))
        lines.append(line_of(f"{number:06d}.jpg", 10**9 + number * 20_000_000))
    (tmp_path / ABOUT).write_text("{}")
    (tmp_path / INDEX).write_text("".join(lines))
    return player_of(tmp_path, *SIZE, FRAMES_PER_S, SystemClock())


def _film(tmp_path, request):
    return player_of(film_of(tmp_path, 30), *SIZE, FRAMES_PER_S, SystemClock())


def _y4m(tmp_path, request):
    path = tmp_path / "film.y4m"
    grey = [bytes([16 + 5 * n]) * (SIZE[0] * SIZE[1]) + bytes([128]) * (SIZE[0] * SIZE[1] // 2) for n in range(30)]
    head = f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{FRAMES_PER_S}:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + b"".join(b"FRAME\n" + planes for planes in grey))
    return player_of(path, *SIZE, FRAMES_PER_S, SystemClock())


def _target(tmp_path, request):
    return TargetCamera(*SIZE, FRAMES_PER_S, SystemClock())


def _video(tmp_path, request):
    return VideoCamera(str(film_of(tmp_path, 100)), CameraSettings(*SIZE, FRAMES_PER_S), SystemClock())


def film_of(tmp_path, frames):
    pictures = (np.full((SIZE[1], SIZE[0], 3), 2 * number, np.uint8) for number in range(frames))
    return film(tmp_path, pictures, FRAMES_PER_S)


def _simulated(tmp_path, request):
    world = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    world.bind(str(tmp_path / "world.sock"))
    world.listen(1)
    request.addfinalizer(world.close)

    def speak():
        client, _ = world.accept()
        client.sendall(json.dumps({"pass": None, "camera": "well"}).encode() + b"\n")
        request.addfinalizer(client.close)

    threading.Thread(target=speak, daemon=True).start()
    return SimulatedCamera(str(tmp_path / "world.sock"), *SIZE, FRAMES_PER_S, SystemClock())


def _frames(camera, count):
    """Return so many frames; a camera may miss a deadline on a busy machine, but not for ever."""
    frames = []
    for _ in range(50 * count):
        frame = camera.next_frame(100)
        if frame is not None:
            frames.append(frame)
        if len(frames) == count:
            return frames
    pytest.fail(f"only {len(frames)} frames came")


def test_frames_are_colour_pictures_of_the_size_asked_for(camera):
    for frame in _frames(camera, 3):
        assert frame.pixels.shape == (SIZE[1], SIZE[0], 3)
        assert frame.pixels.dtype == np.uint8


def test_each_frame_is_newer_than_the_one_before_and_none_is_of_the_future(camera):
    frames = _frames(camera, 5)
    times = [frame.t_ns for frame in frames]
    assert times == sorted(set(times))
    assert times[-1] <= SystemClock().monotonic_ns()


def test_a_camera_that_has_no_frame_yet_says_so_in_time(camera):
    _frames(camera, 1)
    assert any(camera.next_frame(0) is None for _ in range(10))


def test_closing_twice_is_no_error(camera):
    _frames(camera, 1)
    camera.close()
    camera.close()


def test_a_camera_that_is_gone_raises_oserror(camera):
    _frames(camera, 1)
    camera.close()
    with pytest.raises(OSError, match=r"."):
        _frames(camera, 50)
