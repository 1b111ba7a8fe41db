"""Cameras that this machine cannot run are checked against the source of their package."""

import ast
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cart.clock import ManualClock, SystemClock
from cart.edge import camera
from tests.films import film, is_open

SETTINGS = camera.CameraSettings(1280, 720, 15, 330)


@pytest.fixture(scope="session")
def picamera2_source(tmp_path_factory):
    """Return the folder of picamera2's source: the installed one, $CART_PICAMERA2, else the wheel from the index."""
    found = importlib.util.find_spec("picamera2")
    if found and found.origin:
        return Path(found.origin).parent
    if os.environ.get("CART_PICAMERA2"):
        return Path(os.environ["CART_PICAMERA2"])
    folder = tmp_path_factory.mktemp("picamera2")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--retries=0"]
    done = subprocess.run(
        [*fetch, "--timeout=5", "-d", str(folder), "picamera2"], check=False, capture_output=True, timeout=60
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        pytest.skip("picamera2 is neither installed nor to be had from a package index")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder)
    return folder / "picamera2"


def signatures(path, class_name):
    """Return method name -> names of its parameters, of one class of a source file; None takes any keyword."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            arguments = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            found[node.name] = arguments
    return found


def calls_on(names):
    """Return (method, keywords, positional count) of every call on one of these variables in PiCamera."""
    tree = ast.parse(Path(camera.__file__).read_text(encoding="utf-8"))
    pi_camera = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PiCamera")
    for node in ast.walk(pi_camera):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner in names:
                yield node.func.attr, [keyword.arg for keyword in node.keywords], len(node.args)


def assert_all_exist(calls, known):
    calls = list(calls)
    assert calls
    for method, keywords, count in calls:
        assert method in known, f"picamera2 has no {method}"
        parameters = known[method]
        assert set(keywords) <= set(parameters), f"{method} takes {parameters}, not {keywords}"
        assert count < len(parameters), f"{method} takes {parameters}"


def test_every_method_of_the_camera_that_we_use_exists(picamera2_source):
    known = signatures(picamera2_source / "picamera2.py", "Picamera2")
    calls = list(calls_on({"self._camera", "camera"}))
    assert {"capture_request", "wait", "configure", "start", "stop", "close", "set_controls"} <= {c[0] for c in calls}
    assert_all_exist(calls, known)
    assert "camera_controls" in known  # a property: (least, most, default) of each control
    assert "camera_num" in known["__init__"]


def test_every_method_of_a_request_that_we_use_exists(picamera2_source):
    known = signatures(picamera2_source / "request.py", "CompletedRequest")
    calls = list(calls_on({"request"}))
    assert {"make_array", "get_metadata", "release"} <= {call[0] for call in calls}
    assert_all_exist(calls, known)


def test_a_planted_mistake_is_found():
    with pytest.raises(AssertionError, match="no capture_frame"):
        assert_all_exist([("capture_frame", [], 0)], {"capture_request": ["self", "wait"]})
    with pytest.raises(AssertionError, match="takes"):
        assert_all_exist([("capture_request", ["timeout"], 0)], {"capture_request": ["self", "wait"]})


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_a_machine_without_picamera2_says_so():
    with pytest.raises(OSError, match="picamera2 is not usable"):
        camera.PiCamera(0, SETTINGS, ManualClock())


def test_a_video_device_that_is_not_there_says_so():
    with pytest.raises(OSError, match="cannot be opened"):
        camera.VideoCamera("/dev/video-that-is-not-there", SETTINGS, ManualClock())


@pytest.mark.parametrize("shape", [(100, 400), (400, 100), (240, 320), (7, 3)])
def test_a_picture_of_any_shape_fills_the_frame(shape):
    fitted = camera.fitted(np.zeros((*shape, 3), np.uint8), 320, 240)
    assert fitted.shape == (240, 320, 3)
    assert (fitted == 0).any()


def test_a_fixed_exposure_leaves_the_gain_to_follow_the_light():
    assert camera.controls_of(SETTINGS) == {"FrameRate": 15, "ExposureTime": 330}
    assert camera.controls_of(camera.CameraSettings(1280, 720, 15)) == {"FrameRate": 15}


def test_a_lens_with_a_motor_is_set_to_a_distance_and_stays_there():
    moved = camera.controls_of(camera.CameraSettings(1280, 720, 15, focus_mm=340))
    assert moved["AfMode"] == 0
    assert moved["LensPosition"] == pytest.approx(2.94, abs=0.01)  # dioptres
    assert camera.properties_of(SETTINGS)[camera.cv2.CAP_PROP_AUTOFOCUS] == 0


def test_the_exposure_of_a_v4l2_camera_is_told_in_its_own_unit():
    properties = camera.properties_of(SETTINGS)
    assert properties[camera.cv2.CAP_PROP_EXPOSURE] == 3
    assert properties[camera.cv2.CAP_PROP_AUTO_EXPOSURE] == 1
    assert camera.cv2.CAP_PROP_EXPOSURE not in camera.properties_of(camera.CameraSettings(1280, 720, 15))


@pytest.mark.parametrize(("permille", "expected"), [
    (1_000, (0, 0, 1456, 1088)), (500, (364, 272, 728, 544)), (333, (486, 363, 484, 362)),
])  # fmt: skip
def test_a_crop_is_the_middle_of_the_sensor_with_even_sides(permille, expected):
    assert camera.crop_of((0, 0, 1456, 1088), permille) == expected


@pytest.mark.parametrize(("told_ns", "expected"), [(9 * 10**9, 9 * 10**9), (0, 10**10), (2 * 10**10, 10**10)])
def test_a_frames_time_is_the_drivers_unless_that_is_another_clock(told_ns, expected):
    assert camera.exposed_ns(told_ns, 10**10) == expected


def test_a_camera_that_gives_no_more_frames_is_let_go_before_that_is_said(tmp_path):
    path = film(tmp_path, [np.full((48, 64, 3), 90, np.uint8)] * 3, 50)
    source = camera.VideoCamera(str(path), camera.CameraSettings(64, 48, 50), SystemClock())
    assert is_open(path)

    def watch():
        while source.next_frame(1_000):
            pass

    with pytest.raises(OSError, match="no more frames"):
        watch()
    assert not is_open(path)
    source.close()
