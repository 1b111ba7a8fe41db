"""The units: hardened as promised, and still giving the daemon what it relies on."""

import re
import shutil
import subprocess
import tomllib

import pytest

from cart import config
from cart.__main__ import VERBS
from cart.edge import recorder
from cart.edge.keys import PICTURES_NAME
from cart.loop import FEED_TICKS, TICK_NS
from cart.vision import process
from tests.conftest import REPOSITORY
from tools.imaging.device import PAGE_FILE
from tools.units import directives, exposure, systemd_analyze

FOLDER = REPOSITORY / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
OURS = [FOLDER / name for name in ("cart.service", "cart-vision.service")]
NS_PER_S = 1_000_000_000

# What `systemd-analyze security --offline=true` may say at most.
EXPOSURE_MAX = {"cart.service": 1.3, "cart-vision.service": 1.0, "cart-kiosk.service": 4.0}

needs_systemd = pytest.mark.skipif(systemd_analyze() is None, reason="no systemd-analyze here: apt install systemd")


def told(unit):
    return directives(unit.read_text(encoding="utf-8"))


def one(unit, key):
    (value,) = told(unit)[key]
    return value


def words(unit, key):
    return {word for value in told(unit).get(key, []) for word in value.split()}


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|)", text).groups()
    return int(number) / (1_000 if unit == "ms" else 1)


def test_the_units_are_daemon_camera_and_screen():
    assert [unit.name for unit in UNITS] == ["cart-kiosk.service", "cart-vision.service", "cart.service"]


def test_the_target_wants_every_unit_and_needs_none():
    target = told(FOLDER / "cart.target")
    assert set(target["Wants"][0].split()) == {unit.name for unit in UNITS}
    assert not {"Requires", "BindsTo", "Requisite"} & set(target)
    for unit in UNITS:
        assert one(unit, "WantedBy") == one(unit, "PartOf") == "cart.target"


@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_verb_and_reports_itself(unit):
    python, option, module, verb = one(unit, "ExecStart").split()[:4]
    assert (python.rpartition("/")[2], option, module) == ("python3", "-m", "cart")
    assert verb in VERBS
    assert (one(unit, "Type"), one(unit, "NotifyAccess")) == ("notify", "main")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_started_again_whatever_ended_it_and_however_often(unit):
    assert (one(unit, "Restart"), one(unit, "StartLimitIntervalSec")) == ("always", "0")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_no_unit_falls_with_a_device_or_with_another_unit(unit):
    assert not {"BindsTo", "Requires", "Requisite"} & set(told(unit))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_no_unit_waits_for_the_network_the_clock_or_a_broker(unit):
    # Debian's mosquitto.service waits for network-online.target itself.
    waits = {"network-online.target", "time-sync.target", "time-set.target", "mosquitto.service"}
    assert not waits & (words(unit, "After") | words(unit, "Wants"))


def test_at_shutdown_the_screen_and_the_camera_go_first_and_the_network_last():
    assert "cart.service" in words(FOLDER / "cart-kiosk.service", "After")
    assert "cart.service" in words(FOLDER / "cart-vision.service", "After")
    assert "network.target" in words(FOLDER / "cart.service", "After")


def test_the_loop_feeds_the_watchdog_well_within_its_time():
    assert seconds(one(FOLDER / "cart.service", "WatchdogSec")) * NS_PER_S >= FEED_TICKS * TICK_NS * 3


def test_a_silent_camera_ends_by_itself_before_its_watchdog_does_it():
    silent_s = process.FRAME_TIMEOUT_MS * process.SILENT_TIMEOUTS_MAX / 1_000
    assert silent_s * 2 < seconds(one(FOLDER / "cart-vision.service", "WatchdogSec"))


def test_the_attempts_to_find_a_camera_fit_into_the_time_of_a_start():
    silent_s = process.FRAME_TIMEOUT_MS * process.SILENT_TIMEOUTS_MAX / 1_000
    attempts_s = process.OPENINGS_MAX * (silent_s + max(process.PAUSES_S))
    assert attempts_s < seconds(one(FOLDER / "cart-vision.service", "TimeoutStartSec"))


def test_the_last_transactions_and_the_recording_have_time_at_the_stop():
    assert seconds(one(FOLDER / "cart.service", "TimeoutStopSec")) > recorder.CLOSE_TIMEOUT_S


def test_the_folders_are_those_of_the_configuration():
    settings = config.default()
    for unit in OURS:
        assert f"/run/{one(unit, 'RuntimeDirectory')}" == settings.cart.run_dir
        assert one(unit, "RuntimeDirectoryPreserve") == "yes"  # the other unit's sockets are in it
        assert one(unit, "WorkingDirectory") == settings.cart.run_dir  # lgpio makes a pipe there
    assert f"/var/lib/{one(FOLDER / 'cart.service', 'StateDirectory')}" == settings.cart.state_dir


def test_the_camera_process_sees_no_private_key_and_no_database():
    vision = FOLDER / "cart-vision.service"
    state_dir = config.default().cart.state_dir
    assert one(vision, "TemporaryFileSystem") == f"{state_dir}:ro"
    assert one(vision, "BindPaths") == f"/var/lib/{one(vision, 'StateDirectory')}" == f"{state_dir}/crops"
    assert told(vision)["BindReadOnlyPaths"] == [
        f"-{config.default().keys.dir}/{PICTURES_NAME}",
        f"-{state_dir}/models",
    ]
    assert one(vision, "PrivateNetwork") == "yes"


@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.name)
def test_what_the_daemon_reads_in_proc_is_there(unit):
    # crashes.py reads the boot's id, RPi.GPIO the board's revision, the classifier's runtime the cores.
    assert "ProcSubset" not in told(unit)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_as_a_user_without_privileges(unit):
    users = (REPOSITORY / "firmware_config" / "sysusers.d" / "cart.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u\s+{one(unit, 'User')}\s", users, re.MULTILINE)
    assert one(unit, "User") == one(unit, "Group")
    assert one(unit, "CapabilityBoundingSet") == one(unit, "AmbientCapabilities") == ""
    assert one(unit, "NoNewPrivileges") == "yes"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_opens_its_own_devices_only(unit):
    assert one(unit, "DevicePolicy") == "closed"
    for device in told(unit)["DeviceAllow"]:
        assert re.fullmatch(r"char-[\w-]+ rw", device), device


def test_a_late_serial_port_is_allowed_by_its_number():
    # A name is looked up in /proc/devices when the unit starts: too early for a driver that a plug loads.
    assert {"char-166", "char-188", "char-204"} <= words(FOLDER / "cart.service", "DeviceAllow")


def test_the_screen_shows_the_page_of_the_configuration_within_its_memory():
    unit = FOLDER / "cart-kiosk.service"
    kiosk = config.default().kiosk
    assert "--app=${CART_PAGE}" in one(unit, "ExecStart")
    assert f"CART_PAGE=http://{kiosk.host}:{kiosk.port}/" in told(unit)["Environment"]
    assert one(unit, "EnvironmentFile") == f"-{PAGE_FILE}"
    assert one(unit, "MemoryMax") == "700M"
    assert "cgroup_enable=memory" in (REPOSITORY / "firmware_config" / "boot" / "cmdline.add").read_text()


def test_memory_is_taken_from_the_screen_before_the_daemon():
    assert int(one(FOLDER / "cart-kiosk.service", "OOMScoreAdjust")) > 0
    assert int(one(FOLDER / "cart.service", "OOMScoreAdjust")) < 0


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened_as_promised(unit):
    assert exposure(unit) <= EXPOSURE_MAX[unit.name]


@needs_systemd
def test_an_open_unit_would_be_found(tmp_path):
    unit = tmp_path / "cart.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(unit) > 9


@needs_systemd
def test_systemd_finds_no_fault(tmp_path):
    done = verified(tmp_path, lambda text: text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_a_planted_fault_is_found(tmp_path):
    done = verified(tmp_path, lambda text: text.replace("Restart=always", "Restart=alwyas"))
    assert "restart specifier" in done.stderr


def verified(folder, change):
    """Verify copies of all units, with programs that exist on this machine in place of the device's."""
    for path in [*UNITS, FOLDER / "cart.target"]:
        text = path.read_text(encoding="utf-8").replace("/usr/local/lib/cart/current/bin/python3 ", "/bin/sh ")
        (folder / path.name).write_text(change(text.replace("/usr/bin/cage ", "/bin/sh ")))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(folder.iterdir()))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_every_unit_and_its_links_are_placed():
    places = tomllib.loads((REPOSITORY / "firmware_config" / "places.toml").read_text(encoding="utf-8"))
    for unit in UNITS:
        place = places["files"][f"systemd/{unit.name}"]
        assert places["links"][f"/etc/systemd/system/cart.target.wants/{unit.name}"] == place
    assert "/etc/systemd/system/multi-user.target.wants/cart.target" in places["links"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_the_screen_finds_chromium_under_either_name(tmp_path):
    # systemd turns $$ into $; what is left is a line for the shell.
    line = one(FOLDER / "cart-kiosk.service", "ExecStart").replace("$$", "$")
    script = re.search(r"/bin/sh -c '([^']*)' sh ", line)[1]
    for name in ("chromium", "chromium-browser"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text('#!/bin/sh\necho "$0 $*"\n')
        (folder / name).chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", "--app=x", "a b"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": str(folder)},
        )
        assert done.stdout == f"{folder / name} --app=x a b\n"
