"""The classifier's half of `cart bench vision`: its figures on arrays whose truth is known, and once on the photos."""

import json

import numpy as np
import pytest

from cart.__main__ import main
from cart.edge.classifier import runtime_module
from cart.faults import Fault
from cart.vision import nearness
from cart.vision.bench import figures, strangers, swaps
from cart.vision.classify import Calibration, Head
from cart.vision.enroll import Class, Model
from cart.vision.head_fit import Habits, Statistics, fit
from cart.vision.vectors import unit

CLASSES, PHOTOS, SIZE = 18, 30, 120
CALIBRATION = Calibration(20.0, 0.0005, -1.0, -0.1, -0.1, 0.05, 1_000, -1_000)


@pytest.fixture(scope="module")
def shop():
    """Products in pairs: each differs less from its sibling than from the rest. Returns model, embeddings, classes."""
    draw = np.random.default_rng(2)
    pairs = np.repeat(draw.random((CLASSES // 2, SIZE)), 2, axis=0)
    centres = pairs + draw.random((CLASSES, SIZE)) * 0.35 + 0.2
    classes = np.repeat(np.arange(CLASSES), PHOTOS)
    roots = np.maximum(centres[classes] + draw.normal(0, 0.12, (len(classes), SIZE)), 0.0)
    half = np.arange(len(classes)) % 2 == 0
    statistics = Statistics.of(unit(roots[half]), classes[half])
    known = tuple(Class(f"product {n}", f"group {n // 2}") for n in range(CLASSES))
    model = Model(known, statistics, Habits(0.1, 1.02, 0.9), CALIBRATION)
    return model, roots[~half] ** 2, classes[~half]


GROUPS = np.arange(CLASSES) // 2


def test_a_product_of_an_unknown_group_is_told_more_easily_than_an_unknown_sibling(shop):
    found = strangers.unknown_auroc(*shop, GROUPS)
    assert 0.5 < found["siblings"] < found["groups"] <= 1.0


def test_products_enrolled_from_ten_photos_are_asked_for_among_all(shop):
    model, embeddings, classes = shop
    ten = {number: embeddings[classes == number][:10, None] for number in range(0, CLASSES, 3)}
    found = strangers.enrolled(model, ten, embeddings, classes, GROUPS)
    assert found.photos == np.isin(classes, list(ten)).sum()
    assert found.right / found.photos > 0.9
    assert found.right <= found.in_group <= found.photos
    assert found.alarms < 0.1 * found.photos


def test_photos_of_another_product_enroll_nothing(shop):
    model, embeddings, classes = shop
    ten = {3: embeddings[classes == 12][:10, None]}
    found = strangers.enrolled(model, ten, embeddings, classes, GROUPS)
    assert found.right == 0
    assert found.alarms == found.photos


def test_a_limit_for_an_accuracy_is_tried_on_photos_that_it_was_not_set_on():
    confidence = np.linspace(0.0, 1.0, 200)
    right = confidence > 0.5
    covered, good = figures.coverage_cross(confidence, right, np.arange(200) % 5, 0.99)
    assert 95 <= covered <= 106
    assert good >= 0.95 * covered
    by_chance = np.random.default_rng(1).random(200) < 0.5  # no limit is worth anything on other photos
    covered, good = figures.coverage_cross(np.random.default_rng(2).random(200), by_chance, np.arange(200) % 5, 0.9)
    assert good < 0.8 * max(1, covered)
    assert figures.coverage_cross(confidence, np.zeros(200, bool), np.arange(200) % 5, 0.99) == (0, 0)


def test_what_chance_leaves_of_perfect_calibration_shrinks_with_the_root_of_the_photos():
    few, many = (figures.calibrated_errors(np.tile(np.linspace(0.3, 0.9, 50), n)) for n in (1, 25))
    assert few["ece_calibrated_low"] < few["ece_calibrated_median"] < few["ece_calibrated_high"]
    assert few["ece_calibrated_median"] == pytest.approx(5 * many["ece_calibrated_median"], rel=0.15)
    assert figures.calibrated_errors(np.ones(50))["ece_calibrated_high"] == 0.0
    draw = np.random.default_rng(3)
    confidence = draw.random(1_250)
    floor = figures.calibrated_errors(confidence)
    error = figures.calibration_error(confidence, draw.random(1_250) < confidence)
    assert floor["ece_calibrated_low"] / 2 < error < 2 * floor["ece_calibrated_high"]
    assert figures.calibration_error(confidence, draw.random(1_250) < confidence / 2) > floor["ece_calibrated_high"]


def test_figures_of_products_without_siblings_are_none_and_never_not_a_number(shop):
    model, embeddings, classes = shop
    alone = {n: f"group {n}" for n in range(CLASSES)}
    fitted, near = fit(model.statistics, model.habits), nearness.fitted(model.statistics, model.habits)
    labels = tuple(map(str, range(CLASSES)))
    groups = {str(n): name for n, name in alone.items()}
    head = Head(labels, groups, fitted.centre, fitted.projection, fitted.means, near, CALIBRATION)
    found = figures.figures(head, embeddings, classes)
    assert found["swap_caught_sibling"] is None
    assert found["top5_low"] < found["top5"] <= found["top5_high"]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(("share", "photos", "shown"), [(0.01, 300, True), (0.01, 296, False), (0.001, 3_000, True)])
def test_a_share_is_shown_where_three_alarms_are_to_be_expected(share, photos, shown):
    assert swaps.is_shown(share, photos) is shown


def test_the_section_measures_the_packaged_model_on_the_shared_photos(shared_data, tmp_path, capsys):
    try:
        runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))
    page = tmp_path / "page.html"
    words = ["bench", "vision", "--only", "things", "--quick", "--data", str(shared_data), "--report", str(page)]
    assert main([*words, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["things"]
    assert found["val"]["n"] == 296
    assert 0.75 <= found["val"]["top1"] <= found["val"]["top3"] <= found["val"]["top5"] <= 1.0
    assert found["swaps"]["alarms_10"] is None  # 296 photos cannot show one in a hundred
    assert found["val"]["swap_caught_other_group"] > found["val"]["swap_caught_sibling"]
    assert 0.5 < found["enrolled"]["top1"] <= 1.0
    misses = round((1 - found["val"]["top1"]) * 296)
    assert page.read_text(encoding="utf-8").count("taken for") == misses


def test_without_the_photos_the_section_says_so(tmp_path, capsys):
    assert main(["bench", "vision", "--only", "things", "--data", str(tmp_path)]) == 1
    assert "things not measured: there is no folder" in capsys.readouterr().err
