"""The 27 numbered cases of trade weighing, each in both profiles, single and multi-interval.

Numbers as in docs/LEGAL.md, which names clause and test of each. `test_legal_broken.py` breaks the rule behind every
one of them and sees it fail.
"""

from dataclasses import replace

import pytest

from cart.clock import ManualClock
from cart.core import legal, legal_checks, step
from cart.core import legal_profile as profile
from cart.core.catalog import Catalog
from cart.core.effects import Save
from cart.core.events import CellIdentified, Restored
from cart.core.legal import Legal
from cart.core.legal_record import Alibi
from cart.core.setup import Setup
from cart.core.weight_values import Calibration
from cart.edge.database import open_database
from cart.edge.keys import make_pair
from cart.sim.runner import Simulated
from cart.wire import alibi
from tests.core.legal_bench import INSTRUMENTS, MG_PER_COUNT, Bench

E_G = 5


@pytest.fixture(params=INSTRUMENTS.values(), ids=INSTRUMENTS.keys())
def instrument(request):
    return request.param


def shopping(instrument):
    """Return a scale on which a trip is open: its zero is confirmed, and nothing tracks."""
    return Bench(instrument).set(session=True, goods=True)


def e_at(instrument, grams):
    return profile.division_mg(instrument, grams * 1_000) // 1_000


def test_case_01_what_is_shown_is_the_nearest_division(instrument):
    bench = shopping(instrument)
    assert [bench.put(grams).net_g for grams in (0, 1, 2.4)] == [0, 0, 0]
    assert [bench.put(grams).net_g for grams in (2.5, 2.6, 7.4, 7.6, -2.4, -2.6)] == [5, 5, 5, 10, 0, -5]


def test_case_02_the_rounding_is_centred(instrument):
    bench = shopping(instrument).put(1_000)
    before, added_mg = bench.net_g, 0
    while bench.net_g == before:
        added_mg += 500
        bench.put(1_000 + added_mg / 1_000)
    read_mg = legal_checks.true_reading_mg(before * 1_000, instrument.e_mg, added_mg)
    assert abs(read_mg - 1_000_000) * 1_000 <= instrument.rules.zero_accuracy_permille_e * instrument.e_mg


def test_case_03_the_error_allowed_doubles_above_500_e(instrument):
    e_mg = instrument.e_mg
    assert profile.mpe_mg(instrument, 500 * e_mg) * 2 == e_mg
    assert profile.mpe_mg(instrument, 501 * e_mg) == e_mg
    assert not legal_checks.error_complaint(instrument, 500 * e_mg, 500 * e_mg + e_mg // 2)
    assert legal_checks.error_complaint(instrument, 500 * e_mg, 500 * e_mg + e_mg // 2 + 1)


def test_case_04_and_grows_by_half_above_2000_e(instrument):
    e_mg = instrument.e_mg
    assert profile.mpe_mg(instrument, 2_000 * e_mg) == e_mg
    assert profile.mpe_mg(instrument, 2_001 * e_mg) * 2 == 3 * e_mg
    at_max = {"R76": 3, "HB44": 3}[instrument.rules.name]
    assert profile.mpe_mg(instrument, instrument.max_mg) * 2 == at_max * instrument.ranges[-1].e_mg


def test_case_05_an_instrument_in_use_may_err_twice_as_much(instrument):
    for load_mg in (0, 2_500_000, 9_000_000, 15_000_000):
        assert profile.mpe_mg(instrument, load_mg, in_service=True) == 2 * profile.mpe_mg(instrument, load_mg)


def test_case_06_nothing_is_shown_above_max_and_nine_e(instrument):
    max_g, e_g = instrument.max_mg // 1_000, instrument.ranges[-1].e_mg // 1_000

    def weighed(grams):
        bench = shopping(instrument).put(500)
        assert bench.tare() == ""
        return bench.put(grams)

    assert weighed(max_g).refused == ""
    above = weighed(max_g + 9 * e_g)
    assert (above.shown.gross_mg, above.refused) == ((max_g + 9 * e_g) * 1_000, "over_max")
    over = weighed(max_g + 10 * e_g)
    assert (over.net_g, over.shown.gross_mg, over.weight, over.refused) == ("over", None, None, "over")


def test_case_07_what_is_below_zero_is_shown_and_never_priced(instrument):
    bench = shopping(instrument).put(-100)
    assert (bench.net_g, bench.tare()) == (-100, "below_zero")
    assert bench.put(-105).net_g == "under"
    bench.put(500).tare()
    bench.put(300)
    assert (bench.net_g, bench.refused, bench.weight) == (-200, "negative", None)


def test_case_08_nothing_is_set_or_priced_while_the_load_moves(instrument):
    bench = shopping(instrument).put(500)
    assert bench.tare() == ""
    bench.put(1_000, wait_ms=300)
    bench.wait(1_000, slope_g_per_s=9.8)
    assert (bench.shown.stable, bench.refused, bench.weight) == (False, "moving", None)
    bench.wait(300)
    assert not bench.shown.stable
    assert bench.wait(1_600).refused == ""
    moving = Bench(instrument).wait(1_000, slope_g_per_s=9.8)
    assert (moving.zero(), moving.tare()) == ("moving", "moving")


def test_case_09_a_moving_load_is_shown_as_moving(instrument):
    bench = shopping(instrument).put(1_000, wait_ms=600)
    assert (bench.shown.state, bench.shown.stable) == ("weight", False)
    assert bench.weight is None
    assert bench.wait(2_000).shown.stable


def test_case_10_all_zeroing_together_stays_within_4_percent_of_max(instrument):
    limit_g = instrument.max_mg * 4 // 100 // 1_000
    assert Bench(instrument).put(limit_g).zero() == ""
    assert Bench(instrument).put(limit_g + E_G).zero() == "zero_range"
    bench = Bench(instrument).put(limit_g - 200)
    assert bench.zero() == ""
    assert (bench.net_g, bench.put(limit_g + E_G).zero()) == (0, "zero_range")
    assert shopping(instrument).put(100).zero() == "session"


def test_case_11_power_on_zeroes_no_goods(instrument):
    bench = Bench(instrument, warm=False)
    bench.put(2_900, wait_ms=9_000)
    assert (bench.net_g, bench.state.zero_mg) == (2_900, 0)
    assert (bench.tare(), bench.refused) == ("zero_unconfirmed", "zero_unconfirmed")
    bench.set(goods=True, session=True).put(0)
    assert bench.tare() == "zero_unconfirmed"  # something is in the cart, whatever the scale says
    bench.set(goods=False).wait(1_000)
    assert bench.tare() == ""


def test_case_12_the_zero_is_followed_slowly_at_zero_and_nowhere_else(instrument):
    assert Bench(instrument).wait(10_000, slope_g_per_s=2).net_g == 0
    assert Bench(instrument).wait(10_000, slope_g_per_s=4).net_g >= E_G
    away = Bench(instrument).put(100)
    zero_mg = away.state.zero_mg
    assert away.put(103).state.zero_mg == zero_mg
    assert shopping(instrument).wait(10_000, slope_g_per_s=2).net_g == 20


def test_case_13_the_zero_is_not_followed_under_a_tare(instrument):
    bench = Bench(instrument)
    assert bench.tare() == ""
    bench.wait(2_000, slope_g_per_s=1.2)
    assert bench.state.tare is not None
    assert bench.state.zero_mg == 0
    assert bench.put(3).net_g == 5
    assert bench.zero() == "tared"


def test_case_14_tare(instrument):
    for grams in (E_G, 1_002.4, instrument.max_mg / 1_000):
        bench = shopping(instrument).put(grams)
        assert bench.tare() == ""
        assert (bench.net_g, bench.shown.zero) == (0, True)
    bench = shopping(instrument).put(1_002.4)
    bench.tare()
    shown = bench.put(1_002.4 + 851.3).shown
    assert (shown.gross_mg, shown.tare_mg, shown.net_mg) == (1_855_000, 1_000_000, 850_000)
    assert abs(shown.gross_mg - shown.tare_mg - shown.net_mg) <= instrument.e_mg
    assert shopping(instrument).put(500, wait_ms=600).tare() == "moving"
    assert shopping(instrument).preset(15_005) == "preset_range"
    assert shopping(instrument).preset(15_000) == ""
    assert shopping(instrument).put(500).preset(100) == "not_empty"


def test_case_15_creep_is_seen_and_judged(instrument):
    e_mg, load_mg = instrument.e_mg, 14_000_000
    quick = ((0, load_mg), (900, load_mg + e_mg * 4 // 10), (1_800, load_mg + e_mg // 2))
    assert legal_checks.creep_complaints(instrument, load_mg, quick) == ()
    late = ((0, load_mg), (900, load_mg + e_mg // 10), (1_800, load_mg + e_mg // 2))
    assert legal_checks.creep_complaints(instrument, load_mg, late)
    limit_mg = profile.mpe_mg(instrument, load_mg)
    assert legal_checks.creep_complaints(instrument, load_mg, (*late, (14_400, load_mg + limit_mg))) == ()
    assert legal_checks.creep_complaints(instrument, load_mg, (*late, (14_400, load_mg + limit_mg + 1)))
    assert not legal_checks.return_complaint(instrument, e_mg // 2)
    assert legal_checks.return_complaint(instrument, e_mg // 2 + 1)
    bench = shopping(instrument).put(14_000).wait(30_000, slope_g_per_s=0.1)
    assert bench.net_g == 14_005  # no tracker hides it


def test_case_16_one_and_two_fifths_of_a_division_change_what_is_shown(instrument):
    extra_g = instrument.rules.discrimination_permille_e * E_G / 1_000
    bench = shopping(instrument)
    for start_g in (1_000, 1_001.3, 1_002.4, 1_002.6, 9_999):
        before = bench.put(start_g).net_g
        assert bench.put(start_g + extra_g).net_g - before >= E_G


def test_case_17_a_tilted_scale_shows_nothing_and_a_slanted_one_prices_nothing(instrument):
    bench = shopping(instrument).put(100)
    bench.lean_permille = 49
    assert bench.wait(1_500).net_g == 100
    bench.lean_permille = 51
    assert (bench.wait(1_500).net_g, bench.weight) == ("tilted", None)
    bench.lean_permille = 50
    assert bench.wait(1_500).net_g == "tilted"
    bench.lean_permille = 49
    assert bench.wait(1_500).net_g == 100
    full = shopping(instrument).put(instrument.max_mg // 1_000 - 200)
    full.lean_permille = 18
    assert full.wait(1_500).tare() == ""
    full.lean_permille = 20
    assert full.wait(1_500).put(instrument.max_mg // 1_000).refused == "slanted"
    full.lean_permille = None
    assert full.wait(1_500).tare() == "no_tilt_sensor"


def test_case_18_less_than_min_is_shown_and_not_priced(instrument):
    bench = shopping(instrument).put(500)
    bench.tare()
    assert (bench.put(595).net_g, bench.refused) == (95, "below_min")
    bench = shopping(instrument).put(500)
    bench.tare()
    assert (bench.put(600).net_g, bench.refused) == (100, "")
    assert bench.weight == legal.TradeWeight(600_000, 500_000, 100_000, 5_000)


FAULTS = {
    "lost readings": lambda bench: setattr(bench, "dropped", 1),
    "saturated": lambda bench: setattr(bench, "flags", 0x01),
    "desynchronised": lambda bench: setattr(bench, "flags", 0x02),
    "settings of the converter": lambda bench: setattr(bench, "flags", 0x40),
    "a gap in the sequence": lambda bench: setattr(bench, "seq", bench.seq + 3),
    "a gap in time": lambda bench: setattr(bench, "t_us", bench.t_us + 30_000),
    "the end of the range": lambda bench: setattr(bench, "load_mg", MG_PER_COUNT * 0x7FFFFF),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_case_19_a_fault_leaves_no_weight(instrument, fault):
    bench = shopping(instrument).put(500)
    bench.tare()
    fault(bench)
    bench.batch()
    assert (bench.net_g, bench.shown.gross_mg, bench.weight) == ("fault", None, None)
    assert bench.state.tare is None
    bench.flags = bench.dropped = 0
    bench.load_mg = 500_000
    assert bench.wait(7_000).net_g == 500


def test_case_19_silence_and_a_bad_line_leave_no_weight(instrument):
    bench = shopping(instrument).put(500)
    assert bench.silence(300).net_g == 500
    assert bench.silence(100).net_g == "fault"
    bench = shopping(instrument).put(500)
    bench.state = legal.lost(bench.state)
    assert bench.net_g == "fault"
    other = Bench(instrument, converter="A1")
    assert other.net_g == "wrong_converter"
    identity = CellIdentified(other.world.t_ns, 1, "", "A1", "HX711", 128, 80, "0000")
    other.state = legal.heard(other.state, identity, other.legal, None, other.world)
    assert other.net_g == 0


def test_case_20_a_change_of_what_prices_rest_on_counts_up_and_is_kept(instrument, tmp_path):
    signer = make_pair(tmp_path / "keys", "cart")

    def start(parameters):
        """Start a cart on the database, keep what it wants kept, and cut the power."""
        database = open_database(tmp_path / "cart.sqlite3", ManualClock(), lambda count: "0" * 2 * count)
        setup = Setup(Calibration(1, 0), Catalog("v", "EUR", ()), legal=Legal(instrument, parameters=parameters))
        state, effects = step.step(step.initial(setup), database.restored(0, 0))
        for effect in effects:
            if isinstance(effect, Save):
                database.save(effect, signer)
        kept = database.legal_records(signer.verifier)
        database.close()
        return state.legal_counter, [event.counter for event in kept]

    assert start("first") == (1, [1])
    assert start("first") == (1, [1])
    assert start("second") == (2, [1, 2])
    assert start("first") == (3, [1, 2, 3])
    assert start("") == (3, [1, 2, 3])


def test_case_21_each_corner_is_within_the_error_allowed_not_only_the_spread(instrument):
    def corners(*grams):
        return legal_checks.corner_complaints(instrument, 5_000_000, tuple(g * 1_000 for g in grams))

    assert corners(5_000, 5_005, 4_995, 5_000) == ()
    assert len(corners(5_000, 5_006, 4_994, 5_000)) == 2
    assert len(corners(5_006, 5_006, 5_006, 5_006)) == 4


def test_case_22_the_price_is_the_shown_mass_times_the_shown_price_halves_up(instrument):
    bench = shopping(instrument).put(500)
    bench.tare()
    bench.put(500 + 852.4)
    assert bench.weight.net_mg == 850_000
    assert legal.price_minor(bench.weight.net_mg, 189) == 161  # 160.65; 852.4 g would be 161.1
    assert [legal.price_minor(250_000, unit) for unit in (101, 102, 103)] == [25, 26, 26]  # 25.25, 25.5, 25.75
    assert legal.price_minor(0, 999) == 0


def test_case_23_whoever_shows_the_weight_shows_the_same(instrument):
    cart = Simulated(instrument=instrument)
    cart.wait(6_000).scan("arla-standard-milk").put("arla-standard-milk").wait(2_000)
    cart.tap("weigh", "banana").tap("tare").put("banana", mass_mg=850_000)
    cart.settle().settle()
    shown = cart.cart.screen.weighed
    assert (shown.state, shown.net_mg, shown.price_minor, shown.stable) == ("weight", 850_000, 161, True)
    assert shown.tare_mg == 1_580_000
    cart.tap("price")
    line = next(x for x in cart.lines if x.product_id == "banana")
    (record,) = cart.cart.backstore.alibis
    same = (shown.net_mg, shown.unit_price_minor, shown.price_minor)
    assert (line.mass_mg, line.unit_price_minor, line.amount_minor) == same
    assert (record.net_mg, record.unit_price_minor, record.price_minor) == same
    assert (record.gross_mg, record.tare_mg) == (shown.gross_mg, shown.tare_mg)


def test_case_24_no_weight_before_the_scale_is_warm(instrument):
    bench = Bench(instrument, warm=False)
    assert bench.wait(4_900).net_g == "warm_up"
    assert bench.wait(300).net_g == 0
    bench.flags = 0x08  # the converter started anew
    bench.batch()
    bench.flags = 0
    assert bench.wait(4_900).net_g == "warm_up"


def test_case_25_any_edit_of_a_record_is_found(instrument):
    def record(number):
        e_mg = instrument.e_mg
        return Alibi(number, 5, "t", 3, "pear", 900_000, 50_000, 850_000, e_mg, 219, 186, "EUR", 1, "ab", True)

    lines, prev = [], alibi.NO_SHA256
    for number in (1, 2, 3):
        lines.append(alibi.log_line(record(number), prev))
        prev = lines[-1].sha256
    assert alibi.check(lines) == (record(1), record(2), record(3))
    body = lines[1].body
    for at in range(len(body)):
        edited = lines[1]._replace(body=body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        for line in (edited, alibi.LogLine("Alibi", 2, edited.body, alibi.crc_of(edited.body), lines[1].sha256)):
            with pytest.raises(alibi.BadLogError, match="record 2"):
                alibi.check([lines[0], line, lines[2]])
    rewritten = alibi.log_line(replace(record(2), net_mg=350_000), lines[0].sha256)
    for wrong in ([lines[0], rewritten, lines[2]], [lines[0], lines[2]], lines[1:], [*lines, lines[2]]):
        with pytest.raises(alibi.BadLogError):
            alibi.check(wrong)


def test_case_26_a_drifting_zero_makes_the_division_larger(instrument):
    assert profile.with_drift(instrument, 5_000) == instrument
    coarser = profile.with_drift(instrument, 5_001)
    assert [part.e_mg for part in coarser.ranges] == [10_000, 20_000][: len(instrument.ranges)]
    assert profile.complaints(coarser) == ()
    assert coarser.min_mg == 200_000
    assert profile.complaints(profile.with_drift(instrument, 40_000))  # such a cell carries no class III scale


def test_case_27_a_low_supply_leaves_no_weight(instrument):
    bench = shopping(instrument).put(500)
    bench.tare()
    bench.flags = 0x10
    bench.batch()
    assert (bench.net_g, bench.state.tare, bench.weight) == ("supply_low", None, None)
    bench.flags = 0
    assert bench.wait(1_000).net_g == "warm_up"
    assert bench.wait(6_000).net_g == 500


def test_the_first_event_of_a_cart_without_parameters_records_nothing():
    setup = Setup(Calibration(1, 0), Catalog("v", "EUR", ()))
    _, effects = step.step(step.initial(setup), Restored(0, 0, "0" * 16))
    assert not any(isinstance(effect, Save) for effect in effects)
