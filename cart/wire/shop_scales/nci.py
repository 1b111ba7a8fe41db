"""NCI SCP-01 and its ECR dialect, spoken by Weigh-Tronix, NCI, Brecknell and others: a weight and its status bytes.

    LF xxxx.xxUU CR LF hh CR ETX    weight, unit, status; the ECR dialect writes S before the status bytes
    LF hh CR ETX                    status alone: in motion, below zero, out of range (the ECR dialect does so)
    LF ? CR ETX                     command not known

Status bytes are readable because bits 4 and 5 are 1; bit 6 says that another byte follows:

    bit  byte 1         byte 2              byte 3 (optional)
    0    in motion      under capacity      range
    1    at zero        over capacity       range
    2    RAM error      ROM error           net
    3    EEPROM error   faulty calibration  initial zero error

Sources: 7821 user instructions p. 25; DIVA service manual pp. 35-37; Aviator 7000 service manual p. 49. There is no
check but parity, and the field has no fixed width: only confirm.py notices a lost digit.
"""

from __future__ import annotations

import re

from cart.wire.shop_scales.decoder import grammar
from cart.wire.shop_scales.indication import Indication, Kind, faulty, weighed
from cart.wire.shop_scales.mass import pounds_and_ounces

POLL = b"W\r"

_ERRORS = (
    (0, 0x04, "RAM error"),
    (0, 0x08, "EEPROM error"),
    (1, 0x04, "ROM error"),
    (1, 0x08, "faulty calibration"),
    (2, 0x08, "initial zero error"),
)
_NET = 0x04

_NUMBER = rb"(?P<number>[ 0-9.\-]{4,8})(?P<unit>[Ll][Bb]|[Kk][Gg]|[Oo][Zz]|[Gg]) ?"
_POUNDS = rb"(?P<pounds>[ 0-9]{0,2}[0-9])[Ll][Bb] (?P<ounces>[ 0-9]?[0-9]\.[0-9]{1,2})[Oo][Zz]"
_TEXT = rb"(?P<text>[ -~]{1,14})"
_STATUS = rb"S?(?P<status>[0-?][p-\x7f]{0,2}[0-?])"
_FRAME = rb"\n(?:(?:(?:%s|%s|%s)\r\n)?%s|(?P<unknown>\?))\r\x03" % (_NUMBER, _POUNDS, _TEXT, _STATUS)
_PARTIAL = rb"\n[ -\x7f]{0,14}(?:\r(?:\n[0-?Sp-\x7f]{0,5}\r?)?)?"


def _read(found: re.Match[bytes]) -> Indication:
    raw = found[0]
    if found["unknown"]:
        return faulty("the scale does not know the command", raw)
    status = found["status"].ljust(3, b"\0")
    errors = [text for at, bit, text in _ERRORS if status[at] & bit]
    net = bool(status[2] & _NET) if status[2] else None
    under, over, moving = status[1] & 0x01, status[1] & 0x02, bool(status[0] & 0x01)
    if under and over:
        errors.append("under and over capacity at once")
    if errors:
        return faulty(", ".join(errors), raw)
    if under or over:
        return Indication(Kind.OVER if over else Kind.UNDER, net=net, raw=raw)
    if found["number"] is not None:
        return weighed(found["number"].decode(), found["unit"].decode(), moving=moving, net=net, raw=raw)
    if found["pounds"] is not None:
        return _pounds(found["pounds"].decode().strip(), found["ounces"].decode().strip(), moving, net, raw)
    if moving:
        return Indication(Kind.MOVING, net=net, raw=raw)
    if found["text"] is not None:
        return faulty(f"the scale shows {found['text'].decode().strip()!r}", raw)
    return faulty("no weight, and no reason why", raw)


def _pounds(pounds: str, ounces: str, moving: bool, net: bool | None, raw: bytes) -> Indication:
    if not pounds.isdecimal():
        return faulty(f"{pounds!r} is no number", raw)
    kind = Kind.MOVING if moving else Kind.STABLE
    return Indication(kind, pounds_and_ounces(pounds, ounces), f"{pounds} lb {ounces} oz", net, raw=raw)


SCP_01 = grammar(_FRAME, _PARTIAL, _read)
