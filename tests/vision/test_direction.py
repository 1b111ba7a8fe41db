"""In or out: told where the thing, or its code, crossed the view from one side to the other, and never guessed."""

import pytest

from cart.vision import direction
from cart.vision.direction import IN, OUT, UNKNOWN, Way
from cart.vision.motion import Box

WIDTH, HEIGHT = 1280, 720


def carried(*boxes, codes=()):
    way = Way()
    for box in boxes:
        way = direction.moved(way, Box(*box), WIDTH, HEIGHT)
    for x, y in codes:
        way = direction.code_at(
            way, ((x - 90, y - 30), (x + 90, y - 30), (x + 90, y + 30), (x - 90, y + 30)), WIDTH, HEIGHT
        )
    return way


TOP, MIDDLE, BOTTOM = (500, 0, 800, 160), (500, 200, 800, 560), (500, 600, 800, 720)
ARM_IN, ARM_DEEP = (500, 0, 800, 300), (500, 0, 800, 720)


def test_what_came_over_the_rim_and_left_towards_the_basket_went_in():
    assert direction.direction(carried(TOP, MIDDLE, BOTTOM), "bottom") == IN
    assert direction.direction(carried(BOTTOM, MIDDLE, TOP), "bottom") == OUT


@pytest.mark.parametrize(("side", "first", "last"), [
    ("top", BOTTOM, TOP), ("left", (1100, 200, 1280, 500), (0, 200, 160, 500)),
    ("right", (0, 200, 160, 500), (1100, 200, 1280, 500)),
])  # fmt: skip
def test_the_basket_may_be_behind_any_side(side, first, last):
    assert direction.direction(carried(first, MIDDLE, last), side) == IN
    assert direction.direction(carried(last, MIDDLE, first), side) == OUT


def test_what_was_shown_and_taken_back_went_nowhere():
    assert direction.direction(carried(TOP, MIDDLE, TOP), "bottom") == UNKNOWN
    shown = carried(TOP, MIDDLE, TOP, codes=[(640, 100), (640, 330), (650, 360)])
    assert direction.direction(shown, "bottom") == UNKNOWN


def test_what_crosses_the_view_sideways_went_nowhere():
    assert direction.direction(carried((0, 200, 160, 500), MIDDLE, (1100, 200, 1280, 500)), "bottom") == UNKNOWN


def test_a_thing_that_is_put_down_in_view_went_nowhere_that_is_known():
    assert direction.direction(carried(TOP, MIDDLE, MIDDLE), "bottom") == UNKNOWN


def test_the_code_tells_where_an_arm_hides_the_way():
    deep = [(640, 120), (640, 340), (640, 600)]
    assert direction.direction(carried(TOP, ARM_IN, ARM_DEEP, TOP, codes=deep), "bottom") == IN
    assert direction.direction(carried(TOP, ARM_DEEP, ARM_IN, TOP, codes=deep[::-1]), "bottom") == OUT
    assert direction.direction(carried(TOP, ARM_IN, ARM_DEEP, TOP), "bottom") == UNKNOWN


def test_where_thing_and_code_say_opposite_ways_nothing_is_told():
    assert direction.direction(carried(TOP, MIDDLE, BOTTOM, codes=[(640, 600), (640, 100)]), "bottom") == UNKNOWN


@pytest.mark.parametrize("side", ["none", ""])
def test_a_camera_that_does_not_see_the_basket_tells_nothing(side):
    assert direction.direction(carried(TOP, MIDDLE, BOTTOM), side) == UNKNOWN


def test_nothing_seen_is_no_direction():
    assert direction.direction(Way(), "bottom") == UNKNOWN
    assert direction.direction(direction.code_at(Way(), (), WIDTH, HEIGHT), "bottom") == UNKNOWN
