"""Drawn pictures: one for every product, in the shape of its kind."""

import xml.etree.ElementTree as ET

import pytest

from cart.core.catalog import PIECE, Catalog, Product
from cart.edge.catalog_file import load_catalog
from cart.wire.picture import GROUPS, SHAPES, picture_svg, product_svg

DEMO = load_catalog("")


def other(name="Soap", group="Household"):
    return Product(id="soap", name=name, group=group, sold_by=PIECE, price_minor=1, mass_mg=1, mass_sd_mg=1)


def test_every_product_label_and_group_of_the_demo_store_has_a_picture():
    names = {product.id for product in DEMO.products}
    names |= {product.label.lower() for product in DEMO.products} | {product.group.lower() for product in DEMO.products}
    assert all(ET.fromstring(picture_svg(name, DEMO)).tag.endswith("svg") for name in names)


def test_every_group_of_the_demo_store_has_a_shape_of_its_own():
    assert {product.group.lower() for product in DEMO.products} == set(GROUPS)
    assert {shape for shape, *_ in GROUPS.values()} | {"packet"} == set(SHAPES)


def test_a_product_of_another_store_gets_a_packet_with_its_letter():
    assert ">S</text>" in product_svg(other())
    assert product_svg(other(group="Household")) != product_svg(other(group="Drinks"))


def test_a_name_cannot_break_out_of_its_picture():
    ET.fromstring(product_svg(other(name="<script>")))
    assert "<script" not in product_svg(other(name="<script>"))


@pytest.mark.parametrize("name", ["", "nothing-like-it", "../../etc/passwd"])
def test_an_unknown_name_has_no_picture(name):
    assert picture_svg(name, DEMO) is None
    assert picture_svg(name, Catalog("1", "EUR", ())) is None


def test_peppers_differ_by_colour():
    peppers = {picture_svg(product.id, DEMO) for product in DEMO.products if product.group == "Pepper"}
    assert len(peppers) == 4
