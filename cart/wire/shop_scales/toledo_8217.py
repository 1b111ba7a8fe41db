"""Mettler Toledo 8217, spoken by checkout scales (Viva, Ariva, DIVA): answers `W` with a weight or with a status byte.

    STX WW.WWW CR      kilograms, N before CR when net          STX 0WW.WW CR   pounds, the same
    STX ? <status> CR  instead of a weight: in motion, below zero, above capacity

The unit is not in the frame: the number of decimals gives it away, and the one that was not asked for is refused, since
a pound taken for a kilogram is a price times 2.2. Status bits: 7 parity, 6 always 1, 5 net, 4 centre of zero, 3 outside
the zero capture range, 2 under zero, 1 over capacity, 0 in motion. Bit 6 is no error, although drivers that are widely
used take it for one and then report a weight of 0; there are also scales that leave it out, so it is not looked at.
The manual's section before it, taken to be the older 8213, has pounds as WW.WW: that is refused too, since it may as
well be a frame that lost a digit. Scales that imitate the 8213 (3700LP p. 11) send XXX.XX for pounds, kilograms and
ounces alike: they are not for these decoders. Parity is the only check.
Source: DIVA service manual, 6.1.3.2 to 6.1.4.3.
"""

from __future__ import annotations

import re

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, faulty, weighed

POLL = b"W"

NET = 0x20
UNDER = 0x04
OVER = 0x02
MOTION = 0x01

# A blank may stand for a leading zero; the width is fixed, so a lost digit is no weight.
_KG = rb"(?P<kg>[0-9 ][0-9]\.[0-9]{3})"
_LB = rb"(?P<lb>[0-9 ]{2}[0-9]\.[0-9]{2})"
_SHORT = rb"(?P<short>[0-9 ][0-9]\.[0-9]{2})"
_STATUS = rb"\?(?P<status>[\x00-\x0c\x0e-\x7f])"
_FRAME = rb"\x02(?:(?:%s|%s|%s)(?P<net>N?)|%s)\r" % (_KG, _LB, _SHORT, _STATUS)
_PARTIAL = rb"\x02(?:[0-9. ]{0,6}N?|\?[\x00-\x0c\x0e-\x7f]?)"


def _read(found: re.Match[bytes], unit: str) -> Indication:
    if found["status"] is not None:
        return _status(found["status"][0], found[0])
    if found["short"] is not None:
        return faulty("four digits, as the older 8213 sends them: its unit is not known", found[0])
    if found[unit] is None:
        return faulty(f"its decimals are not those of {unit}: the scale is set to another unit", found[0])
    return weighed(found[unit].decode(), unit, moving=False, net=bool(found["net"]), raw=found[0])


def _status(status: int, raw: bytes) -> Indication:
    net = bool(status & NET)
    if status & OVER and status & UNDER:
        return faulty(f"status {status:02X}: over capacity and under zero at once", raw)
    if status & OVER:
        return Indication(Kind.OVER, net=net, raw=raw)
    if status & UNDER:
        return Indication(Kind.UNDER, net=net, raw=raw)
    if status & MOTION:
        return Indication(Kind.MOVING, net=net, raw=raw)
    return faulty(f"status {status:02X}: no weight, and no reason why", raw)


KG = grammar(_FRAME, _PARTIAL, lambda found: _read(found, "kg"))
LB = grammar(_FRAME, _PARTIAL, lambda found: _read(found, "lb"))
