"""The simulated camera's pictures: codes that a real engine reads, motion, and nothing drawn when nothing moves."""

import numpy as np
import pytest

from cart.edge.zxing import ZxingEngine
from cart.sim.pictures import DRAWN, Pictures, photo_folder
from cart.sim.scene import Composer, Pass

IN = ((0, 640, -280), (350, 640, 330), (750, 665, 370), (1_100, 690, 1_040))
CODE = "9521000000414"
MS = 1_000_000


def passing(turn_deg=0.0, code=CODE, seed=1):
    return Pass(0, IN, DRAWN + "Arla-Standard-Milk", code, turn_deg, seed)


@pytest.fixture(scope="module")
def composer():
    return Composer(1280, 720, Pictures(None).load)


def texts(frame):
    grey = np.ascontiguousarray(frame.mean(axis=2).astype(np.uint8))
    return [read.text for read in ZxingEngine().read(grey, frozenset({"EAN13"}))]


@pytest.mark.parametrize("turn_deg", [-9.0, 0.0, 4.5, 9.0])
def test_a_real_engine_reads_the_code_of_a_package_in_the_middle_of_its_pass(composer, turn_deg):
    assert texts(composer.frame(500 * MS, passing(turn_deg))) == [CODE]


def test_a_package_without_a_code_shows_none(composer):
    assert texts(composer.frame(500 * MS, passing(code=""))) == []


def test_nothing_is_drawn_when_nothing_moves(composer):
    assert composer.frame(0, None) is composer.frame(5_000 * MS, passing()) is composer.empty
    assert composer.frame(500 * MS, passing(), covered=True) is composer.black


def test_the_thing_moves_through_the_view_and_leaves_it(composer):
    seen = [np.any(composer.frame(t * MS, passing()) != composer.empty) for t in (60, 200, 500, 900, 1_100)]
    assert seen == [True, True, True, True, False]
    places = [passing().place(t * MS) for t in (-1, 0, 350, 1_099, 1_100)]
    assert places[0] is None
    assert places[1:3] == [(640, -280), (640, 330)]
    assert places[4] is None


def test_the_same_pass_gives_the_same_pixels(composer):
    again = Composer(1280, 720, Pictures(None).load)
    assert np.array_equal(composer.frame(400 * MS, passing(3.0)), again.frame(400 * MS, passing(3.0)))
    other = again.frame(400 * MS, passing(3.0, seed=2))
    assert not np.array_equal(composer.frame(400 * MS, passing(3.0)), other)


def test_photos_are_used_where_they_are(shared_data):
    pictures = Pictures(photo_folder() or shared_data / "grocery")
    assert pictures.words.startswith("photos")
    assert pictures.of("Banana").startswith("val/")
    assert pictures.load(pictures.of("Banana")).shape == (400, 400, 3)


def test_without_photos_each_label_has_a_drawing_of_its_own():
    pictures = Pictures(None)
    assert pictures.words == "own drawings"
    banana, milk = (pictures.load(pictures.of(label)) for label in ("Banana", "Arla-Standard-Milk"))
    assert not np.array_equal(banana, milk)
