"""The head on arrays: what the numbers mean, at their limits too."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.core.odds import LIMIT_MILLINAT
from cart.edge.classifier import PACKAGED_DIR
from cart.faults import Fault
from cart.vision import classify, scanned
from cart.vision.classify import INPUT_SIDE_PX, NONE, Calibration, Head, log_posteriors, log_shares, preprocess, race
from cart.vision.nearness import Nearness
from cart.vision.vectors import unit

CALIBRATION = Calibration(
    sharpness=10.0,
    outlier=0.0,
    none_offset=-1.0,
    none_race=-0.5,
    none_nearness=-0.25,
    none_prior=0.05,
    agree_millinat=1_000,
    disagree_millinat=-1_000,
)
LABELS = ("Apple", "Leek", "Milk")
ALIKE = Nearness(np.zeros(3), np.eye(3), np.zeros((3, 3)), 0.0, np.zeros((3, 3)), np.zeros(3))
"""To which every photo is equally near."""

APPLE_AND_A_BIT_OF_LEEK = np.array([9.0, 1.0, 0.0], np.float32)
BETWEEN_ALL = np.ones(3, np.float32)


@pytest.fixture
def head() -> Head:
    """Three labels whose means are the axes: an embedding is its own cosines, after root and length."""
    axes = np.eye(3, dtype=np.float32)
    return Head(LABELS, dict.fromkeys(LABELS, "All"), np.zeros(3, np.float32), axes, axes, ALIKE, CALIBRATION)


def probabilities(head, embedding):
    return np.exp(head.log_posteriors(embedding))


def test_the_likeliest_label_comes_first_and_everything_adds_up(head):
    scores = head.scores(APPLE_AND_A_BIT_OF_LEEK)
    assert [score.label for score in scores.ranked] == ["Apple", "Leek", "Milk"]
    assert sum(score.permille for score in scores.ranked) + scores.none_permille == pytest.approx(1000, abs=2)
    assert scores.top(1) == scores.ranked[:1]


def test_a_photo_between_products_is_more_likely_none(head):
    near, far = head.scores(APPLE_AND_A_BIT_OF_LEEK), head.scores(BETWEEN_ALL)
    assert far.none_permille > near.none_permille


def test_a_photo_far_from_everything_is_more_likely_none_however_far_ahead_one_product_is(head):
    cosines = head.cosines(APPLE_AND_A_BIT_OF_LEEK)
    near, far = (log_posteriors(cosines, np.array(nearness), CALIBRATION)[-1] for nearness in (4.0, -4.0))
    assert far > near + 1.0


def test_none_is_as_likely_as_was_assumed_where_nothing_tells(head):
    # The likeliest of three is as likely as the other two together, so the race is 0, and nearness makes up the offset.
    cosines = 1.0 - np.array([0.3, 0.3 + math.log(2.0) / 10, 0.3 + math.log(2.0) / 10]) ** 2 / 2
    assert race(cosines, CALIBRATION.sharpness) == pytest.approx(0.0)
    assert np.exp(log_posteriors(cosines, np.array(-4.0), CALIBRATION))[-1] == pytest.approx(0.05)


def test_a_race_is_the_log_odds_of_the_likeliest_label(head):
    p = probabilities(head, APPLE_AND_A_BIT_OF_LEEK)[:-1]
    expected = math.log(p[0] / (p[1] + p[2]))
    assert race(head.cosines(APPLE_AND_A_BIT_OF_LEEK), CALIBRATION.sharpness) == pytest.approx(expected)


def test_a_race_without_another_label_is_won_by_a_number():
    assert race(np.array([[0.3], [1.0]]), 10.0).tolist() == [classify.RACE_NATS_MAX] * 2


def test_evidence_is_the_log_of_posterior_over_prior(head):
    p = probabilities(head, APPLE_AND_A_BIT_OF_LEEK)
    evidence = head.log_likelihoods(APPLE_AND_A_BIT_OF_LEEK)
    assert set(evidence) == {*LABELS, NONE}
    assert evidence["Apple"] == round(1000 * math.log(p[0] / (0.95 / 3)))
    assert evidence[NONE] == round(1000 * math.log(p[3] / 0.05))
    assert all(type(value) is int for value in evidence.values())


def test_agreement_takes_the_prior_odds_out_again(head):
    # Two labels are equally likely and the third is out of the question: P = 1/2 against odds of 1 : 2 beforehand.
    value = scanned.agreement(head, np.array([[1.0, 1.0, 0.0]], np.float32), "Apple").log_likelihood_millinat
    assert value == pytest.approx(1000 * math.log(2), abs=5)


@pytest.mark.parametrize(
    ("millinat", "expected"), [(1_000, "agree"), (999, "unsure"), (-999, "unsure"), (-1_000, "disagree")]
)
def test_verdicts_change_exactly_at_their_limits(millinat, expected):
    assert classify.verdict(millinat, CALIBRATION) == expected


def test_evidence_beyond_all_doubt_is_clipped_not_infinite(head):
    certain = dataclasses.replace(head, calibration=dataclasses.replace(CALIBRATION, sharpness=1e5))
    for label, expected in (("Apple", LIMIT_MILLINAT), ("Milk", -LIMIT_MILLINAT)):
        found = scanned.agreement(certain, APPLE_AND_A_BIT_OF_LEEK[None], label)
        assert found.log_likelihood_millinat == expected
    assert certain.log_likelihoods(APPLE_AND_A_BIT_OF_LEEK)["Milk"] == -LIMIT_MILLINAT


def test_an_outlier_share_bounds_how_sure_one_photo_can_be():
    cosines = np.array([1.0, 0.0, 0.0])
    doubting = dataclasses.replace(CALIBRATION, sharpness=1e3, outlier=0.03)
    p = np.exp(log_shares(cosines, doubting))
    assert p[1] == pytest.approx(0.01)


def test_logits_fall_with_the_distance_between_photo_and_mean():
    draw = np.random.default_rng(7)
    photo, means = unit(draw.normal(size=5)), unit(draw.normal(size=(4, 5)))
    expected = [-3.0 * np.linalg.norm(photo - mean) for mean in means]
    assert classify.logits(means @ photo, 3.0) == pytest.approx(expected)


def test_of_two_siblings_a_photo_says_more_the_nearer_it_is_to_one():
    near, far = (classify.logits(np.array(cosines), 10.0) for cosines in ([0.95, 0.85], [0.35, 0.25]))
    assert near[0] - near[1] > 2 * (far[0] - far[1]) > 0


def test_an_enrolled_mean_with_its_gain_is_no_nearer_than_at_hand():
    assert classify.logits(np.array([1.0, 1.2]), 10.0).tolist() == [0.0, 0.0]


def test_many_photos_at_once_give_what_each_gives_alone(head):
    both = np.stack([APPLE_AND_A_BIT_OF_LEEK, BETWEEN_ALL])
    alone = [head.log_posteriors(row) for row in both]
    assert np.allclose(head.log_posteriors(both), alone)


def test_an_embedding_of_zeros_is_answered_with_finite_numbers(head):
    assert np.isfinite(head.log_posteriors(np.zeros(3, np.float32))).all()


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=90),
    st.floats(0.1, 1e6),
    st.sampled_from((0.0, 0.01, 0.5)),
    st.floats(-1e4, 1e4),
)
def test_probabilities_always_add_up_to_one(cosines, sharpness, outlier, nearness):
    calibration = dataclasses.replace(CALIBRATION, sharpness=sharpness, outlier=outlier)
    logs = log_posteriors(np.array(cosines), np.array(nearness), calibration)
    assert np.isfinite(logs).all()
    assert np.exp(logs).sum() == pytest.approx(1.0)


def test_the_network_sees_the_centred_square_in_red_green_blue_order():
    photo = np.zeros((300, 700, 3), np.uint8)
    photo[:, 200:500] = (255, 10, 0)  # blue, in OpenCV's order, exactly on the centred square
    small = preprocess(photo)
    assert small.shape == (INPUT_SIDE_PX, INPUT_SIDE_PX, 3)
    assert (small == (0, 10, 255)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 2), (2000, 100)])
def test_a_photo_of_any_shape_is_taken(shape):
    assert preprocess(np.full((*shape, 3), 7, np.uint8)).shape == (INPUT_SIDE_PX, INPUT_SIDE_PX, 3)


def test_the_packaged_head_knows_the_81_products_and_their_43_groups():
    head = Head.load(PACKAGED_DIR)
    assert len(head.labels) == len(set(head.labels)) == 81
    assert len(set(head.groups.values())) == 43
    assert head.groups["Golden-Delicious"] == "Apple"
    assert NONE not in head.labels
    assert head.calibration.disagree_millinat < head.calibration.agree_millinat


def test_labels_that_do_not_fit_the_head_are_refused(tmp_path):
    for name in ("head.npz", "statistics.npz"):
        (tmp_path / name).write_bytes((PACKAGED_DIR / name).read_bytes())
    (tmp_path / "labels.json").write_text(json.dumps([{"label": "Apple", "coarse": "Fruit"}]), encoding="utf-8")
    with pytest.raises(Fault, match="1 labels for 81"):
        Head.load(tmp_path)
