"""The world process: a load cell on a real pseudo-terminal, things in view, the truth, and a page to act on."""

import http.client
import itertools
import json
import os
import select
import socket
import threading

import pytest

from cart.clock import SystemClock
from cart.sim.cell_port import CellPort
from cart.sim.hands import Hands
from cart.sim.page import BenchPage
from cart.sim.panel import SimulatedPanel
from cart.sim.physics import Params, Platform
from cart.sim.pictures import DRAWN, Pictures
from cart.sim.runner import demo_catalog
from cart.sim.world import World
from cart.sim.world_link import WorldLink, WorldTalk
from cart.wire.loadcell import Decoder, Identity, WeightLine

MS = 1_000_000
MILK = "arla-standard-milk"


def hands_of(seed=7, swapped=False):
    return Hands(demo_catalog(), Pictures(None), Platform(seed), seed, swapped)


def read_some(path, wanted, timeout_s=5.0):
    """Return what the decoder makes of the port, once `wanted` says that it is enough."""
    port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    decoder, values = Decoder(), []
    try:
        while not wanted(values):
            ready, _, _ = select.select([port], [], [], timeout_s)
            assert ready, "the port is silent"
            values += decoder.feed(os.read(port, 4_096))
    finally:
        os.close(port)
    assert decoder.lines_bad == 0
    return values


@pytest.fixture
def world(tmp_path):
    platform = Platform(7)
    world = World(tmp_path, Hands(demo_catalog(), Pictures(None), platform, 7, False), platform, SystemClock())
    thread = threading.Thread(target=world.run)
    thread.start()
    yield world, str(tmp_path / "world.sock"), tmp_path
    world.stop()
    thread.join(5)
    assert not thread.is_alive()


# -- acts, without time ----------------------------------------------------------------


def test_a_put_is_seen_then_felt_then_true():
    hands = hands_of()
    done = hands.act({"act": "put", "product": MILK, "mass_mg": 1_500_000}, 0, 0)
    hands.happen(0)
    seen = hands.said["camera"]["pass"]
    assert (seen["picture"], seen["code"]) == (DRAWN + "Arla-Standard-Milk", "")
    assert seen["t0_ns"] < done["t_release_ns"] < 2_500 * MS
    hands.happen(done["t_release_ns"] - 1)
    assert hands.truth == []
    hands.happen(done["t_release_ns"])
    assert [(piece.product.id, piece.mass_mg) for piece in hands.truth] == [(MILK, 1_500_000)]
    counts = [s.counts for s in hands.platform.advance(5_000_000)]
    rest = sum(counts[-80:]) / 80 - Params().zero_counts
    assert rest / Params().counts_per_kg == pytest.approx(1.5, abs=0.005)


def test_a_scan_shows_the_code_that_the_package_carries():
    hands = hands_of()
    hands.act({"act": "label", "code_of": "oatly-oat-milk", "on": MILK}, 0, 0)
    hands.act({"act": "scan", "product": MILK}, 0, 0)
    hands.happen(0)
    assert hands.said["camera"]["pass"]["code"] == "9521000000452"
    assert hands.said["camera"]["pass"]["picture"] == DRAWN + "Arla-Standard-Milk"


def test_swapped_packages_lie_with_code_and_picture_alike():
    hands = hands_of(swapped=True)
    hands.act({"act": "scan", "product": MILK}, 0, 0)
    hands.happen(0)
    seen = hands.said["camera"]["pass"]
    other = next(p for p in demo_catalog().products if p.gtins and p.gtins[0][1:] == seen["code"])
    assert other.id != MILK
    assert seen["picture"] == DRAWN + other.label


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"act": "fly"}, "no act 'fly'"),
        ({}, "no act 'None'"),
        ({"act": "put"}, "product"),
        ({"act": "put", "product": "nothing such"}, "no product"),
        ({"act": "put", "product": MILK, "mass_mg": "heavy"}, "invalid literal"),
        ({"act": "take", "product": MILK}, "there is no"),
        ({"act": "device", "name": "scale", "state": "eaten"}, "devices and their states"),
        ({"act": "contact", "name": "bell"}, "gate and help"),
    ],
)
def test_what_cannot_be_done_is_answered_with_the_reason(wanted, reason):
    assert reason in hands_of().act(wanted, 0, 0)["error"]


# -- the port ------------------------------------------------------------------------------


def test_an_unplugged_port_is_gone_and_a_new_one_takes_its_name(tmp_path):
    port = CellPort(tmp_path)
    first = os.readlink(tmp_path / "loadcell")
    assert os.path.exists(first)
    port.unplug()
    assert not os.path.lexists(tmp_path / "loadcell")
    port.write(b"into the air")
    port.replug()
    assert os.path.exists(os.readlink(tmp_path / "loadcell"))
    port.unplug()


def test_two_ports_in_one_folder_are_not_in_each_others_way(tmp_path):
    (tmp_path / ".loadcell.new").mkdir()  # where the other one is just being made
    port = CellPort(tmp_path, "shop-scale")
    assert port.plugged
    port.unplug()


def test_bytes_that_nobody_reads_are_dropped_and_counted(tmp_path):
    port = CellPort(tmp_path)
    for _ in range(200):
        port.write(b"x" * 1_000)
    assert port.dropped_bytes > 100_000
    port.unplug()


# -- the process's loop, in real time ----------------------------------------------------------


def test_the_load_cell_says_who_it_is_and_then_80_readings_a_second(world):
    _, _, run_dir = world
    values = read_some(run_dir / "loadcell", lambda got: sum(isinstance(v, WeightLine) for v in got) >= 40)
    readings = [value for value in values if isinstance(value, WeightLine)]
    assert any(isinstance(value, Identity) for value in values)
    steps_us = {b.t_us - a.t_us for a, b in itertools.pairwise(readings)}
    assert steps_us == {12_500}


def test_camera_panel_and_shopper_each_hear_their_own(world):
    alive, path, _ = world
    camera, panel, talk = WorldLink(path, "camera"), SimulatedPanel(path), WorldTalk(path)
    assert camera.wait("camera", 2.0)
    assert camera.latest() == {"camera": "well", "pass": None}
    panel.show("red", "attention")
    assert not panel.read().help
    talk.act(act="contact", name="help")
    talk.act(act="device", name="camera", state="covered")
    told = talk.act(act="tell")
    assert told["truth"] == []
    assert {"camera", "panel", "shopper"} <= set(told["connected"])
    assert alive.panel["light"] == "red"
    with pytest.raises(LookupError, match="no act"):
        talk.act(act="sing")
    for link in (camera, panel, talk):
        link.close()


def test_nonsense_ends_only_its_own_connection(world):
    _, path, _ = world
    rude = socket.socket(socket.AF_UNIX)
    rude.connect(path)
    rude.sendall(b"hello\n")
    rude.settimeout(5.0)
    assert rude.recv(1) == b""
    rude.close()
    talk = WorldTalk(path)
    assert talk.act(act="tell")["truth"] == []
    talk.close()


def test_a_client_that_never_ends_its_line_is_dropped(world):
    _, path, _ = world
    endless = socket.socket(socket.AF_UNIX)
    endless.settimeout(5.0)
    endless.connect(path)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        endless.sendall(b"x" * 4_000_000)
    endless.close()


def test_a_link_to_a_world_that_ended_is_an_oserror(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        WorldLink(str(tmp_path / "world.sock"), "camera")


def request(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    result = answer.status, answer.read()
    connection.close()
    return result


def test_the_page_acts_in_the_world_for_this_machine_only(world):
    alive, _, _ = world
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    page = BenchPage(alive, port, "http://127.0.0.1:1/")
    try:
        status, body = request(port, "GET", "/")
        assert status == 200
        assert b"Arla Standard Milk" in body
        assert request(port, "POST", "/act", json.dumps({"act": "put", "product": MILK}))[0] == 200
        assert request(port, "POST", "/act", "act=fly")[0] == 400
        assert request(port, "POST", "/act", "x" * 10_000)[0] == 404
        assert request(port, "GET", "/", Host="evil.example")[0] == 403
        assert request(port, "POST", "/act", "{}", Origin="http://evil.example")[0] == 403
        assert json.loads(request(port, "GET", "/state")[1])["devices"]["scale"] == "well"
    finally:
        page.stop()


@pytest.mark.parametrize(
    "act",
    [
        {"act": "put", "product": 5},
        {"act": "scan", "product": None},
        {"act": "label", "on": MILK, "code_of": 3},
        {"act": "put", "product": MILK, "mass_mg": 10**30},
        {"act": "lean", "for_ms": 10**40},
        {"act": "lean", "for_ms": -1},
    ],
)
def test_an_act_of_the_wrong_type_or_size_is_refused_in_words(act):
    hands = hands_of()
    assert list(hands.act(act, 0, 0)) == ["error"]
    hands.happen(10**12)
    assert hands.truth == []
