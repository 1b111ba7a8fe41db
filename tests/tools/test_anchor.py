"""The plain method beside which val's figures stand, on made-up embeddings."""

import numpy as np
import pytest

from tools.training import anchor
from tools.training.anchor import Frozen
from tools.training.photos import Labels, Photos

CLASSES = 30
LABELS = Labels(tuple(f"P{n}" for n in range(CLASSES)), tuple(f"G{n // 2}" for n in range(CLASSES)))


def split(seed: int, each: int, spread: float) -> Frozen:
    """Return photos of thirty products around means that are the same for every seed; a third in each department."""
    means = np.random.default_rng(0).random((CLASSES, 60))
    classes = np.repeat(np.arange(CLASSES), each)
    noise = np.random.default_rng(seed).normal(0, spread, (len(classes), 60))
    departments = ("Fruit", "Packages", "Vegetables")
    paths = tuple(f"x/{departments[number % 3]}/{number}.jpg" for number in classes)
    return Frozen(Photos(paths, classes), np.maximum(means[classes] + noise, 0.0).astype(np.float32))


@pytest.fixture(scope="module")
def train():
    return split(1, 8, 0.1)


def test_every_figure_stands_beside_the_one_on_test(train):
    found = anchor.measured(train, split(2, 6, 0.1), LABELS)
    assert found["top1"] > 0.99
    shown = anchor.table(found)
    for key, what in anchor.ROWS.items():
        assert f"| {what} | {found[key]:.3f} | {anchor.ON_TEST[key]:.3f} |" in shown
    assert shown.count("0.92 to 0.98") == 3


def test_what_the_head_never_learnt_is_a_stranger_to_it(train):
    val = split(2, 6, 0.1)
    assert anchor.strangers(train, val, np.arange(10)) > 0.95


def test_a_blurred_val_is_seen_to_be_harder(train):
    near, far = (anchor.measured(train, split(2, 6, spread), LABELS) for spread in (0.1, 0.4))
    assert far["top1"] < near["top1"]
    assert far["auroc_drawn"] < near["auroc_drawn"]


def test_the_same_products_are_drawn_each_time():
    first, second = anchor.drawn(81), anchor.drawn(81)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert [len(set(unknown)) for unknown in first] == [anchor.LEFT_OUT] * anchor.DRAWS


def test_the_method_sees_the_middle_of_a_photo(tmp_path):
    import cv2

    picture = np.zeros((256, 400, 3), np.uint8)
    picture[:, 72:328] = 50
    picture[16:240, 88:312] = 200
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    assert (anchor.pictures(tmp_path, Photos(("a.png",), np.zeros(1, int))) == 200).all()
