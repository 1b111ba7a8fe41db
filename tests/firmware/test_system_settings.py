"""Users, folders, drivers and drop-ins that the units rely on."""

import re
import shutil
import subprocess

import pytest

from cart import config
from tests.firmware.said import FOLDER, lines


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd-sysusers: apt install systemd")
def test_systemd_makes_the_users_and_their_folders(tmp_path):
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    (tmp_path / "etc").mkdir()
    users = FOLDER / "sysusers.d" / "cart.conf"
    code, said = run("systemd-sysusers", f"--root={tmp_path}", str(users))
    assert code == 0
    assert "not" not in said, said
    passwd = (tmp_path / "etc" / "passwd").read_text()
    assert "cart:x:880:880:" in passwd
    assert "cart-kiosk:x:881:881:" in passwd


def test_every_folder_of_the_configuration_is_made_for_the_daemon():
    made = {words[1]: words[2:5] for words in map(str.split, lines(FOLDER / "tmpfiles.d" / "cart.conf"))}
    settings = config.default()
    for folder in (settings.cart.run_dir, settings.cart.state_dir, settings.keys.dir):
        assert made[folder][1:] == ["cart", "cart"]
    assert made[settings.keys.dir][0] == "0700"


JOURNAL = (
    "Storage Compress SystemMaxUse SystemKeepFree SystemMaxFileSize RuntimeMaxUse MaxRetentionSec SyncIntervalSec"
    " RateLimitIntervalSec RateLimitBurst ForwardToSyslog ForwardToWall"
)
TIME = "FallbackNTP ConnectionRetrySec PollIntervalMinSec PollIntervalMaxSec SaveIntervalSec"
DROP_INS = {
    "journald.conf.d": ("[Journal]", JOURNAL),
    "system.conf.d": ("[Manager]", "RuntimeWatchdogSec RebootWatchdogSec DefaultTimeoutStopSec"),
    "timesyncd.conf.d": ("[Time]", TIME),
}


@pytest.mark.parametrize("folder", DROP_INS)
def test_a_drop_in_says_only_what_its_daemon_knows(folder):
    # systemd passes over a key that it does not know, so a misspelt one would do nothing and say nothing.
    section, keys = DROP_INS[folder]
    said = lines(FOLDER / folder / "cart.conf")
    assert said[0] == section
    assert [line.partition("=")[0] for line in said[1:]] == keys.split()
    assert all(line.partition("=")[2] for line in said[1:])


def test_the_hardware_watchdog_is_within_what_the_board_counts():
    (line,) = (line for line in lines(FOLDER / "system.conf.d" / "cart.conf") if line.startswith("RuntimeW"))
    assert int(line.partition("=")[2]) <= 15


def test_drivers_are_named_without_options():
    assert all(re.fullmatch(r"[a-z0-9_]+", line) for line in lines(FOLDER / "modules-load.d" / "cart.conf"))
