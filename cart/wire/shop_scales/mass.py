"""Units of mass in exact integers.

The avoirdupois pound is 453.59237 g by definition and the ounce a sixteenth of it, so 0.01 lb is 4,535.9237 mg: the
result is rounded to the nearest milligram, halves away from zero. A scale's own step is 1,000 times coarser.
"""

from __future__ import annotations

UNITS = {
    "mg": (1, 1),
    "g": (1_000, 1),
    "kg": (1_000_000, 1),
    "t": (1_000_000_000, 1),
    "lb": (45_359_237, 100),
    "oz": (45_359_237, 1_600),
}
"""Unit -> milligrams in it, as a fraction."""


def milligrams(digits: str, unit: str) -> int:
    """Return the mass in mg, to the nearest, halves up.

    digits  digits with at most one point, "01.250"; no sign
    unit    a key of UNITS
    """
    whole, _, fraction = digits.partition(".")
    numerator, denominator = UNITS[unit]
    scale: int = 10 ** len(fraction)
    return _rounded(int(whole + fraction) * numerator, denominator * scale)


def pounds_and_ounces(pounds: str, ounces: str) -> int:
    """Return the mass in mg of a weight written as two numbers, rounded once."""
    whole, _, fraction = ounces.partition(".")
    scale: int = 10 ** len(fraction)
    numerator, denominator = UNITS["oz"]
    return _rounded((16 * int(pounds) * scale + int(whole + fraction)) * numerator, denominator * scale)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
