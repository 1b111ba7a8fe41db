"""Expected cost: which explanation of a change is acted on, and when people are asked."""

from dataclasses import replace

from cart.core.catalog import Catalog, Product
from cart.core.decision import Change, judge_fall, judge_rise
from cart.core.evidence import Look, Moment
from cart.core.setup import Costs
from cart.core.trip import Doubt, Line, Scan

MILK = Product("milk", "Milk", "piece", 129, 1_040_000, 5_000, label="Milk")
OATS = Product("oats", "Oats", "piece", 199, 520_000, 4_000, label="Oats")
STEAK = Product("steak", "Steak", "piece", 1_899, 522_000, 4_000, label="Steak")
PEAR = Product("pear", "Pears", "weight", 299, 180_000, 20_000, label="Pear")
SHOP = Catalog("1", "EUR", [MILK, OATS, STEAK, PEAR])
S = 1_000_000_000
MOMENT = Moment(10 * S, 10 * S + S // 2)


def scan(product, number=1, source="code", **changes):
    return replace(Scan(number, product.id, source, 9 * S, track=number), **changes)


def change(delta_mg, sigma_mg=1_000, rises=None):
    rises = delta_mg > 0 if rises is None else rises
    return Change(delta_mg, sigma_mg, replace(MOMENT, rises=rises))


def rise(delta_mg, *scans, gone=(), doubts=(), looks=(), costs=None):
    return judge_rise(change(delta_mg), scans, gone, doubts, looks, SHOP, costs or Costs())


def line(number, product, mass_mg=None):
    mass_mg = mass_mg or product.mass_mg
    return Line(number, product.id, product.name, "piece", mass_mg, product.price_minor, product.price_minor, "")


def look(track, *scores, direction=""):
    return Look(track, 9 * S, 10 * S, scores, -2_000, -3_000, direction)


def test_what_was_scanned_and_weighs_right_is_charged():
    verdict = rise(1_043_000, scan(MILK))
    assert verdict.accept
    assert verdict.best.products == ("milk",)
    assert not verdict.review


def test_what_weighs_wrong_is_not_charged_and_names_the_suspect():
    verdict = rise(700_000, scan(MILK))
    assert not verdict.accept
    assert verdict.suspect.products == ("milk",)


def test_what_nobody_scanned_is_not_charged():
    verdict = rise(1_040_000)
    assert not verdict.accept
    assert verdict.best.kind == "unknown"


def test_a_look_alone_never_charges():
    verdict = rise(1_040_000, looks=(look(5, ("Milk", 6_000)),))
    assert not verdict.accept
    assert verdict.best.kind == "look"


def test_a_dear_thing_of_the_same_mass_under_a_cheap_code_is_asked_about():
    steak = look(1, ("Steak", 3_500))
    assert not rise(522_000, scan(OATS), looks=(steak,)).accept
    oats = look(1, ("Oats", 3_500))
    assert rise(522_000, scan(OATS), looks=(oats,)).accept


def test_a_code_that_did_not_move_with_the_thing_is_asked_about():
    assert rise(1_040_000, scan(MILK)).accept
    assert not rise(1_140_000, scan(MILK, moved=False)).accept


def test_of_what_nobody_saw_land_a_code_is_one_thing_before_it_is_two():
    seen = change(2 * MILK.mass_mg)
    once, twice = (scan(MILK),), (scan(MILK, 1), scan(MILK, 2))
    assert judge_rise(seen, once, (), (), (), SHOP, Costs()).accept
    assert not judge_rise(replace(seen, seen=False), once, (), (), (), SHOP, Costs()).accept
    assert not judge_rise(replace(seen, seen=False), twice, (), (), (), SHOP, Costs()).accept


def test_two_of_one_scan_are_counted_by_mass():
    verdict = rise(2_081_000, scan(MILK))
    assert verdict.accept
    assert verdict.best.products == ("milk", "milk")


def test_a_group_of_waiting_scans_is_found_by_its_mass():
    verdict = rise(1_560_500, scan(MILK, 1), scan(OATS, 2), scan(STEAK, 3, t_ns=8 * S))
    assert verdict.accept
    assert len(verdict.best.scans) == 2
    assert "milk" in verdict.best.products


def test_which_of_two_waiting_scans_landed_first_is_no_question():
    verdict = rise(521_000, scan(OATS, 1), scan(STEAK, 2))
    assert verdict.accept
    assert len(verdict.best.products) == 1


def test_produce_is_taken_by_its_chosen_name_whatever_it_weighs():
    for mass_mg in (120_000, 900_000, 3_000_000):
        verdict = rise(mass_mg, scan(PEAR, source="pick"))
        assert verdict.accept, mass_mg


def test_a_line_that_was_taken_out_comes_back_without_a_scan():
    verdict = rise(1_041_000, gone=(line(1, MILK, 1_042_000),))
    assert verdict.accept
    assert verdict.best.kind == "put_back"


def test_which_of_two_equal_lines_came_back_is_no_question():
    verdict = rise(1_041_000, gone=(line(1, MILK, 1_041_000), line(2, MILK, 1_042_000)))
    assert verdict.accept
    assert verdict.best.products == ("milk",)


def test_dearer_questions_make_the_cart_bolder_and_dearer_mistakes_shyer():
    off = 1_040_000 + 34_000
    shy = rise(off, scan(MILK), costs=Costs(wrong_charge_minor=100_000))
    bold = rise(off, scan(MILK), costs=Costs(wrong_charge_minor=100, ask_minor=90))
    assert (shy.accept, bold.accept) == (False, True)


def fall(delta_mg, lines, doubts=(), looks=()):
    return judge_fall(change(delta_mg), lines, doubts, looks, SHOP, Costs())


def test_only_what_is_in_the_cart_can_leave():
    verdict = fall(-1_041_000, (line(1, MILK), line(2, OATS)))
    assert verdict.accept
    assert verdict.best.lines == (1,)
    assert not fall(-300_000, (line(1, MILK), line(2, OATS))).accept


def test_two_lines_of_equal_mass_and_price_need_no_question():
    verdict = fall(-1_040_000, (line(1, MILK), line(2, MILK)))
    assert verdict.accept
    assert verdict.best.lines == (2,)


def test_two_lines_of_equal_mass_and_unequal_price_are_asked_about():
    assert not fall(-521_000, (line(1, OATS, 521_000), line(2, STEAK, 521_000))).accept


def test_the_camera_can_tell_which_of_two_equal_masses_left():
    lines = (line(1, OATS, 521_000), line(2, STEAK, 521_000))
    verdict = fall(-521_000, lines, looks=(look(7, ("Steak", 4_000), direction="out"),))
    assert verdict.accept
    assert verdict.best.lines == (2,)


def test_what_was_unexplained_leaves_before_any_line_does():
    doubt = Doubt(9, 1, 700_000, "open", 5 * S)
    verdict = fall(-700_500, (line(1, MILK),), (doubt,))
    assert verdict.accept
    assert (verdict.best.kind, verdict.best.doubts) == ("returned", (9,))


def test_every_verdict_says_why():
    assert "1043 g seen, 1040 g expected" in rise(1_043_000, scan(MILK)).reason
    assert "something else" in rise(1_043_000, scan(MILK)).reason


def test_a_lot_of_the_mass_that_is_to_be_lifted_out_needs_no_question():
    lots = (replace(line(1, PEAR, 850_000), sold_by="weight"),)
    asked = Doubt(9, 1, 850_500, "open", 5 * S, "pear", asked=1, seen=False)
    verdict = fall(-850_000, lots, (asked,))
    assert verdict.accept
    assert (verdict.best.kind, verdict.best.doubts) == ("returned", (9,))
    assert not fall(-850_000, lots, (replace(asked, product_id="milk"),)).accept, "whatever it is, it is no pear"
    assert not fall(-850_000, lots, (replace(asked, seen=True),)).accept, "it was not asked to be lifted out"


def test_one_thing_that_was_found_in_two_parts_leaves_whole():
    parts = (
        Doubt(9, 1, 411_000, "open", 5 * S, "pear", asked=1, seen=False),
        Doubt(10, 2, 440_000, "open", 6 * S, seen=False),
    )
    verdict = fall(-850_000, (line(1, MILK),), parts)
    assert verdict.accept
    assert (verdict.best.kind, verdict.best.doubts) == ("returned", (9, 10))
    lots = (replace(line(1, PEAR, 410_000), sold_by="weight"),)
    assert fall(-850_000, lots, parts).best.kind == "returned", "one lot of pears is as good as the other"
    seen = tuple(replace(doubt, seen=True) for doubt in parts)
    assert not fall(-850_000, (line(1, MILK),), seen).accept, "two things that were seen to land are two things"


def test_a_thing_leaves_with_the_part_of_it_that_came_to_light_later():
    part = Doubt(9, 1, 50_000, "open", 5 * S, seen=False)
    verdict = fall(-570_500, (line(1, MILK), line(2, OATS)), (part,))
    assert verdict.accept
    assert (verdict.best.kind, verdict.best.lines, verdict.best.doubts) == ("taken", (2,), (9,))


def test_a_lot_of_another_mass_than_the_one_to_be_lifted_out_does_not_stand_for_it():
    lots = (replace(line(1, PEAR, 850_000), sold_by="weight"),)
    asked = Doubt(9, 1, 1_300_000, "open", 5 * S, "pear", asked=1, seen=False)
    other = Doubt(10, 2, 850_400, "open", 6 * S)
    assert not fall(-850_000, lots, (asked, other)).accept, "the pears that are paid for left, or what nobody named"


def test_a_piece_in_doubt_was_not_asked_to_be_lifted_out_and_leaves_no_sooner_than_a_line_does():
    doubt = Doubt(9, 1, 700_500, "open", 5 * S, "milk", asked=1, seen=False)
    assert not fall(-700_500, (line(1, OATS, 704_000),), (doubt,)).accept
