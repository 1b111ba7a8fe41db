"""Nearness: strangers of another kind, enrolled products, and that it is what the formula says."""

import numpy as np
import pytest

from cart.edge.classifier import PACKAGED_DIR
from cart.vision import enroll, nearness
from cart.vision.bench.figures import auroc
from cart.vision.classify import Head, none_log_odds, race
from cart.vision.head_fit import ENROLMENT_PHOTOS, Habits, Statistics, fit
from cart.vision.vectors import unit

CLASSES, PHOTOS, SIZE = 8, 40, 200
HABITS = Habits(shrinkage=0.5)
SHARPNESS = 12.0


def products(seed, count=CLASSES, photos=PHOTOS, of=range(CLASSES)):
    """Photos of products in pairs of siblings, (photos, n) and classes; those of a number are the same in each draw."""
    draw = np.random.default_rng(1)
    common = draw.random(SIZE) + 1.0
    pairs = np.repeat(draw.normal(0, 0.5, (count // 2, SIZE)), 2, axis=0)
    centres = common + pairs + draw.normal(0, 0.25, (count, SIZE))
    classes = np.repeat(np.array(of), photos)
    return unit(centres[classes] + np.random.default_rng(seed).normal(0, 0.3, (len(classes), SIZE))), classes


def goods_of_another_kind(seed, photos=PHOTOS):
    """Photos of what is like no product, in a direction of its own."""
    draw = np.random.default_rng(seed)
    common = np.random.default_rng(1).random(SIZE) + 1.0
    kind = np.random.default_rng(77).normal(0, 0.5, SIZE)
    return unit(common + kind + draw.normal(0, 0.3, (photos, SIZE)))


@pytest.fixture(scope="module")
def statistics():
    return Statistics.of(*products(1))


def by_definition(statistics, vectors):
    """The relative distance as Ren et al. write it, with both covariances in full."""
    size = vectors.shape[1]
    shares = statistics.counts / statistics.counts.sum()
    centre = shares @ statistics.means
    few = statistics.of_rank(nearness.RANK)
    within = (few.directions.T * (few.spreads - few.rest)) @ few.directions + few.rest * np.eye(size)
    offsets = statistics.means - centre
    total = within + (offsets.T * shares) @ offsets

    def distance(rows, spread):
        mean = np.trace(spread) / size
        shrunk = (1 - nearness.SHRINKAGE) * spread + nearness.SHRINKAGE * mean * np.eye(size)
        return ((rows @ np.linalg.inv(shrunk)) * rows).sum(axis=1)

    nearest = np.min([distance(vectors - mean, within) for mean in statistics.means], axis=0)
    return distance(vectors - centre, total) - nearest


def test_it_is_the_relative_mahalanobis_distance(statistics):
    vectors = np.concatenate([products(2)[0], goods_of_another_kind(3)])
    found = nearness.fitted(statistics, HABITS).of(vectors)
    assert found == pytest.approx(by_definition(statistics, vectors), abs=1e-3 * found.std())


def test_the_total_spread_is_that_of_all_photos():
    vectors, classes = products(1)
    statistics = Statistics.of(vectors, classes)
    shares = statistics.counts / statistics.counts.sum()
    offsets = statistics.means - shares @ statistics.means
    within = (statistics.directions.T * statistics.spreads) @ statistics.directions
    assert within + (offsets.T * shares) @ offsets == pytest.approx(np.cov(vectors.T, bias=True))


def test_a_stranger_of_another_kind_is_told_by_nearness(statistics):
    near = nearness.fitted(statistics, HABITS)
    assert auroc(near.of(products(2)[0]), near.of(goods_of_another_kind(3))) > 0.99


def test_a_stranger_between_two_siblings_is_told_by_the_race(statistics):
    head = fit(statistics, HABITS)
    # Half way between the two, and as near to both as photos of either are to their own.
    vectors, classes = products(2)
    between = unit(vectors[classes == 0] + products(3)[0][classes == 1])
    ahead, behind = (race(head.cosines(rows), SHARPNESS) for rows in (vectors, between))
    assert auroc(ahead, behind) > 0.99
    near = nearness.fitted(statistics, HABITS)
    assert auroc(near.of(vectors[classes < 2]), near.of(between)) < 0.9


def test_an_enrolled_product_is_no_longer_a_stranger(statistics):
    new = goods_of_another_kind(3, ENROLMENT_PHOTOS)
    enrolled = statistics.with_class(new.mean(axis=0), ENROLMENT_PHOTOS)
    more, again = goods_of_another_kind(4), products(2)[0]
    before, after = nearness.fitted(statistics, HABITS), nearness.fitted(enrolled, HABITS)
    known = np.quantile(before.of(again), 0.05)
    assert before.of(more).max() < known < after.of(more).min()
    # Those that were known stay about as near.
    assert np.abs(after.of(again) - before.of(again)).max() < 0.2 * before.of(again).std()


def test_an_enrolled_class_is_allowed_for_in_proportion_to_its_photos(statistics):
    vectors = goods_of_another_kind(4, 5)
    for photos, expected in ((ENROLMENT_PHOTOS, 40.0), (4 * ENROLMENT_PHOTOS, 10.0)):
        enrolled = statistics.with_class(vectors.mean(axis=0), photos)
        with_it, without = (
            nearness.fitted(enrolled, habits).terms(vectors) for habits in (Habits(0.5, allowance=40.0), HABITS)
        )
        difference = (with_it - without).mean(axis=0)
        assert difference == pytest.approx([0.0] * CLASSES + [expected], abs=1e-2)


def test_a_product_enrolled_and_forgotten_leaves_it_as_it_was(statistics):
    vectors = products(2)[0]
    again = statistics.with_class(vectors[0], ENROLMENT_PHOTOS).without(CLASSES)
    before, after = (nearness.fitted(each, HABITS).of(vectors) for each in (statistics, again))
    assert np.array_equal(before, after)


def test_the_packaged_head_takes_a_newly_enrolled_product_for_known():
    packaged = enroll.read_model(PACKAGED_DIR)
    draw = np.random.default_rng(0)
    lychee = unit(packaged.statistics.means.mean(axis=0)[::-1])
    looks = np.maximum(lychee + draw.normal(0, 0.004, (20, len(lychee))), 0.0)
    model, _ = enroll.learnt(packaged, enroll.Class("Lychee", "Lychee"), (looks[:10, None] ** 2).astype(np.float32))
    before, after = (
        none_log_odds(
            fit(each.statistics, each.habits).cosines(unit(looks[10:])),
            nearness.fitted(each.statistics, each.habits).of(unit(looks[10:])),
            each.calibration,
        )
        for each in (packaged, model)
    )
    assert before.min() > 0.0 > after.max()


def test_the_packaged_head_needs_both_signs():
    calibration = Head.load(PACKAGED_DIR).calibration
    assert calibration.none_race < 0.0
    assert calibration.none_nearness < 0.0
    assert enroll.read_model(PACKAGED_DIR).habits.allowance > 0.0
    assert Head.load(PACKAGED_DIR).nearness.planes.shape[0] == 81
