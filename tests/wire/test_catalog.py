"""The catalogue file: what is accepted, and how each fault is named."""

import csv

import pytest

from cart.core.catalog import PIECE, WEIGHT
from cart.edge.catalog_file import load_catalog
from cart.wire.catalog import FAULTS_MAX, PRODUCTS_MAX, parse_catalog
from cart.wire.gtin import gtin14

HEADER = "# catalog version=7 currency=EUR\n"
COLUMNS = "id,name,sold_by,price_minor,mass_mg,mass_sd_mg,gtins,plu,label\n"
MILK = "milk,Milk 1 l,piece,169,1063000,4000,9521000000384,,Milk\n"


def faults_of(text):
    return [(fault.row, fault.column) for fault in parse_catalog(text).faults]


def test_a_product_is_read_with_its_codes_as_gtin_14():
    catalog = parse_catalog(HEADER + COLUMNS + MILK).catalog
    assert (catalog.version, catalog.currency) == ("7", "EUR")
    milk = catalog.of_gtin("09521000000384")
    assert (milk.id, milk.name, milk.sold_by, milk.price_minor) == ("milk", "Milk 1 l", PIECE, 169)
    assert (milk.mass_mg, milk.mass_sd_mg, milk.label, milk.age_min) == (1_063_000, 4_000, "Milk", 0)


def test_a_file_saved_by_a_spreadsheet_is_read():
    text = (
        "\ufeff# catalog version=7 currency=EUR,,,,,,,,\r\n" + (COLUMNS + MILK).replace("\n", "\r\n") + "\r\n,,,,\r\n"
    )
    assert [product.id for product in parse_catalog(text).catalog.products] == ["milk"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("milk,Other,piece,169,1,1,,,", "id"),
        ("Milk 2,Other,piece,169,1,1,,,", "id"),
        ("b,,piece,169,1,1,,,", "name"),
        ("b,Other,litre,169,1,1,,,", "sold_by"),
        ("b,Other,piece,0,1,1,,,", "price_minor"),
        ("b,Other,piece,1.69,1,1,,,", "price_minor"),
        ("b,Other,piece,-5,1,1,,,", "price_minor"),
        ("b,Other,piece,²,1,1,,,", "price_minor"),
        ("b,Other,piece,169,0,1,,,", "mass_mg"),
        ("b,Other,piece,169,1,0,,,", "mass_sd_mg"),
        ("b,Other,piece,169,1,1,9521000000384,,", "gtins"),
        ("b,Other,piece,169,1,1,09521000000384,,", "gtins"),
        ("b,Other,piece,169,1,1,9521000000385,,", "gtins"),
        ("b,Other,piece,169,1,1,123,,", "gtins"),
        ("b,Other,piece,169,1,1,0000000000000,,", "gtins"),
        ("b,Other,piece,169,1,1,,40,", "plu"),
        ("b,Other,piece,169,1,1,,,Milk", "label"),
        ("b,Oth\ter,piece,169,1,1,,,", "name"),
        ("b,Other,piece,169", ""),
        ("b,Other,piece,169,1,1,,,,surplus", ""),
    ],
)
def test_each_fault_names_its_row_and_column(row, column):
    text = HEADER + COLUMNS + MILK + row + "\n"
    assert faults_of(text) == [(4, column)]
    assert parse_catalog(text).catalog is None


def test_all_faults_of_a_file_are_listed_at_once():
    text = HEADER + COLUMNS + "a,A,box,0,1,1,,,\n" + "\n" + "a,,piece,1,1,1,,4011,\n" + "c,C,piece,1,1,1,,4011,\n"
    assert faults_of(text) == [(3, "sold_by"), (3, "price_minor"), (5, "id"), (5, "name"), (6, "plu")]


def test_a_second_product_of_a_code_names_the_row_of_the_first():
    other = MILK.replace("milk,", "oat,").replace(",Milk\n", ",\n")
    assert str(parse_catalog(HEADER + COLUMNS + MILK + other).faults[0]) == (
        "row 4: gtins: 09521000000384 is in row 3 already"
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [(1, "")]),
        (HEADER, [(2, "")]),
        (HEADER + COLUMNS, [(2, "")]),
        (COLUMNS + MILK, [(1, "")]),
        ("# catalog version=7\n" + COLUMNS + MILK, [(1, "currency")]),
        ("# catalog currency=eur\n" + COLUMNS + MILK, [(1, "version"), (1, "currency")]),
        ("# catalog version=7 currency=EUR tax=7\n" + COLUMNS + MILK, [(1, "tax")]),
        (HEADER + COLUMNS.replace("plu", "PLU") + MILK, [(2, "PLU")]),
        (HEADER + COLUMNS.replace("plu", "label") + MILK, [(2, "label")]),
        (HEADER + "id,name\nmilk,Milk\n", [(2, c) for c in ("sold_by", "price_minor", "mass_mg", "mass_sd_mg")]),
        (HEADER + COLUMNS + '"milk,Milk', [(3, "")]),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_place(text, faults):
    assert faults_of(text) == faults


def test_the_list_of_faults_has_a_limit():
    assert len(faults_of(HEADER + COLUMNS + "x\n" * 1_000)) == FAULTS_MAX


def test_too_many_products_are_a_fault():
    rows = "".join(f"p{i},P,piece,1,1,1,,,\n" for i in range(PRODUCTS_MAX + 1))
    assert faults_of(HEADER + COLUMNS + rows) == [(PRODUCTS_MAX + 3, "")]


def test_a_mass_that_tells_little_is_a_warning_not_a_fault():
    parsed = parse_catalog(HEADER + COLUMNS + "a,A,weight,1,100,60,,,\n")
    assert parsed.catalog is not None
    assert [note.column for note in parsed.warnings] == ["mass_sd_mg", ""]


def test_every_gtin_length_becomes_the_same_code():
    assert gtin14("036000291452") == gtin14("0036000291452") == "00036000291452"
    assert gtin14("96385074") == "00000096385074"


def test_the_demo_store_sells_every_class_of_the_photos(shared_data):
    catalog = load_catalog("")
    with (shared_data / "grocery" / "classes.csv").open(encoding="utf-8") as file:
        classes = {row["Class Name (str)"]: row["Coarse Class Name (str)"] for row in csv.DictReader(file)}
    assert {product.label: product.group for product in catalog.products} == classes


def test_the_demo_store_has_a_way_to_buy_everything():
    products = load_catalog("").products
    assert len(products) == 81
    assert all(product.gtins or product.plu or product.label for product in products)
    assert all(gtin.startswith("0952") for product in products for gtin in product.gtins)
    assert all(not product.gtins for product in products if product.sold_by == WEIGHT)
    # Below 100 g net nothing may be priced by weight: such goods are sold by piece.
    assert all(product.sold_by == PIECE for product in products if product.mass_mg < 100_000)
