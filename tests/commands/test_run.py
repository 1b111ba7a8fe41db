"""`cart run` as a process of its own, with every device away: what it says, survives and leaves."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cart import config
from cart.__main__ import main
from cart.clock import SystemClock
from cart.core.effects import Show
from cart.core.events import Restored, Saved, SourceLost
from cart.edge.crashes import CrashBook
from cart.edge.keys import make_pair
from cart.replay import Replay
from cart.wire import recording


class Cart:
    """A cart's configuration in a folder, and its daemon when it runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process = None
        self.settings = config.simulated(folder)
        self.change("kiosk", port=free_port())
        self.change("broker", host="127.0.0.1", port=free_port())
        make_pair(folder / "store", "store")
        (folder / "keys").mkdir()
        (folder / "keys" / "store.pub").write_bytes((folder / "store" / "store.pub").read_bytes())

    def change(self, section, **values):
        changed = msgspec.structs.replace(getattr(self.settings, section), **values)
        self.settings = msgspec.structs.replace(self.settings, **{section: changed})

    @property
    def file(self):
        path = self.folder / "cart.toml"
        path.write_text(config.render(self.settings))
        return str(path)

    def start(self):
        """Start the daemon and return the line that it prints when it is up."""
        command = [sys.executable, "-m", "cart", "run", "--config", self.file]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        return self.process.stdout.readline()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.kiosk.port, timeout=10)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse()

    def screens(self):
        """Yield the screens of the stream, the newest at once."""
        response = self.request("GET", "/stream")
        while line := response.readline():
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))

    def recorded(self):
        """Return head and steps of the run that ended last."""
        path = max((self.folder / "recordings").glob("*.rec"))
        lines = path.read_bytes().splitlines(True)
        return recording.read_head(lines[0]), list(recording.read_steps(lines[1:]))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


@pytest.fixture
def cart(tmp_path):
    made = Cart(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait(timeout=10)


def test_without_any_device_it_runs_says_what_is_missing_and_ends_in_order(cart):
    line = cart.start()
    assert f"screen http://127.0.0.1:{cart.settings.kiosk.port}/" in line
    assert "CALIBRATION-MISSING" in line
    screen = next(screen for screen in cart.screens() if {"scale_lost", "offline"} <= set(screen["notices"]))
    assert screen["phase"] == "idle"
    assert cart.end() == 0
    head, steps = cart.recorded()
    *steps, ending = steps
    assert ending.reason == "stopped"
    assert isinstance(steps[0].event, Restored)
    lost = {step.event.name: step.event.reason for step in steps if isinstance(step.event, SourceLost)}
    assert lost["scale"].startswith("CALIBRATION-MISSING")
    assert lost["panel"].startswith("PANEL-MISSING")
    assert head.config == config.render(cart.settings)
    assert Replay().compare(max((cart.folder / "recordings").glob("*.rec"))).passed


def test_a_trip_survives_kill_9(cart):
    cart.start()
    assert cart.request("POST", "/tap", json.dumps({"action": "start", "key": "one"})).status == 202
    trip = next(screen for screen in cart.screens() if screen["phase"] == "shopping")
    assert trip["phase"] == "shopping"
    cart.request("POST", "/tap", json.dumps({"action": "help", "key": "two"}))
    assert next(screen for screen in cart.screens() if screen["help"])
    saved = cart.folder / "cart.sqlite3"
    assert saved.exists()
    wait_for_saves(cart, 2)
    cart.end(signal.SIGKILL)
    cart.start()
    screen = next(iter(cart.screens()))
    assert (screen["phase"], screen["help"]) == ("shopping", True)
    cart.end()
    _, (first, *_) = cart.recorded()
    assert first.event.trip.phase == "shopping"
    assert first.event.save_seq >= 2
    replayed = [Replay().compare(path) for path in sorted((cart.folder / "recordings").iterdir())]
    assert [(outcome.ending, outcome.passed) for outcome in replayed] == [("torn", True), ("stopped", True)]


def wait_for_saves(cart, count):
    """Look into the recording, which is flushed once a second, until the database has answered `count` times."""
    clock = SystemClock()
    until_ns = clock.monotonic_ns() + 20_000_000_000
    while clock.monotonic_ns() < until_ns:
        _, steps = cart.recorded()
        if sum(isinstance(getattr(step, "event", None), Saved) for step in steps) >= count:
            return
        next(iter(cart.screens()))  # asks the daemon for something, which lets it work on
    pytest.fail(f"no {count} transactions within 20 s")


def test_a_second_daemon_on_the_same_state_is_refused(cart, capsys):
    cart.start()
    assert main(["run", "--config", cart.file]) == 3
    assert "STATE-DIR-BUSY" in capsys.readouterr().err
    assert cart.end() == 0


def test_a_screen_whose_port_is_taken_is_said_and_the_cart_runs_on_without_it(cart):
    with socket.create_server(("127.0.0.1", cart.settings.kiosk.port)):
        assert "KIOSK-PORT-BUSY" in cart.start()
    assert cart.process.poll() is None
    assert cart.end() == 0
    _, steps = cart.recorded()
    assert any(isinstance(step.event, SourceLost) and step.event.name == "kiosk" for step in steps[:-1])


def test_three_crashes_in_a_minute_start_it_out_of_service_with_the_basket_shown(cart):
    for _ in range(3):
        CrashBook(cart.folder, SystemClock()).note()
    assert "out of service" in cart.start()
    screen = next(iter(cart.screens()))
    assert (screen["phase"], screen["help"]) == ("out_of_service", True)
    assert cart.end() == 0
    head, steps = cart.recorded()
    assert head.mode == "out_of_service"
    assert isinstance(steps[0].effects[0], Show)
    assert Replay().compare(max((cart.folder / "recordings").glob("*.rec"))).passed


def test_ctrl_c_ends_it_in_order_too(cart):
    cart.start()
    assert cart.end(signal.SIGINT) == 0


def test_a_configuration_with_a_fault_is_refused(cart, capsys):
    path = Path(cart.file)
    path.write_text(path.read_text().replace("[kiosk]", "[kiosk]\ncolour = 3"))
    assert main(["run", "--config", str(path)]) == 3
    assert "CONFIG-FAULTS" in capsys.readouterr().err
    assert main(["run", "--config", str(cart.folder / "absent.toml")]) == 3


def test_a_catalogue_with_faults_is_refused(cart, capsys):
    (cart.folder / "shop.csv").write_text("nonsense\n")
    cart.change("catalog", path=str(cart.folder / "shop.csv"))
    assert main(["run", "--config", cart.file]) == 3
    assert "CATALOG-FAULTS" in capsys.readouterr().err


def test_missing_store_keys_are_refused(cart, capsys):
    (cart.folder / "keys" / "store.pub").unlink()
    assert main(["run", "--config", cart.file]) == 3
    assert "KEY-MISSING" in capsys.readouterr().err


def test_a_state_directory_that_is_none_is_refused(cart, capsys):
    (cart.folder / "file").write_text("")
    cart.change("cart", state_dir=str(cart.folder / "file"))
    assert main(["run", "--config", cart.file]) == 3
    assert "STATE-DIR-BAD" in capsys.readouterr().err
