"""When a scale is asked, and what its silence, garbage and lateness are called; time is a number here."""

from random import Random

import pytest

from cart.sim.shop_scale import NS_PER_MS, Showing, SimulatedShopScale, frame
from cart.wire.shop_scales import line
from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.poller import LATE, poller, step
from cart.wire.shop_scales.protocols import PROTOCOLS, by_name

TICK_MS = 10
EACH = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
POLLED = pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if p.poll], ids=lambda p: p.name)
TOLEDO = by_name("toledo-8217")
CAS_22 = by_name("cas-22")


class Counter:
    """A host and a scale on a line in simulated time; what the scale sends arrives `lag_ms` later.

    said  (ms, indication) of all that was told
    sent  (ms, bytes) of all that the host sent
    """

    def __init__(self, protocol, lag_ms=0):
        self.scale = SimulatedShopScale(protocol)
        self.poller = poller(protocol)
        self.lag_ms = lag_ms
        self.t_ms = 0
        self.on_the_way = []
        self.said = []
        self.sent = []

    def run(self, ms):
        end = self.t_ms + ms
        while self.t_ms < end:
            self.t_ms += TICK_MS
            arrived = b"".join(data for due, data in self.on_the_way if due <= self.t_ms)
            self.on_the_way = [item for item in self.on_the_way if item[0] > self.t_ms]
            self.host(arrived)
        return self

    def host(self, data):
        self.poller, send, told = step(self.poller, self.t_ms * NS_PER_MS, data)
        self.said += [(self.t_ms, indication) for indication in told]
        if send:
            self.sent.append((self.t_ms, send))
        answer = self.scale.step(self.t_ms * NS_PER_MS, send)
        if answer:
            self.on_the_way.append((self.t_ms + self.lag_ms, answer))

    def mass_on_the_wire(self, grams):
        """Put it on, and return what a frame of it says, in the scale's own steps."""
        self.scale.showing = Showing(Kind.STABLE, grams * 1_000)
        (said,) = Decoder(self.scale.protocol.grammar).feed(frame(self.scale.protocol, self.scale.showing))[1]
        return said.mass_mg

    @property
    def last(self):
        return self.said[-1][1]

    def kinds_since(self, t_ms):
        return {indication.kind for at, indication in self.said if at > t_ms}


@EACH
def test_a_weight_that_stands_is_said_five_times_a_second(protocol):
    counter = Counter(protocol)
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000)
    counter.run(2_000)
    assert counter.kinds_since(0) == {Kind.STABLE}
    assert counter.last.mass_mg == pytest.approx(1_250_000, abs=4_536)  # 0.01 lb
    assert len(counter.said) >= 8


@EACH
@pytest.mark.parametrize("kind", list(Kind))
def test_each_state_comes_through_with_the_name_that_the_protocol_has_for_it(protocol, kind):
    counter = Counter(protocol)
    counter.scale.showing = Showing(kind, -200_000 if kind == Kind.NEGATIVE else 1_250_000)
    counter.run(2_000)
    wordless = {
        ("toledo-8217", Kind.NEGATIVE): Kind.UNDER,
        ("toledo-8217-lb", Kind.NEGATIVE): Kind.UNDER,
        ("cas-ecr", Kind.UNDER): Kind.FAULTY,
        ("cas-22", Kind.UNDER): Kind.FAULTY,
    }
    assert counter.kinds_since(0) == {wordless.get((protocol.name, kind), kind)}


@EACH
def test_a_scale_that_falls_silent_is_called_so_within_a_second_and_keeps_no_weight(protocol):
    counter = Counter(protocol)
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000)
    counter.run(1_000)
    counter.scale.showing = Showing(Kind.SILENT)
    counter.run(1_000)
    assert counter.last.kind == Kind.SILENT
    assert counter.last.mass_mg is None
    silent_since = counter.t_ms
    counter.run(3_000)
    assert counter.kinds_since(silent_since) == {Kind.SILENT}
    counter.scale.showing = Showing(Kind.STABLE, 500_000)
    assert counter.run(2_500).last.kind == Kind.STABLE


@EACH
def test_a_line_of_another_speed_is_faulty_within_a_second_and_says_what_to_look_at(protocol):
    counter = Counter(protocol)
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000, garbled=True)
    counter.run(1_000)
    assert counter.last.kind == Kind.FAULTY
    assert "speed" in counter.last.why
    assert counter.last.raw


@POLLED
@pytest.mark.parametrize("timeouts", [1.2, 1.9, 2.1, 2.9, 3.5])
def test_a_scale_that_answers_too_late_gives_no_number(protocol, timeouts):
    # An answer that is always one question behind would be a weight of the past.
    counter = Counter(protocol, lag_ms=int(protocol.timeout_ms * timeouts))
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000)
    counter.run(20_000)
    assert all(indication.mass_mg is None for _, indication in counter.said)
    if protocol.name != "cas-ecr":  # there it is the ACK that is late
        assert LATE in {indication.why for _, indication in counter.said}


@POLLED
def test_no_number_is_older_than_an_answer_may_take(protocol):
    """On a line that holds answers back for up to 2 s now and then, in order, as lines do."""
    random, counter = Random(5), Counter(protocol)
    shown_ms, arrives_ms, told = {}, 0, 0
    while counter.t_ms < 120_000:
        grams = len(shown_ms) * 10 + 10
        shown_ms[counter.mass_on_the_wire(grams)] = counter.t_ms
        arrives_ms = max(arrives_ms, counter.t_ms + random.choice((20, 20, 20, 20, 50, random.randrange(2_000))))
        counter.lag_ms = arrives_ms - counter.t_ms
        said = len(counter.said)
        counter.run(50)
        for at_ms, indication in counter.said[said:]:
            if indication.mass_mg is not None:
                told += 1
                assert at_ms - shown_ms[indication.mass_mg] <= protocol.timeout_ms + 50
    assert told > 20


@EACH
def test_random_bytes_at_random_times_raise_nothing_and_are_no_weight(protocol):
    random, p, t_ns = Random(6), poller(protocol), 0
    for _ in range(5_000):
        t_ns += random.choice((1, 10, 100, 2_000)) * NS_PER_MS
        p, _, told = step(p, t_ns, random.randbytes(random.choice((0, 0, 1, 20))))
        assert all(said.kind in (Kind.FAULTY, Kind.SILENT) for said in told if said.mass_mg is not None)
        assert len(p.decoder.pending) + len(p.heard) <= 64


@POLLED
def test_a_slow_answer_in_time_counts(protocol):
    counter = Counter(protocol, lag_ms=protocol.timeout_ms // 2 - 50)
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000)
    counter.run(3_000)
    assert counter.kinds_since(0) == {Kind.STABLE}


@POLLED
def test_what_nobody_asked_for_is_not_heard(protocol):
    counter = Counter(protocol).run(500)
    counter.scale.showing = Showing(Kind.SILENT)
    while counter.poller.waits:
        counter.run(TICK_MS)
    unasked = line.to_send(frame(protocol, Showing(Kind.STABLE, 9_000_000)), protocol.framing)
    said = len(counter.said)
    counter.t_ms += TICK_MS
    counter.host(unasked)
    assert [i for _, i in counter.said[said:] if i.mass_mg is not None] == []


@EACH
def test_bytes_that_waited_while_the_host_was_held_up_are_not_a_weight_of_now(protocol):
    counter = Counter(protocol)
    counter.scale.showing = Showing(Kind.STABLE, 1_250_000)
    counter.run(1_000)
    said = len(counter.said)
    counter.t_ms += 5_000
    counter.host(line.to_send(frame(protocol, Showing(Kind.STABLE, 9_000_000)), protocol.framing))
    assert counter.said[said:] == []
    counter.run(1_000)
    assert {indication.mass_mg == 9_000_000 for _, indication in counter.said[said:]} == {False}


def test_a_question_carries_the_parity_of_the_line():
    counter = Counter(TOLEDO).run(TICK_MS)
    assert counter.sent == [(TICK_MS, b"\xd7")]


def test_a_wrong_parity_is_no_weight():
    counter = Counter(TOLEDO).run(TICK_MS)
    counter.on_the_way = [(0, b"\x8201.250\r")]  # STX with a parity that is right, digits without
    counter.scale.showing = Showing(Kind.SILENT)
    assert [i.kind for _, i in counter.run(1_000).said] == [Kind.FAULTY]


def test_the_cash_register_dialogue_is_enq_ack_dc1_block():
    counter = Counter(by_name("cas-ecr"), lag_ms=20)
    counter.run(150)
    assert [data for _, data in counter.sent] == [b"\x05", b"\x11"]


def test_a_scale_that_sends_by_itself_is_asked_nothing():
    counter = Counter(CAS_22)
    counter.run(2_000)
    assert counter.sent == []
    assert len(counter.said) >= 18


def test_frames_that_come_in_pieces_count_once():
    p, t_ns, said = poller(CAS_22), 0, []
    for byte in 3 * frame(CAS_22, Showing(Kind.STABLE, 1_250_000)):
        t_ns += 10 * NS_PER_MS
        p, _, told = step(p, t_ns, bytes([byte]))
        said += told
    # The first step only takes the line over, since what lay there is of an unknown age; the second frame is the
    # first number, which the third confirms.
    assert [(i.kind, i.mass_mg) for i in said] == [(Kind.STABLE, 1_250_000)]


def answers(protocol, *frames):
    """Return what is told of these bytes of the line, one piece to each question."""
    p, t_ns, told = poller(protocol), 0, []
    for data in frames:
        waits = False
        while not waits:
            t_ns += TICK_MS * NS_PER_MS
            p, _, _ = step(p, t_ns, b"")
            waits = p.waits
        t_ns += TICK_MS * NS_PER_MS
        p, _, said = step(p, t_ns, data)
        told += said
    return [(one.kind, one.mass_mg) for one in told]


KG, LOST_K = b"S S      1.250 kg\r\n", b"S S      1.250 g\r\n"


def test_a_frame_of_another_form_has_to_come_twice():
    # 1.250 kg that lost its k is 1.250 g: right by itself, and a thousandth of the weight.
    told = answers(by_name("mt-sics"), KG, KG, LOST_K, KG, KG, LOST_K, LOST_K)
    stable, faulty = (Kind.STABLE, 1_250_000), (Kind.FAULTY, None)
    assert told == [stable, faulty, faulty, stable, faulty, (Kind.STABLE, 1_250)]


def test_a_digit_that_nci_loses_is_noticed_by_the_form():
    whole, short = b"\n001.250kg\r\n00\r\x03", b"\n01.250kg\r\n00\r\x03"
    told = answers(by_name("nci"), *(line.to_send(one, "7E1") for one in (whole, whole, short, whole)))
    assert told == [(Kind.STABLE, 1_250_000), (Kind.FAULTY, None), (Kind.FAULTY, None)]


def test_where_no_check_covers_the_digits_a_weight_stands_when_it_was_said_twice():
    other = KG.replace(b"1.250", b"1.350")
    told = answers(by_name("mt-sics"), KG, KG, other, KG, KG)
    assert told == [
        (Kind.STABLE, 1_250_000),
        (Kind.MOVING, 1_350_000),
        (Kind.MOVING, 1_250_000),
        (Kind.STABLE, 1_250_000),
    ]


def test_where_a_check_covers_the_digits_once_is_enough():
    frames = (b"\x02%s\r" % number for number in (b"01.250", b"01.250", b"01.350"))
    told = answers(TOLEDO, *(line.to_send(one, "7E1") for one in frames))
    assert told == [(Kind.STABLE, 1_250_000), (Kind.STABLE, 1_350_000)]


def damaged(data):
    """Yield the bytes with each bit wrong, and with each byte lost."""
    for bit in range(8 * len(data)):
        yield data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
    for at in range(len(data)):
        yield data[:at] + data[at + 1 :]


@EACH
def test_one_damaged_frame_among_good_ones_is_never_a_weight_that_stands(protocol):
    good = line.to_send(frame(protocol, Showing(Kind.STABLE, 1_250_000)), protocol.framing)
    (truth,) = answers(protocol, good, good)
    assert truth[0] == Kind.STABLE
    for hurt in damaged(good):
        told = answers(protocol, good, good, hurt, good, good)
        standing = [one for one in told if one[0] in (Kind.STABLE, Kind.NEGATIVE)]
        assert set(standing) == {truth}, hurt
