"""DataBar's bars: as others draw them, and back to the number."""

import random

import numpy as np
import pytest

from cart.vision import reader
from cart.wire import databar
from tests import labels

# Drawn by the writer of zxing-cpp 3.1.
DRAWN = {
    "02001234567893": "010100001000000101000100000000010100110100111100"
    "101111011100010101111111000001001001110111000101",
    "01234567890128": "010100010001000001011100000000010111011100111010"
    "100110111011100101111111000111000110100110011101",
}


@pytest.mark.parametrize("gtin", DRAWN)
def test_a_code_is_drawn_as_others_draw_it(gtin):
    assert databar.modules(gtin) == DRAWN[gtin]


def test_what_is_drawn_is_what_an_engine_reads():
    engines = [engine for engine in reader.available_engines(thorough=True) if engine.name == "zxing"]
    if not engines:
        pytest.skip("zxing-cpp is not installed")
    rng = random.Random(3)
    for _ in range(20):
        gtin = labels.with_check_digit(f"{rng.randrange(10**13):013d}")
        found = engines[0].read(labels.databar_label(gtin), frozenset({"DATABAR"}))
        assert [raw.text for raw in found] == [gtin]


def test_every_character_has_its_own_widths_and_fills_its_place():
    for outside, count, modules in ((True, 2_841, 16), (False, 1_597, 15)):
        drawn = databar.characters(outside=outside)
        assert len(set(drawn)) == count
        assert {(len(widths), sum(widths)) for widths in drawn} == {(8, modules)}


def test_characters_lead_back_to_the_number_and_a_linked_one_is_none():
    highest = 10**13 - 1
    for number in (0, 1, 1_596, 1_597, 4_537_077, highest):
        left, right = divmod(number, 4_537_077)
        values = (*divmod(left, 1_597), *divmod(right, 1_597))
        assert databar.gtin_of(values) == labels.with_check_digit(f"{number:013d}")
    left, right = divmod(highest + 1, 4_537_077)
    assert databar.gtin_of((*divmod(left, 1_597), *divmod(right, 1_597))) == ""


def test_each_checksum_is_shown_by_two_finders_of_its_own():
    shown = [databar.finders_of(checksum) for checksum in range(databar.CHECKSUMS)]
    assert [databar.checksum_of(*pair) for pair in shown] == list(range(databar.CHECKSUMS))
    unused = {(near, far) for near in range(9) for far in range(9)} - set(shown)
    assert unused == {(0, 8), (8, 0)}
    assert all(databar.checksum_of(*pair) is None for pair in unused)


def test_a_code_begins_light_and_ends_dark_in_46_elements():
    drawn = np.array([int(module) for module in databar.modules("20012345678909", linked=True)])
    assert (len(drawn), drawn[0], drawn[-1]) == (databar.MODULES, 0, 1)
    assert 1 + int(np.abs(np.diff(drawn)).sum()) == 46
