"""Integer logarithms and odds against the real ones."""

import math

from hypothesis import given
from hypothesis import strategies as st

from cart.core import odds


@given(st.integers(1, 10**15))
def test_the_logarithm_is_right_to_a_thousandth(n):
    assert abs(odds.ln_millinat(n) - 1000 * math.log(n)) <= 1


@given(st.integers(-20_000, 0))
def test_the_exponential_is_right_to_a_few_billionths(millinat):
    assert abs(odds.exp_ppb(millinat) - 1e9 * math.exp(millinat / 1000)) <= 3


@given(st.lists(st.integers(-40_000, 0), min_size=1, max_size=30))
def test_shares_are_probabilities(scores):
    shares = odds.shares_ppm(tuple(scores))
    assert all(0 <= share <= 1_000_000 for share in shares)
    assert 1_000_000 - len(scores) <= sum(shares) <= 1_000_000
    ranked = sorted(zip(scores, shares, strict=True))
    assert [share for _, share in ranked] == sorted(shares)


@given(st.integers(-5_000_000, 5_000_000), st.integers(1, 1_000_000))
def test_a_mass_further_off_is_never_likelier(difference_mg, sigma_mg):
    near = odds.mass_millinat(difference_mg, sigma_mg)
    further = difference_mg + (sigma_mg if difference_mg >= 0 else -sigma_mg)
    assert odds.mass_millinat(further, sigma_mg) <= near
    assert odds.mass_millinat(-difference_mg, sigma_mg) == near


def test_odds_are_said_as_people_say_them():
    assert odds.odds_words(0) == "about even"
    assert odds.odds_words(2_303) == "10:1"
    assert odds.odds_words(20_000) == "over 1000000:1"
