"""Values of the command line that several verbs and tools take, refused with the form that they must have."""

import argparse
from collections.abc import Callable

MILLION = 1_000_000


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what makes a whole number, `least` to `most`, both >= 0, of an argument; for `type=` of argparse."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {least} to {most}")
        return int(text)

    return number
