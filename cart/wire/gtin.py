"""The number that names a product, GTIN, and its check digit (GS1 General Specifications 7.9)."""

from __future__ import annotations

_LENGTHS = (8, 12, 13, 14)


def check_digit(body: str) -> str:
    """Return the GS1 check digit for the digits before it (weights 3, 1, 3... from the right)."""
    total = sum(int(digit) * (1 if i % 2 else 3) for i, digit in enumerate(reversed(body)))
    return str(-total % 10)


def has_valid_check_digit(code: str) -> bool:
    """Return True for ASCII digits of which the last is the check digit of the others."""
    return len(code) > 1 and code.isascii() and code.isdigit() and check_digit(code[:-1]) == code[-1]


def gtin14(text: str) -> str:
    """Return a GTIN-8, -12, -13 or -14 as GTIN-14; ValueError says what is wrong with it."""
    if not (text.isascii() and text.isdigit() and len(text) in _LENGTHS):
        raise ValueError(f"{text} is no GTIN of 8, 12, 13 or 14 digits")
    if not text.strip("0"):
        raise ValueError(f"{text} is all zeros")
    if check_digit(text[:-1]) != text[-1]:
        raise ValueError(f"{text} has check digit {text[-1]}, which should be {check_digit(text[:-1])}")
    return text.zfill(14)
