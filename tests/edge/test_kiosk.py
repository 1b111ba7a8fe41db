"""The kiosk over a real socket: streams, touches, and whom it refuses."""

import http.client
import json
import queue
import socket
import threading
from contextlib import contextmanager

import pytest

from cart.clock import ManualClock
from cart.core.effects import Screen, SetPanel, Show
from cart.core.events import ExitSeen, Tapped
from cart.edge.catalog_file import load_catalog
from cart.faults import Fault

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from cart.edge.kiosk import STREAMS_MAX, Kiosk

TIMEOUT_S = 10


class Rig:
    """A kiosk on a free port with everything that it put."""

    def __init__(self, limit=8):
        self.events = queue.Queue(limit)
        self.kiosk = Kiosk("127.0.0.1", 0, ManualClock(t_ns=5), load_catalog(""), lambda: "fresh")
        self.kiosk.start(self.events.put_nowait)

    @property
    def host(self):
        return f"127.0.0.1:{self.kiosk.port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.kiosk.port, timeout=TIMEOUT_S)
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def tap(self, body=None, **fields):
        text = json.dumps(fields) if body is None else body
        status, answer, _ = self.ask("POST", "/tap", text, content_type="application/json")
        return status, json.loads(answer)

    @contextmanager
    def stream(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.kiosk.port, timeout=TIMEOUT_S)
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        try:
            yield answer
        finally:
            answer.close()
            connection.close()


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.kiosk.stop()


def next_screen(stream):
    """Return (id, screen) of the next event, reading over heartbeats."""
    fields = {}
    while line := stream.readline().decode():
        if line == "\n" and "data" in fields:
            return int(fields["id"]), json.loads(fields["data"])
        name, colon, text = line.rstrip("\n").partition(": ")
        if colon and name:
            fields[name] = text
    raise AssertionError("the stream ended")


def show(rig, revision, **fields):
    rig.kiosk.handle(Show(Screen(revision, fields.pop("phase", "shopping"), **fields)))


def test_a_browser_gets_the_newest_screen_at_once(rig):
    show(rig, 1)
    show(rig, 2, total_minor=219)
    with rig.stream() as stream:
        revision, screen = next_screen(stream)
    assert (revision, screen["revision"], screen["total_minor"], screen["phase"]) == (2, 2, 219, "shopping")


def test_each_change_reaches_an_open_stream(rig):
    with rig.stream() as stream:
        for revision in (1, 2, 3):
            show(rig, revision)
            assert next_screen(stream)[0] == revision


def test_a_silent_stream_says_that_it_lives(rig):
    with rig.stream() as stream:
        assert stream.readline() == b"retry: 500\n"
        assert stream.readline() == b"\n"
        assert stream.readline().startswith(b":")


def test_a_browser_that_does_not_read_holds_nobody_up(rig):
    heavy = tuple(f"notice {i} " + "x" * 1_000 for i in range(60))
    with rig.stream() as slow, rig.stream() as quick:
        for revision in range(1, 301):
            show(rig, revision, notices=heavy)
            if revision % 50 == 0:
                while next_screen(quick)[0] < revision:
                    pass
        received = []
        while not received or received[-1] < 300:
            received.append(next_screen(slow)[0])
    assert received == sorted(received)
    assert len(received) < 300, "the slow browser should have skipped screens"


def test_other_effects_are_not_for_the_screen(rig):
    show(rig, 1)
    rig.kiosk.handle(SetPanel("green"))
    with rig.stream() as stream:
        assert next_screen(stream)[0] == 1


def test_a_touch_becomes_an_event_with_its_key_and_revision(rig):
    answer = rig.tap(action="answer", value="yes:banana", prompt=7, key="k-1", revision=3)
    assert answer == (202, {"accepted": True})
    assert rig.events.get(timeout=TIMEOUT_S) == Tapped(5, "answer", "yes:banana", 7, "k-1", 3, "fresh")


def test_paying_is_leaving(rig):
    show(rig, 4, phase="locked", total_minor=500)
    assert rig.tap(action="pay", revision=4)[0] == 202
    assert rig.events.get(timeout=TIMEOUT_S) == ExitSeen(5, "tap", "fresh")


def test_nobody_pays_more_than_the_touched_screen_showed(rig):
    show(rig, 4, phase="locked", total_minor=500)
    show(rig, 5, phase="locked", total_minor=700)
    assert rig.tap(action="pay", revision=4)[1]["error"] == "screen_changed"
    assert rig.tap(action="pay", revision=5)[0] == 202
    show(rig, 6, phase="shopping", total_minor=700)
    assert rig.tap(action="pay", revision=5)[0] == 409
    assert rig.tap(action="pay", revision=6)[0] == 409
    assert rig.tap(action="pay", revision=99)[0] == 409
    assert rig.events.qsize() == 1


def test_a_notice_in_between_does_not_stop_a_payment(rig):
    show(rig, 4, phase="locked", total_minor=500)
    show(rig, 5, phase="locked", total_minor=500, notices=("offline",))
    assert rig.tap(action="pay", revision=4)[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"action": "fly"}',
        '{"value": "banana"}',
        '{"action": "pick", "prompt": -1}',
        '{"action": "pick", "prompt": "1"}',
        '{"action": "pick", "colour": "red"}',
        '{"action": "pick", "key": "a b"}',
        '{"action": "pick", "value": "a\\u0000b"}',
        '{"action": "pick", "value": "' + "x" * 201 + '"}',
        b'{"action": "pick", "value": "\xff"}',
    ],
)
def test_a_malformed_touch_is_refused_and_changes_nothing(rig, body):
    status, answer = rig.tap(body)
    assert (status, answer["error"]) == (400, "bad_tap")
    assert answer["detail"]
    assert rig.events.empty()


def test_a_touch_has_a_limit_and_a_type(rig):
    assert rig.tap(json.dumps({"action": "pick"}) + " " * 4_000)[0] == 413
    assert rig.ask("POST", "/tap", '{"action": "help"}', content_type="text/plain")[0] == 415
    assert rig.ask("GET", "/tap")[0] == 405
    assert rig.events.empty()


def test_a_full_queue_is_said():
    rig = Rig(limit=1)
    try:
        assert rig.tap(action="help")[0] == 202
        assert rig.tap(action="help")[1]["error"] == "busy"
    finally:
        rig.kiosk.stop()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_strangers_are_refused(rig, headers):
    for method, path in (("GET", "/"), ("GET", "/stream"), ("POST", "/tap")):
        status, body, _ = rig.ask(method, path, **headers)
        assert (status, json.loads(body)["error"]) == (403, "refused")


def test_our_own_page_is_not_refused(rig):
    headers = {"Host": f"localhost:{rig.kiosk.port}", "Origin": f"http://localhost:{rig.kiosk.port}"}
    assert rig.ask("GET", "/", **headers, Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/style.css", "/strings/en.json", "/picture/banana.svg", "/search?q=a", "/scale"]
)
def test_everything_is_served_with_a_strict_policy_and_kept_nowhere(rig, path):
    status, body, headers = rig.ask("GET", path)
    assert status == 200
    assert body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("path", ["/nothing", "/../config.py", "/picture/nothing.svg", "/strings/../../faults.py"])
def test_nothing_else_is_served(rig, path):
    assert rig.ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("query", "first"),
    [("ban", "banana"), ("4011", "banana"), ("401", "granny-smith"), ("9521000000384", None), ("go%20ju", None)],
)
def test_products_are_found_by_name_plu_and_code(rig, query, first):
    found = json.loads(rig.ask("GET", f"/search?q={query}")[1])
    if query.startswith("952"):
        assert [product["id"] for product in found] == ["arla-ecological-medium-fat-milk"]
    elif first is None:
        assert {"god-morgon-apple-juice"} <= {product["id"] for product in found}
    else:
        assert first in [product["id"] for product in found]
        assert set(found[0]) == {"id", "name", "price_minor", "sold_by", "picture"}


def test_loose_goods_are_offered_before_anything_is_typed(rig):
    found = json.loads(rig.ask("GET", "/search?q=")[1])
    assert "banana" in [product["id"] for product in found]
    assert "arla-standard-milk" not in [product["id"] for product in found]
    assert json.loads(rig.ask("GET", "/search?q=zzz")[1]) == []


def test_open_streams_have_a_limit(rig):
    streams = [rig.stream() for _ in range(STREAMS_MAX)]
    for stream in streams:
        stream.__enter__().readline()
    try:
        status, body, _ = rig.ask("GET", "/stream")
        assert (status, json.loads(body)["error"]) == (503, "too_many_streams")
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)


def test_a_taken_port_is_a_fault_with_its_address(rig):
    second = Kiosk("127.0.0.1", rig.kiosk.port, ManualClock(), load_catalog(""), lambda: "")
    with pytest.raises(Fault) as raised:
        second.start(print)
    assert raised.value.code == "KIOSK-PORT-BUSY"
    assert rig.host in raised.value.detail
    second.stop()


def test_stopping_ends_open_streams_and_frees_the_port(rig):
    with rig.stream() as stream, socket.create_connection(("127.0.0.1", rig.kiosk.port)):
        stream.readline()
        rig.kiosk.stop()
        while stream.readline():
            pass
    assert not [thread for thread in threading.enumerate() if thread.name == "kiosk"]
    socket.create_server(("127.0.0.1", rig.kiosk.port)).close()
    rig.kiosk.stop()
    show(rig, 9)
