"""Every documented frame of every shop-scale protocol, good and bad: one table, one harness."""

import pytest

from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import NUMBERED, Kind
from cart.wire.shop_scales.protocols import PROTOCOLS, by_name
from tools.shop_scale_vectors import vectors

VECTORS = vectors()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.protocol}: {v.source}")
def test_a_documented_frame_means_what_its_manual_says(vector):
    assert vector.wrong() == ""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.protocol}: {v.source}")
def test_a_frame_that_comes_byte_by_byte_means_the_same(vector):
    decoder = Decoder(by_name(vector.protocol).grammar)
    _, whole = decoder.feed(vector.data)
    said = []
    for byte in vector.data:
        decoder, values = decoder.feed(bytes([byte]))
        said += values
    assert tuple(said) == whole


def test_a_number_is_expected_only_where_there_can_be_one():
    assert [v for v in VECTORS if v.mass_mg is not None and v.kind not in NUMBERED] == []


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_every_protocol_has_weights_states_and_frames_to_refuse(protocol):
    kinds = [v.kind for v in VECTORS if v.protocol.startswith(protocol.name.removesuffix("-lb"))]
    assert {Kind.STABLE, Kind.MOVING, Kind.OVER, Kind.FAULTY, "none"} <= set(kinds)


def test_a_wrong_row_is_found():
    (right, *_) = (v for v in VECTORS if v.kind == "stable")
    other = type(right)(right.protocol, right.data, "stable", right.mass_mg + 1, right.net, "", "")
    assert "instead of" in other.wrong()
