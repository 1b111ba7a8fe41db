"""The scanned code against several frames of the thing."""

import numpy as np
import pytest

from cart.vision import scanned, track
from cart.vision.classify import NONE, UNSURE, Calibration, Head, agreement_millinats, verdict
from cart.vision.nearness import Nearness

LABELS = ("Apple", "Leek", "Milk")
CALIBRATION = Calibration(10.0, 0.001, -1.0, -0.5, -0.25, 0.05, 1_000, -1_000)
APPLE = np.array([9.0, 1.0, 0.0], np.float32)
BLUR = np.array([1.0, 1.1, 1.0], np.float32)


@pytest.fixture
def head():
    axes = np.eye(3, dtype=np.float32)
    near = Nearness(np.zeros(3), axes, np.zeros((3, 3)), -1.0, axes, np.zeros(3))
    return Head(LABELS, dict.fromkeys(LABELS, "All"), np.zeros(3, np.float32), axes, axes, near, CALIBRATION)


def test_one_frame_says_what_the_photo_alone_says(head):
    for label in LABELS:
        value = agreement_millinats(head.log_posteriors(APPLE)[None, :-1])[0, LABELS.index(label)]
        assert scanned.agreement(head, APPLE[None], label) == (value, verdict(value, CALIBRATION))


def test_a_second_look_makes_it_surer_and_a_hundred_no_surer_than_two(head):
    one, two, many = (
        scanned.agreement(head, np.tile(APPLE, (n, 1)), "Leek").log_likelihood_millinat for n in (1, 2, 100)
    )
    assert many == two < one < 0


def test_a_blurred_frame_among_clear_ones_does_not_turn_the_verdict(head):
    frames = np.stack([APPLE, BLUR, APPLE])
    assert scanned.agreement(head, frames, "Apple").verdict == "agree"
    assert scanned.agreement(head, frames, "Milk").verdict == "disagree"


def test_a_label_that_the_head_does_not_know_is_neither_borne_out_nor_contradicted(head):
    assert scanned.agreement(head, APPLE[None], "Lychee") == (0, UNSURE)


def test_the_order_of_the_frames_does_not_matter(head):
    frames = np.stack([APPLE, BLUR])
    assert np.allclose(
        scanned.pooled(head.log_posteriors(frames), 0.05), scanned.pooled(head.log_posteriors(frames[::-1]), 0.05)
    )


def test_frames_are_pooled_as_the_pass_that_the_daemon_is_told_of(head):
    frames = np.stack([APPLE, BLUR, APPLE])
    passing = track.Passing(1)
    for frame in frames:
        passing = track.looked_at(passing, head.log_likelihoods(frame))
    told, none, _ = track.pooled(passing, NONE)
    together = scanned.pooled(head.log_posteriors(frames), CALIBRATION.none_prior)
    said = dict(zip((*LABELS, NONE), together, strict=True))
    # The daemon is told likelihoods up to a common constant: differences are what counts.
    evidence = dict(told) | {NONE: none}
    for label in LABELS[1:]:
        difference = 1_000 * (said["Apple"] - said[label])
        assert evidence["Apple"] - evidence[label] == pytest.approx(difference, abs=5)
