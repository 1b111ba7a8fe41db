"""Recording real passes: whole frames with their times, nothing written over, no disk filled."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple

import cv2
import numpy as np
import pytest

from cart.clock import ManualClock
from cart.edge.frame_log import ABOUT, INDEX, read_index
from cart.edge.player import RecordingPlayer, player_of
from cart.ports import Frame
from tests.conftest import REPOSITORY
from tools import record_frames
from tools.record_frames import LEAD_FRAMES, TAIL_FRAMES, Full, Passes, Session, next_folder

FRAME_NS = 66_666_667


def frame(number, x=None):
    pixels = np.full((240, 320, 3), 90, np.uint8)
    pixels[::40] = 140
    if x is not None:
        pixels[60:180, max(0, x) : max(0, x + 80)] = 220
    return Frame(10**9 + number * FRAME_NS, pixels)


class Still:
    """A camera before which nothing moves; `stop` is set after so many frames."""

    def __init__(self, frames, stop):
        self._left, self._stop = frames, stop

    def next_frame(self, timeout_ms):
        self._left -= 1
        if not self._left:
            self._stop.set()
        return frame(self._left)

    def close(self):
        pass


def session(tmp_path, limit_bytes=10**8):
    return Session(next_folder(tmp_path / "out"), {"v": 1}, limit_bytes)


def test_what_passes_is_recorded_with_the_empty_view_around_it_and_nothing_else(tmp_path):
    made = session(tmp_path)
    passes = Passes(made)
    xs = [None] * 40 + list(range(-60, 320, 40)) + [None] * 40
    for number, x in enumerate(xs):
        passes.see(frame(number, x))
    made.close()
    frames = read_index(made.folder)
    numbers = [(recorded.t_ns - 10**9) // FRAME_NS for recorded in frames]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 40 - LEAD_FRAMES - 2 <= numbers[0] <= 40 - LEAD_FRAMES + 2
    assert 50 <= numbers[-1] <= 50 + TAIL_FRAMES + 3
    assert (made.told.passes, made.told.frames) == (1, len(frames))
    assert {recorded.file.name for recorded in frames} == {path.name for path in made.folder.glob("*.jpg")}


def test_a_recording_is_played_as_it_was_seen(tmp_path):
    made = session(tmp_path)
    shown = [frame(number, 40 * number) for number in range(6)]
    for one in shown:
        made.add(one)
    made.close()
    clock = ManualClock(t_ns=5 * 10**9)
    player = player_of(made.folder, 320, 240, 15, clock)
    assert isinstance(player, RecordingPlayer)
    for one in shown:
        played = player.next_frame(0)
        assert played.t_ns - 5 * 10**9 == one.t_ns - 10**9
        assert np.abs(played.pixels.astype(int) - one.pixels).mean() < 3
        clock.advance_ns(FRAME_NS)


def test_each_run_has_a_folder_of_its_own(tmp_path):
    first, second = next_folder(tmp_path), next_folder(tmp_path)
    assert (first.name, second.name) == ("session-0001", "session-0002")
    shutil.rmtree(first)
    assert next_folder(tmp_path).name == "session-0003"


def test_a_session_never_writes_over_another(tmp_path):
    made = session(tmp_path)
    made.add(frame(0))
    with pytest.raises(FileExistsError):
        Session(made.folder, {"v": 1}, 10**8)
    (made.folder / "000002.jpg").write_bytes(b"mine")
    with pytest.raises(Full):
        made.add(frame(1))


def test_the_limit_ends_the_session_with_whole_frames(tmp_path):
    made = session(tmp_path, limit_bytes=20_000)

    def add_many():
        for number in range(1_000):
            made.add(frame(number))

    with pytest.raises(Full, match="--max-mb"):
        add_many()
    made.close()
    files = list(made.folder.glob("*.jpg"))
    assert sum(path.stat().st_size for path in files) <= 20_000
    assert len(read_index(made.folder)) == len(files) > 1
    assert all(cv2.imread(str(path)) is not None for path in files)


def test_a_disk_that_would_be_full_is_refused_with_the_next_step(tmp_path, monkeypatch, capsys):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(record_frames.shutil, "disk_usage", lambda place: Usage(10**10, 10**10, 300_000_000))
    assert record_frames.main([str(tmp_path / "out"), "--device", f"file:{tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert "300 MB free" in said
    assert "another disk" in said
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half(tmp_path):
    made = session(tmp_path)
    made.add(frame(0))

    def full(text):
        raise OSError(28, os.strerror(28))

    made._index = type("Full", (), {"write": staticmethod(full), "close": lambda self: None})()
    with pytest.raises(Full, match="make room"):
        made.add(frame(1))
    assert [path.name for path in made.folder.glob("*.jpg")] == ["000001.jpg"]
    assert len(read_index(made.folder)) == 1


def test_a_session_without_a_frame_leaves_nothing_behind(tmp_path):
    made = session(tmp_path)
    made.close()
    assert not made.folder.exists()


def test_the_tool_records_from_a_camera_and_says_what_it_did(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), np.full((200, 300, 3), 220, np.uint8))
    words = [str(tmp_path / "out"), "--device", f"file:{pictures}", "--seconds", "3", "--code", "9506000134352"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.record_frames", *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passes"] >= 1
    folder = tmp_path / "out" / "session-0001"
    assert told["folder"] == str(folder)
    assert len(read_index(folder)) == told["frames"] == len(list(folder.glob("*.jpg")))
    sidecar = json.loads((folder / ABOUT).read_text())
    assert sidecar["code"] == "9506000134352"
    assert sidecar["camera"]["device"] == f"file:{pictures}"
    assert (folder / INDEX).stat().st_size > 0


def test_a_camera_that_is_not_there_is_said_so(tmp_path, capsys):
    assert record_frames.main([str(tmp_path / "out"), "--device", f"file:{tmp_path / 'nothing'}"]) == 4
    assert "CAMERA-MISSING" in capsys.readouterr().err


def test_a_camera_that_nobody_can_mean_is_a_mistake_of_usage(tmp_path, capsys):
    for words in (["--device", "webcam"], ["--code", "95o6000134352"]):
        with pytest.raises(SystemExit) as end:
            record_frames.main([str(tmp_path / "out"), *words])
        assert end.value.code == 2
    assert "v4l2:PATH" in capsys.readouterr().err


def test_a_session_in_which_nothing_passed_fails_says_so_and_names_no_folder(tmp_path, capsys):
    stop = threading.Event()
    made = session(tmp_path)
    assert record_frames._recorded(Still(60, stop), made, argparse.Namespace(all=False, seconds=0), stop) == 1
    told = capsys.readouterr()
    assert "nothing passed" in told.err
    assert "session-0001" not in told.err + told.out
    assert not made.folder.exists()


def test_without_a_bench_the_simulated_camera_says_which_one_it_wants(tmp_path, capsys):
    file = tmp_path / "cart.toml"
    file.write_text(f'[cart]\nrun_dir = "{tmp_path}/run"\nstate_dir = "{tmp_path}"\n[camera]\ndevice = "simulated"\n')
    assert record_frames.main([str(tmp_path / "out"), "--config", str(file)]) == 4
    said = capsys.readouterr().err
    assert f"{tmp_path}/run/world.sock: no bench runs there" in said
