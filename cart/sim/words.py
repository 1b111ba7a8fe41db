"""The small words of the grammar: numbers with their units, things, names. Pure; used by `scenario.py`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from cart.sim import actions as act

WAIT_MS_MAX = 3_600_000
"""Longest single wait: one hour."""

MASS_MG_MAX = 100_000_000
HANDFUL_MAX = 50

Words = list[str]


class UnclearError(ValueError):
    """What is wrong with a line, before its number is known."""


def things(words: Words, usage: str) -> tuple[act.Thing, ...]:
    """Return what `3 milk and banana 0.85 kg` names."""
    groups: list[Words] = [[]]
    for word in words:
        if word == "and":
            groups.append([])
        else:
            groups[-1].append(word)
    return tuple(_thing(group, usage) for group in groups)


def _thing(words: Words, usage: str) -> act.Thing:
    count, mass_mg = 1, None
    if len(words) > 1 and words[0].isdigit():
        count, words = int(words[0]), words[1:]
    if len(words) > 2 and words[-1] in _MASS_MG:
        mass_mg, _ = mass_of(words[-2:])
        words = words[:-2]
    if not 1 <= count <= HANDFUL_MAX:
        raise UnclearError("one handful is 1 to 50 pieces")
    return act.Thing(name_of(words, usage), count, mass_mg)


def name_of(words: Words, usage: str) -> str:
    """Return the words as one name; there must be one."""
    if not words or words[0] in _MASS_MG:
        raise UnclearError(f"a product is missing; say: {usage}")
    return " ".join(words)


def parted(words: Words, at: str, usage: str) -> tuple[str, str]:
    """Return the names before and after the word `at`."""
    if at not in words:
        raise UnclearError(f"'{at}' is missing; say: {usage}")
    # The last one parts: a product's name may hold the word, too.
    index = len(words) - 1 - words[::-1].index(at)
    return name_of(words[:index], usage), name_of(words[index + 1 :], usage)


def ending(words: Words, flag: str) -> tuple[Words, bool]:
    """Return the words without the last one if it is `flag`, and whether it is."""
    return (words[:-1], True) if words and words[-1] == flag else (words, False)


def exactly(words: Words, count: int, usage: str) -> None:
    """Refuse any other number of words."""
    if len(words) != count:
        raise UnclearError(f"say: {usage}")


_MASS_MG = {"kg": 1_000_000, "g": 1_000}
_TIME_MS = {"s": 1_000, "ms": 1, "min": 60_000}


def mass_of(words: Words) -> tuple[int, Words]:
    """Return the mass in mg that the first two words name, and the words after them."""
    if len(words) < 2 or words[1] not in _MASS_MG:
        raise UnclearError(f"a mass is a number and kg or g, as in 0.85 kg, not '{' '.join(words[:2])}'")
    mass_mg = int(number_of(words[0]) * _MASS_MG[words[1]])
    if abs(mass_mg) > MASS_MG_MAX:
        raise UnclearError("a cart never meets more than 100 kg")
    return mass_mg, words[2:]


def time_of(words: Words) -> int:
    """Return the duration in ms that exactly two words name."""
    if len(words) != 2 or words[1] not in _TIME_MS:
        raise UnclearError(f"a time is a number and s, ms or min, as in 1.5 s, not '{' '.join(words)}'")
    duration_ms = int(number_of(words[0]) * _TIME_MS[words[1]])
    if not 0 <= duration_ms <= WAIT_MS_MAX:
        raise UnclearError("a time is between 0 and one hour")
    return duration_ms


def money_of(word: str) -> int:
    """Return minor units (hundredths) of `3.49`."""
    minor = number_of(word) * 100
    if minor != int(minor) or minor < 0:
        raise UnclearError(f"an amount of money has two decimals at most, not '{word}'")
    return int(minor)


def whole_of(word: str) -> int:
    """Return the whole number of digits only."""
    if not word.isdigit():
        raise UnclearError(f"'{word}' is not a whole number")
    return int(word)


def number_of(word: str) -> Decimal:
    """Return a finite decimal number, exactly as it is written."""
    try:
        number = Decimal(word)
    except InvalidOperation:
        raise UnclearError(f"'{word}' is not a number") from None
    if not number.is_finite():
        raise UnclearError(f"'{word}' is not a number")
    return number
