"""SMA SCP-0499, the protocol of the Scale Manufacturers Association: `W` asks for the displayed weight.

    LF <s><r><n><m><f><10 characters><3 characters of unit> CR      LF ? CR   command not known

s: Z centre of zero, O over capacity, U under capacity, E zero error, I initial zero error, T tare error, or blank;
r: range; n: G gross, N net, T tare, g and n in high resolution; m: M in motion; f: free. With E, I and T the weight is
dashes. The unit is filled up with blanks or underscores. Sources: the standard's sections 5.1 and 5.2, as reprinted in
PR 5211 p. 53 and T419S p. 61. No check: only the fixed width shows that a byte was lost.
"""

from __future__ import annotations

import re

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, faulty, weighed

POLL = b"\nW\r"

_ERRORS = {b"E": "zero error", b"I": "initial zero error", b"T": "tare error"}

_STATE = rb"(?P<status>[ZOUEIT ])[0-9 ](?P<which>[GNTgn])(?P<motion>[M ])[ -~]"
_FRAME = rb"\n(?:%s(?P<number>[ 0-9.\-]{10})(?P<unit>[A-Za-z/_ ]{3})|(?P<unknown>\?))\r" % _STATE
_PARTIAL = rb"\n[ -~]{0,18}"


def _read(found: re.Match[bytes]) -> Indication:
    raw = found[0]
    if found["unknown"]:
        return faulty("the scale does not know the command", raw)
    if found["status"] in _ERRORS:
        return faulty(_ERRORS[found["status"]], raw)
    if found["which"] == b"T":
        return faulty("a tare, and not a weight", raw)
    net = found["which"] in b"Nn"
    if found["status"] in b"OU":
        return Indication(Kind.OVER if found["status"] == b"O" else Kind.UNDER, net=net, raw=raw)
    moving = found["motion"] == b"M"
    return weighed(found["number"].decode(), found["unit"].decode(), moving=moving, net=net, raw=raw)


SCP_0499 = grammar(_FRAME, _PARTIAL, _read)
