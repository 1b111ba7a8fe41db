"""The scorer of live trips: it knows only what is really there and what the store signed for."""

from cart.sim.scorer import price_minor, score

MILK = {"product_id": "milk", "sold_by": "piece", "unit_price_minor": 129, "mass_mg": 1_031_000}
BANANAS = {"product_id": "banana", "sold_by": "weight", "unit_price_minor": 189, "mass_mg": 851_700}


def charge(*lines):
    rows = [{**line, "amount_minor": price_minor(line)} for line in lines]
    return {"total_minor": sum(row["amount_minor"] for row in rows), "lines": rows}


def test_a_right_bill_passes_within_a_division_of_the_scale():
    result = score([MILK, BANANAS], [charge(BANANAS | {"mass_mg": 849_900}, MILK)])
    assert (result.passed, result.truth_minor, result.charged_minor, result.wrong) == (True, 290, 290, ())


def test_a_missed_item_a_wrong_item_and_a_wrong_mass_are_told():
    assert score([MILK, MILK], [charge(MILK)]).wrong == ("1 milk taken, not charged",)
    assert score([BANANAS], [charge(MILK)]).wrong == ("1 banana taken, not charged", "1 milk charged, not taken")
    assert score([BANANAS], [charge(BANANAS | {"mass_mg": 800_000})]).wrong == (
        "banana weighs 851 g and is charged as 800 g",
    )


def test_no_charge_two_charges_and_a_false_sum_fail():
    assert not score([MILK], []).passed
    assert not score([MILK], [charge(MILK), charge(MILK)]).passed
    assert not score([MILK], [charge(MILK) | {"total_minor": 128}]).passed
    line = charge(MILK)["lines"][0] | {"amount_minor": 100}
    assert score([MILK], [{"total_minor": 100, "lines": [line]}]).wrong == ("milk is charged at 100",)


def test_an_empty_cart_that_was_never_charged_is_still_no_receipted_charge():
    assert not score([], []).passed
