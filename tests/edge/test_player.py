"""Recordings and films played as a camera: in their own time, the newest frame first, damage told."""

import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from cart.clock import ManualClock
from cart.edge.frame_log import INDEX, line_of, read_index
from cart.edge.player import PASSED_OVER_MAX, PAUSE_NS_MAX, FilmPlayer, RecordingPlayer, player_of
from tests.films import film, is_open

SIZE = (64, 48)
MS = 1_000_000


def recording(folder, times_ms):
    """Write a recording whose frames are as light as their number times ten."""
    folder.mkdir(exist_ok=True)
    for number in range(len(times_ms)):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((SIZE[1], SIZE[0], 3), 10 * number, np.uint8))
    lines = [line_of(f"{n:06d}.png", 5 * 10**9 + t_ms * MS) for n, t_ms in enumerate(times_ms)]
    (folder / INDEX).write_text("".join(lines))
    return folder


def numbers(player, clock, moments_ms):
    """Return which frame comes at each moment, None for none."""
    found, begin_ns = [], clock.monotonic_ns()
    for t_ms in moments_ms:
        clock.advance_to_ns(begin_ns + t_ms * MS)
        frame = player.next_frame(0)
        found.append(None if frame is None else round(frame.pixels.mean() / 10))
    return found


def test_a_recording_is_played_in_its_own_time(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = RecordingPlayer(recording(tmp_path, [0, 40, 100]), *SIZE, clock)
    assert numbers(player, clock, [0, 20, 40, 60, 99, 100]) == [0, None, 1, None, None, 2]


def test_frames_that_were_not_asked_for_in_time_are_passed_over(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = RecordingPlayer(recording(tmp_path, [0, 40, 80, 120, 160]), *SIZE, clock)
    assert numbers(player, clock, [0, 130, 165]) == [0, 3, 4]


def test_a_frame_carries_the_time_at_which_it_was_due(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = RecordingPlayer(recording(tmp_path, [0, 40, 80]), *SIZE, clock)
    clock.advance_ms(50)
    assert player.next_frame(0).t_ns == 10**9 + 40 * MS


def test_the_pause_between_two_passes_is_cut(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = RecordingPlayer(recording(tmp_path, [0, 40, 60_040]), *SIZE, clock)
    pause_ms = PAUSE_NS_MAX // MS
    assert numbers(player, clock, [0, 40, 39 + pause_ms, 40 + pause_ms]) == [0, 1, None, 2]


def test_a_recording_begins_again_at_its_end(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = RecordingPlayer(recording(tmp_path, [0, 40]), *SIZE, clock)
    assert numbers(player, clock, [0, 40, 50, 40 + PAUSE_NS_MAX // MS]) == [0, 1, None, 0]


def test_a_recording_that_was_cut_off_plays_up_to_its_last_whole_line(tmp_path):
    folder = recording(tmp_path, [0, 40, 80])
    text = (folder / INDEX).read_text()
    (folder / INDEX).write_text(text[:-9])
    assert [frame.file.name for frame in read_index(folder)] == ["000000.png", "000001.png"]


@pytest.mark.parametrize("text", [
    "", "no json\n" + line_of("000000.png", 1), '{"file":"000000.png"}\n' + line_of("000001.png", 1),
    line_of("../000000.png", 1), line_of("000000.png", 5) + line_of("000001.png", 4),
    line_of("..", 1), line_of("", 1), line_of("a\0.png", 1), line_of("\ud800.png", 1), line_of("/dev/zero", 1),
    '{"file":"000000.png","t_ns":1e999}\n', "[" * 3_000 + "\n" + line_of("000000.png", 1), "[" * 200_000 + "\n",
    "\xff\n",
])  # fmt: skip
def test_a_damaged_recording_is_said_so(tmp_path, text):
    folder = recording(tmp_path, [0, 40])
    (folder / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(OSError, match=str(tmp_path)):
        player_of(folder, *SIZE, 15, ManualClock())


def test_a_frame_that_is_missing_is_said_so(tmp_path):
    folder = recording(tmp_path, [0, 40])
    (folder / "000000.png").unlink()
    player = player_of(folder, *SIZE, 15, ManualClock())
    with pytest.raises(OSError, match=r"000000\.png is not a picture"):
        player.next_frame(0)


def claiming(width, height):
    """Return a PNG whose header claims so many pixels, and that holds none."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("content", [b"", b"no picture", claiming(60_000, 60_000), claiming(0, 0), None])
def test_a_frame_that_is_no_picture_is_said_so(tmp_path, content):
    folder = recording(tmp_path, [0, 40])
    (folder / "000000.png").unlink()
    if content is None:
        os.mkfifo(folder / "000000.png")
    else:
        (folder / "000000.png").write_bytes(content)
    player = player_of(folder, *SIZE, 15, ManualClock())
    with pytest.raises(OSError, match=r"000000\.png is not a picture"):
        player.next_frame(0)


def test_a_name_that_is_not_utf8_does_not_end_the_process(tmp_path):
    """In a process of its own: the crash would be a signal, not an exception."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(name)
    cv2.imwrite(str(tmp_path / "x.png"), np.full((SIZE[1], SIZE[0], 3), 70, np.uint8))
    os.rename(tmp_path / "x.png", name + "/x.png")
    os.rename(film_of(tmp_path, 3, 25), name + "/film.avi")
    code = (
        "import sys; from pathlib import Path; from cart.clock import ManualClock; from cart.edge.player import *\n"
        "clock = ManualClock(t_ns=1)\n"
        "player = player_of(Path(sys.argv[1]), 64, 48, 1, clock)\n"
        "for _ in range(2): print(round(player.next_frame(0).pixels.mean())); clock.advance_ms(1_000)\n"
        "try: player_of(Path(sys.argv[1]) / 'film.avi', 64, 48, 1, ManualClock(t_ns=1))\n"
        "except OSError as error: print('OSError')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["128", "70", "OSError"]


def film_of(tmp_path, frames, frames_per_s):
    """Write a film whose frames are as light as their number times ten."""
    pictures = (np.full((SIZE[1], SIZE[0], 3), 10 * number, np.uint8) for number in range(frames))
    return film(tmp_path, pictures, frames_per_s)


def test_a_film_is_played_at_its_own_rate_the_newest_frame_first_and_begins_again(tmp_path):
    clock = ManualClock(t_ns=10**9)
    player = FilmPlayer(film_of(tmp_path, 8, 25), *SIZE, 15, clock)
    assert numbers(player, clock, [0, 39, 40, 125, 285, 320]) == [0, None, 1, 3, 7, 0]


def test_a_film_that_is_closed_lets_go_of_its_file(tmp_path):
    path = film_of(tmp_path, 8, 25)
    player = FilmPlayer(path, *SIZE, 15, ManualClock())
    assert is_open(path)
    player.close()
    assert not is_open(path)
    with pytest.raises(OSError, match="closed"):
        player.next_frame(0)


def test_a_film_that_is_hours_late_goes_on_at_once(tmp_path, monkeypatch):
    clock = ManualClock(t_ns=10**9)
    player = FilmPlayer(film_of(tmp_path, 8, 25), *SIZE, 15, clock)
    grabs, grab = [], player._grab
    monkeypatch.setattr(player, "_grab", lambda: grabs.append(grab()))
    clock.advance_ms(3_600_000)
    assert player.next_frame(0).t_ns == clock.monotonic_ns()
    assert len(grabs) == PASSED_OVER_MAX + 1


@pytest.mark.parametrize("name", ["nothing.avi", "text.avi"])
def test_what_is_no_film_is_said_so(tmp_path, name):
    (tmp_path / "text.avi").write_text("no film")
    with pytest.raises(OSError, match="is no film"):
        player_of(tmp_path / name, *SIZE, 15, ManualClock())
