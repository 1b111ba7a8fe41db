"""From the text of a barcode to the one form in which the cart compares products: the GTIN-14.

biip parses GS1 element strings and Digital Links, behind two guards: it is asked only where the symbol itself says
that it holds GS1 data (without that, a mistyped EAN parses as some other identifier), and only its `gtin` is used
(a Digital Link with a bad check digit still parses, with gtin None; AI 02 names the contents of a case, not the case).
Retail codes need no parser, only a check digit. Source: GS1 General Specifications, sections 3, 5.2 and 7.9.
"""

import biip

from cart.wire.gtin import has_valid_check_digit

RETAIL = frozenset({"EAN13", "UPCA", "EAN8", "UPCE"})
"""Codes of a till: digits with one weak check digit, so a misread may be valid."""

SYMBOLOGIES = RETAIL | {"CODE128", "DATABAR", "DATABAREXP", "QR", "DATAMATRIX"}
"""Every symbology the cart reads, by the names used on events and in `cart camera read`."""

_DIGITS = {"EAN13": 13, "UPCA": 12, "EAN8": 8, "DATABAR": 14}

# The prefix that tells biip what carried the text (ISO/IEC 15424): FNC1 in first position, or a GS1 symbol.
_GS1_PREFIX = {"CODE128": "]C1", "DATABAREXP": "]e0", "QR": "]Q3", "DATAMATRIX": "]d2"}

LINK_MAX = 512
"""Longest Digital Link that is parsed, in characters."""


def canonical_gtin(symbology: str, text: str, *, gs1: bool = False) -> str:
    """Return the GTIN-14 that a code holds, or "" where it holds none or its check digit is wrong.

    symbology  one of SYMBOLOGIES
    text       as the cart writes it: UPC-A 12 digits, UPC-E 8, DataBar 14 without its AI, GS1 text with GS characters
    gs1        the symbol is marked as GS1 data (FNC1 in first position); DataBar always is
    """
    if symbology == "UPCE":
        return canonical_gtin("UPCA", upce_to_upca(text))
    if symbology in _DIGITS:
        return text.zfill(14) if len(text) == _DIGITS[symbology] and has_valid_check_digit(text) else ""
    if symbology not in _GS1_PREFIX or len(text) > LINK_MAX:
        return ""
    if gs1 or symbology == "DATABAREXP":
        return _parsed_gtin(_GS1_PREFIX[symbology] + text)
    is_link = symbology in ("QR", "DATAMATRIX") and text.lower().startswith(("http://", "https://"))
    return _parsed_gtin(_lower_case_host(text)) if is_link else ""


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
    return result.gtin.as_gtin_14() if result.gtin is not None else ""


def upce_to_upca(code: str) -> str:
    """Return the 12 digits that an 8-digit UPC-E stands for, its check digit unchanged; "" if it is none."""
    if len(code) != 8 or not (code.isascii() and code.isdigit()) or code[0] not in "01":
        return ""
    six, last = code[1:7], code[6]
    if last in "012":
        body = six[:2] + last + "0000" + six[2:5]
    elif last == "3":
        body = six[:3] + "00000" + six[3:5]
    elif last == "4":
        body = six[:4] + "00000" + six[4]
    else:
        body = six[:5] + "0000" + last
    return code[0] + body + code[7]


def upca_to_upce(code: str) -> str:
    """Return the 8-digit UPC-E of a 12-digit UPC-A, or "" where its zeros cannot be suppressed."""
    if len(code) != 12 or not (code.isascii() and code.isdigit()) or code[0] not in "01":
        return ""
    maker, item = code[1:6], code[6:11]
    if maker[2:] in ("000", "100", "200") and item[:2] == "00":
        six = maker[:2] + item[2:] + maker[2]
    elif maker[3:] == "00" and item[:3] == "000":
        six = maker[:3] + item[3:] + "3"
    elif maker[4] == "0" and item[:4] == "0000":
        six = maker[:4] + item[4] + "4"
    elif item[:4] == "0000" and item[4] >= "5":
        six = maker + item[4]
    else:
        return ""
    return code[0] + six + code[11]
