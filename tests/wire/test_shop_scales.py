"""Shop scales: parity, units, frames found in garbage, and never a number that the scale did not say."""

from decimal import ROUND_HALF_UP, Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.sim.shop_scale import Showing, frame
from cart.wire.shop_scales import line
from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import NUMBERED, Indication, Kind, weighed
from cart.wire.shop_scales.mass import UNITS, milligrams, pounds_and_ounces
from cart.wire.shop_scales.protocols import PROTOCOLS
from tools.shop_scale_vectors import vectors

TOLD = {p.name: [v.data for v in vectors() if v.protocol == p.name] for p in PROTOCOLS}
EACH = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
MG = {"mg": "1", "g": "1000", "kg": "1000000", "t": "1000000000", "lb": "453592.37", "oz": "28349.523125"}


def decoded(protocol, data):
    return Decoder(protocol.grammar).feed(data)[1]


# -- mass ----------------------------------------------------------------------------------


@given(st.integers(0, 10**9), st.integers(0, 6), st.sampled_from(sorted(UNITS)))
def test_a_mass_is_exact_to_the_milligram_in_every_unit(digits, places, unit):
    text = f"{Decimal(digits).scaleb(-places):f}"
    exact = Decimal(text) * Decimal(MG[unit])
    assert milligrams(text, unit) == exact.quantize(Decimal(1), ROUND_HALF_UP)


@given(st.integers(0, 999), st.integers(0, 1599))
def test_pounds_and_ounces_are_rounded_once(pounds, centi_ounces):
    ounces = f"{Decimal(centi_ounces).scaleb(-2):f}"
    exact = Decimal(pounds) * Decimal(MG["lb"]) + Decimal(ounces) * Decimal(MG["oz"])
    assert pounds_and_ounces(str(pounds), ounces) == exact.quantize(Decimal(1), ROUND_HALF_UP)


@pytest.mark.parametrize("number", ["", " ", "-", ".", "1.2.3", "1 2", "--1", "1-", "+1", "1e3", "١", "1,5", "nan"])
def test_what_is_no_number_is_faulty_and_never_zero(number):
    said = weighed(number, "kg", moving=False, net=None, raw=b"")
    assert (said.kind, said.mass_mg) == (Kind.FAULTY, None)


@pytest.mark.parametrize(
    ("kind", "mass_mg"), [(Kind.STABLE, None), (Kind.STABLE, -1), (Kind.NEGATIVE, 5), (Kind.OVER, 0), (Kind.SILENT, 0)]
)
def test_a_state_with_a_number_that_it_cannot_have_is_a_mistake(kind, mass_mg):
    with pytest.raises(AssertionError):
        Indication(kind, mass_mg, "x" if mass_mg is not None else "")


# -- parity --------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["7E1", "7O1"])
def test_parity_is_that_of_the_standard_and_one_wrong_bit_is_seen(framing):
    for byte in range(128):
        (sent,) = line.to_send(bytes([byte]), framing)
        assert bin(sent).count("1") % 2 == (framing == "7O1")
        assert line.received(bytes([sent]), framing) == bytes([byte])
        for bit in range(8):
            assert line.received(bytes([sent ^ 1 << bit]), framing) == bytes([line.BROKEN])


def test_eight_bits_pass_as_they_are():
    every = bytes(range(256))
    assert line.received(line.to_send(every, "8N1"), "8N1") == every


# -- frames --------------------------------------------------------------------------------


def streams(protocol):
    """Good frames, documented bad ones and garbage of the protocol's own letters, in any order."""
    told = TOLD[protocol.name]
    letters = st.lists(st.sampled_from(sorted(set(b"".join(told)))), max_size=12).map(bytes)
    return st.lists(st.one_of(st.sampled_from(told), letters, st.binary(max_size=6)), max_size=8).map(b"".join)


@EACH
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_how_the_stream_is_cut_changes_nothing(protocol, data):
    stream = data.draw(streams(protocol))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder, said = Decoder(protocol.grammar), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder, values = decoder.feed(stream[start:end])
        said += values
    whole, at_once = Decoder(protocol.grammar).feed(stream)
    assert tuple(said) == at_once
    assert decoder == whole


@EACH
def test_a_frame_is_found_behind_any_garbage(protocol):
    random = Random(7)
    good = frame(protocol, Showing(Kind.STABLE, 1_250_000))
    for _ in range(300):
        before = random.randbytes(random.randrange(40))
        assert any(value.kind == Kind.STABLE for value in decoded(protocol, before + good + good) if is_said(value))


def is_said(value):
    return isinstance(value, Indication)


@EACH
def test_the_memory_of_a_decoder_is_bounded(protocol):
    random, decoder, longest = Random(3), Decoder(protocol.grammar), 0
    letters = b"".join(TOLD[protocol.name])
    for _ in range(20_000):
        decoder, _ = decoder.feed(bytes(random.choices(letters, k=3)))
        longest = max(longest, len(decoder.pending))
    assert longest <= 32


def true_to_its_bytes(said):
    """Whether the number of an indication stands in its own frame, read by other means."""
    digits, unit = said.shown.rsplit(" ", 1)
    if unit == "oz" and " lb " in said.shown:
        return True  # pounds and ounces have their own test above
    exact = (Decimal(digits) * Decimal(MG[unit])).quantize(Decimal(1), ROUND_HALF_UP)
    return exact == said.mass_mg and digits.lstrip("-").encode() in said.raw


@EACH
def test_a_million_random_bytes_raise_nothing_and_give_no_weight(protocol):
    random, decoder = Random(20_261), Decoder(protocol.grammar)
    # Without the help of parity, as if each byte had come with the right one.
    seven_bits = bytes(byte & 0x7F for byte in range(256))
    weights = []
    for _ in range(1_000):
        decoder, values = decoder.feed(random.randbytes(1_000).translate(seven_bits))
        weights += [value for value in values if is_said(value) and value.mass_mg is not None]
    assert weights == []


@EACH
def test_a_million_bytes_of_damaged_talk_give_no_number_that_is_not_in_them(protocol):
    random, decoder, fed, said = Random(20_262), Decoder(protocol.grammar), 0, 0
    told = TOLD[protocol.name]
    while fed < 1_000_000:
        talk = bytearray(b"".join(random.choices(told, k=100)))
        for _ in range(random.randrange(60)):
            at = random.randrange(len(talk))
            match random.randrange(3):
                case 0:
                    talk[at] ^= 1 << random.randrange(8)
                case 1:
                    del talk[at : at + random.randrange(20)]
                case 2:
                    talk[at:at] = random.randbytes(random.randrange(20))
        fed += len(talk)
        decoder, values = decoder.feed(bytes(talk))
        for value in values:
            if is_said(value) and value.mass_mg is not None:
                said += 1
                assert value.kind in NUMBERED
                assert true_to_its_bytes(value), value
    assert said > 1_000


@EACH
def test_a_damaged_bit_gives_another_weight_only_where_the_protocol_checks_nothing(protocol):
    sent = line.to_send(frame(protocol, Showing(Kind.STABLE, 1_250_000)), protocol.framing)
    (truth,) = decoded(protocol, line.received(sent, protocol.framing))
    wrong = 0
    for at in range(len(sent) * 8):
        hurt = bytearray(sent)
        hurt[at // 8] ^= 1 << at % 8
        values = decoded(protocol, line.received(bytes(hurt), protocol.framing))
        wrong += any(v.mass_mg not in (None, truth.mass_mg) for v in values if is_said(v))
    assert (wrong > 0) == (protocol.checked == "width")
