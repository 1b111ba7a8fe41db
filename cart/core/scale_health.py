"""Whether the load cell's readings may be used at all: a state with a name, never a number.

A scale that goes silent, sticks, saturates or runs at the wrong rate must not keep its last weight. Each reading is
either usable or has a reason why not; when nothing usable came for 0.3 s of converter time the reason becomes the
state. It ends when usable readings come again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core.weight_values import GARBAGE, NO_DATA, OK, OVER_RANGE, SATURATED, STUCK, WRONG_RATE, Calibration, Limits

SILENT_US = 300_000
"""No usable reading for so long, and the weight is gone; the same span in host time says no data."""

FLAGS_UNUSABLE = 0x5F
"""Every flag but 0x20, which only says that a temperature is there."""

FLAG_SATURATED = 0x01
COUNTS_MIN, COUNTS_MAX = -0x800000, 0x7FFFFF
EQUAL_MAX = 40
"""Equal readings in a row that no living converter gives."""

USABLE_AGAIN = 8
"""Usable readings in a row that end a state."""

RATE_SPAN_US = 700_000
RATE_PERCENT = 2
GROSS_SPAN_US = 400_000
GROSS_PERCENT = 20
"""A wrong strap, 10 a second instead of 80, shows at half the span, and so within a second of the first reading."""

SEQ_MODULUS = 1 << 16


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of the readings.

    state        as told last
    used_us      time of the last usable reading, None before the first
    good         usable readings in a row, at most USABLE_AGAIN
    counts       the last reading;  equal: how many in a row were equal to it, at most EQUAL_MAX
    rate_seq     and rate_us: where the measurement of the rate began, None at the start
    rate_right   what it said
    """

    state: str = OK
    used_us: int | None = None
    good: int = 0
    counts: int | None = None
    equal: int = 0
    rate_seq: int | None = None
    rate_us: int = 0
    rate_right: bool = True


def reason_unusable(
    counts: int, flags: int, cells: tuple[int, ...], calibration: Calibration, limits: Limits
) -> str | None:
    """Return why this reading cannot be used, as the state it would lead to; None when it can.

    counts  of all cells, trimmed and summed
    cells   counts of each as the converter gave them, at least one: of four, the sum of one at the end of its range
            and three that are not looks well
    """
    if flags & FLAG_SATURATED or not all(COUNTS_MIN < cell < COUNTS_MAX for cell in cells):
        return SATURATED
    if flags & FLAGS_UNUSABLE:
        return GARBAGE
    if abs(calibration.mass_mg(counts)) > limits.over_range_mg:
        return OVER_RANGE
    return None


def noted(health: Health, t_us: int, counts: int, reason: str | None) -> Health:
    """Return the health after one reading at the unwrapped converter time `t_us`; the state is new if it changed."""
    equal = min(health.equal + 1, EQUAL_MAX) if counts == health.counts else 1
    good = min(health.good + 1, USABLE_AGAIN) if reason is None else 0
    used_us = t_us if reason is None or health.used_us is None else health.used_us
    state = health.state
    if equal == EQUAL_MAX and reason is None:
        state = STUCK
    elif reason and t_us - used_us >= SILENT_US:
        state = reason
    elif not health.rate_right:
        state = WRONG_RATE
    elif state != OK and good >= USABLE_AGAIN and equal < EQUAL_MAX:
        state = OK
    return replace(health, state=state, used_us=used_us, good=good, counts=counts, equal=equal)


def with_rate(health: Health, seq: int, t_us: int, samples_per_s: int) -> Health:
    """Return the health with the converter's rate judged: conversions by their sequence numbers, over 0.7 s."""
    if health.rate_seq is None:
        return replace(health, rate_seq=seq, rate_us=t_us)
    span_us = t_us - health.rate_us
    conversions = (seq - health.rate_seq) % SEQ_MODULUS
    off_us = abs(span_us - conversions * 1_000_000 // samples_per_s)
    gross = span_us >= GROSS_SPAN_US and off_us * 100 > span_us * GROSS_PERCENT
    if span_us < RATE_SPAN_US and not gross:
        return health
    return replace(health, rate_seq=seq, rate_us=t_us, rate_right=off_us * 100 <= span_us * RATE_PERCENT)


def silent(health: Health, state: str = NO_DATA) -> Health:
    """Return the health after the readings ceased (or turned to garbage)."""
    return replace(health, state=state, used_us=None, good=0, counts=None, equal=0, rate_seq=None, rate_right=True)
