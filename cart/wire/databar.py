"""The bars of a DataBar Omnidirectional code: digits to modules and back, as ISO/IEC 24724 draws them.

96 modules in 46 elements, light first: a guard, an outside character, a finder, an inside character, and the same
mirrored. Characters 1 and 2 (left) and 3 and 4 (right) hold the number; which two finders are drawn says its checksum.
What blurred bars most likely say is searched for among these widths.
"""

from __future__ import annotations

from functools import lru_cache

from cart.wire.gtin import check_digit

Widths = tuple[int, ...]
Characters = tuple[int, int, int, int]

FINDERS: tuple[Widths, ...] = (
    (3, 8, 2, 1, 1),
    (3, 5, 5, 1, 1),
    (3, 3, 7, 1, 1),
    (3, 1, 9, 1, 1),
    (2, 7, 4, 1, 1),
    (2, 5, 6, 1, 1),
    (2, 3, 8, 1, 1),
    (1, 5, 7, 1, 1),
    (1, 3, 9, 1, 1),
)
"""As drawn on the left, from the outside inwards; mirrored on the right."""

CHECKSUMS = 79
MODULES = 96

_GUARD = (1, 1)
_ELEMENTS = 4
_PAIR, _INSIDE = 4_537_077, 1_597
_LINKED = 10**13

# Groups of characters: modules and widest element of the odd and of the even elements, and how many of the odd ones.
_OUTSIDE_GROUPS = ((12, 8, 4, 1, 161), (10, 6, 6, 3, 80), (8, 4, 8, 5, 31), (6, 3, 10, 6, 10), (4, 1, 12, 8, 1))
_INSIDE_GROUPS = ((5, 2, 10, 7, 4), (7, 4, 8, 5, 20), (9, 6, 6, 3, 48), (11, 8, 4, 1, 81))


def modules(gtin: str, *, linked: bool = False) -> str:
    """Return the modules of a GTIN-14 from the first light one to the last dark one, "1" dark: MODULES of them.

    linked  marked as standing below a 2-D component
    """
    left, right = divmod(int(gtin[:13]) + _LINKED * linked, _PAIR)
    return drawn((*divmod(left, _INSIDE), *divmod(right, _INSIDE)))


def drawn(values: Characters) -> str:
    """Return the modules of four characters, with the finders that show their checksum."""
    widths = [characters(outside=not place % 2)[value] for place, value in enumerate(values)]
    near, far = finders_of(sum(weight(place, of) for place, of in enumerate(widths)) % CHECKSUMS)
    left = (*widths[0], *FINDERS[near], *widths[1][::-1])
    right = (*widths[3], *FINDERS[far][::-1], *widths[2][::-1])
    return "".join("01"[number % 2] * width for number, width in enumerate((*_GUARD, *left, *right, *_GUARD)))


def gtin_of(values: Characters) -> str:
    """Return the GTIN-14 that four characters say, "" where it is none, or linked to a 2-D component."""
    first, second, third, fourth = values
    number = (first * _INSIDE + second) * _PAIR + third * _INSIDE + fourth
    return f"{number:013d}" + check_digit(f"{number:013d}") if number < _LINKED else ""


@lru_cache(maxsize=2)
def characters(*, outside: bool) -> tuple[Widths, ...]:
    """Return the widths of the characters in the order of their values: 2,841 outside ones or 1,597 inside ones.

    Eight elements from the outside inwards. Within a group, outside characters count the even elements first, inside
    ones the odd; and the elements that may all be wide are the odd ones outside, the even ones inside.
    """
    found = []
    for odd_modules, odd_widest, even_modules, even_widest, odd_count in _OUTSIDE_GROUPS if outside else _INSIDE_GROUPS:
        odds = _splits(odd_modules, odd_widest, narrow=not outside)[:odd_count]
        evens = _splits(even_modules, even_widest, narrow=outside)
        pairs = [(odd, even) for odd in odds for even in evens]
        if not outside:
            pairs = [(odd, even) for even in evens for odd in odds]
        found += [tuple(width for both in zip(odd, even, strict=True) for width in both) for odd, even in pairs]
    return tuple(found)


def weight(place: int, widths: Widths) -> int:
    """Return what the character at a place, 0 to 3, adds to the checksum, less multiples of CHECKSUMS."""
    return sum(width * pow(3, 8 * place + number, CHECKSUMS) for number, width in enumerate(widths)) % CHECKSUMS


def finders_of(checksum: int) -> tuple[int, int]:
    """Return which of FINDERS stand on the left and on the right for a checksum, 0 to 78."""
    # Two pairs are not used: they could be mistaken for others read backwards.
    number = checksum + (checksum >= 8)
    return divmod(number + (number >= 72), len(FINDERS))


def checksum_of(near: int, far: int) -> int | None:
    """Return the checksum that two finders show, None for the pairs that are not used."""
    return _SHOWN.get((near, far))


def _splits(total: int, widest: int, *, narrow: bool) -> list[Widths]:
    """Return all widths of four elements that make `total`, in order; `narrow`: one of them at least is 1."""
    found: list[Widths] = [()]
    for left in range(_ELEMENTS - 1, 0, -1):
        found = [
            (*widths, width) for widths in found for width in range(1, min(widest, total - sum(widths) - left) + 1)
        ]
    whole = [(*widths, total - sum(widths)) for widths in found]
    return [widths for widths in whole if widths[-1] <= widest and (not narrow or 1 in widths)]


_SHOWN = {finders_of(checksum): checksum for checksum in range(CHECKSUMS)}
