"""What is chosen and measured on photos that nobody learnt: swaps, strangers, enrolment, on made-up embeddings."""

import dataclasses
import json

import numpy as np
import pytest

from cart.vision.bench import swaps
from cart.vision.bench.figures import UNKNOWN
from cart.vision.classify import Calibration
from cart.vision.head_fit import Statistics
from cart.vision.vectors import unit
from tools.training import card, report, unseen
from tools.training.apart import Apart
from tools.training.fitting import Views
from tools.training.strangers import NEARNESS_SHARE, Odds, Strangers, none_nll_cross
from tools.training.unseen import Embedded

COARSE = ("Apple",) * 3 + ("A", "B", "C")
GROUPS = np.array([0, 0, 0, 1, 2, 3])
CLASSES, LOOKS, EACH, SIZE = 6, 5, 8, 40
CALIBRATION = Calibration(12.0, 0.0, -1.0, -0.2, -0.001, 0.05, 0, 0)


def clouds(seed: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Return photos of six products: the first three much alike, all in five looks."""
    draw = np.random.default_rng(0)
    centres = draw.random((CLASSES, SIZE)) * 0.5 + 0.3
    centres[1], centres[2] = centres[0] + draw.normal(0, 0.05, SIZE), centres[0] + draw.normal(0, 0.05, SIZE)
    looks = draw.normal(0, 0.06, (CLASSES, LOOKS, SIZE))
    noise = np.random.default_rng(seed)
    classes = np.repeat(np.arange(CLASSES), each * LOOKS)
    look = np.tile(np.arange(LOOKS), CLASSES * each)
    photos = centres[classes] + looks[classes, look] + noise.normal(0, 0.02, (len(classes), SIZE))
    return unit(np.maximum(photos, 0.0)), classes


@pytest.fixture(scope="module")
def data() -> Embedded:
    vectors, classes = clouds(1, EACH)
    val, val_classes = clouds(2, 2)
    train, seen = Views(vectors[None], classes), Views(val[None], val_classes)
    held = np.arange(len(classes)) % LOOKS == 0
    return Embedded(train, seen, train, seen, Apart.of(COARSE), held)


@pytest.fixture(scope="module")
def fitted(data):
    return unseen.fit_head(data, GROUPS, lambda text: None)


def test_the_second_backbone_learnt_no_stranger_and_no_held_look(data):
    learnt = data.learnt
    assert not learnt[data.held].any()
    assert not np.isin(data.train.classes[learnt], [*data.apart.siblings, *data.apart.groups]).any()
    assert learnt.any()


def test_only_photos_that_nobody_learnt_are_measured_on(data):
    everything = np.ones(len(data.train.classes), bool)
    shipped = Statistics.of(*data.train.stacked(everything))
    second = Statistics.of(*data.apart_train.stacked(data.learnt))
    found = unseen.unseen(data, shipped, second, 0.1)
    held = data.held & np.isin(data.train.classes, data.apart.known)
    assert found.val.sum() == len(data.val.classes)
    assert len(found.classes) == len(data.val.classes) + held.sum()
    strange = np.concatenate([data.apart.siblings, data.apart.groups])
    assert (found.cosines[~found.val][:, strange] == UNKNOWN).all()
    assert (found.cosines[found.val] > UNKNOWN).all()


def test_strangers_of_an_unknown_group_are_told_apart_better_than_siblings(fitted):
    assert fitted.facts["auroc_groups"] > 0.9
    assert fitted.facts["auroc_groups"] >= fitted.facts["auroc_siblings"]


def test_strangers_are_told_from_known_products_of_their_own_split(data):
    second = Statistics.of(*data.apart_train.stacked(data.learnt))
    found = Strangers.met(data, second, 0.1, 12.0)
    held, siblings, groups = found.of_train
    clear = np.where(np.arange(len(found.known)) < held, 0.9, 0.1)
    facts = dataclasses.replace(
        found, known=clear, siblings=np.full(len(found.siblings), 0.5), groups=np.full(len(found.groups), 0.5)
    ).facts()
    for kind, of_train, total in (("siblings", siblings, found.siblings), ("groups", groups, found.groups)):
        assert (facts[f"auroc_{kind}_train"], facts[f"auroc_{kind}_val"]) == (1.0, 0.0)
        assert (facts[f"strangers_{kind}_train"], facts[f"strangers_{kind}_val"]) == (of_train, len(total) - of_train)


def signs(seed: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return signs of 400 photos, of very different size, and the classes of the photos."""
    rows = np.random.default_rng(seed).normal(0.0, 1.0, (400, 2)) - shift
    return rows * (4.0, 500.0), np.arange(400) // 20


def test_the_signs_count_by_their_spread_over_known_products_and_only_their_sum_is_fitted():
    (known, _), (strange, _) = signs(1, 0.0), signs(2, 2.0)
    odds = Odds.fitted(known, strange)
    race_spread, nearness_spread = known.std(axis=0)
    assert odds.race < 0.0
    assert odds.nearness * nearness_spread == pytest.approx(NEARNESS_SHARE * odds.race * race_spread, rel=1e-3)
    assert odds.of(known).mean() < 0.0 < odds.of(strange).mean()


def test_odds_are_tried_on_products_that_they_were_not_fitted_on():
    known, classes = signs(1, 0.0)
    strange, others = signs(2, 2.0)
    assert none_nll_cross(known, classes, strange, others) < 0.4
    alike, _ = signs(3, 0.0)
    assert none_nll_cross(known, classes, alike, others) == pytest.approx(np.log(2.0), abs=0.03)
    # Strangers in the very places of known products: whoever has seen all knows nothing, with a fifth missing worse.
    few = classes // 4
    places = np.random.default_rng(4).normal(0.0, 1.0, (5, 2))[few] * (4.0, 500.0)
    assert none_nll_cross(places, few, np.roll(places, 80, axis=0), few) > np.log(2.0) + 0.02


def test_new_products_that_lie_nearer_the_middle_than_known_ones_are_allowed_for(data):
    new = np.isin(data.train.classes, [*data.apart.siblings, *data.apart.groups])
    vectors = data.apart_train.vectors.copy()
    vectors[:, new] = unit(vectors[:, new] + vectors[:, ~new].mean(axis=1, keepdims=True))
    inward = dataclasses.replace(data, apart_train=Views(vectors, data.train.classes))
    second = Statistics.of(*inward.apart_train.stacked(inward.learnt))
    found = Strangers.met(inward, second, 0.1, 12.0)
    assert found.allowance > 0.0
    assert found.facts()["enrolled_looks_none"] < 1.5 * found.facts()["none_known"]


def test_an_enrolled_product_is_told_none_no_more_often_than_a_known_one_and_less_than_a_stranger(fitted):
    facts = fitted.facts
    assert fitted.habits.allowance == facts["enrolled_allowance"]
    assert facts["enrolled_looks_none"] < 1.5 * facts["none_known"]
    assert facts["enrolled_val_none"] < facts["none_strangers"]
    assert facts["none_known"] < facts["none_strangers"]


def test_what_no_photo_shows_is_not_shown_instead_of_a_number_that_is_none():
    found = unseen.Unseen(np.eye(3), np.arange(3), np.ones(3, bool))
    assert unseen._top1(found, found.val) == 1.0
    assert unseen._top1(found, ~found.val) is None
    assert card._percent(unseen._top1(found, ~found.val)) == card.NOT_SHOWN


def test_a_product_enrolled_from_ten_photos_is_found(fitted, data):
    new = len(data.apart.siblings) + len(data.apart.groups)
    assert fitted.facts["enrolled_looks"] == new * EACH * LOOKS
    assert fitted.facts["enrolled_looks_top1"] > 0.7
    assert fitted.facts["enrolled_val_top1"] > 0.7


def test_a_head_that_says_the_opposite_would_be_noticed(data):
    turned = dataclasses.replace(data, apart_val=Views(data.apart_val.vectors, np.roll(data.apart_val.classes, 10)))
    facts = unseen.fit_head(turned, GROUPS, lambda text: None).facts
    assert facts["enrolled_val_top1"] < 0.3


def test_the_head_is_fitted_on_every_train_photo(fitted, data):
    assert fitted.statistics.counts.sum() == len(data.train.classes)
    assert fitted.calibration.disagree_millinat < fitted.calibration.agree_millinat


# -- swaps -------------------------------------------------------------------------------------


def cosines_of(classes: np.ndarray, own: float, sibling: float, other: float) -> np.ndarray:
    """Return cosines with a little noise: `own` for the true class, and so on."""
    draw = np.random.default_rng(4)
    alike = GROUPS[classes][:, None] == GROUPS
    base = np.where(np.arange(CLASSES) == classes[:, None], own, np.where(alike, sibling, other))
    return base + draw.normal(0, 0.05, base.shape)


def test_swaps_to_another_group_are_caught_more_often_than_to_a_sibling():
    classes = np.arange(600) % CLASSES
    found = swaps.figures(cosines_of(classes, 0.7, 0.55, 0.0), classes, GROUPS, CALIBRATION)
    assert found["alarms_10"] == pytest.approx(0.01, abs=0.008)
    assert found["swap_group_10"] > 0.99 > found["swap_sibling_10"]
    assert found["swap_sibling_10_low"] < found["swap_sibling_10"] < found["swap_sibling_10_high"]
    assert found["swap_photos_with_siblings"] == 300


@pytest.mark.parametrize(("photos", "shown"), [(299, False), (300, True)])
def test_a_share_that_the_photos_cannot_show_is_not_shown(photos, shown):
    classes = np.arange(photos) % CLASSES
    found = swaps.figures(cosines_of(classes, 0.7, 0.4, 0.0), classes, GROUPS, CALIBRATION)
    assert (found["swap_group_10"] is not None) == shown
    assert found["swap_group_1"] is None
    assert found["alarms_2_high"] is None


def test_a_product_that_the_head_does_not_know_is_no_swap_that_was_caught():
    classes = np.arange(300) % 2
    cosines = cosines_of(classes, 0.7, 0.7, 0.0)
    cosines[:, 2] = UNKNOWN
    found = swaps.figures(cosines, classes, GROUPS, CALIBRATION)
    assert found["swap_sibling_10"] < 0.1


@pytest.mark.parametrize("photos", [0, 1])
def test_pairs_that_hardly_a_photo_has_are_not_shown_and_never_not_a_number(photos):
    classes = np.full(300, 4)
    classes[:photos] = 0
    cosines = cosines_of(classes, 0.7, 0.55, 0.0)
    found = swaps.figures(cosines, classes, GROUPS, CALIBRATION)
    assert found["swap_photos_with_siblings"] == photos
    assert found["swap_group_10"] is not None
    assert [found[f"swap_sibling_10{end}"] for end in ("", "_low", "_high")] == [None] * 3
    json.dumps(found, allow_nan=False)


# -- what people read --------------------------------------------------------------------------


def test_what_is_not_shown_is_said_in_words(fitted):
    rows = dict(card.swap_rows(fitted.facts | swaps.figures(np.eye(6), np.arange(6), GROUPS, CALIBRATION)))
    assert set(rows.values()) == {card.NOT_SHOWN}
    assert any(name.startswith("0.1 %") for name in rows)


def test_the_report_shows_each_miss_and_escapes_what_it_shows(fitted):
    miss = report.Miss(b"\xff\xd8one", b"\xff\xd8two", "<b>Leek", "Milk", 700, 120)
    ends = [f"{key}_{end}" for key in (*card.WITH_INTERVAL, "ece_calibrated") for end in ("low", "high")]
    figures = dict.fromkeys([*(key for _, key in card.ROWS), *ends, "ece"], 0.5) | {"n": 3, "classes_seen": 2}
    page = report.page({"val": figures, "fit": fitted.facts}, [miss])
    assert page.count("<img") == 2
    assert "&lt;b&gt;Leek" in page
    assert "<b>Leek" not in page
    assert "70.0 %" in page
    assert "http" not in page
