"""What the rules of trade weighing say in figures, and the instrument that they are asked of.

Two profiles, OIML R 76-1:2006 class III and NIST Handbook 44 class III, hold the same figures with a source each; the
cart's own rules, which are stricter, stand beside them ("cart profile"). "(memory)" says that the clause was not
re-read: it must be before anybody claims conformity, which this project does not. Masses in mg, parts in per mille.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from cart.core.pricing import round_half_up

PARTIAL_RANGES_MAX = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """The figures of one profile; `source(name, figure)` says where each comes from.

    mpe_steps                  (up to so many e, MPE at verification in halves of e), ascending
    divisions_min, _max        Max / e of each range;  fine_divisions_min: for e below 5 g
    min_e                      Min, the lightest load that may be priced
    in_service_factor          the MPE of an instrument in use
    zero_range_permille        of Max: all zeroing since the calibration together
    initial_zero_permille      of Max: the outer limit at power-on; the cart zeroes nothing then
    zero_accuracy_permille_e   of zero and tare
    tracking_permille_e_per_s  how fast the one zero tracker may follow
    over_e, under_e            no weight beyond Max + so many e, and below minus so many e
    tilt_permille              outer limit, beyond which nothing is shown, and its hysteresis
    tilt_part                  trade ends where the cosine error exceeds MPE / this
    discrimination_permille_e  extra load that must change the indication
    stable_permille_e          span of the values that count as equilibrium, and for how long it must hold
    warm_up_ms                 after readings begin
    tare_ms, tare_tilt_permille  a tare is void after so long, and after the cart tilted by so much
    creep_permille_e           change over 30 minutes under load, and over the last 15 of them;  return_: at zero after
    drift_e_per_5k             no-load drift that the verification interval allows
    digit_height_um            of weight, unit price and price
    """

    name: str
    mpe_steps: tuple[tuple[int, int], ...]
    divisions_min: int
    fine_divisions_min: int
    divisions_max: int
    min_e: int
    in_service_factor: int
    zero_range_permille: int
    initial_zero_permille: int
    zero_accuracy_permille_e: int
    tracking_permille_e_per_s: int
    over_e: int
    under_e: int
    tilt_permille: int
    tilt_hysteresis_permille: int
    tilt_part: int
    discrimination_permille_e: int
    stable_permille_e: int
    stable_ms: int
    warm_up_ms: int
    tare_ms: int
    tare_tilt_permille: int
    creep_permille_e: int
    late_creep_permille_e: int
    return_permille_e: int
    drift_e_per_5k: int
    digit_height_um: int


CART = "cart profile"

_R76 = {
    "name": ("R76", "OIML R 76-1:2006, accuracy class III"),
    "mpe_steps": (((500, 1), (2_000, 2), (10_000, 3)), "3.5.1 table 6; Directive 2014/31 Annex I table 3"),
    "divisions_min": (500, "3.2 table 3"),
    "fine_divisions_min": (100, "3.2 table 3, 0.1 g <= e <= 2 g"),
    "divisions_max": (10_000, "3.2 table 3"),
    "min_e": (20, "3.2 table 3"),
    "in_service_factor": (2, "3.5.2"),
    "zero_range_permille": (40, "4.5.1"),
    "initial_zero_permille": (200, "4.5.1"),
    "zero_accuracy_permille_e": (250, "4.5.2 zero, 4.6.3 tare"),
    "tracking_permille_e_per_s": (500, "4.5.7 (memory)"),
    "over_e": (9, "4.2.3"),
    "under_e": (20, "4.2.2.2 (memory); GOST R 53228 4.2.3"),
    "tilt_permille": (50, "3.9.1.1 c"),
    "tilt_hysteresis_permille": (1, CART),
    "tilt_part": (3, CART),
    "discrimination_permille_e": (1_400, "3.8.2.2"),
    "stable_permille_e": (500, "4.4.2 allows 1 e (memory); half of it: " + CART),
    "stable_ms": (500, CART),
    "warm_up_ms": (5_000, "5.3.5 no weight during warm-up (memory); the time: " + CART),
    "tare_ms": (60_000, CART),
    "tare_tilt_permille": (5, CART),
    "creep_permille_e": (500, "3.9.4.1 (memory)"),
    "late_creep_permille_e": (200, "3.9.4.1 (memory)"),
    "return_permille_e": (500, "3.9.4.2 (memory)"),
    "drift_e_per_5k": (1, "3.9.2.3 (memory)"),
    "digit_height_um": (9_500, "4.13.5 (memory)"),
}

_HB44 = _R76 | {
    "name": ("HB44", "NIST Handbook 44, section 2.20, accuracy class III"),
    "mpe_steps": (
        ((500, 1), (2_000, 2), (4_000, 3), (10_000, 5)),
        "table 6, acceptance = half of maintenance, T.N.3.1 (memory)",
    ),
    "divisions_min": (500, "table 3"),
    "fine_divisions_min": (100, "table 3"),
    "divisions_max": (10_000, "table 3"),
    "min_e": (20, "table 8 recommends it (memory)"),
    "in_service_factor": (2, "T.N.3.2 maintenance (memory)"),
    "zero_range_permille": (40, "S.2.1 has none; of R 76: " + CART),
    "initial_zero_permille": (200, "S.2.1.5 (memory)"),
    "zero_accuracy_permille_e": (250, "S.1.1.1 centre of zero (memory)"),
    "tracking_permille_e_per_s": (500, "S.2.1.3 0.5 d, in one second: " + CART),
    "over_e": (9, "S.1.7 105 % of capacity or + 9 d, the smaller: " + CART),
    "under_e": (20, "of R 76: " + CART),
    "tilt_permille": (50, "S.2.4, 1 in 20 (memory)"),
    "discrimination_permille_e": (1_400, "T.N.7.1 (memory)"),
    "stable_permille_e": (500, "S.2.5.1 allows 1 d (memory); half of it: " + CART),
    "warm_up_ms": (5_000, "T.N.8.1.3 no weight before it is right (memory); the time: " + CART),
    "creep_permille_e": (500, "T.N.4.2 (memory)"),
    "late_creep_permille_e": (200, "T.N.4.2 (memory)"),
    "return_permille_e": (500, "T.N.4.3 (memory)"),
    "drift_e_per_5k": (1, "T.N.8.1.4 allows 3 d per 5 K (memory); stricter: " + CART),
    "digit_height_um": (9_500, "S.1.4.3 (memory)"),
}

_FIGURES = {"R76": _R76, "HB44": _HB44}

R76 = Rules(**{figure: value for figure, (value, _) in _R76.items()})  # type: ignore[arg-type]
HB44 = Rules(**{figure: value for figure, (value, _) in _HB44.items()})  # type: ignore[arg-type]


def source(name: str, figure: str) -> str:
    """Return the clause that a figure of the profile `name` comes from; KeyError for what is none."""
    return str(_FIGURES[name][figure][1])


@dataclass(frozen=True, slots=True)
class Range:
    """A weighing range, or a partial one of a multi-interval instrument: up to max_mg in steps of e_mg."""

    max_mg: int
    e_mg: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the scale claims to be. With several ranges the division follows the net load.

    mobile  it stands on wheels: no trade without a tilt sensor
    """

    rules: Rules = R76
    ranges: tuple[Range, ...] = (Range(15_000_000, 5_000),)
    mobile: bool = True

    @property
    def max_mg(self) -> int:
        """Max, the maximum capacity."""
        return self.ranges[-1].max_mg

    @property
    def e_mg(self) -> int:
        """The smallest verification interval."""
        return self.ranges[0].e_mg

    @property
    def min_mg(self) -> int:
        """Min, the lightest load that may be priced."""
        return self.rules.min_e * self.e_mg

    @property
    def preset_tare_max_mg(self) -> int:
        """The heaviest tare that may be typed in or known beforehand: Max1 (4.7.1, memory)."""
        return self.ranges[0].max_mg

    @property
    def blank_above_mg(self) -> int:
        """No gross load above this is shown: Max + 9 e."""
        return self.max_mg + self.rules.over_e * self.ranges[-1].e_mg

    @property
    def blank_below_mg(self) -> int:
        """And none below this."""
        return -self.rules.under_e * self.e_mg

    @property
    def zero_range_mg(self) -> int:
        """How far all zeroing since the calibration may go together, either way."""
        return self.max_mg * self.rules.zero_range_permille // 1_000


SINGLE = Instrument()
MULTI = Instrument(ranges=(Range(15_000_000, 5_000), Range(30_000_000, 10_000)))


def complaints(instrument: Instrument) -> tuple[str, ...]:
    """Return what is wrong with the instrument's ranges, in words; nothing for one that may be claimed."""
    rules, ranges = instrument.rules, instrument.ranges
    if not 1 <= len(ranges) <= PARTIAL_RANGES_MAX:
        return (f"{len(ranges)} ranges, not 1 to {PARTIAL_RANGES_MAX}",)
    found = []
    for number, part in enumerate(ranges, 1):
        if part.e_mg < 100 or not _is_125(part.e_mg):
            found.append(f"e{number} = {part.e_mg} mg is not 1, 2 or 5 x 10^k of at least 100 mg")
            continue
        least = rules.divisions_min if part.e_mg >= 5_000 else rules.fine_divisions_min
        if part.max_mg % part.e_mg or not least <= part.max_mg // part.e_mg <= rules.divisions_max:
            found.append(f"n{number} is not a whole number from {least} to {rules.divisions_max}")
    for number, (part, after) in enumerate(pairwise(ranges), 1):
        if after.e_mg < 2 * part.e_mg:
            found.append(f"e{number + 1} is less than 2 e{number}")
        if after.max_mg <= part.max_mg:
            found.append(f"Max{number + 1} is not above Max{number}")
        if part.max_mg < rules.divisions_min * after.e_mg:
            found.append(f"Max{number} is less than {rules.divisions_min} e{number + 1}")
    return tuple(found)


def division_mg(instrument: Instrument, net_mg: int) -> int:
    """Return the interval in which this net load is shown."""
    for part in instrument.ranges:
        if abs(net_mg) <= part.max_mg:
            return part.e_mg
    return instrument.ranges[-1].e_mg


def indicated_mg(instrument: Instrument, net_mg: int) -> int:
    """Return the net load as it is shown: whole divisions, halves away from zero (case 1)."""
    step_mg = division_mg(instrument, net_mg)
    return round_half_up(net_mg, step_mg) * step_mg


def mpe_mg(instrument: Instrument, load_mg: int, *, in_service: bool = False) -> int:
    """Return the maximum permissible error at this load, either way; limits belong to the lower step (case 3)."""
    e_mg = division_mg(instrument, load_mg)
    steps = instrument.rules.mpe_steps
    halves = next((halves for up_to, halves in steps if abs(load_mg) <= up_to * e_mg), steps[-1][1])
    return halves * e_mg * (instrument.rules.in_service_factor if in_service else 1) // 2


def tilts_too_far(instrument: Instrument, load_mg: int, tilt_permille: int) -> bool:
    """Return True where a scale that leans so reads this load wrong by more than a third of its MPE.

    A scale shows load x cos(tilt): the error is load x tilt^2 / 2. At Max of the single range that is 18 per mille.
    """
    error_doubled = abs(load_mg) * tilt_permille * tilt_permille // 1_000_000
    return error_doubled * instrument.rules.tilt_part > 2 * mpe_mg(instrument, load_mg)


def with_drift(instrument: Instrument, drift_mg_per_5k: int) -> Instrument:
    """Return the instrument with intervals large enough for the no-load drift of its cell (case 26).

    drift_mg_per_5k  how far the empty scale's zero wanders over 5 K
    """
    allowed = instrument.rules.drift_e_per_5k
    ranges: list[Range] = []
    for part in instrument.ranges:
        e_mg = max(part.e_mg, 2 * ranges[-1].e_mg if ranges else 0)
        while allowed * e_mg < abs(drift_mg_per_5k) or not _is_125(e_mg):
            e_mg = _next_125(e_mg)
        ranges.append(replace(part, e_mg=e_mg))
    return replace(instrument, ranges=tuple(ranges))


def _is_125(value: int) -> bool:
    while value % 10 == 0 and value > 0:
        value //= 10
    return value in (1, 2, 5)


def _next_125(value: int) -> int:
    """Return the next larger of 1, 2, 5 x 10^k."""
    step = 1
    while step * 10 <= value:
        step *= 10
    return next(n * step for n in (1, 2, 5, 10) if n * step > value)
