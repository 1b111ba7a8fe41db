"""`cart camera test` on every source that this machine has: what it says, and its exit codes."""

import json

import cv2
import numpy as np
import pytest

from cart import config
from cart.__main__ import main
from cart.edge.frame_log import INDEX, line_of
from cart.sim.aim import drawn
from cart.vision.reader import available_engines

needs_engine = pytest.mark.skipif(not available_engines(thorough=False), reason="no barcode engine is installed")


@pytest.fixture(autouse=True)
def no_config(monkeypatch, tmp_path):
    """No configuration but what a test names."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("CART_CONFIG", raising=False)
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "cart.toml")


def card(blur_px=0.45):
    return np.clip(drawn(1280, 720, 218, blur_px), 0, 255).astype(np.uint8)


def camera_test(capsys, *words, seconds=1):
    code = main(["camera", "test", "--seconds", str(seconds), "-o", "json", *words])
    out = capsys.readouterr().out
    told = json.loads(out) if out else {"figures": {}, "findings": []}
    return code, told["figures"], {finding["name"]: finding["state"] for finding in told["findings"]}


@needs_engine
def test_without_a_camera_and_a_configuration_a_drawn_target_is_measured(capsys):
    code, figures, states = camera_test(capsys, seconds=2)
    assert figures["pixel_um"] == pytest.approx(218, rel=0.01)
    assert states["camera"] == "simulated"
    assert {states[name] for name in ("size", "target", "fineness", "sharpness", "light", "exposure")} == {"ok"}
    assert code == (1 if states["rate"] == "x" else 0)  # a busy machine draws slowly


@needs_engine
def test_a_folder_of_pictures_and_a_recording_are_cameras_too(capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "000001.png"), card())
    _, _, states = camera_test(capsys, "--device", f"file:{tmp_path}", seconds=1)
    assert states["target"] == "ok"
    assert states["camera"] == "simulated"  # nothing of it holds for a camera's rate
    (tmp_path / INDEX).write_text("".join(line_of("000001.png", n * 66_666_667) for n in range(30)))
    _, figures, states = camera_test(capsys, "--device", f"file:{tmp_path}", seconds=1)
    assert states["target"] == "ok"
    assert figures["pixel_um"] == pytest.approx(218, rel=0.01)


@needs_engine
def test_a_blurred_target_fails_with_the_next_step(capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "000001.png"), card(blur_px=1.2))
    (tmp_path / INDEX).write_text("".join(line_of("000001.png", n * 66_666_667) for n in range(30)))
    assert main(["camera", "test", "--seconds", "1", "--device", f"file:{tmp_path}"]) == 1
    said = capsys.readouterr().out
    assert "[x]         sharpness" in said
    assert "turn the lens" in said


def test_a_view_without_the_target_fails_and_says_how_to_print_it(capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((720, 1280, 3), 90, np.uint8))
    assert main(["camera", "test", "--seconds", "1", "--device", f"file:{tmp_path}"]) == 1
    assert "--target target.svg" in capsys.readouterr().out


def test_a_camera_that_is_not_there_exits_with_4(capsys, tmp_path):
    for device in (f"file:{tmp_path / 'nothing'}", "v4l2:/dev/video-that-is-not-there"):
        assert main(["camera", "test", "--seconds", "1", "--device", device]) == 4
        said = capsys.readouterr().err
        assert "CAMERA-MISSING" in said
        # The next step is another one than the command that failed just now.
        assert "ls /dev/video*" in said


def test_a_faulty_configuration_exits_with_3_and_a_faulty_device_with_2(capsys, tmp_path):
    config.SYSTEM_FILE.write_text("[camera]\nexposure_us = -5\n")
    assert main(["camera", "test"]) == 3
    with pytest.raises(SystemExit) as end:
        main(["camera", "test", "--device", "webcam"])
    assert end.value.code == 2
    assert "v4l2:PATH" in capsys.readouterr().err


def test_the_target_is_written_to_be_printed(capsys, tmp_path):
    path = tmp_path / "target.svg"
    assert main(["camera", "test", "--target", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("<svg ")
    assert "print it at 100 %" in capsys.readouterr().out
    assert main(["camera", "test", "--target", str(tmp_path / "no" / "target.svg")]) == 2
    assert "target.svg" in capsys.readouterr().err


def test_the_last_frame_can_be_kept(capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((720, 1280, 3), 90, np.uint8))
    camera_test(capsys, "--device", f"file:{tmp_path}", "--save", str(tmp_path / "kept.png"))
    assert cv2.imread(str(tmp_path / "kept.png")).shape == (720, 1280, 3)


def test_a_picture_that_cannot_be_written_is_said_before_anything_is_measured(capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["camera", "test", "--seconds", "600", "--save", str(tmp_path / "kept.xyz")])
    assert end.value.code == 2
    assert "must end in one of .png" in capsys.readouterr().err


def test_the_format_is_also_told_by_the_long_option(capsys):
    assert main(["camera", "test", "--seconds", "1", "--output", "json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["figures"]["frames"] > 0
