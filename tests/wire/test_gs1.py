"""Product numbers: every way of writing one becomes the same GTIN-14, and what holds none gives none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.wire import bars, gs1, upce
from cart.wire.gtin import check_digit, has_valid_check_digit

digits = st.text("0123456789", min_size=11, max_size=11)


@pytest.mark.parametrize(
    ("symbology", "text", "gtin"),
    [
        ("EAN13", "9506000134352", "09506000134352"),
        ("UPCA", "036000291452", "00036000291452"),
        ("EAN8", "96385074", "00000096385074"),
        ("UPCE", "04252614", "00042100005264"),
        ("DATABAR", "00821935106427", "00821935106427"),
        ("DATABAREXP", "0109506000134352310300175010AB\x1d21C", "09506000134352"),
    ],
)
def test_a_retail_code_becomes_its_gtin_14(symbology, text, gtin):
    assert gs1.canonical_gtin(symbology, text) == gtin


@pytest.mark.parametrize(
    ("symbology", "text"),
    [
        ("EAN13", "9506000134353"),  # wrong check digit
        ("EAN13", "036000291452"),  # a UPC-A's digits
        ("EAN13", "95060001343५2"),  # a digit of another script
        ("UPCE", "24252614"),  # number system 2 has no short form
        ("UPCE", "04252615"),
        ("DATABAREXP", "0295060001343523710"),  # the content of a case, not the case
        ("EAN8", ""),
        ("EAN13", "0000000000000"),  # zeros, to which every check digit is right
        ("DATABAR", "00000000000000"),
        ("DATABAREXP", "0100000000000000"),
    ],
)
def test_what_holds_no_product_number_gives_none(symbology, text):
    assert gs1.canonical_gtin(symbology, text) == ""


def test_code_128_and_matrix_codes_hold_a_gtin_only_if_marked_as_gs1():
    text = "010950600013435217301231"
    for symbology in ("CODE128", "QR", "DATAMATRIX"):
        assert gs1.canonical_gtin(symbology, text, gs1=True) == "09506000134352"
        assert gs1.canonical_gtin(symbology, text) == ""


@pytest.mark.parametrize("text", [
    "01095060001343520104006381333931",  # two products
    "010950600013435202040063813339313710",  # a product, and the contents of a case
    "010950600013435231030010003103002000",  # two masses
    "010950600013435217301231" + "10AB\x1d" + "17301230",
])  # fmt: skip
def test_a_code_that_contradicts_itself_names_nothing(text):
    assert gs1.canonical_gtin("DATABAREXP", text) == ""
    assert gs1.contents_of("CODE128", text, gs1=True) == gs1.Contents()


def test_a_code_that_says_the_same_twice_is_right():
    assert gs1.canonical_gtin("DATABAREXP", 2 * "0109506000134352") == "09506000134352"


@pytest.mark.parametrize(
    ("link", "gtin"),
    [
        ("https://id.gs1.org/01/09506000134352/10/ABC", "09506000134352"),
        ("HTTPS://ID.GS1.ORG/01/9506000134352", "09506000134352"),
        ("https://id.gs1.org/01/09506000134353", ""),  # parses, but its check digit is wrong
        ("https://id.gs1.org/01/\uff10\uff19506000134352", ""),  # digits of another script
        ("https://id.gs1.org/01/09506000134352?01=04006381333931", ""),  # two products
        ("https://example.com/menu", ""),
        ("id.gs1.org/01/09506000134352", ""),
        ("https://id.gs1.org/01/09506000134352?x=" + "9" * 600, ""),
    ],
)
def test_a_digital_link_is_believed_only_with_a_valid_number(link, gtin):
    assert gs1.canonical_gtin("QR", link) == gtin


@given(st.text("0123456789", min_size=7, max_size=15), st.sampled_from(["", "/10/A", "?3103=001234"]))
def test_a_digital_link_with_a_wrong_check_digit_is_no_product(body, more):
    for last in "0123456789":
        number = body + last
        gtin = gs1.canonical_gtin("QR", f"https://id.gs1.org/01/{number}{more}")
        assert gtin in ("", number.zfill(14))
        assert gtin == "" or last == check_digit(body)


@given(st.text(max_size=40), st.sampled_from(sorted(gs1.SYMBOLOGIES)), st.booleans())
def test_no_text_breaks_the_parser(text, symbology, marked):
    gtin = gs1.canonical_gtin(symbology, text, gs1=marked)
    assert gtin == "" or (len(gtin) == 14 and has_valid_check_digit(gtin) and gtin != 14 * "0")


@given(digits)
def test_a_short_form_means_the_same_number(body):
    upca = body + check_digit(body)
    short = upce.upca_to_upce(upca)
    assert short == "" or upce.upce_to_upca(short) == upca


@pytest.mark.parametrize(
    ("short", "upca"),
    [("0123450", "01200000345"), ("0123451", "01210000345"), ("0123452", "01220000345"), ("0123453", "01230000045"),
     ("0123454", "01234000005"), ("0123455", "01234500005"), ("0123459", "01234500009")],
)  # fmt: skip
def test_each_rule_of_zero_suppression_is_that_of_the_standard(short, upca):
    """The table of GS1 General Specifications, section 5.2.2.4, without check digits."""
    check = check_digit(upca)
    assert upce.upce_to_upca(short + check) == upca + check
    assert upce.upca_to_upce(upca + check) == short + check


def test_only_numbers_that_begin_with_0_are_shortened():
    assert upce.upce_to_upca("16543210") == ""
    assert upce.upca_to_upce("165100004320") == ""


@pytest.mark.parametrize("last", "0123456789")
def test_every_rule_of_zero_suppression_is_undone(last):
    for five in range(0, 100_000, 37):
        upca = upce.upce_to_upca(f"0{five:05d}{last}0")[:11]
        upca += check_digit(upca)
        assert upce.upce_to_upca(upce.upca_to_upce(upca)) == upca


def test_bars_are_drawn_as_the_standard_draws_them():
    # EAN-13 4003994155486, the example of ISO/IEC 15420's usual diagrams: first digit 4 = sets L G L L G G.
    assert bars.modules("EAN13", "4003994155486") == (
        "10100011010100111011110100010110010111001110101010110011010011101001110101110010010001010000101"
    )
    assert bars.modules("UPCA", "036000291452") == bars.modules("EAN13", "0036000291452")
    assert (len(bars.modules("EAN8", "96385074")), len(bars.modules("UPCE", "04252614"))) == (67, 51)


@pytest.mark.parametrize(
    ("symbology", "text", "count"),
    [("EAN13", "9506000134352", 168), ("EAN8", "96385074", 72), ("UPCE", "04252614", 114)],
)
def test_exchanges_are_every_other_digit_in_every_place(symbology, text, count):
    drawn, others = bars.modules(symbology, text), bars.exchanges(symbology, text)
    assert len(set(others)) == len(others) == count
    assert all(len(other) == len(drawn) and other != drawn for other in others)


def test_a_gs1_code_tells_mass_price_and_dates():
    text = "0190614141000015" + "3103000750" + "15270131" + "3922123\x1d" + "10AB-7"
    told = gs1.contents_of("DATABAREXP", text)
    assert (told.gtin, told.mass_mg, told.price, told.price_decimals) == ("90614141000015", 750_000, 123, 2)
    assert (told.best_before, told.batch, told.expires, told.count) == ("2027-01-31", "AB-7", "", None)
    assert gs1.contents_of("CODE128", text, gs1=True) == told


def test_pounds_and_prices_with_a_currency_are_taken_as_the_standard_scales_them():
    told = gs1.contents_of("CODE128", "0190614141000015" + "3201000750" + "3932978123", gs1=True)
    assert told.mass_mg == 34_019_427  # 75.0 lb
    assert (told.price, told.price_decimals, told.currency) == (123, 2, "978")


def test_a_digital_link_tells_the_same_as_the_elements_it_stands_for():
    told = gs1.contents_of("QR", "https://shop.example/x/01/09506000134352/10/AB?3103=000500&17=270228")
    assert (told.gtin, told.batch, told.mass_mg, told.expires) == ("09506000134352", "AB", 500_000, "2027-02-28")


@pytest.mark.parametrize(
    ("symbology", "text", "marked"),
    [
        ("CODE128", "01906141410000153103000750", False),  # not marked as GS1 data
        ("QR", "https://id.gs1.org/01/09506000134353?3103=000500", False),  # wrong check digit
        ("DATABAREXP", "02906141410000153103000750", False),  # what a case holds
        ("EAN13", "7032069804987", False),  # its digits would parse as a message
    ],
)
def test_what_holds_no_number_tells_nothing_else_either(symbology, text, marked):
    assert gs1.contents_of(symbology, text, gs1=marked) == gs1.Contents()


@given(st.text(max_size=60), st.sampled_from(sorted(gs1.SYMBOLOGIES)), st.booleans())
def test_no_text_breaks_the_contents(text, symbology, marked):
    assert gs1.contents_of(symbology, text, gs1=marked).gtin == gs1.canonical_gtin(symbology, text, gs1=marked)


@pytest.mark.parametrize(("symbology", "text"), [("EAN8", "42678878"), ("UPCA", "712278112285"), ("UPCE", "01272181")])
def test_twins_are_valid_codes_that_differ_in_thickness_alone(symbology, text):
    drawn = bars.modules(symbology, text)
    for twin in bars.twins(symbology, text):
        assert twin != drawn
        assert bars.modules(symbology, text)[:3] == twin[:3]
        # The same number of bars: what changes is where their edges are.
        assert len([1 for a, b in itertools.pairwise(twin) if a != b]) == len(
            [1 for a, b in itertools.pairwise(drawn) if a != b]
        )
    assert symbology != "EAN8" or bars.modules("EAN8", "42678212") in bars.twins("EAN8", "42678878")
