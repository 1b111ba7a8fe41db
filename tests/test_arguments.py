"""Whole numbers on the command line: in their range, or refused with it."""

import argparse

import pytest

from cart.arguments import whole


@pytest.mark.parametrize("text", ["1", "64", "007"])
def test_a_number_in_the_range_is_taken(text):
    assert whole(1, 999)(text) == int(text)


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "+5", "1.0", "1e1", "two", "٣", "9" * 5_000])
def test_anything_else_is_refused_with_the_range(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number, 1 to 64"):
        whole(1, 64)(text)
