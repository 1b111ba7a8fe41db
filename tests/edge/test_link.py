"""The line between the daemon and the vision process: what passes, what does not, and who is missed."""

import queue
import socket

import pytest

from cart.clock import ManualClock, SystemClock
from cart.core.effects import KeepCrop, SetPanel
from cart.core.events import Classified, Sighted, SourceBack, SourceLost, Tapped, VisionAlive
from cart.edge import link
from cart.faults import Fault
from cart.wire.codec import encode

WAIT_S = 5
SIGHTED = Sighted(1, 0, 3, "EAN13", "9506000134352", "09506000134352", 2)
NOW_NS = 5_000


class HandClock(SystemClock):
    """The real clock, moved on by hand."""

    def __init__(self):
        self.ahead_ns = 0

    def monotonic_ns(self):
        return super().monotonic_ns() + self.ahead_ns


@pytest.fixture
def reader(tmp_path):
    made = link.LinkReader(tmp_path, HandClock())
    made.clock = made._clock
    made.events = queue.Queue()
    made.start(made.events.put)
    yield made
    made.stop()


def next_event(reader):
    return reader.events.get(timeout=WAIT_S)


def test_what_vision_sends_arrives_stamped_with_the_daemons_time(reader, tmp_path):
    sender = link.EventSender(tmp_path)
    before_ns = reader.clock.monotonic_ns()
    sender.send(SIGHTED)
    event = next_event(reader)
    assert before_ns <= event.t_ns <= reader.clock.monotonic_ns()
    assert (event.text, event.votes, event.t_frame_ns) == ("9506000134352", 2, 0)
    sender.close()


def test_a_silent_vision_process_is_lost_and_found_again(reader, tmp_path):
    sender = link.EventSender(tmp_path)
    sender.send(VisionAlive(0, 1))
    assert isinstance(next_event(reader), VisionAlive)
    reader.clock.ahead_ns += link.SILENCE_NS + 1
    lost = next_event(reader)
    assert isinstance(lost, SourceLost)
    assert lost.name == "vision"
    sender.send(VisionAlive(0, 2))
    assert isinstance(next_event(reader), SourceBack)
    assert isinstance(next_event(reader), VisionAlive)
    sender.close()


def test_sightings_alone_are_no_sign_of_life(reader, tmp_path):
    """A process that still sees but no longer gets frames must not keep the camera's light green."""
    sender = link.EventSender(tmp_path)
    reader.clock.ahead_ns += link.SILENCE_NS + 1
    sender.send(SIGHTED)
    assert {type(next_event(reader)), type(next_event(reader))} == {SourceLost, Sighted}
    sender.close()


def test_refused_datagrams_are_counted_and_change_nothing(reader, tmp_path):
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for data in (b"", b"rubbish", encode(Tapped(1, "pay")), b"x" * 20_000):
        raw.sendto(data, str(tmp_path / link.EVENTS_SOCKET))
    raw.sendto(encode(SIGHTED), str(tmp_path / link.EVENTS_SOCKET))
    assert isinstance(next_event(reader), Sighted)
    assert reader.refused == 4
    raw.close()


@pytest.mark.parametrize(
    "event",
    [
        Sighted(1, 0, 3, "EAN13", "9" * 513, "09506000134352"),
        Sighted(1, 0, 3, "EAN13", "9506000134352", "9506000134352"),
        Sighted(1, 0, 3, "EAN13", "9506000134352", "0950600013435x"),
        Sighted(1, 0, 3, "EAN13", "9506000134352", "", votes=0),
        Sighted(1, NOW_NS + 1, 3, "EAN13", "9506000134352", ""),
        Sighted(1, -1, 3, "EAN13", "9506000134352", ""),
        Sighted(1, 0, -3, "EAN13", "9506000134352", ""),
        Classified(1, 0, 3, (("Apple", 20_001),), 0, 0),
        Classified(1, 0, 3, tuple((f"l{n}", 0) for n in range(9)), 0, 0),
        Classified(1, 0, 3, (), -20_001, 0),
        Classified(1, 0, 3, (), 0, 0, frames=0),
        Classified(1, 0, 3, (), 0, 0, direction="up"),
        Classified(1, 0, 3, (("x" * 200, 0),), 0, 0),
        VisionAlive(1, -1),
        VisionAlive(1, 1, engines=("a",) * 5),
        SourceLost(1, "scale", "not yours to say"),
        KeepCrop(1, "an effect"),
    ],
)
def test_an_event_out_of_its_limits_is_refused(event):
    with pytest.raises(ValueError, match=r"."):
        link.accepted(encode(event), NOW_NS)


def test_an_event_within_its_limits_is_accepted():
    for event in (SIGHTED, Classified(1, NOW_NS, 3, (("Apple", 20_000),), -20_000, 0), VisionAlive(1, 0)):
        assert link.accepted(encode(event), NOW_NS).t_ns == NOW_NS


def test_a_stale_socket_is_taken_over_and_only_this_user_may_write(tmp_path):
    (tmp_path / link.EVENTS_SOCKET).write_bytes(b"left behind by a crash")
    reader = link.LinkReader(tmp_path, ManualClock())
    reader.start(lambda event: None)
    assert (tmp_path / link.EVENTS_SOCKET).stat().st_mode & 0o777 == 0o600
    reader.stop()
    reader.stop()
    assert not (tmp_path / link.EVENTS_SOCKET).exists()


def test_while_the_daemon_is_away_the_newest_events_wait(tmp_path):
    sender = link.EventSender(tmp_path)
    for number in range(link.PENDING_MAX + 10):
        sender.send(VisionAlive(0, number))
    assert sender.dropped == 10
    daemon = link.bind(tmp_path / link.EVENTS_SOCKET)
    got = []
    for number in range(1_000, 1_100):
        sender.send(VisionAlive(0, number))
        while True:
            try:
                got.append(link.accepted(daemon.recv(9_999), NOW_NS).frames)
            except BlockingIOError:
                break
    assert got == [*range(11, link.PENDING_MAX + 10), *range(1_000, 1_100)]
    daemon.close()
    sender.close()


def test_requests_for_pictures_reach_the_vision_process(tmp_path):
    receiver, sender = link.KeepReceiver(tmp_path), link.KeepSender(tmp_path)
    assert receiver.take() is None
    sender.handle(SetPanel("green"))
    sender.handle(KeepCrop(7, "substitution"))
    assert receiver.take() == KeepCrop(7, "substitution")
    assert receiver.take() is None
    receiver.close()
    sender.handle(KeepCrop(8, "nobody listens"))
    assert sender.dropped == 1
    sender.close()


def test_a_run_folder_that_is_none_has_its_code(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / ("x" * 120)):
        with pytest.raises(Fault, match="RUN-DIR-BAD"):
            link.LinkReader(folder, ManualClock()).start(lambda event: None)


def test_a_second_vision_process_takes_nothing_from_the_first(tmp_path):
    first = link.KeepReceiver(tmp_path)
    with pytest.raises(OSError, match="another vision process runs there"):
        link.KeepReceiver(tmp_path)
    link.KeepSender(tmp_path).handle(KeepCrop(4, "mismatch"))
    assert first.take() == KeepCrop(4, "mismatch")
    first.close()
    first.close()
    assert not (tmp_path / link.KEEP_SOCKET).exists()
    second = link.KeepReceiver(tmp_path)
    first.close()
    assert (tmp_path / link.KEEP_SOCKET).exists()
    second.close()


def test_a_daemon_that_ends_late_leaves_the_next_ones_socket(reader, tmp_path):
    second = link.LinkReader(tmp_path, SystemClock())
    second.start(reader.events.put)
    reader.stop()
    sender = link.EventSender(tmp_path)
    sender.send(VisionAlive(0, 7))
    assert next_event(reader).frames == 7
    sender.close()
    second.stop()
    assert not (tmp_path / link.EVENTS_SOCKET).exists()


class Flooding:
    """A socket that never runs dry."""

    def __init__(self, data, limit):
        self.data, self.left = data, limit

    def recv(self, size):
        self.left -= 1
        assert self.left >= 0, "asked for ever"
        return self.data


@pytest.mark.parametrize("data", [b"rubbish", encode(SIGHTED), encode(SetPanel("red")), b"[" * 20_000])
def test_a_flood_of_what_is_no_request_does_not_keep_the_camera_waiting(tmp_path, data, caplog):
    receiver = link.KeepReceiver(tmp_path)
    receiver._socket.close()
    receiver._socket = Flooding(data, 1_000)
    assert [receiver.take() for _ in range(10)] == [None] * 10
    assert receiver.refused == 10 * link.REFUSED_A_TURN
    assert len(caplog.records) <= 1 + receiver.refused // link.LOGGED_EVERY


def test_a_vision_process_that_went_wild_does_not_fill_the_queue(tmp_path):
    reader, events = link.LinkReader(tmp_path, ManualClock(t_ns=5 * 10**9)), []
    stopped = Flooding(encode(SIGHTED), 3 * link.EVENTS_A_S_MAX)
    stopped.close = lambda: None

    def dry(size, recv=stopped.recv):
        if not stopped.left:
            reader._stopped.set()
            raise TimeoutError
        return recv(size)

    stopped.recv = dry
    reader._run(stopped, events.append)
    assert len(events) == link.EVENTS_A_S_MAX
    assert reader.refused == 2 * link.EVENTS_A_S_MAX
