"""Arithmetic of evidence: integer log-likelihoods in millinats, no float anywhere.

1,000 millinats are a factor of e; +2,303 are ten to one. Fixed point keeps the
odds of a replay equal to the odds on the cart, on every processor.
"""

from __future__ import annotations

LIMIT_MILLINAT = 20_000
"""No single piece of evidence counts for more: a factor of 485 million."""

_LN2_MICRO = 693_147  # ln 2, in millionths
_HALF_LN_2PI_MILLI = 919  # ln(2 pi) / 2
_SCALE = 1 << 40
# exp(-2^k / 1000) in 40-bit fixed point, k = 0..14, found by squaring the first one
_EXP_MINUS_1_MILLI = 1_098_412_665_721  # exp(-0.001) * 2^40


def ln_millinat(n: int) -> int:
    """Return ln(n) in thousandths, for n >= 1, to within one thousandth.

    The binary logarithm's fraction comes from repeated squaring of the
    mantissa in 30-bit fixed point (Knuth, TAOCP 1.2.2, exercise 25).
    """
    assert n >= 1, n
    exponent = n.bit_length() - 1
    mantissa = (n << 30) >> exponent
    fraction = 0
    for _ in range(16):
        mantissa = mantissa * mantissa >> 30
        fraction <<= 1
        if mantissa >= 1 << 31:
            fraction |= 1
            mantissa >>= 1
    log2_16 = (exponent << 16) + fraction
    return (log2_16 * _LN2_MICRO // 1000 + (1 << 15)) >> 16


def _powers() -> tuple[int, ...]:
    table = [_EXP_MINUS_1_MILLI]
    for _ in range(14):
        table.append(table[-1] * table[-1] >> 40)
    return tuple(table)


_EXP_TABLE = _powers()


def exp_ppb(millinat: int) -> int:
    """Return exp(millinat / 1000) in thousand-millionths, for millinat <= 0."""
    assert millinat <= 0, millinat
    value, left, k = _SCALE, min(-millinat, (1 << 15) - 1), 0
    while left:
        if left & 1:
            value = value * _EXP_TABLE[k] >> 40
        left >>= 1
        k += 1
    return (value * 1_000_000_000) >> 40


def clip(millinat: int) -> int:
    """Return the value within +-LIMIT_MILLINAT."""
    return max(-LIMIT_MILLINAT, min(LIMIT_MILLINAT, millinat))


def shares_ppm(scores: tuple[int, ...]) -> tuple[int, ...]:
    """Return each hypothesis' probability in millionths from its log score, in the same order.

    The shares need not add up to a million exactly: each is rounded down.
    """
    assert scores
    top = max(scores)
    weights = [exp_ppb(score - top) for score in scores]
    total = sum(weights)
    return tuple(weight * 1_000_000 // total for weight in weights)


def mass_millinat(difference_mg: int, sigma_mg: int) -> int:
    """Return the log density per mg of a mass that is off by `difference_mg`.

    A normal density around the expected mass with one part in fifty of it
    three times as wide: packs change and catalogue masses go stale, so that the
    tails of real differences are fat (decision.md, "5 % stale masses").
    """
    return max(normal_millinat(difference_mg, sigma_mg), normal_millinat(difference_mg, 3 * sigma_mg) - 4_000)


def normal_millinat(difference_mg: int, sigma_mg: int) -> int:
    """Return the log density per mg of a normal density, `difference_mg` off its mean."""
    assert sigma_mg > 0, sigma_mg
    quadratic = min(LIMIT_MILLINAT, 500 * difference_mg * difference_mg // (sigma_mg * sigma_mg))
    return -quadratic - ln_millinat(sigma_mg) - _HALF_LN_2PI_MILLI


def odds_words(millinat: int) -> str:
    """Return the odds as people say them: "240:1", "about even"."""
    if millinat < 400:
        return "about even"
    thousandths = 1_000_000_000_000 // max(1, exp_ppb(-min(millinat, LIMIT_MILLINAT)))
    whole = max(1, thousandths // 1000)
    return f"{min(whole, 1_000_000)}:1" if whole < 1_000_000 else "over 1000000:1"


def ln_1_plus_millinat(millinat: int) -> int:
    """Return ln(1 + e^x) for x <= 0, in millinats: the gain of adding a smaller share to a larger."""
    return ln_millinat(1_000_000_000 + exp_ppb(millinat)) - ln_millinat(1_000_000_000)
