"""The tests that a verification officer makes, on figures: errors against the MPE, with nothing assumed.

`cart seal make` judges the corners by them. Creep, return and repetition take hours or an officer's hands: no command
asks for those yet, and only the numbered cases use them. Each returns complaints in words, none for a scale that
passes. Masses in mg.
"""

from __future__ import annotations

from cart.core.legal_profile import Instrument, division_mg, mpe_mg

HALF_HOUR_S, QUARTER_S, FOUR_HOURS_S = 1_800, 900, 14_400


def true_reading_mg(shown_mg: int, e_mg: int, added_mg: int) -> int:
    """Return what the scale reads before rounding: P = I + 0.5 e - dL (R 76-1 A.4.4.3).

    added_mg  dL: the small weights that were added until the indication went up by one e
    """
    return shown_mg + e_mg // 2 - added_mg


def error_complaint(instrument: Instrument, load_mg: int, read_mg: int, *, in_service: bool = False) -> str:
    """Return what is wrong with reading `read_mg` under `load_mg`, "" when the error is within the MPE."""
    limit_mg = mpe_mg(instrument, load_mg, in_service=in_service)
    error_mg = read_mg - load_mg
    if abs(error_mg) <= limit_mg:
        return ""
    return f"{_g(load_mg)} read as {_g(read_mg)}: off by {_g(error_mg)}, allowed {_g(limit_mg)}"


def corner_complaints(instrument: Instrument, load_mg: int, corners_mg: tuple[int, ...]) -> tuple[str, ...]:
    """Return the corners at which this load is read wrong: each on its own within the MPE, not only the spread."""
    found = (error_complaint(instrument, load_mg, corner_mg) for corner_mg in corners_mg)
    return tuple(f"corner {number}: {why}" for number, why in enumerate(found, 1) if why)


def repeat_complaint(instrument: Instrument, load_mg: int, shown_mg: tuple[int, ...]) -> str:
    """Return what is wrong with weighing the same load several times: the spread is at most the MPE (R 76-1 3.6.1)."""
    spread_mg, limit_mg = max(shown_mg) - min(shown_mg), mpe_mg(instrument, load_mg)
    return "" if spread_mg <= limit_mg else f"the same {_g(load_mg)} differ by {_g(spread_mg)}"


def creep_complaints(instrument: Instrument, load_mg: int, read_mg: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """Return what is wrong with a load left on: (seconds since it came to rest, reading before rounding), ascending.

    0.5 e within 30 minutes and 0.2 e over the last 15 of them; a scale that fails that must stay within the MPE of the
    first reading for 4 hours (3.9.4.1).
    """
    figures, e_mg = instrument.rules, division_mg(instrument, load_mg)
    half_hour = _spread(read_mg, 0, HALF_HOUR_S)
    late = _spread(read_mg, QUARTER_S, HALF_HOUR_S)
    quick = (
        half_hour * 1_000 <= figures.creep_permille_e * e_mg and late * 1_000 <= figures.late_creep_permille_e * e_mg
    )
    if quick:
        return ()
    found = [f"{_g(load_mg)} crept {_g(half_hour)} in 30 minutes, {_g(late)} in the last 15"]
    whole = _spread(read_mg, 0, FOUR_HOURS_S)
    long_enough = read_mg[-1][0] >= FOUR_HOURS_S
    return () if long_enough and whole <= mpe_mg(instrument, load_mg) else tuple(found)


def return_complaint(instrument: Instrument, zero_after_mg: int) -> str:
    """Return what is wrong with the empty scale after a load of 30 minutes: within 0.5 e of zero (3.9.4.2)."""
    within = abs(zero_after_mg) * 1_000 <= instrument.rules.return_permille_e * instrument.e_mg
    return "" if within else f"the empty scale reads {_g(zero_after_mg)} after a long load"


def _spread(read_mg: tuple[tuple[int, int], ...], from_s: int, to_s: int) -> int:
    values = [value for t_s, value in read_mg if from_s <= t_s <= to_s]
    return max(values) - min(values) if values else 0


def _g(mass_mg: int) -> str:
    sign = "-" if mass_mg < 0 else ""
    return f"{sign}{abs(mass_mg) // 1_000}.{abs(mass_mg) % 1_000 // 100} g"
