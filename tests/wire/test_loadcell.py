"""The load cell's line: what is right comes through unchanged, everything else is refused and counted."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.wire.loadcell import (
    COUNTS_MAX,
    COUNTS_MIN,
    LINE_BYTES_MAX,
    Acceleration,
    Answer,
    CellError,
    Decoder,
    Identity,
    Temperature,
    WeightLine,
    decode_line,
    encode,
    encode_acceleration,
    encode_weight,
    frame,
)

SEQ = st.integers(0, 65_535)
T_US = st.integers(0, 2**32 - 1)
COUNTS = st.integers(COUNTS_MIN, COUNTS_MAX)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="$*,"), min_size=1, max_size=32)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="$*"), max_size=80)
WEIGHTS = st.builds(WeightLine, SEQ, T_US, COUNTS, st.integers(0, 255))
VALUES = st.one_of(
    WEIGHTS,
    st.builds(
        lambda seq, t_us, flags, cells: WeightLine(seq, t_us, sum(cells), flags, cells),
        SEQ,
        T_US,
        st.integers(0, 255),
        st.lists(COUNTS, min_size=2, max_size=4).map(tuple),
    ),
    st.builds(Acceleration, SEQ, T_US, *[st.integers(-999_999_999, 999_999_999)] * 3),
    st.builds(Temperature, SEQ, st.integers(-9_999, 9_999)),
    st.builds(Identity, st.integers(0, 99), WORD, WORD, WORD, st.integers(0, 255), st.integers(0, 2_000), WORD),
    st.builds(CellError, WORD, TEXT),
    st.builds(Answer, st.booleans(), TEXT),
)


def crc_by_the_book(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def test_a_line_looks_as_the_protocol_says():
    crc = crc_by_the_book(b"W,40321,812345678,-1234567,00")
    assert encode_weight(40_321, 812_345_678, -1_234_567, 0) == b"$W,40321,812345678,-1234567,00*%04X\r\n" % crc


def test_the_check_is_crc_16_ccitt_false():
    assert frame("123456789") == b"$123456789*29B1\r\n"


@given(st.lists(VALUES, max_size=12), st.integers(1, 40))
def test_whatever_was_encoded_comes_back_however_the_bytes_are_cut(values, piece):
    # Two equal readings in a row are a repetition: see below.
    numbered = [replace(v, t_us=n) if isinstance(v, WeightLine) else v for n, v in enumerate(values)]
    stream = b"".join(encode(value) for value in numbered)
    decoder = Decoder()
    heard = [value for at in range(0, len(stream), piece) for value in decoder.feed(stream[at : at + piece])]
    assert [replace(v, dropped=0) if isinstance(v, WeightLine) else v for v in heard] == numbered
    assert decoder.lines_bad == 0


@given(WEIGHTS, st.data())
def test_no_changed_bit_gets_through(value, data):
    line = bytearray(encode(value))[:-2]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at] ^= 1 << data.draw(st.integers(0, 7))
    decoded = decode_line(bytes(line))
    assert decoded is None or decoded == value


def test_four_cells_are_summed_and_kept():
    (reading,) = Decoder().feed(frame("W,7,100,10:-20:30:4,20"))
    assert reading == WeightLine(7, 100, 24, 0x20, (10, -20, 30, 4))


@pytest.mark.parametrize(
    "body",
    [
        "W,65536,1,2,00",
        "W,1,4294967296,2,00",
        "W,1,1,8388608,00",
        "W,1,1,-8388609,00",
        "W,1,1,1:2:3:4:5,00",
        "W,1,1,+2,00",
        "W,1,1,2,0",
        "W,1,1,2,0g",
        "W,1,1,2",
        "W,1,1,2,00,1",
        "W,1,1,1_0,00",
        "w,1,1,2,00",
        "X,1",
        "H,1,2,3",
        "T,70000,1",
        "I,1,2,3,4",
        "",
    ],
)
def test_a_field_out_of_its_limits_is_refused_although_its_crc_is_right(body):
    decoder = Decoder()
    assert decoder.feed(frame(body)) == []
    assert decoder.lines_bad == 1


def test_a_lost_line_is_counted_and_named_by_the_next_one():
    decoder = Decoder()
    decoder.feed(encode_weight(65_534, 0, 1, 0))
    (after,) = decoder.feed(encode_weight(2, 50_000, 1, 0))
    assert after.dropped == 3
    assert decoder.readings_dropped == 3


def test_a_restarted_converter_is_not_a_loss():
    decoder = Decoder()
    decoder.feed(encode_weight(40_000, 10**9, 1, 0))
    (after,) = decoder.feed(encode_weight(0, 10, 1, 0x08))
    assert after.dropped == 0


def test_a_repeated_line_is_refused():
    decoder = Decoder()
    line = encode_weight(5, 62_500, 99, 0)
    assert len(decoder.feed(line + line)) == 1


def test_the_next_line_is_read_when_the_end_of_one_is_lost():
    stream = encode_weight(1, 0, 5, 0)[:10] + encode_weight(2, 12_500, 6, 0)
    (reading,) = Decoder().feed(stream)
    assert reading.seq == 2


def test_a_line_without_end_does_not_fill_the_memory():
    decoder = Decoder()
    for _ in range(1_000):
        decoder.feed(b"$W,1," * 100)
    assert len(decoder._partial) < LINE_BYTES_MAX
    assert decoder.bytes_since_valid == 500_000
    assert decoder.lines_bad == 1
    # The rest of the endless line is skipped up to its newline; the next line counts again.
    assert len(decoder.feed(b"\n" + encode_weight(1, 0, 5, 0))) == 1


def test_a_million_fuzzed_bytes_raise_nothing_and_give_no_reading_with_a_bad_crc():
    random = Random(20_240)
    decoder, right = Decoder(), set()
    fed = 0
    while fed < 1_000_000:
        lines = bytearray()
        for _ in range(200):
            seq, t_us = random.randrange(65_536), random.randrange(2**32)
            right.add((seq, t_us, counts := random.randrange(COUNTS_MIN, COUNTS_MAX)))
            lines += encode_weight(seq, t_us, counts, random.choice((0, 0x20, 0x01)))
            lines += encode_acceleration(seq, t_us, 1, -2, 1_000_000)
        for _ in range(random.randrange(400)):
            at = random.randrange(len(lines))
            match random.randrange(4):
                case 0:
                    lines[at] = random.randrange(256)
                case 1:
                    lines[at] ^= 1 << random.randrange(8)
                case 2:
                    del lines[at : at + random.randrange(60)]
                case 3:
                    lines[at:at] = random.randbytes(random.randrange(200))
        fed += len(lines)
        for value in decoder.feed(bytes(lines)):
            if isinstance(value, WeightLine):
                assert (value.seq, value.t_us, value.counts) in right
    assert decoder.lines_bad > 1_000
