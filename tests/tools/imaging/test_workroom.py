"""What a run that was killed leaves behind, and two runs that want the same name."""

import os
import signal
import subprocess
import sys

import pytest

from cart.faults import Fault
from tools.imaging import copying, workroom

HOLD = """
import sys, time
from pathlib import Path
from tools.imaging import workroom
with getattr(workroom, sys.argv[1])(Path(sys.argv[2])) as path:
    (path if path.is_file() else path / "cart-1.img").write_text("token")
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(repository):
    """Return a function that starts another run which holds a file or a room until it is killed."""
    runs = []

    def start(kind, path):
        words = [sys.executable, "-c", HOLD, kind, str(path)]
        run = subprocess.Popen(words, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        runs.append(run)
        return run, workroom.Path(run.stdout.readline().strip())

    yield start
    for run in runs:
        run.kill()
        run.communicate()


def killed(run):
    run.send_signal(signal.SIGKILL)
    run.communicate()


def test_two_runs_do_not_write_to_the_same_image(tmp_path, other_run):
    run, part = other_run("unfinished", tmp_path / "cart.img")
    with pytest.raises(Fault) as met, workroom.unfinished(tmp_path / "cart.img"):
        pass
    assert met.value.code == "IMAGE-BUSY"
    assert part.read_text() == "token", "the other run goes on undisturbed"
    killed(run)
    assert part.exists()
    with workroom.unfinished(tmp_path / "cart.img") as mine:
        assert mine == part
        assert mine.read_text() == ""


def test_what_a_killed_run_left_is_taken_away_and_its_rights_with_it(tmp_path):
    part = tmp_path / "cart.img.part"
    part.write_text("half")
    part.chmod(0o666)
    with workroom.unfinished(tmp_path / "cart.img", secret=True) as mine:
        assert oct(mine.stat().st_mode) == "0o100600"
        assert mine.stat().st_size == 0
    assert not part.exists()


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "passwd").write_text("precious")
    (tmp_path / "cart.img.part").symlink_to(tmp_path / "passwd")
    with pytest.raises(Fault, match=r"IMAGE-UNWRITABLE.*symbolic"), workroom.unfinished(tmp_path / "cart.img"):
        pass
    assert (tmp_path / "passwd").read_text() == "precious"


def test_the_room_of_a_killed_run_is_cleared_and_that_of_a_living_one_is_not(tmp_path, other_run):
    base = tmp_path / "cart.img"
    run, theirs = other_run("room", base)
    with workroom.room(base) as mine:
        assert mine != theirs
        assert oct(mine.stat().st_mode) == "0o40700"
        assert (theirs / "cart-1.img").exists()
    killed(run)
    assert (theirs / "cart-1.img").exists(), "killed, it could not clear up itself"
    with workroom.room(base):
        assert not theirs.exists()
    assert os.listdir(tmp_path) == []


def test_a_small_file_is_whole_or_not_there_and_open_to_its_owner_alone_when_it_is_secret(tmp_path):
    before = os.umask(0o022)
    try:
        copying.put_text("a", tmp_path / "open")
        copying.put_text("b", tmp_path / "secret", secret=True)
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"open": "0o644", "secret": "0o600"}
