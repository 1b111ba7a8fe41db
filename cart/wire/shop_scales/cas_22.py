"""CAS, the 22 bytes that an indicator sends by itself, over and over.

    ST,GS,<id><lamps>,<8 characters> kg CR LF      ST stable, US unstable, OL overload; GS gross, NT net
    ERR <code> CR LF                               a fault of the indicator

Lamps: bit 7 always 1, 6 stable, 4 hold, 3 print, 2 gross, 1 tare, 0 zero. Where the header says stable and the lamp
does not, the weight counts as moving. Sources: CI-600D p. 74, CI-400 p. 103, CI-6000A p. 63, NT-200 p. 48. No check:
only the fixed width shows that a byte was lost.
"""

from __future__ import annotations

import re

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, faulty, weighed

LAMPS, LAMP_STABLE = 0x80, 0x40

_WEIGHT = rb"(?P<state>ST|US|OL),(?P<net>GS|NT),.(?P<lamps>.),(?P<number>[ -~]{8}) (?P<unit>[A-Za-z ]{2})"
_FRAME = rb"(?:%s|ERR(?P<error>[ -~]{1,6}))\r\n" % _WEIGHT
_PARTIAL = rb"(?:ST|US|OL).{0,19}|[SUO]|E(?:R(?:R[ -~]{0,6}\r?)?)?"


def _read(found: re.Match[bytes]) -> Indication:
    raw = found[0]
    if found["error"]:
        return faulty(f"the indicator says ERR{found['error'].decode()}", raw)
    net = found["net"] == b"NT"
    if found["state"] == b"OL":
        return Indication(Kind.OVER, net=net, raw=raw)
    lamps = found["lamps"][0]
    dark = bool(lamps & LAMPS) and not lamps & LAMP_STABLE
    moving = found["state"] == b"US" or dark
    return weighed(found["number"].decode(), found["unit"].decode(), moving=moving, net=net, raw=raw)


STREAM = grammar(_FRAME, _PARTIAL, _read)
