"""Our driver and codecs before emupos, a simulator of shop scales that others wrote from the same standards."""

import json
import os
import random
import socket
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from cart.clock import SystemClock
from cart.edge.shop_scale import ShopLine, ShopScale
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.protocols import by_name
from tools.python_313 import existing

pytestmark = pytest.mark.slow

WAIT_NS = 20_000_000_000
PROFILES = {"toledo-8217": "toledo8217-15kg", "sma": "sma-15kg"}
DIVISION_G = 5


class Emupos:
    """One running emupos with a scale for each protocol, and a hand that puts things on it."""

    def __init__(self, python, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        devices = [
            {"id": name, "type": "scale", "profile": profile, "connections": [{"serial": {"pty": True, "link": name}}]}
            for name, profile in PROFILES.items()
        ]
        config = {"schema": 1, "api": {"host": "127.0.0.1", "port": self.port}, "devices": devices}
        (folder / "emupos.yaml").write_text(json.dumps(config))  # JSON is YAML
        self.links = folder / "emupos"
        self.process = subprocess.Popen(
            [python.parent / "emupos", "run", "--config", folder / "emupos.yaml"],
            env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status

    def put_on(self, protocol, grams, stable=True):
        assert self.call("PUT", f"/devices/{protocol}/weight", {"grams": grams, "stable": stable}) == 204

    def press(self, protocol, key):
        assert self.call("POST", f"/devices/{protocol}/{key}") == 204

    def wait_until_up(self):
        clock, pause = SystemClock(), threading.Event()
        end_ns = clock.monotonic_ns() + 2 * WAIT_NS
        while clock.monotonic_ns() < end_ns:
            assert self.process.poll() is None, self.process.stderr.read().decode()[-500:]
            try:
                self.call("GET", "/health")
            except (urllib.error.URLError, OSError):
                pause.wait(0.1)
            else:
                return
        raise AssertionError("emupos does not answer")


@pytest.fixture(scope="module")
def emupos(tmp_path_factory):
    python = existing("emupos")
    if python is None:
        pytest.skip("emupos is not there: python -m tools.python_313 emupos makes its environment of Python 3.13")
    running = Emupos(python, tmp_path_factory.mktemp("e"))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=20)


class Till:
    """Our driver on one of its scales."""

    def __init__(self, emupos, protocol):
        self.emupos, self.protocol, self.clock = emupos, protocol, SystemClock()
        # A pseudo-terminal has no parity, and emupos does not put one in, so the line is 8N1 for both.
        row, port = by_name(protocol), str(emupos.links / protocol)
        self.driver = ShopScale(lambda: ShopLine(port, row.baud), row, self.clock, "8N1")
        self.driver.open()

    def until(self, enough):
        """Return the answers from now on, as soon as `enough` accepts them."""
        end_ns, pause, answers = self.clock.monotonic_ns() + WAIT_NS, threading.Event(), []
        while self.clock.monotonic_ns() < end_ns:
            answers += self.driver.look()
            if enough(answers):
                return answers
            pause.wait(0.005)
        raise AssertionError(f"not said: {answers[-3:]}")

    def next(self):
        """Return an answer to a question that was asked from now on, and that another confirms."""
        # The first may answer a question of before, and the second confirms nothing yet.
        return self.until(lambda answers: len(answers) >= 3)[2]

    def shows(self, grams, stable=True):
        self.emupos.put_on(self.protocol, grams, stable)
        return self.next()


@pytest.fixture(params=PROFILES)
def till(request, emupos):
    till = Till(emupos, request.param)
    emupos.put_on(request.param, 0)
    emupos.press(request.param, "zero")
    yield till
    till.driver.close()


def test_each_weight_is_the_one_that_was_put_on_in_the_scales_own_steps(till):
    draw = random.Random(8_217)
    for grams in (0, 5, 2_500, 14_995, 15_000, *(draw.randrange(15_001) for _ in range(6))):
        said = till.shows(grams)
        # emupos rounds to its division, ties away from zero.
        shown = (2 * grams + DIVISION_G) // (2 * DIVISION_G) * DIVISION_G
        assert (said.kind, said.mass_mg, said.net) == (Kind.STABLE, shown * 1_000, False), grams


def test_a_weight_that_moves_is_moving_and_then_stands(till):
    till.emupos.put_on(till.protocol, 1_250, stable=False)
    stands = (Kind.STABLE, 1_250_000)
    said = [(one.kind, one.mass_mg) for one in till.until(lambda answers: answers and last_of(answers) == stands)]
    # SMA has the number of a moving scale, the 8217 has none.
    assert (Kind.MOVING, 1_250_000 if till.protocol == "sma" else None) in said


def last_of(answers):
    return answers[-1].kind, answers[-1].mass_mg


def test_too_much_and_less_than_nothing_have_names_and_no_number(till):
    over, under = till.shows(15_005), till.shows(-50)
    assert (over.kind, over.mass_mg) == (Kind.OVER, None)
    assert (under.kind, under.mass_mg) == (Kind.UNDER, None)


def test_a_tared_weight_is_net(till):
    till.shows(500)
    till.emupos.press(till.protocol, "tare")
    said = till.shows(1_750)
    assert (said.kind, said.mass_mg, said.net) == (Kind.STABLE, 1_250_000, True)
    below = till.shows(400)
    assert (below.kind, below.net) == (Kind.UNDER, True)


def test_a_question_with_a_parity_that_the_scale_does_not_know_gets_no_weight(emupos):
    emupos.put_on("toledo-8217", 1_250)
    till = Till(emupos, "toledo-8217")
    till.driver.close()
    row, port = by_name("toledo-8217"), str(emupos.links / "toledo-8217")
    till.driver = ShopScale(lambda: ShopLine(port, row.baud), row, till.clock)  # 7E1
    said = till.next()
    assert (said.kind, said.mass_mg) == (Kind.FAULTY, None)
    till.driver.close()


def test_pounds_of_an_sma_scale_are_pounds(emupos):
    line = ShopLine(str(emupos.links / "sma"), 9_600)
    line.write(b"\nUlb_\r")
    line.close()
    emupos.press("sma", "zero")
    emupos.put_on("sma", 1_250)
    till = Till(emupos, "sma")
    try:
        said = till.next()
        assert (said.kind, said.shown, said.mass_mg) == (Kind.STABLE, "2.76 lb", 1_251_915)
    finally:
        till.driver.close()
        line = ShopLine(str(emupos.links / "sma"), 9_600)
        line.write(b"\nUkg_\r")
        line.close()
