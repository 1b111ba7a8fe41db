"""What the cart does when a knock, a jam or something over the rim is named: words and a note, and never an item."""

from dataclasses import replace

import pytest

from cart.core import step as core
from cart.core.cases import RESPONSES
from cart.core.catalog import Product
from cart.core.effects import Note
from cart.core.events import CellIdentified
from cart.core.step import initial
from cart.core.weight_values import BUMP, CHILD, JAM, LEAN, RIM, TILT, Case, Place, Step
from cart.faults import FAULTS
from cart.sim.runner import Simulated
from tests.core.test_step import SETUP, locked, shopping_with_milk

MILK = Product("milk", "Milk 1 l", "piece", 129, 1_035_000, 4_000, ("09521000000018",))
WATER = Product("water", "Water 6 x 1.5 l", "piece", 299, 9_200_000, 20_000, ("09521000000025",))
APPLES = Product("apples", "Apples", "weight", 299, 180_000, 20_000, plu="4020", label="Apple")


def notes(cart, code):
    return [x for x in cart.cart.effects if isinstance(x, Note) and x.code == code]


def test_every_case_has_a_response_of_its_own():
    assert set(RESPONSES) == {BUMP, LEAN, CHILD, TILT, JAM, RIM}
    assert len({response.code for response in RESPONSES.values()}) == len(RESPONSES)


@pytest.mark.parametrize("case", RESPONSES)
@pytest.mark.parametrize("at", [shopping_with_milk, locked])
def test_no_case_touches_the_basket_or_the_phase_or_asks_anything(case, at):
    world = at()
    before = world.state.trip
    world.tell(Case(0, case))
    after = world.state.trip
    assert (after.lines, after.doubts, after.phase, after.prompt) == (
        before.lines,
        before.doubts,
        before.phase,
        before.prompt,
    )
    assert after.flags == (("scale_jammed",) if case == JAM else ())


def test_a_knock_at_a_standing_cart_is_said_and_noted_and_the_words_vanish():
    cart = Simulated(catalog=[MILK, WATER]).scan(MILK).put(MILK).settle()
    cart.cart.platform.lean(60_000, 60_000, 20_000)
    cart.wait(2_500)
    assert "bumped" in cart.cart.screen.notices
    assert [note.level for note in notes(cart, "SCALE-BUMP")] == ["info"]
    cart.wait(6_000)
    assert "bumped" not in cart.cart.screen.notices
    assert cart.basket == {"milk": 1}
    assert cart.asked == []


def test_kerbs_under_a_rolling_cart_are_noted_and_not_worth_a_word():
    cart = Simulated(catalog=[MILK, WATER]).scan(MILK).put(MILK).settle()
    cart.cart.platform.ground(0.3, 1.0, 12.0)
    cart.cart.platform.push_to(1_000)
    seen = set()
    for _ in range(100):
        cart.wait(200)
        seen |= set(cart.cart.screen.notices)
    assert notes(cart, "SCALE-BUMP")
    assert "bumped" not in seen


def test_a_platform_that_is_held_is_said_marked_and_noted_until_it_is_free_and_the_trip_goes_on():
    cart = Simulated(catalog=[MILK, WATER, APPLES]).scan(WATER).put(WATER).settle()
    cart.cart.platform.touch_rim(0.6)  # something carries six tenths of what shakes
    cart.move(500).wait(12_000)
    assert "scale_jammed" in cart.cart.screen.notices
    assert [note.level for note in notes(cart, "SCALE-JAM")] == ["warning"]
    assert cart.flags == ("scale_jammed",)
    # Shopping goes on, and nothing was added or lost.
    cart.stand().wait(3_000)
    assert cart.basket == {"water": 1}
    assert cart.asked == []
    cart.tap("weigh", "apples").tap("tare").wait(1_500)
    assert cart.cart.screen.weighed.refused == "jammed"
    cart.tap("unweigh")
    cart.cart.platform.touch_rim(0)
    cart.move(500).wait(20_000).stand().wait(3_000)
    assert "scale_jammed" not in cart.cart.screen.notices
    cart.scan(MILK).put(MILK).settle()
    assert cart.basket == {"water": 1, "milk": 1}


def test_where_something_landed_is_a_line_of_the_journal():
    world = shopping_with_milk()
    step = Step(7, 0, 300, 100_400, 500, "standing", True, Place(120, -40, 3))
    _, effects = core._told(world.state, (step,))
    (note,) = [x for x in effects if isinstance(x, Note) and x.code == "LANDED-AT"]
    assert note.text == "step 7: +100 g at +120 mm fore, -40 mm left, +-3 mm"
    _, effects = core._told(world.state, (replace(step, place=None),))
    assert not [x for x in effects if isinstance(x, Note) and x.code == "LANDED-AT"]


def hello(serial):
    return CellIdentified(0, 1, "sim-1", serial, "HX711", 128, 80, "0000")


def test_a_converter_that_the_calibration_is_not_of_is_told_once_and_again_when_it_is_another():
    state = initial(replace(SETUP, converter="A1"))
    said = []
    for serial in ("A1", "B2", "B2", "C3", "A1", "B2"):
        state, effects = core.step(state, hello(serial))
        said.append([x.text for x in effects if isinstance(x, Note) and x.code == "CALIBRATION-FOREIGN"])
    foreign = [["the record is of A1, this is B2"], ["the record is of A1, this is C3"]]
    assert said == [[], foreign[0], [], foreign[1], [], foreign[0]]
    assert "CALIBRATION-FOREIGN" in FAULTS
    _, effects = core.step(initial(SETUP), hello("B2"))
    assert not [x for x in effects if isinstance(x, Note)]  # without a record nobody knows
