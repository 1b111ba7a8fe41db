"""Strangers of a whole department, on made-up embeddings."""

import numpy as np
import pytest

from tools.training import departments, photos
from tools.training.fitting import Views
from tools.training.photos import Photos

CLASSES = 30
UNKNOWN = np.arange(20, 30)


def seen(seed: int, each: int, spread: float) -> Views:
    """Return thirty products in two views, around means that are the same for every seed."""
    means = np.random.default_rng(0).random((CLASSES, 600))
    classes = np.repeat(np.arange(CLASSES), each)
    noise = np.random.default_rng(seed).normal(0, spread, (2, len(classes), 600))
    return Views.of(list(np.maximum(means[classes] + noise, 0.0).astype(np.float32)), classes)


def test_a_department_is_left_out_whole():
    paths = ("train/Fruit/Apple/1.jpg", "train/Packages/Milk/2.jpg", "train/Fruit/Pear/3.jpg")
    chosen = Photos(paths, np.array([4, 9, 4]))
    assert photos.departments(chosen).tolist() == ["Fruit", "Packages", "Fruit"]
    assert departments.of_department(chosen, "Fruit").tolist() == [4]
    left = departments.without(chosen, np.array([4]))
    assert (left.paths, left.classes.tolist()) == (("train/Packages/Milk/2.jpg",), [9])


def test_what_was_never_learnt_is_told_from_what_was():
    found = departments.measured(seen(1, 20, 0.1), seen(2, 6, 0.1), UNKNOWN)
    assert found.low > 0.95
    assert found.low <= found.auroc <= found.high
    assert (found.known, found.strange, found.top1) == (120, 60, 1.0)


def test_the_head_is_fitted_without_them():
    train = seen(1, 20, 0.1)
    spoilt = train.vectors.copy()
    spoilt[:, np.isin(train.classes, UNKNOWN)] = 0.0
    val = seen(2, 6, 0.1)
    assert departments.measured(Views(spoilt, train.classes), val, UNKNOWN) == departments.measured(train, val, UNKNOWN)


def test_scores_that_say_nothing_have_an_interval_around_a_half():
    draw = np.random.default_rng(3)
    classes = np.repeat(np.arange(20), 10)
    low, high = departments.interval(draw.random(200), classes, classes < 8)
    assert 0.3 < low < 0.5 < high < 0.7


def test_few_products_make_it_wide_however_many_photos_they_have():
    draw = np.random.default_rng(3)

    def width(products, photos):
        classes = np.repeat(np.arange(products), photos)
        of_product = draw.random(products)[classes]
        low, high = departments.interval(of_product, classes, classes < products // 2)
        return high - low

    assert width(6, 100) > 2 * width(60, 10)


@pytest.mark.parametrize("department", ["Fruit", "Packages", "Vegetables"])
def test_each_department_is_a_folder_of_the_data_set(shared_data, department):
    assert department in photos.departments(photos.read_split(shared_data / "grocery", "val"))
