"""A simulated cart in simulated time: the shopper's words do what they say, and the same seed the same bytes."""

import pytest

from cart.core.catalog import Product
from cart.sim.runner import Simulated

MILK = Product("milk", "Milk 1 l", "piece", 129, 1_035_000, 4_000, ("09521000000018",))
BREAD = Product("bread", "Bread", "piece", 249, 512_000, 6_000, ("09521000000025",))
APPLES = Product("apples", "Apples", "weight", 299, 180_000, 20_000, plu="4020", label="Apple")


def cart_with_milk(seed=7):
    cart = Simulated(catalog=[MILK, BREAD, APPLES], seed=seed)
    return cart.scan(MILK).put(MILK).settle()


def test_an_item_taken_back_out_leaves_the_basket_as_it_was():
    cart = cart_with_milk()
    before = cart.basket
    cart.scan(BREAD).put(BREAD).settle()
    assert cart.basket == {"milk": 1, "bread": 1}
    cart.take(BREAD).settle()
    assert cart.basket == before == {"milk": 1}
    assert cart.alarms == []


def test_the_same_seed_gives_the_same_bytes_and_the_same_effects():
    first, again, other = cart_with_milk(), cart_with_milk(), cart_with_milk(seed=8)
    assert first.cart.wire.hexdigest() == again.cart.wire.hexdigest()
    assert first.cart.effects_sha256() == again.cart.effects_sha256()
    assert other.cart.wire.hexdigest() != first.cart.wire.hexdigest()
    assert other.cart.effects_sha256() != first.cart.effects_sha256()


def test_the_load_cell_speaks_only_through_the_wire():
    cart = cart_with_milk().device("scale", "silent")
    heard = cart.cart.wire.hexdigest()
    cart.put(BREAD).settle()
    assert cart.cart.wire.hexdigest() == heard
    assert cart.basket == {"milk": 1}


def test_what_is_put_back_is_the_very_piece_that_was_taken_out():
    cart = cart_with_milk()
    mass_mg = cart.truth[0].mass_mg
    cart.take(MILK).put(MILK).settle()
    assert [piece.mass_mg for piece in cart.truth] == [mass_mg]
    assert cart.basket == {"milk": 1}


def test_only_what_is_in_the_cart_can_be_taken():
    with pytest.raises(LookupError, match="no bread in the cart"):
        cart_with_milk().take(BREAD)


def test_an_answer_that_was_not_asked_for_is_a_mistake_of_the_scenario():
    with pytest.raises(LookupError, match="no question to answer"):
        cart_with_milk().answer("milk")


def test_a_sale_is_committed_once_and_receipted_even_over_a_restart():
    cart = cart_with_milk().tap("checkout").settle().device("network", "unplugged").exit("tap").settle()
    assert cart.charge is not None
    cart.restart().device("network", "well").wait(5_000)
    assert len(cart.cart.charges) == 1
    assert [charge.total_minor for charge in cart.cart.backstore.ledger] == [129]
    assert cart.cart.screen.receipt == "receipted"


CALLED = [("milk", MILK), ("4020", APPLES), ("Apple", APPLES), ("9521000000025", BREAD)]


@pytest.mark.parametrize(("words", "found"), CALLED)
def test_products_are_found_by_what_people_call_them(words, found):
    assert Simulated(catalog=[MILK, BREAD, APPLES]).shelf.find(words) == found


def test_an_unknown_product_is_answered_with_the_closest_name():
    with pytest.raises(LookupError, match="did you mean bread"):
        Simulated(catalog=[MILK, BREAD, APPLES]).shelf.find("braed")
