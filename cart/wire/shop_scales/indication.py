"""What a shop scale says: a state with a name, and a number only where the scale gave one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from cart.wire.shop_scales.mass import UNITS, milligrams


class Kind(StrEnum):
    """The state of a scale; exactly one at a time."""

    STABLE = "stable"
    MOVING = "moving"
    NEGATIVE = "negative"
    UNDER = "under"
    OVER = "over"
    FAULTY = "faulty"
    SILENT = "silent"


NUMBERED = frozenset({Kind.STABLE, Kind.MOVING, Kind.NEGATIVE})
"""The states that may have a number."""

_NUMBER = re.compile(r" *(-?) *([0-9]{1,9}(?:\.[0-9]{0,6})?) *")


@dataclass(frozen=True, slots=True)
class Indication:
    """One answer of a scale, or the lack of one.

    kind     the state
    mass_mg  mass as shown, in mg; None unless `kind` is in NUMBERED and the frame has the number
    shown    number and unit as the scale wrote them, "01.250 kg"; empty without a number
    net      a tare is taken off; None when the frame does not say
    why      what is wrong, in words; empty for a weight
    raw      the bytes that say it, parity taken off; empty when silent
    """

    kind: Kind
    mass_mg: int | None = None
    shown: str = ""
    net: bool | None = None
    why: str = ""
    raw: bytes = b""

    def __post_init__(self) -> None:
        """Refuse a number where there can be none, which is a programmer's mistake."""
        assert self.mass_mg is None or self.kind in NUMBERED, self
        assert self.kind != Kind.STABLE or (self.mass_mg is not None and self.mass_mg >= 0), self
        assert self.kind != Kind.NEGATIVE or self.mass_mg is None or self.mass_mg < 0, self
        assert (self.mass_mg is None) == (not self.shown), self


@dataclass(frozen=True, slots=True)
class Prompt:
    """The scale is ready and wants these bytes before it says its weight."""

    send: bytes


Value = Indication | Prompt


def weighed(number: str, unit: str, *, moving: bool, net: bool | None, raw: bytes) -> Indication:
    """Return a weight as stable, moving or negative; faulty when number or unit cannot be read.

    Minus zero is negative without a number: there are scales that send it for any weight below zero.
    """
    found = _NUMBER.fullmatch(number)
    unit = unit.strip(" _").lower()
    if found is None:
        return faulty(f"{number.strip()!r} is no number", raw)
    if unit not in UNITS:
        return faulty(f"the unit {unit!r} is not known", raw)
    sign, digits = found.groups()
    mass_mg = milligrams(digits, unit)
    if sign and not mass_mg:
        return Indication(Kind.MOVING if moving else Kind.NEGATIVE, net=net, raw=raw)
    kind = Kind.MOVING if moving else Kind.NEGATIVE if sign else Kind.STABLE
    return Indication(kind, -mass_mg if sign else mass_mg, f"{sign}{digits} {unit}", net, raw=raw)


def faulty(why: str, raw: bytes = b"") -> Indication:
    """Return the state of a scale from which no weight may be taken."""
    return Indication(Kind.FAULTY, why=why, raw=raw)
