"""Price and mass inside a number: taken only under a layout that was named, and only what fits it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.wire.gtin import check_digit, has_valid_check_digit
from cart.wire.variable import LAYOUTS, Variable, is_layout, variable_of


def gtin14(body):
    return f"0{body}{check_digit(body)}"


def test_without_a_layout_nothing_is_taken_from_a_number():
    assert variable_of(gtin14("021234552875"), ()) is None


def test_an_american_price_is_taken_with_its_verifier():
    # 2875 has the verifier 9: the example of the GS1 General Specifications, section 7.9.3.
    assert variable_of(gtin14("021234592875"), LAYOUTS["US"]) == Variable(gtin14("021234500000"), 2_875, None)
    assert variable_of(gtin14("021234582875"), LAYOUTS["US"]) is None


def test_five_digits_have_a_verifier_of_their_own():
    # 14685 has the verifier 6: section 7.9.4.
    assert variable_of(gtin14("211234614685"), LAYOUTS["NL"]) == Variable(gtin14("211234000000"), 14_685, None)
    assert variable_of(gtin14("211234714685"), LAYOUTS["NL"]) is None


@pytest.mark.parametrize(
    ("country", "body", "item"),
    [("IT", "212345601234", "212345600000"), ("ES", "251234501234", "251234500000"),
     ("FR", "021234501234", "021234500000"), ("FR", "231234501234", "231234500000")],
)  # fmt: skip
def test_a_price_without_verifier(country, body, item):
    assert variable_of(gtin14(body), LAYOUTS[country]) == Variable(gtin14(item), 1_234, None)


def test_a_mass_in_grams():
    assert variable_of(gtin14("021234501234"), LAYOUTS["02-weight"]) == Variable(
        gtin14("021234500000"), None, 1_234_000
    )


@pytest.mark.parametrize("gtin", ["", "09506000134352", "12123456012349", "02123456012340"])
def test_other_numbers_fit_no_layout(gtin):
    for layouts in LAYOUTS.values():
        assert variable_of(gtin, layouts) is None


def test_every_layout_of_the_table_is_one():
    assert all(is_layout(layout) for layouts in LAYOUTS.values() for layout in layouts)


@pytest.mark.parametrize(
    "layout",
    ["", "2IIIIIIPPPPPKK", "2IIIIIIPPPWWK", "2IIIIIIIIIIIK", "4IIIIIIPPPPPK", "2IIIIVVPPPPPK", "2IIIIIVVPPPPK",
     "2IIIIIIPPPPPP", "2IIIIIVPPPIIK", "2XXXXXXPPPPPK", "00IIIIIPPPPPK", "0XIIIIIPPPPPK"],
)  # fmt: skip
def test_what_is_no_layout_is_refused(layout):
    assert not is_layout(layout)


@given(st.text("0123456789", min_size=12, max_size=12), st.sampled_from(sorted(LAYOUTS)))
def test_the_item_is_a_valid_number_that_stands_for_every_value(body, country):
    found = variable_of(gtin14(body), LAYOUTS[country])
    if found is not None:
        assert has_valid_check_digit(found.item)
        assert (found.price_minor is None) != (found.mass_mg is None)
        assert 0 <= (found.price_minor or found.mass_mg or 0) < 100_000_000
