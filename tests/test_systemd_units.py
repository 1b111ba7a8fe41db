import shutil
import subprocess

import pytest

from cart.__main__ import VERBS
from cart.loop import FEED_TICKS, TICK_NS
from tests.conftest import REPOSITORY

UNITS = sorted((REPOSITORY / "systemd").glob("*.service"))


def settings(unit):
    pairs = (line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key: value for key, value in pairs}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_verb_and_is_started_again_whatever_ended_it(unit):
    told = settings(unit)
    assert told["ExecStart"].split()[1] in VERBS
    assert (told["Type"], told["Restart"], told["StartLimitIntervalSec"]) == ("notify", "always", "0")


def test_daemon_and_camera_are_two_units():
    assert [unit.name for unit in UNITS] == ["cart-vision.service", "cart.service"]


def test_the_loop_feeds_the_watchdog_well_within_its_time():
    watchdog_s = int(settings(REPOSITORY / "systemd" / "cart.service")["WatchdogSec"])
    assert watchdog_s * 1_000_000_000 >= FEED_TICKS * TICK_NS * 3


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    # The program is not installed where the unit will find it; everything else is checked as it is.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/local/bin/cart ", "/bin/sh "))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )
    assert unit.name not in done.stdout + done.stderr
