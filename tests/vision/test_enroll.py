"""Learning a product from photos and forgetting it: which photos, which products, and what stays."""

import cv2
import numpy as np
import pytest

from cart.edge.classifier import PACKAGED_DIR
from cart.faults import Fault
from cart.vision import enroll
from cart.vision.classify import HEAD_FILE, LABELS_FILE, Head
from cart.vision.enroll import Class
from cart.vision.enroll_photos import Named, judged
from cart.vision.head_file import STATISTICS_FILE
from cart.vision.head_fit import Habits, Whitening
from cart.vision.vectors import normalised

VIEWS = 2
HABITS = Habits(shrinkage=0.1, gain=1.0, duplicate_cosine=0.9)
LYCHEE = Class("Lychee", "Lychee", "lychee", 10)


@pytest.fixture(scope="module")
def packaged():
    return enroll.read_model(PACKAGED_DIR)


def looks(direction, count=10, spread=0.12, seed=0):
    """Embeddings (photos, views, n) around a normalised mean: the square is taken, since the head takes the root."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(0.0, spread / np.sqrt(len(direction)), (count, VIEWS, len(direction)))
    return (np.maximum(direction + noise, 0.0) ** 2).astype(np.float32)


@pytest.fixture(scope="module")
def lychee(packaged):
    """A mean that lies between no two products: the common one with the channels turned round."""
    return normalised(packaged.statistics.means.mean(axis=0)[::-1] ** 2)


def head_of(model, tmp_path):
    for name, content in enroll.files(model).items():
        (tmp_path / name).write_bytes(content)
    return Head.load(tmp_path)


def test_a_product_is_learnt_and_recognised_and_no_other_label_moves(packaged, lychee, tmp_path):
    model, learnt = enroll.learnt(packaged, LYCHEE, looks(lychee))
    assert (learnt.photos, learnt.recognised) == (10, 10)
    head = head_of(model, tmp_path)
    assert head.labels == (*(known.label for known in packaged.classes), "Lychee")
    assert head.groups["Lychee"] == "Lychee"
    assert head.scores(looks(lychee, 1, seed=9)[0, 0]).ranked[0].label == "Lychee"
    banana = packaged.index("Banana")
    assert head.scores(looks(packaged.statistics.means[banana], 1)[0, 0]).ranked[0].label == "Banana"


def test_the_calibration_stays(packaged, lychee, tmp_path):
    model, _ = enroll.learnt(packaged, LYCHEE, looks(lychee))
    assert head_of(model, tmp_path).calibration == Head.load(PACKAGED_DIR).calibration


def test_what_was_enrolled_is_read_again_and_forgotten_to_the_last_byte(packaged, lychee, tmp_path):
    before = enroll.files(packaged)
    model, _ = enroll.learnt(packaged, LYCHEE, looks(lychee))
    head_of(model, tmp_path)
    again = enroll.read_model(tmp_path)
    assert again.enrolled() == (LYCHEE,)
    assert enroll.files(again) == enroll.files(model)
    assert enroll.files(enroll.forgotten(again, "Lychee")) == before


def test_the_packaged_files_are_what_is_written_without_a_change(packaged):
    for name, content in enroll.files(packaged).items():
        if name == LABELS_FILE:
            assert content == (PACKAGED_DIR / name).read_bytes()
        else:
            assert len(content) == (PACKAGED_DIR / name).stat().st_size


def test_photos_of_a_known_product_are_refused_with_its_name(packaged):
    banana = packaged.statistics.means[packaged.index("Banana")]
    with pytest.raises(Fault, match="Lychee looks like Banana") as refused:
        enroll.learnt(packaged, LYCHEE, looks(banana))
    assert refused.value.code == "ENROLL-DUPLICATE"
    model, _ = enroll.learnt(packaged, LYCHEE, looks(banana), although="Banana")
    assert model.index("Lychee") == len(packaged.classes)


def test_photos_of_an_enrolled_product_are_refused_too(packaged, lychee):
    model, _ = enroll.learnt(packaged, LYCHEE, looks(lychee))
    with pytest.raises(Fault, match="Rambutan looks like Lychee"):
        enroll.learnt(model, Class("Rambutan", "Rambutan"), looks(lychee, seed=3))


def test_a_known_label_too_few_photos_and_forgetting_what_is_not_enrolled_are_refused(packaged, lychee):
    with pytest.raises(Fault, match="Banana is known already"):
        enroll.learnt(packaged, Class("Banana", "Banana"), looks(lychee))
    with pytest.raises(Fault, match="no product at all"):
        enroll.learnt(packaged, Class("none", "none"), looks(lychee))
    with pytest.raises(Fault, match="9 of at least 10"):
        enroll.learnt(packaged, LYCHEE, looks(lychee, 9))
    with pytest.raises(Fault, match="Banana is part of the training"):
        enroll.forgotten(packaged, "Banana")
    with pytest.raises(Fault, match="knows no Lychee"):
        enroll.forgotten(packaged, "Lychee")


def test_photos_that_have_nothing_in_common_are_not_recognised(packaged):
    draw = np.random.default_rng(4)
    mixed = np.concatenate([looks(packaged.statistics.means[i], 1) for i in draw.choice(81, 10, replace=False)])
    _, learnt = enroll.learnt(packaged, LYCHEE, mixed)
    assert learnt.recognised <= 2


def test_a_photo_is_not_recognised_by_what_it_taught_itself():
    one, other, third = np.eye(3)
    known = 0.8 * third + 0.6 * one
    head = Whitening(np.zeros(3), np.eye(3), np.stack([known, (one + other) / np.sqrt(2.0)]))
    photos = np.stack([one, other])
    # The mean of both is nearer to the first than the known product is, the mean of the other alone is not.
    assert head.cosines(one).argmax() == 1
    assert not enroll._knows(head, HABITS, photos, photos, left_out=0)
    assert enroll._knows(head, HABITS, np.stack([one, one, other]), np.stack([one, one, other]), left_out=0)


@pytest.mark.parametrize("damage", [STATISTICS_FILE, LABELS_FILE, HEAD_FILE])
def test_a_model_that_cannot_learn_is_a_fault(damage, tmp_path):
    for name in (STATISTICS_FILE, LABELS_FILE, HEAD_FILE):
        (tmp_path / name).write_bytes((PACKAGED_DIR / name).read_bytes())
    (tmp_path / damage).unlink()
    with pytest.raises(Fault, match="MODEL-STATISTICS"):
        enroll.read_model(tmp_path)
    (tmp_path / damage).write_bytes(b"[]")
    with pytest.raises(Fault, match="MODEL-STATISTICS"):
        enroll.read_model(tmp_path)


def photo(seed=1, side=300):
    """A drawn photo: coarse patches with sharp edges."""
    draw = np.random.default_rng(seed)
    patches = draw.integers(30, 220, (12, 12, 3), dtype=np.uint8)
    return cv2.resize(patches, (side, side), interpolation=cv2.INTER_NEAREST)


def reason(*pictures):
    kept, refused = judged(Named(f"photo {n}", pixels) for n, pixels in enumerate(pictures))
    assert len(kept) + len(refused) == len(pictures)
    return [complaint.reason for complaint in refused]


def test_different_photos_are_all_used():
    assert reason(photo(1), photo(2), photo(3)) == []


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (photo() // 12, "too dark"),
        (np.full((300, 300, 3), 250, np.uint8), "too bright"),
        (np.full((300, 300, 3), 120, np.uint8), "shows nothing"),
        (photo(side=100), "smaller than 112 pixels"),
        (cv2.GaussianBlur(photo(), (0, 0), 12), "blurred"),
    ],
)
def test_what_is_wrong_with_a_photo_is_said(pixels, expected):
    assert reason(pixels) == [expected]


def test_the_same_picture_again_is_named_also_smaller_and_brighter():
    copy = cv2.resize(photo(), (200, 200), interpolation=cv2.INTER_AREA)
    assert (
        reason(photo(), photo(), copy, np.clip(photo().astype(int) + 3, 0, 255).astype(np.uint8))
        == ["the same picture as photo 0"] * 3
    )
