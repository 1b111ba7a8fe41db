"""The bars of a retail code: digits to modules, as ISO/IEC 15420 draws them.

One module is the width of the thinnest bar. A digit is seven modules; set L has odd parity, G is R mirrored and R
is L inverted. The check of a read and the simulated camera render codes with it.
"""

import itertools

from cart.wire.gtin import has_valid_check_digit
from cart.wire.upce import upce_to_upca

_L = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_R = tuple("".join("10"[int(module)] for module in digit) for digit in _L)
_G = tuple(digit[::-1] for digit in _R)

# First digit of an EAN-13, in the sets of the six digits left of the middle; check digit of a UPC-E likewise.
_EAN13_SETS = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
_UPCE_SETS = ("GGGLLL", "GGLGLL", "GGLLGL", "GGLLLG", "GLGGLL", "GLLGGL", "GLLLGG", "GLGLGL", "GLGLLG", "GLLGLG")

_SETS = {"L": _L, "G": _G, "R": _R}
DIGIT_MODULES = 7
_TWIN = {"1": "7", "7": "1", "2": "8", "8": "2"}
_GUARD, _MIDDLE, _UPCE_END = "101", "01010", "010101"


def modules(symbology: str, text: str) -> str:
    """Return the modules of a retail code from first bar to last, "1" dark: 95, 67 (EAN-8) or 51 (UPC-E) of them.

    symbology  EAN13, UPCA, EAN8 or UPCE
    text       13, 12, 8 or 8 digits, the check digit included
    """
    if symbology == "EAN8":
        return _GUARD + _digits(text[:4], "LLLL") + _MIDDLE + _digits(text[4:], "RRRR") + _GUARD
    if symbology == "UPCE":
        return _GUARD + _digits(text[1:7], _UPCE_SETS[int(text[7])]) + _UPCE_END
    assert symbology in ("EAN13", "UPCA"), symbology
    digits = text.zfill(13)
    left = _digits(digits[1:7], _EAN13_SETS[int(digits[0])])
    return _GUARD + left + _MIDDLE + _digits(digits[7:], "RRRRRR") + _GUARD


def exchanges(symbology: str, text: str) -> tuple[str, ...]:
    """Return the modules of this code with any one digit drawn as another, check digits ignored.

    These are the misreads that a check digit alone lets through one time in ten. Left digits of an EAN-13 and
    digits of a UPC-E may also change their set, as their parities carry a digit of their own.
    """
    drawn = modules(symbology, text)
    changed = []
    for start, sets in _digit_places(symbology):
        for pattern in itertools.chain.from_iterable(_SETS[name] for name in sets):
            if pattern != drawn[start : start + DIGIT_MODULES]:
                changed.append(drawn[:start] + pattern + drawn[start + DIGIT_MODULES :])
    return tuple(changed)


def twins(symbology: str, text: str) -> tuple[str, ...]:
    """Return the modules of the valid codes that differ from this one in 1 for 7 and 2 for 8 alone, in 2 or 3 digits.

    Those pairs have their edges in the same places and differ in how thick the bars are: printed too fat, or moved
    during the exposure, all of them are misread together, and the check digit may still agree.
    """
    drawn = range(1, 7) if symbology == "UPCE" else range(len(text) % 2, len(text))
    places = [place for place in drawn if text[place] in _TWIN]
    changed = (_exchanged(text, chosen) for n in (2, 3) for chosen in itertools.combinations(places, n))
    return tuple(modules(symbology, code) for code in changed if _is_valid(symbology, code))


def _exchanged(text: str, places: tuple[int, ...]) -> str:
    digits = list(text)
    for place in places:
        digits[place] = _TWIN[text[place]]
    return "".join(digits)


def _is_valid(symbology: str, text: str) -> bool:
    return has_valid_check_digit(upce_to_upca(text) if symbology == "UPCE" else text)


def _digit_places(symbology: str) -> list[tuple[int, str]]:
    after_guard = len(_GUARD)
    if symbology == "UPCE":
        return [(after_guard + DIGIT_MODULES * i, "LG") for i in range(6)]
    half, left_sets = (4, "L") if symbology == "EAN8" else (6, "LG")
    after_middle = after_guard + DIGIT_MODULES * half + len(_MIDDLE)
    left = [(after_guard + DIGIT_MODULES * i, left_sets) for i in range(half)]
    return left + [(after_middle + DIGIT_MODULES * i, "R") for i in range(half)]


def _digits(digits: str, sets: str) -> str:
    return "".join(_SETS[name][int(digit)] for digit, name in zip(digits, sets, strict=True))
