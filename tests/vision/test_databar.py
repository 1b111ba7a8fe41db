"""DataBar codes that have run together: read where only one number explains them, and never as another."""

import random

import cv2
import numpy as np
import pytest

from cart.vision import databar, locate, reader
from cart.vision.databar import BlurredDatabarEngine
from cart.vision.likeliest import SAMPLES, most_likely, seen_rows
from cart.wire import databar as bars
from tests import labels

ENGINES = reader.available_engines(thorough=True)
APPLE = "04412345678909"
DATABAR = frozenset({"DATABAR"})


def strip_of(label):
    """Return the rows of a label in which its bars stand."""
    return label[75:-75]


def blurred(gtin, blur_modules, seed=1, sigma=2.0, **drawn):
    return labels.noisy(labels.databar_label(gtin, blur_modules=blur_modules, **drawn), sigma=sigma, seed=seed)


def numbers(count, seed=11):
    rng = random.Random(seed)
    return [labels.with_check_digit(f"{rng.randrange(10**13):013d}") for _ in range(count)]


@pytest.mark.parametrize("lens", [(0.35, 0.0), (0.6, 0.3), (0.9, -0.15), (1.25, 0.0)])
def test_the_most_likely_code_is_the_one_that_was_drawn(lens):
    for gtin in numbers(8):
        light = 1.0 - np.array([int(module) for module in bars.modules(gtin)], np.float32)
        seen = 30 + 150 * seen_rows(np.pad(light, 4, constant_values=1.0), lens)
        assert seen.shape == (SAMPLES,)
        guess = most_likely(seen.astype(np.float32), lens)
        assert bars.gtin_of(guess.characters) == gtin
        assert guess.agreed
        assert guess.distance < 0.2
        assert guess.lead > 5


def test_characters_that_contradict_the_finders_do_not_agree():
    whole = bars.modules(APPLE)
    forged = bars.modules(numbers(1)[0])[:18] + whole[18:]
    light = 1.0 - np.array([int(module) for module in forged], np.float32)
    seen = 200 * seen_rows(np.pad(light, 4, constant_values=1.0), (0.6, 0.0))
    assert not most_likely(seen.astype(np.float32), (0.6, 0.0)).agreed


def test_a_finder_that_no_code_has_yields_nothing():
    flat = most_likely(np.full(SAMPLES, 128, np.float32), (0.9, 0.0))
    assert not databar.is_firm(databar.Found(0.99, (0.9, 0.0), flat))


@pytest.mark.parametrize("angle_deg", [0, 20, 90, 180, 250])
def test_a_code_too_soft_for_any_engine_is_read_at_any_angle(angle_deg):
    frame = labels.turned(labels.databar_label(APPLE, module_px=4, height_px=160), angle_deg, background=220)
    soft = labels.noisy(cv2.GaussianBlur(frame, (0, 0), 3.6), sigma=1.5)
    assert not [raw for engine in ENGINES for raw in engine.read(soft, DATABAR)]
    reads = reader.read_photo(soft, ENGINES)
    assert [(read.symbology, read.text, read.gtin) for read in reads] == [("DATABAR", APPLE, APPLE)]
    middle = np.mean(reads[0].corners, axis=0)
    assert np.abs(middle - 360).max() < 12


def test_soft_codes_are_read_rightly_or_not_at_all():
    engine, read, by_engines = BlurredDatabarEngine(), 0, 0
    for number, gtin in enumerate(numbers(40)):
        soft = blurred(gtin, 0.6 + 0.02 * number, seed=number)
        by_engines += any(raw.text == gtin for other in ENGINES for raw in other.read(soft, DATABAR))
        found = [raw.text for raw in engine.read(strip_of(soft), DATABAR)]
        assert found in ([], [gtin])
        read += bool(found)
    assert read > by_engines
    assert read >= 20


def test_a_guess_that_does_not_lead_far_is_not_taken(monkeypatch):
    strip = strip_of(blurred(APPLE, 0.8))
    found = databar.best_guess(strip, np.array(place_of(strip)))
    assert [raw.text for raw in BlurredDatabarEngine().read(strip, DATABAR)] == [APPLE]
    sure, guess = found._replace(score=0.99), found.guess
    for told, firm in (
        (sure._replace(guess=guess._replace(lead=1.3)), True),
        (sure._replace(guess=guess._replace(lead=1.2)), False),
        (sure._replace(guess=guess._replace(lead=1.5), score=0.93), True),
        (sure._replace(guess=guess._replace(lead=1.3), score=0.97), False),
        (sure._replace(score=0.9), False),
        (sure._replace(guess=guess._replace(agreed=False)), False),
        (sure._replace(lens=(1.25, 0.0)), False),
    ):
        monkeypatch.setattr(databar, "best_guess", lambda grey, quad, told=told: told)
        assert bool(BlurredDatabarEngine().read(strip, DATABAR)) is firm


def place_of(strip):
    place = databar.places_of(strip.mean(axis=0, dtype=np.float32))[0]
    bottom = len(strip) - 1.0
    return ((place.start, 0.0), (place.end, 0.0), (place.end, bottom), (place.start, bottom))


@pytest.mark.parametrize("backwards", [False, True])
def test_the_place_of_a_code_is_found_in_its_reading_direction(backwards):
    strip = strip_of(blurred(APPLE, 0.8))
    row = strip.mean(axis=0, dtype=np.float32)
    place = databar.places_of(row[::-1] if backwards else row)[0]
    first, last = 20 + 12 * 3, 20 + (12 + 96) * 3
    ends = (len(row) - first, len(row) - last) if backwards else (first, last)
    assert np.abs(np.subtract((place.start, place.end), ends)).max() < 6


def test_a_code_that_is_linked_to_a_second_part_is_left_to_the_engines():
    linked = strip_of(blurred(APPLE, 0.7, linked=True))
    assert BlurredDatabarEngine().read(linked, DATABAR) == []
    assert BlurredDatabarEngine().read(strip_of(blurred(APPLE, 0.7)), DATABAR)


def test_it_is_silent_where_there_is_no_such_code():
    engine = BlurredDatabarEngine()
    noise = np.random.default_rng(4).integers(0, 255, (40, 400)).astype(np.uint8)
    milk = cv2.GaussianBlur(labels.label("EAN13", "9506000134352"), (0, 0), 3.0)[30:-30]
    for grey in (noise, milk, *(np.full(shape, 128, np.uint8) for shape in ((40, 400), (0, 0), (1, 1)))):
        assert engine.read(grey, DATABAR) == []
    assert engine.read(strip_of(blurred(APPLE, 0.7)), frozenset({"EAN13"})) == []


@pytest.mark.parametrize("angle_deg", [0, 30, 77, 90, 135])
def test_a_strip_across_the_bars_leads_back_to_the_frame_and_reaches_beyond_its_region(angle_deg):
    frame = labels.turned(labels.databar_label(APPLE), angle_deg)
    region = locate.find_regions(frame)[0]
    strip = locate.across_bars(frame, region, 2.0, 0.25)
    plain = locate.turned_upright(frame, region)
    height, width = strip.pixels.shape
    assert abs(width - 2 * plain.pixels.shape[1]) <= 1
    ((x, y),) = locate.in_frame(((width / 2, height / 2),), strip.to_frame)
    assert abs(x - (region.left + region.right) / 2) <= 1
    assert abs(y - (region.top + region.bottom) / 2) <= 1
    assert cv2.absdiff(strip.pixels[1], strip.pixels[-2]).mean() < 30
