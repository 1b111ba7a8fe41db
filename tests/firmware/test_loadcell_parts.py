"""The pure parts of the firmware, one by one; the same files that run on the microcontroller."""

import os
import random
from binascii import crc_hqx

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loadcell import line, settings
from loadcell.commands import COMMAND_BYTES_MAX, Commands
from loadcell.outbox import Outbox
from loadcell.pace import Pace
from loadcell.port import StreamPort
from loadcell.ring import SIZE, Edges, Ring
from loadcell.ticks import TICKS_MASK, Clock32, Every, is_before, ticks_diff

from cart.wire.loadcell import decode_line, encode_weight, frame
from tests.firmware.said import FOLDER
from tests.firmware.unix_port import said

# -- lines ---------------------------------------------------------------------


@given(st.binary(max_size=160))
def test_the_crc_is_the_host_s(data):
    assert line.crc16(data) == crc_hqx(data, 0xFFFF)


counts = st.integers(line.COUNTS_MIN, line.COUNTS_MAX)


@given(st.integers(0, 65_535), st.integers(0, 2**32 - 1), counts, st.integers(0, 255))
def test_a_weight_line_is_byte_for_byte_what_the_host_would_write(seq, t_us, value, flags):
    assert line.framed(line.weight(seq, t_us, [value], flags)) == encode_weight(seq, t_us, value, flags)


@given(st.lists(counts, min_size=4, max_size=4))
def test_four_channels_are_read_back(values):
    read = decode_line(line.framed(line.weight(1, 2, values, 0))[:-1])
    assert read.channels == tuple(values)


@given(st.text(max_size=200))
def test_any_text_of_a_fault_becomes_a_line_that_the_host_takes(text):
    read = decode_line(line.framed(line.fault("X", text))[:-1])
    assert read.code == "X"
    assert len(read.text) <= 100


# -- time ----------------------------------------------------------------------------


@given(st.integers(0, TICKS_MASK), st.integers(-(2**29), 2**29 - 1))
def test_the_difference_of_ticks_survives_their_wrap(ticks, apart):
    assert ticks_diff((ticks + apart) & TICKS_MASK, ticks) == apart


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**28), max_size=40))
@example(2**32 - 10, [5, 10, 2**28])
@example(0, [2**28] * 40)
def test_the_clock_goes_on_through_every_wrap(start_us, waits):
    now = [0]
    clock = Clock32(lambda: now[0] & TICKS_MASK, start_us)
    for wait in waits:
        now[0] += wait
        assert clock.now_us() == (start_us + now[0]) % 2**32
        assert clock.at_us((now[0] - 5_000) & TICKS_MASK) == (start_us + now[0] - 5_000) % 2**32


def test_every_is_due_at_once_and_then_once_a_period_also_over_the_wrap():
    every = Every(1_000)
    times = [(2**32 - 2_500 + n * 100) % 2**32 for n in range(51)]
    assert [n for n, t_us in enumerate(times) if every.due(t_us)] == [0, 10, 20, 30, 40, 50]


def test_before_is_before_over_the_wrap():
    assert is_before(2**32 - 1, 5)
    assert not is_before(5, 2**32 - 1)
    assert not is_before(5, 5)


# -- pace -----------------------------------------------------------------------------------


def test_a_steady_converter_misses_nothing_although_its_clock_is_off_and_shaky():
    shaky = random.Random(4)
    pace, t_us = Pace(80), 0
    for _ in range(1_000):
        t_us += 11_300 + shaky.randrange(-300, 300)
        assert pace.missed(t_us) == 0
        assert not pace.mismatch
        assert not pace.hurried


def test_one_gap_is_missed_conversions_and_not_another_rate():
    pace = Pace(80)
    missed = [pace.missed(t_us) for t_us in (0, 12_500, 25_000, 100_000, 112_500)]
    assert missed == [0, 0, 0, 5, 0]
    assert not pace.mismatch


@pytest.mark.parametrize(("configured", "real_us"), [(80, 100_000), (10, 12_500)])
def test_another_rate_is_found_after_eight_intervals(configured, real_us):
    pace = Pace(configured)
    found = []
    for n in range(20):
        pace.missed(n * real_us)
        found.append(pace.mismatch)
    assert found.index(True) == 8
    assert pace.missed(20 * real_us) == 0
    assert not pace.hurried


def test_two_readings_with_one_moment_are_hurried():
    pace = Pace(80)
    pace.missed(0)
    pace.missed(12_500)
    assert pace.missed(12_500) == 0
    assert pace.hurried


# -- the queue to the cable --------------------------------------------------------------------


class Slow:
    """A port that takes what it is told to."""

    def __init__(self):
        self.sent, self.room = b"", 0

    def write(self, data):
        taken = data[: self.room]
        self.sent += taken
        self.room -= len(taken)
        return len(taken)


@given(st.lists(st.one_of(st.just(-1), st.integers(0, 90)), max_size=200))
def test_whatever_the_cable_takes_the_host_sees_whole_lines_in_order_and_every_loss_is_counted(steps):
    port = Slow()
    outbox, put = Outbox(port, 8), 0
    for step in steps:
        if step < 0:
            outbox.put(b"$%d\n" % put)
            put += 1
        else:
            port.room = step
            outbox.flush()
    port.room = 10_000
    assert outbox.flush()
    numbers = [int(said[1:]) for said in port.sent.split(b"\n")[:-1]]
    assert port.sent.endswith(b"\n") or not put
    assert numbers == sorted(set(numbers))
    assert len(numbers) + outbox.dropped == put
    assert numbers[-8:] == list(range(put))[-8:]


def test_nobody_listens_and_nothing_grows():
    outbox = Outbox(Slow(), 64)
    for n in range(10_000):
        outbox.put(b"$%d\n" % n)
        assert not outbox.flush()
    assert len(outbox) == 64
    assert outbox.dropped == 10_000 - 64


# -- commands ---------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_raise_or_grow(pieces):
    commands = Commands()
    for piece in pieces:
        commands.feed(piece)
    assert len(commands._partial) <= COMMAND_BYTES_MAX
    assert commands.feed(b"\n" + frame("Q,ID"))[-1] == "Q,ID"


@given(st.integers(1, 30))
def test_a_command_may_come_in_pieces(cut):
    commands, data = Commands(), frame("C,sps,80") + frame("Q,ID")
    assert commands.feed(data[:cut]) + commands.feed(data[cut:]) == ["C,sps,80", "Q,ID"]


def test_a_command_with_any_one_byte_changed_is_ignored():
    right = frame("C,sps,80")[:-2]
    for at in range(len(right)):
        for other in range(256):
            if other != right[at]:
                changed = right[:at] + bytes([other]) + right[at + 1 :]
                assert Commands().feed(changed + b"\n") == [], changed


def test_a_line_that_is_too_long_is_ignored_even_if_its_beginning_is_a_command():
    commands, right = Commands(), frame("Q,ID")[:-2]
    assert commands.feed(b"x" * (COMMAND_BYTES_MAX - len(right)) + right + b"more\n") == []
    assert commands.ignored == 1
    assert commands.feed(right + b"\n") == ["Q,ID"]


# -- the ring between interrupt and loop ---------------------------------------------------------------


def test_the_ring_gives_back_what_was_put_in_order_and_leaves_out_what_has_no_room():
    ring, into = Ring(4), bytearray(16)
    for n in range(SIZE + 10):
        slot = ring.slot()
        for word in range(4):
            slot[word] = n + word * 0x01000000
        ring.put(n)
    taken = []
    while (ticks := ring.take(into)) is not None:
        assert [into[0], into[4], into[15]] == [ticks, ticks, 3]
        taken.append(ticks)
    assert taken == list(range(SIZE - 1))


def test_the_ring_outlasts_the_longest_wait_for_usb():
    """0.5 s at 80 readings a second; MicroPython, MICROPY_HW_USB_CDC_TX_TIMEOUT."""
    assert SIZE - 1 > 0.5 * 80 * 1.15  # an HX711's own clock may be that fast


def test_an_edge_keeps_its_moment_until_it_is_taken():
    now = [TICKS_MASK - 5]
    edges = Edges(lambda: False, lambda: now[0] & TICKS_MASK)
    edges.rose()
    now[0] += 100
    edges.rose()
    now[0] += 5_000
    assert edges.waiting()
    assert [edges.take(), edges.take(), edges.take()] == [TICKS_MASK - 5, 94, None]


# -- the port ------------------------------------------------------------------------------------------------


def test_the_port_takes_nothing_while_the_other_side_reads_nothing():
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with open(read_end, "rb", 0) as source, open(write_end, "wb", 0) as pipe:
        sink = Slow()
        sink.room = 100
        port = StreamPort(source, sink, source, pipe)
        assert port.read() == b""
        assert port.write(b"there is room") == 13
        while pipe.write(b"x" * 4_096):
            pass
        assert port.write(b"there is none") == 0
        assert sink.sent == b"there is room"
        assert port.read(10) == b"x" * 10


# -- settings -----------------------------------------------------------------------------------------------


def test_the_same_settings_give_the_same_text_and_are_read_back():
    sections = {"adc": {"chip": "NAU7802", "samples_per_s": 320}, "motion": {"chip": "LSM6DSO", "axes": "-y+x+z"}}
    text = settings.rendered(sections)
    back = settings.loaded(text)
    assert back.reason is None
    assert back["adc.samples_per_s"] == 320
    assert back["adc.gain"] == 128
    assert text.startswith(back.crc + "\n")
    assert settings.rendered(dict(reversed(sections.items()))) == text


def test_every_changed_byte_of_a_settings_file_is_found():
    text = settings.rendered({})
    for at in range(len(text) - 1):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        assert settings.loaded(changed).reason is not None


@pytest.mark.parametrize(
    ("sections", "said_of"),
    [
        ({"adc": {"chip": "HX712"}}, "adc.chip"),
        ({"adc": {"gain": 100}}, "adc.gain"),
        ({"adc": {"gain": True}}, "adc.gain"),
        ({"adc": {"gain": "128"}}, "adc.gain"),
        ({"adc": {"chip": "ADS1232", "gain": 32}}, "adc.gain"),
        ({"adc": {"samples_per_s": 320}}, "adc.samples_per_s"),
        ({"adc": {"chip": "NAU7802", "channels": 4}}, "adc.channels"),
        ({"adc": {"colour": 3}}, "adc.colour"),
        ({"adc": 3}, "adc"),
        ({"extra": {}, "pins": {"data": 3}}, "pins"),
        ({"pins": {"data": 27, "clock": 3}, "adc": {"channels": 4}}, "pins"),
        ({"pins": {"clock": -1}}, "pins"),
        ({"pins": {"data": 30}}, "pins.data"),
        ({"motion": {"axes": "+x+y+y"}}, "motion.axes"),
        ({"motion": {"axes": "xyz"}}, "motion.axes"),
        ({"supply": {"min_mv": 9_000}}, "supply.min_mv"),
        ({"temperature": {"source": "moon"}}, "temperature.source"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_name(sections, said_of):
    with pytest.raises(ValueError, match=f"^{said_of}"):
        settings.checked(sections)


# -- memory and speed, on MicroPython ---------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_minutes_cost_no_memory():
    free = [int(word) for word in said("heap.py", 10).split()]
    assert len(free) == 10
    assert min(free[1:]) >= free[1] - 64, free
    assert free[-1] > 100_000


@pytest.mark.slow
def test_a_conversion_costs_a_bounded_number_of_steps():
    """In rounds of a plain loop, by which an RP2040 can be measured: 350, 520 and 100 here; see the README."""
    for channels, bound in ((1, 700), (4, 1_000)):
        _, _, busy, idle = map(int, said("rate.py", channels, 20_000).split())
        assert idle < 250
        assert idle < busy < bound


def test_the_settings_of_the_repository_are_the_defaults():
    import tomllib

    told = tomllib.loads((FOLDER / "loadcell" / "loadcell.toml").read_text(encoding="utf-8"))
    assert {f"{section}.{key}" for section, keys in told.items() for key in keys} == set(settings.TABLE)
    assert settings.checked(told) == settings.checked({})
