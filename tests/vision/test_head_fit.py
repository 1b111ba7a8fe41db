"""The head from its statistics: fitted again when a product is learnt or forgotten."""

import numpy as np
import pytest

from cart.edge.classifier import PACKAGED_DIR
from cart.vision import head_file
from cart.vision.classify import HEAD_FILE, Head
from cart.vision.head_fit import ENROLMENT_PHOTOS, Habits, Statistics, fit
from cart.vision.vectors import unit

CLASSES, PHOTOS, SIZE = 6, 40, 100
HABITS = Habits(shrinkage=0.1, gain=1.1, duplicate_cosine=0.9)


@pytest.fixture(scope="module")
def photos():
    """Clouds that differ less than they spread, in a direction that tells nothing; the last is for enrolling."""
    draw = np.random.default_rng(1)
    centres, nuisance = draw.random((CLASSES, SIZE)) * 0.2 + 0.5, draw.random(SIZE)
    classes = np.repeat(np.arange(CLASSES), PHOTOS)
    spread = draw.normal(0, 0.03, (len(classes), SIZE)) + draw.normal(0, 0.4, (len(classes), 1)) * nuisance
    return unit(np.maximum(centres[classes] + spread, 0.0)), classes


def right(whitening, photos):
    vectors, classes = photos
    return (whitening.cosines(vectors).argmax(axis=1) == classes).mean()


def test_whitening_tells_apart_what_plain_means_do_not(photos):
    vectors, classes = photos
    statistics = Statistics.of(vectors, classes)
    plain = vectors @ unit(statistics.means).T
    assert (plain.argmax(axis=1) == classes).mean() < 0.8
    assert right(fit(statistics, HABITS, CLASSES - 1), photos) > 0.95


def test_few_directions_and_eight_bits_give_the_same_head_as_all_of_them(photos, tmp_path):
    path = tmp_path / "statistics.npz"
    path.write_bytes(head_file.statistics_bytes(Statistics.of(*photos, rank=8), HABITS))
    assert right(fit(*head_file.read_statistics(path), CLASSES - 1), photos) > 0.95
    assert head_file.read_statistics(path)[1] == HABITS


def test_the_whitened_spread_within_a_product_is_alike_in_all_directions(photos):
    vectors, classes = photos
    whitening = fit(Statistics.of(vectors, classes), Habits(shrinkage=0.0), SIZE)
    within = vectors - np.stack([vectors[classes == c].mean(axis=0) for c in range(CLASSES)])[classes]
    spread = (within @ whitening.projection).T @ (within @ whitening.projection) / len(within)
    assert np.allclose(spread, np.eye(len(spread)), atol=0.01)


def test_a_product_enrolled_from_ten_photos_is_recognised_and_the_others_still_are(photos):
    vectors, classes = photos
    known = classes < CLASSES - 1
    enrolment = np.flatnonzero(~known)[:ENROLMENT_PHOTOS]
    statistics = Statistics.of(vectors[known], classes[known]).with_class(vectors[enrolment].mean(axis=0), 10)
    found = fit(statistics, HABITS, CLASSES - 1).cosines(vectors).argmax(axis=1) == classes
    assert found[~known][10:].mean() > 0.9
    assert found[known].mean() > 0.9


def test_forgetting_what_was_enrolled_leaves_the_very_head_that_was(photos):
    vectors, classes = photos
    before = Statistics.of(vectors, classes)
    after = before.with_class(vectors[3], 10).without(CLASSES)
    assert np.array_equal(fit(before, HABITS).projection, fit(after, HABITS).projection)
    assert np.array_equal(fit(before, HABITS).means, fit(after, HABITS).means)


def test_means_of_few_photos_are_made_longer_and_of_many_hardly(photos):
    statistics = Statistics.of(*photos).with_class(photos[0][0], 10).with_class(photos[0][-1], 1_000)
    lengths = np.linalg.norm(fit(statistics, HABITS).means, axis=1)
    assert lengths[:CLASSES] == pytest.approx(1.0)
    assert lengths[CLASSES] == pytest.approx(1.1)
    assert 1.0 < lengths[CLASSES + 1] < 1.002


def test_a_forgotten_class_of_the_training_counts_no_longer_as_trained(photos):
    statistics = Statistics.of(*photos).with_class(photos[0][0], 10)
    assert (statistics.without(0).trained, statistics.without(CLASSES).trained) == (CLASSES - 1, CLASSES)
    assert len(statistics.without(0).counts) == CLASSES


def test_the_packaged_head_is_what_its_statistics_give():
    statistics, habits = head_file.read_statistics(PACKAGED_DIR / head_file.STATISTICS_FILE)
    packaged = Head.load(PACKAGED_DIR)
    again = fit(statistics, habits)
    assert len(statistics.counts) == statistics.trained == len(packaged.labels)
    probe = unit(statistics.means + 0.01)
    there = unit((probe - packaged.centre) @ packaged.projection) @ packaged.means.T
    assert np.abs(again.cosines(probe) - there).max() < 0.005


def test_a_file_that_is_no_statistics_is_refused(tmp_path):
    path = tmp_path / "statistics.npz"
    path.write_bytes((PACKAGED_DIR / HEAD_FILE).read_bytes())
    with pytest.raises(ValueError, match="no statistics"):
        head_file.read_statistics(path)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="no statistics"):
        head_file.read_statistics(path)
