"""What forbids what: the one table of trade weighing. A test walks it, and docs/LEGAL.md names its rows.

An act is asked for; the first row that forbids it and holds gives the reason, a code that the screen puts into words.
A row that forbids SHOW leaves no weight on the screen and none to anybody else: never clamped, never zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cart.core import legal_profile as profile
from cart.core.legal_profile import CART, Instrument

SHOW, ZERO, TRACK, TARE, TRADE = "show", "zero", "track", "tare", "trade"
ACTS = (SHOW, ZERO, TRACK, TARE, TRADE)

_ALL = frozenset(ACTS)
_USE = _ALL - {SHOW}
_PRICE = frozenset({TARE, TRADE})


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the table is asked about, at one moment.

    fault        of the readings: "", "fault" or "supply_low"
    converter    the converter is the one of the calibration record
    load_mg      load after zero, None before the first value;  net_mg: less the tare
    zeroed_mg    how far the zero is from the calibrated one
    warm_ms      how long readings have come
    stable       in equilibrium;  rolling: wheels move
    lean         tilt in per mille, None without a sensor;  leaned: it was beyond the outer limit a moment ago
    tared        a tare is set
    confirmed    the zero was seen on an empty cart since the power came
    session      a shopper's trip is open;  storable: the disk takes records
    jammed       the mass that moves is not the mass that is weighed: something carries the platform, or holds it
    expired      the calibration is too old;  dated: the clock is right, as far as that can be told
    """

    instrument: Instrument
    fault: str = ""
    converter: bool = True
    load_mg: int | None = 0
    net_mg: int = 0
    zeroed_mg: int = 0
    warm_ms: int = 1 << 31
    stable: bool = True
    rolling: bool = False
    lean: int | None = 0
    leaned: bool = False
    tared: bool = False
    confirmed: bool = True
    session: bool = False
    storable: bool = True
    jammed: bool = False
    expired: bool = False
    dated: bool = True

    @property
    def shown_mg(self) -> int:
        """The gross load as it would be shown."""
        return profile.indicated_mg(self.instrument, self.load_mg or 0)

    @property
    def shown_net_mg(self) -> int:
        """The net load as it would be shown."""
        return profile.indicated_mg(self.instrument, self.net_mg)


class Rule(NamedTuple):
    """A reason: what it forbids, where that is written, and when it holds."""

    code: str
    forbids: frozenset[str]
    source: str
    holds: Callable[[Facts], bool]


def _tilted(facts: Facts) -> bool:
    rules = facts.instrument.rules
    limit = rules.tilt_permille - (rules.tilt_hysteresis_permille if facts.leaned else 0)
    return facts.lean is not None and facts.lean > limit


def _slanted(facts: Facts) -> bool:
    return facts.lean is not None and profile.tilts_too_far(facts.instrument, facts.load_mg or 0, facts.lean)


def _at_zero(facts: Facts) -> bool:
    return abs(2 * (facts.load_mg or 0)) <= facts.instrument.e_mg


RULES = (
    Rule("wrong_converter", _ALL, "R 76 5.5, WELMEC 7.2 P7 (memory)", lambda f: not f.converter),
    Rule("supply_low", _ALL, "R 76 3.9.3 (memory)", lambda f: f.fault == "supply_low"),
    Rule("fault", _ALL, "R 76 5.2 (memory)", lambda f: bool(f.fault)),
    Rule(
        "warm_up",
        _ALL,
        "R 76 5.3.5 (memory)",
        lambda f: f.load_mg is None or f.warm_ms < f.instrument.rules.warm_up_ms,
    ),
    Rule("over", _ALL, "R 76 4.2.3", lambda f: f.shown_mg > f.instrument.blank_above_mg),
    Rule("under", _ALL, "GOST R 53228 4.2.3", lambda f: f.shown_mg < f.instrument.blank_below_mg),
    Rule("tilted", _ALL, "R 76 3.9.1.1 c", _tilted),
    Rule("no_tilt_sensor", _USE, "R 76 3.9.1.1 d", lambda f: f.instrument.mobile and f.lean is None),
    Rule("slanted", _USE, CART, _slanted),
    Rule("rolling", _USE, CART, lambda f: f.rolling),
    Rule("jammed", _USE, "UK SI 1995/1907 reg 33 (1): supported only by the load receptor", lambda f: f.jammed),
    Rule("moving", _USE, "R 76 4.4.2 (memory)", lambda f: not f.stable),
    Rule("session", frozenset({ZERO, TRACK}), CART, lambda f: f.session),
    Rule("tared", frozenset({ZERO, TRACK}), "R 76 4.5.4, 4.5.7 (memory)", lambda f: f.tared),
    Rule(
        "zero_range",
        frozenset({ZERO, TRACK}),
        "R 76 4.5.1",
        lambda f: abs(f.zeroed_mg + (f.load_mg or 0)) > f.instrument.zero_range_mg,
    ),
    Rule("away_from_zero", frozenset({TRACK}), "R 76 4.5.7 (memory)", lambda f: not _at_zero(f)),
    Rule("zero_unconfirmed", _PRICE | {TRACK}, CART, lambda f: not f.confirmed),
    Rule("over_max", _PRICE, "R 76 T.3.1.1 (memory)", lambda f: f.shown_mg > f.instrument.max_mg),
    Rule("below_zero", frozenset({TARE}), "R 76 4.6.4 (memory)", lambda f: f.shown_mg < 0),
    Rule("no_tare", frozenset({TRADE}), CART, lambda f: not f.tared),
    Rule("negative", frozenset({TRADE}), "GOST R 53228 4.2.3", lambda f: f.shown_net_mg < 0),
    Rule("below_min", frozenset({TRADE}), "R 76 4.13 (memory)", lambda f: f.shown_net_mg < f.instrument.min_mg),
    Rule("clock_unset", _PRICE, CART, lambda f: not f.dated),
    Rule("expired", _PRICE, CART, lambda f: f.expired),
    Rule("not_stored", frozenset({TRADE}), "WELMEC 7.2 L2 (memory)", lambda f: not f.storable),
)


def refusal(facts: Facts, act: str) -> str:
    """Return the code of the first row that forbids the act now, "" when nothing does."""
    assert act in ACTS, act
    return next((rule.code for rule in RULES if act in rule.forbids and rule.holds(facts)), "")
