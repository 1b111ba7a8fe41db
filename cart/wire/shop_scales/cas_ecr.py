"""CAS, the dialogue for cash registers: ENQ, the scale's ACK, DC1, and then the weight in a checked block.

    SOH STX <S|U> <sign> <6 characters> <2 characters of unit> BCC ETX EOT

S stable, U not; sign blank, - or F (overflow, and then the digits are F too); BCC is the XOR of the ten bytes between
STX and BCC. NAK, or a BCC that is wrong, gives no weight. Sources: Aviator 7000 service manual p. 36; CAS PD-II manual
p. 23 (type 6).
"""

from __future__ import annotations

import re
from functools import reduce

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, Prompt, Value, faulty, weighed

ENQ, ACK, NAK, DC1 = b"\x05", b"\x06", b"\x15", b"\x11"
POLL = ENQ

_BLOCK = re.compile(rb"([SU])([ \-F])([ 0-9.F]{6})([A-Za-z ]{2})")
_FRAME = rb"\x01\x02(?P<block>.{10})(?P<check>.)\x03\x04|(?P<ready>\x06)|(?P<refused>\x15)"
# The check may be any byte, also ACK: a block that is under way is waited for before a lone ACK is believed.
_PARTIAL = rb"\x01(?:\x02.{0,11}\x03?)?"


def check_of(block: bytes) -> int:
    """Return the block check character: the XOR of all bytes."""
    return reduce(lambda check, byte: check ^ byte, block)


def _read(found: re.Match[bytes]) -> Value:
    if found["ready"]:
        return Prompt(DC1)
    if found["refused"]:
        return faulty("the scale refuses (NAK)", found[0])
    if check_of(found["block"]) != found["check"][0]:
        return faulty("the check of the block is wrong", found[0])
    return _block(found["block"], found[0])


def _block(block: bytes, raw: bytes) -> Indication:
    fields = _BLOCK.fullmatch(block)
    if fields is None:
        return faulty("the check is right, but the block cannot be read", raw)
    state, sign, number, unit = (field.decode() for field in fields.groups())
    moving = state == "U"
    if sign == "F" or "F" in number:
        return Indication(Kind.OVER, raw=raw)
    if moving and not number.strip():
        return Indication(Kind.MOVING, raw=raw)
    return weighed(sign + number, unit, moving=moving, net=None, raw=raw)


ECR = grammar(_FRAME, _PARTIAL, _read)
