"""Each of the 27 cases fails when the rule behind it is broken: otherwise it would show nothing."""

from dataclasses import replace

import msgspec
import pytest

from cart.core import legal, legal_checks, legal_rules, trade, trade_view
from cart.core import legal_profile as profile
from cart.core.legal_record import Alibi
from cart.wire import alibi
from tests.core import test_legal_cases as cases
from tests.core.legal_bench import SINGLE_R76


def figure(**changed):
    """Break figures of the profile."""
    return lambda monkeypatch: replace(SINGLE_R76, rules=replace(SINGLE_R76.rules, **changed))


def without(*codes):
    """Take rows out of the table."""

    def broken(monkeypatch):
        kept = tuple(rule for rule in legal_rules.RULES if rule.code not in codes)
        assert len(kept) == len(legal_rules.RULES) - len(codes)
        monkeypatch.setattr(legal_rules, "RULES", kept)
        return SINGLE_R76

    return broken


def other(module, name, function):
    """Put another function in the place of one of ours."""

    def broken(monkeypatch):
        monkeypatch.setattr(module, name, function)
        return SINGLE_R76

    return broken


STEPS = SINGLE_R76.rules.mpe_steps
MPE, WEIGHED = profile.mpe_mg, trade_view.weighed


def shown_more(state):
    now = WEIGHED(state)
    return now and replace(now, net_mg=now.net_mg and now.net_mg + 5_000)


def unchecked(line, prev, position):
    return msgspec.convert(msgspec.json.decode(line.body)["v"], Alibi)


BROKEN = (
    (cases.test_case_01_what_is_shown_is_the_nearest_division,
     other(profile, "indicated_mg", lambda instrument, net_mg: net_mg // 5_000 * 5_000)),
    (cases.test_case_02_the_rounding_is_centred,
     other(profile, "indicated_mg", lambda instrument, net_mg: net_mg // 5_000 * 5_000)),
    (cases.test_case_03_the_error_allowed_doubles_above_500_e, figure(mpe_steps=((501, 1), *STEPS[1:]))),
    (cases.test_case_03_the_error_allowed_doubles_above_500_e, figure(mpe_steps=((499, 1), *STEPS[1:]))),
    (cases.test_case_04_and_grows_by_half_above_2000_e, figure(mpe_steps=(STEPS[0], (2_001, 2), STEPS[2]))),
    (cases.test_case_05_an_instrument_in_use_may_err_twice_as_much, figure(in_service_factor=3)),
    (cases.test_case_06_nothing_is_shown_above_max_and_nine_e, figure(over_e=10)),
    (cases.test_case_06_nothing_is_shown_above_max_and_nine_e, without("over_max")),
    (cases.test_case_07_what_is_below_zero_is_shown_and_never_priced, figure(under_e=21)),
    (cases.test_case_07_what_is_below_zero_is_shown_and_never_priced, without("below_zero")),
    (cases.test_case_07_what_is_below_zero_is_shown_and_never_priced, without("negative", "below_min")),
    (cases.test_case_08_nothing_is_set_or_priced_while_the_load_moves, without("moving")),
    (cases.test_case_09_a_moving_load_is_shown_as_moving, other(legal, "_stable", lambda state, words: True)),
    (cases.test_case_10_all_zeroing_together_stays_within_4_percent_of_max, figure(zero_range_permille=41)),
    (cases.test_case_10_all_zeroing_together_stays_within_4_percent_of_max, without("session")),
    (cases.test_case_11_power_on_zeroes_no_goods, without("zero_unconfirmed")),
    (cases.test_case_12_the_zero_is_followed_slowly_at_zero_and_nowhere_else, figure(tracking_permille_e_per_s=5_000)),
    (cases.test_case_12_the_zero_is_followed_slowly_at_zero_and_nowhere_else, without("away_from_zero")),
    (cases.test_case_12_the_zero_is_followed_slowly_at_zero_and_nowhere_else, without("session")),
    (cases.test_case_13_the_zero_is_not_followed_under_a_tare, without("tared")),
    (cases.test_case_14_tare, without("moving")),
    (cases.test_case_15_creep_is_seen_and_judged, figure(late_creep_permille_e=500)),
    (cases.test_case_16_one_and_two_fifths_of_a_division_change_what_is_shown,
     other(profile, "division_mg", lambda instrument, net_mg: 20_000)),
    (cases.test_case_17_a_tilted_scale_shows_nothing_and_a_slanted_one_prices_nothing, figure(tilt_permille=52)),
    (cases.test_case_17_a_tilted_scale_shows_nothing_and_a_slanted_one_prices_nothing,
     figure(tilt_hysteresis_permille=0)),
    (cases.test_case_17_a_tilted_scale_shows_nothing_and_a_slanted_one_prices_nothing, figure(tilt_part=1)),
    (cases.test_case_17_a_tilted_scale_shows_nothing_and_a_slanted_one_prices_nothing, without("no_tilt_sensor")),
    (cases.test_case_18_less_than_min_is_shown_and_not_priced, figure(min_e=19)),
    (cases.test_case_19_silence_and_a_bad_line_leave_no_weight, without("fault")),
    (cases.test_case_19_silence_and_a_bad_line_leave_no_weight, without("wrong_converter")),
    (cases.test_case_20_a_change_of_what_prices_rest_on_counts_up_and_is_kept,
     other(trade, "_restored", lambda state, event: state)),
    (cases.test_case_21_each_corner_is_within_the_error_allowed_not_only_the_spread,
     other(legal_checks, "mpe_mg", lambda *words, **more: 2 * MPE(*words, **more))),
    (cases.test_case_22_the_price_is_the_shown_mass_times_the_shown_price_halves_up,
     other(legal, "price_minor", lambda net_mg, unit: net_mg * unit // 1_000_000)),
    (cases.test_case_23_whoever_shows_the_weight_shows_the_same, other(trade_view, "weighed", shown_more)),
    (cases.test_case_24_no_weight_before_the_scale_is_warm, figure(warm_up_ms=4_000)),
    (cases.test_case_25_any_edit_of_a_record_is_found, other(alibi, "_record", unchecked)),
    (cases.test_case_26_a_drifting_zero_makes_the_division_larger, figure(drift_e_per_5k=2)),
    (cases.test_case_27_a_low_supply_leaves_no_weight, without("supply_low")),
)  # fmt: skip


@pytest.mark.parametrize(("case", "broken"), BROKEN, ids=[case.__name__[5:12] for case, _ in BROKEN])
def test_fails_when_its_rule_is_broken(case, broken, monkeypatch, tmp_path):
    words = (tmp_path,) if "tmp_path" in case.__code__.co_varnames else ()
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        case(broken(monkeypatch), *words)


def test_every_case_is_broken_once():
    numbers = {case.__name__[10:12] for case, _ in BROKEN}
    assert numbers == {f"{number:02d}" for number in range(1, 28)}
    named = {name[10:12] for name in vars(cases) if name.startswith("test_case_")}
    assert named == numbers
