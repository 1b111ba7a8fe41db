"""MT-SICS, spoken by Mettler Toledo's balances and indicators: `SI` asks for the weight at once, stable or not.

    S S     100.00 g    stable: 10 characters right-justified, a blank, the unit      S D ...   dynamic: moving
                        (some fill the unit up with blanks)
    S +  above range    S -  below range    S I  cannot now    S L  not understood
    S S Error 10b       a fault of the balance in place of the weight
    ES  ET  EL          syntax, transmission, logical error

Every line ends CR LF. Sources: operating instructions of AT and AL-IC balances (S, I, +, -); the width of the field, L
and Error from memory. No check: only the fixed width shows that a byte was lost.
"""

from __future__ import annotations

import re

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, faulty, weighed

POLL = b"SI\r\n"

_ERRORS = {b"ES": "syntax error", b"ET": "transmission error", b"EL": "logical error: cannot be carried out"}
_REFUSALS = {b"I": "cannot now: busy, or no standstill", b"L": "the command is not understood"}

_NUMBER = rb"(?P<number>[ 0-9.\-]{10}) (?P<unit>[A-Za-z]{1,5}) {0,3}"
_WEIGHT = rb"(?P<state>[SD]) (?:%s|(?P<trouble>Error [0-9A-Za-z]{1,6}))" % _NUMBER
_FRAME = rb"(?:S (?:%s|(?P<out>[IL+\-]))|(?P<error>E[STL]))\r\n" % _WEIGHT
_PARTIAL = rb"(?:S(?: (?:[SDIL+\-](?: [ -~]{0,20})?)?)?|E[STL]?)\r?"


def _read(found: re.Match[bytes]) -> Indication:
    raw = found[0]
    if found["error"]:
        return faulty(_ERRORS[found["error"]], raw)
    if found["out"] in _REFUSALS:
        return faulty(_REFUSALS[found["out"]], raw)
    if found["out"]:
        return Indication(Kind.OVER if found["out"] == b"+" else Kind.UNDER, raw=raw)
    if found["trouble"]:
        return faulty(f"the balance says {found['trouble'].decode()}", raw)
    # The value is net when a tare is taken, and the frame does not say which.
    moving = found["state"] == b"D"
    return weighed(found["number"].decode(), found["unit"].decode(), moving=moving, net=None, raw=raw)


SICS = grammar(_FRAME, _PARTIAL, _read)
