"""The live bench, in real time: the real daemon, vision process, broker and back office against the world process.

The trips run side by side, which also shows that two benches at once do not meet.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ONE_CARTON = Path(__file__).parent / "trips" / "one_carton.trip"
SBIN = "/usr/sbin:/usr/local/sbin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.broker,
    pytest.mark.skipif(not (shutil.which("mosquitto") or shutil.which("mosquitto", path=SBIN)), reason="no mosquitto"),
]


def start(state, *words):
    command = [sys.executable, "-m", "cart", "bench", *words, "--state", str(state)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_of(state):
    """Return the ids of the processes whose command lines name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        found += [int(path.parent.name)] if str(state).encode() in words else []
    return found


@pytest.fixture(scope="module")
def trips(tmp_path_factory):
    """Run the demo, one carton, and one carton with swapped labels, all at once; give their results by name."""
    folder = tmp_path_factory.mktemp("b")
    trip = ("--headless", "-o", "json", "--trip")
    running = {
        "demo": start(folder / "demo", *trip, "demo"),
        "one": start(folder / "one", *trip, str(ONE_CARTON)),
        "swapped": start(folder / "swapped", *trip, str(ONE_CARTON), "--swap-labels"),
    }
    results = {}
    for name, process in running.items():
        output, errors = process.communicate(timeout=240)
        assert output, errors
        results[name] = json.loads(output) | {"code": process.returncode, "left": processes_of(folder / name)}
    return results


def test_the_demo_trip_is_charged_and_receipted_as_it_really_was(trips):
    demo = trips["demo"]
    assert demo["passed"], (demo["wrong"], demo["unmet"])
    assert demo["code"] == 0
    assert demo["receipt"]["state"] == "receipted"
    assert demo["charged_minor"] == demo["truth_minor"] == demo["receipt"]["total_minor"] > 0
    assert "scan_it" in demo["asked"]
    assert {"weight_differs", "wrong_label"} & set(demo["asked"])
    assert demo["unmet"] == []
    assert demo["duration_s"] <= 90


def test_one_carton_is_charged(trips):
    assert trips["one"]["passed"], (trips["one"]["wrong"], trips["one"]["unmet"])
    assert trips["one"]["charged_minor"] == 229


def test_swapped_photos_and_labels_change_the_charge_or_are_asked_about(trips):
    swapped = trips["swapped"]
    assert swapped["asked"] or swapped["charged_minor"] not in (0, 229)
    assert swapped["code"] == (0 if swapped["passed"] else 1)
    assert not swapped["passed"]


def test_nothing_is_left_running(trips):
    assert [trips[name]["left"] for name in ("demo", "one", "swapped")] == [[], [], []]


def test_a_bench_to_play_with_ends_cleanly_on_ctrl_c(tmp_path):
    state = tmp_path / "play"
    process = start(state)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    assert any("the shopper's screen   http://127.0.0.1:" in line for line in lines)
    assert len(processes_of(state)) >= 4
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert processes_of(state) == []


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv (util-linux)")
def test_nothing_outlives_a_bench_that_is_killed(tmp_path):
    state = tmp_path / "killed"
    process = start(state)
    assert any("Ctrl-C" in line for line in process.stdout)
    descriptors = [os.pidfd_open(pid) for pid in processes_of(state) if pid != process.pid]
    assert len(descriptors) == 5
    process.kill()
    process.wait(30)
    for descriptor in descriptors:
        ended, _, _ = select.select([descriptor], [], [], 15)
        os.close(descriptor)
        assert ended
