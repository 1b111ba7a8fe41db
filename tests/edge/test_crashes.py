import json
import subprocess
import sys

import pytest

from cart.clock import ManualClock
from cart.core.events import Tick
from cart.edge.crashes import WINDOW_NS, CrashBook, lock
from cart.faults import Fault
from cart.wire import codec


@pytest.fixture
def clock():
    return ManualClock(t_ns=10**12)


def test_three_crashes_in_a_minute_are_too_many(tmp_path, clock):
    for crash in range(3):
        assert not CrashBook(tmp_path, clock).too_many(), f"after {crash}"
        CrashBook(tmp_path, clock).note()
        clock.advance_ns(WINDOW_NS // 3)
    assert CrashBook(tmp_path, clock).too_many()
    clock.advance_ns(1)
    assert not CrashBook(tmp_path, clock).too_many(), "the first is older than a minute now"


def test_crashes_of_an_earlier_boot_do_not_count(tmp_path, clock):
    for _ in range(3):
        CrashBook(tmp_path, clock, "boot-1").note()
    assert CrashBook(tmp_path, clock, "boot-1").too_many()
    assert not CrashBook(tmp_path, clock, "boot-2").too_many()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\n", b"x\n\n1 2 3\n", b"boot -5\nboot x\nboot\n"])
def test_a_damaged_book_is_an_empty_one(tmp_path, clock, damage):
    (tmp_path / "crashes").write_bytes(damage)
    assert not CrashBook(tmp_path, clock, "boot").too_many()
    for _ in range(3):
        CrashBook(tmp_path, clock, "boot").note()
    assert CrashBook(tmp_path, clock, "boot").too_many()


def test_the_book_does_not_grow(tmp_path, clock):
    for _ in range(50):
        CrashBook(tmp_path, clock).note()
    assert len((tmp_path / "crashes").read_text().splitlines()) == 3


def test_the_poison_event_is_kept_with_its_traceback(tmp_path, clock):
    CrashBook(tmp_path, clock).keep_poison(7, Tick(1, 2), "Traceback\nboom")
    line, _, told = (tmp_path / "poison").read_bytes().partition(b"\n")
    assert codec.decode(line) == Tick(1, 2)
    assert json.loads(told) == {"event_number": 7, "wall_ms": clock.wall_ms(), "trace": ["Traceback", "boom"]}


def test_a_disk_that_refuses_does_not_hide_the_crash(tmp_path, clock):
    CrashBook(tmp_path / "absent", clock).note()
    CrashBook(tmp_path / "absent", clock).keep_poison(1, Tick(1, 2), "")


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path):
    held = lock(tmp_path)
    attempt = "import sys; from pathlib import Path; from cart.edge.crashes import lock; lock(Path(sys.argv[1]))"
    command = [sys.executable, "-c", attempt, str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "STATE-DIR-BUSY" in refused.stderr
    assert f"process {(tmp_path / 'lock').read_text().strip()}" in refused.stderr
    held.close()
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def test_a_state_directory_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Fault) as caught:
        lock(tmp_path / "file")
    assert caught.value.code == "STATE-DIR-BAD"
