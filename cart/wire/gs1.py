"""From the text of a barcode to the one form in which the cart compares products: the GTIN-14.

biip parses GS1 element strings and Digital Links, behind two guards: it is asked only where the symbol itself says
that it holds GS1 data (without that, a mistyped EAN parses as some other identifier), and only with a `gtin` is it
believed (a Digital Link with a bad check digit still parses, with gtin None; AI 02 names the contents of a case, not
the case). A code that contradicts itself names nothing. Retail codes need no parser, only a check digit. Source: GS1
General Specifications, sections 3, 4.13, 5.2 and 7.9.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import biip
from biip.checksums import gs1_price_weight_check_digit
from biip.gs1_element_strings import GS1ElementString

from cart.wire.gtin import has_valid_check_digit
from cart.wire.upce import upce_to_upca

RETAIL = frozenset({"EAN13", "UPCA", "EAN8", "UPCE"})
"""Codes of a till: digits with one weak check digit, so a misread may be valid."""

SYMBOLOGIES = RETAIL | {"CODE128", "DATABAR", "DATABAREXP", "QR", "DATAMATRIX"}
"""Every symbology the cart reads, by the names used on events and in `cart camera read`."""

_DIGITS = {"EAN13": 13, "UPCA": 12, "EAN8": 8, "DATABAR": 14}

# The prefix that tells biip what carried the text (ISO/IEC 15424): FNC1 in first position, or a GS1 symbol.
_GS1_PREFIX = {"CODE128": "]C1", "DATABAREXP": "]e0", "QR": "]Q3", "DATAMATRIX": "]d2"}

_CONTENTS = "02"
"""Identifier of the GTIN of what is in a case."""

MG_PER_KG, CENTIMG_PER_LB = 1_000_000, 45_359_237

LINK_MAX = 512
"""Longest Digital Link that is parsed, in characters."""


def canonical_gtin(symbology: str, text: str, *, gs1: bool = False) -> str:
    """Return the GTIN-14 that a code holds, or "" where it holds none, its check digit is wrong or it is all zeros.

    symbology  one of SYMBOLOGIES
    text       as the cart writes it: UPC-A 12 digits, UPC-E 8, DataBar 14 without its AI, GS1 text with GS characters
    gs1        the symbol is marked as GS1 data (FNC1 in first position); DataBar always is
    """
    if symbology == "UPCE":
        return canonical_gtin("UPCA", upce_to_upca(text))
    if symbology in _DIGITS:
        return _believed(text.zfill(14)) if len(text) == _DIGITS[symbology] else ""
    if symbology not in _GS1_PREFIX or len(text) > LINK_MAX:
        return ""
    value = _value(symbology, text, gs1=gs1)
    return _parsed_gtin(value) if value else ""


def _believed(gtin: str) -> str:
    """Return 14 digits that are a product's number, "" for others: to zeros every check digit is right."""
    # To Python, and so to biip, digits of other scripts are digits, too.
    return gtin if has_valid_check_digit(gtin) and gtin.strip("0") else ""


def _value(symbology: str, text: str, *, gs1: bool) -> str:
    """Return what biip may be asked about a code: GS1 data with its identifier or a link, "" for anything else."""
    if gs1 or symbology == "DATABAREXP":
        return _GS1_PREFIX[symbology] + text
    is_link = symbology in ("QR", "DATAMATRIX") and text.lower().startswith(("http://", "https://"))
    return _lower_case_host(text) if is_link else ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a code says beside the number of its product; None and "" where it does not.

    mass_mg      net mass (AI 310n in kilograms, 320n in pounds)
    price        amount to pay for this piece, in units of 10 ** -price_decimals (AI 392n, 393n)
    currency     ISO 4217 number of it (AI 393n)
    count        pieces (AI 30, 37)
    best_before  AI 15, and expires AI 17: YYYY-MM-DD
    batch        AI 10, and serial AI 21
    """

    gtin: str = ""
    mass_mg: int | None = None
    price: int | None = None
    price_decimals: int = 0
    currency: str = ""
    count: int | None = None
    best_before: str = ""
    expires: str = ""
    batch: str = ""
    serial: str = ""


def contents_of(symbology: str, text: str, *, gs1: bool = False) -> Contents:
    """Return what a code says; nothing of a code that holds no GTIN, for then it is not known what it speaks of.

    Arguments as of `canonical_gtin`. Read are GS1-128, DataBar Expanded, GS1 DataMatrix and QR, and Digital Links.
    """
    gtin = canonical_gtin(symbology, text, gs1=gs1)
    if not gtin or symbology not in _GS1_PREFIX:
        return Contents(gtin)
    contents = Contents(gtin)
    for element in _elements(biip.parse(_value(symbology, text, gs1=gs1))):
        date = element.date.isoformat() if element.date else ""
        contents = _with(contents, element.ai.ai, element.value, date)
    return contents


def price_verifier(value: str) -> str:
    """Return the verifier of the 4 or 5 digits of a price or mass inside a variable number (7.9.2 to 7.9.4)."""
    return str(gs1_price_weight_check_digit(value))


def _with(contents: Contents, ai: str, value: str, date: str) -> Contents:
    """Return the contents with one element; the last digit of the longer identifiers says how many decimals it has."""
    take = _ELEMENTS.get(ai) or _ELEMENTS.get(ai[:3])
    return take(contents, value, int(ai[-1]), date) if take else contents


_ELEMENTS: dict[str, Callable[[Contents, str, int, str], Contents]] = {
    "310": lambda c, value, decimals, _: replace(c, mass_mg=int(value) * MG_PER_KG // 10**decimals),
    "320": lambda c, value, decimals, _: replace(c, mass_mg=int(value) * CENTIMG_PER_LB // 10 ** (decimals + 2)),
    "392": lambda c, value, decimals, _: replace(c, price=int(value), price_decimals=decimals),
    "393": lambda c, value, decimals, _: replace(c, price=int(value[3:]), price_decimals=decimals, currency=value[:3]),
    "30": lambda c, value, _, __: replace(c, count=int(value)),
    "37": lambda c, value, _, __: replace(c, count=int(value)),
    "10": lambda c, value, _, __: replace(c, batch=value),
    "21": lambda c, value, _, __: replace(c, serial=value),
    "15": lambda c, _, __, date: replace(c, best_before=date),
    "17": lambda c, _, __, date: replace(c, expires=date),
}


def _lower_case_host(link: str) -> str:
    """Return the link with scheme and host in lower case; QR codes hold them in capitals, which take less room."""
    scheme, _, rest = link.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def _parsed_gtin(value: str) -> str:
    try:
        result = biip.parse(value)
    except (biip.ParseError, ValueError):
        return ""
    if result.gtin is None or _contradicts_itself(_elements(result)):
        return ""
    return _believed(result.gtin.as_gtin_14())


def _elements(result: biip.ParseResult) -> Sequence[GS1ElementString]:
    holder = result.gs1_message or result.gs1_digital_link_uri
    return holder.element_strings if holder else ()


def _contradicts_itself(elements: Sequence[GS1ElementString]) -> bool:
    """Return True for one identifier with two values, and for a product beside the contents of a case (4.13)."""
    values: dict[str, str] = {}
    twice = any(values.setdefault(element.ai.ai, element.value) != element.value for element in elements)
    return twice or _CONTENTS in values
