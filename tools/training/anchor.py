"""A plain method whose figures on the official test split are known, measured on val: how hard val is.

EfficientNet-Lite0 as ImageNet left it, 224 pixels, and a head of whitened class means on the train photos. The test
split is out of reach here. But figures of this very method on it came with the project's design (`ON_TEST`), so each
figure on val has one on test beside it, and a reader can judge what the shipped model's figures on val are worth.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cart.vision import nearness, photo
from cart.vision.bench.figures import auroc, figures
from cart.vision.classify import Calibration, Head, preprocess
from cart.vision.head_fit import Habits, Statistics, fit
from cart.vision.vectors import normalised
from tools.training.fitting import best_sharpness, verdict_limits
from tools.training.photos import Labels, Photos, departments

SHRINKAGE = 0.2
SIDE_PX, CROP_PX = 256, 224
LEFT_OUT, DRAWS = 20, 5
"""Products that are strangers at a time, and how often they are drawn."""

NONE_PRIOR = 0.05

ROWS = {
    "top1": "fine top-1",
    "top5": "fine top-5",
    "coarse": "coarse group",
    "ece": "expected calibration error",
    "swap_caught_other_group": "swap to another group caught, 1 % false alarms",
    "swap_caught_sibling": "swap to a sibling caught, 1 % false alarms",
    "auroc_drawn": "20 of 81 products unknown, AUROC",
}
ON_TEST = {
    "top1": 0.790,
    "top5": 0.981,
    "coarse": 0.887,
    "ece": 0.032,
    "swap_caught_other_group": 0.965,
    "swap_caught_sibling": 0.64,
    "auroc_drawn": 0.74,
}
DEPARTMENTS_ON_TEST = "0.92 to 0.98"
"""This and ON_TEST: what the design's prototype of this method reached on the 2,485 photos of test; read there."""


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A split as the untrained network sees it: paths, class numbers, and vectors (photos, n) as the head takes them.

    embeddings  (photos, n) the same before normalising
    """

    photos: Photos
    embeddings: np.ndarray

    @property
    def vectors(self) -> np.ndarray:
        """Return the normalised embeddings."""
        return normalised(self.embeddings.astype(np.float64))


def pictures(data: Path, chosen: Photos) -> np.ndarray:
    """Return what the method shows the network, uint8 (n, 224, 224, 3): the middle of the photo at 256 pixels."""
    edge = (SIDE_PX - CROP_PX) // 2
    inner = slice(edge, edge + CROP_PX)
    return np.stack([preprocess(photo.load(data / path), SIDE_PX)[inner, inner] for path in chosen.paths])


def measured(train: Frozen, val: Frozen, labels: Labels) -> dict[str, float]:
    """Return the figures of the method on val, under the keys of ROWS, and "auroc_DEPARTMENT" for each.

    Sharpness and limit come from val itself, as they did where the method's figures on test come from.
    """
    statistics = Statistics.of(train.vectors, train.photos.classes)
    whitening, near = fit(statistics, Habits(SHRINKAGE)), nearness.fitted(statistics, Habits(SHRINKAGE))
    cosines = whitening.cosines(val.vectors)
    _, sharpness, outlier = best_sharpness(cosines, val.photos.classes)
    calibration = Calibration(sharpness, outlier, 0.0, 0.0, 0.0, NONE_PRIOR, 0, 0)
    disagree, agree = verdict_limits(cosines, val.photos.classes, calibration)
    calibration = Calibration(sharpness, outlier, 0.0, 0.0, 0.0, NONE_PRIOR, agree, disagree)
    groups = dict(zip(labels.fine, labels.coarse, strict=True))
    head = Head(labels.fine, groups, whitening.centre, whitening.projection, whitening.means, near, calibration)
    found = figures(head, val.embeddings, val.photos.classes)
    result = {key: float(found[key]) for key in ROWS if key in found}
    result["auroc_drawn"] = float(np.mean([strangers(train, val, unknown) for unknown in drawn(len(labels.fine))]))
    of_train = departments(train.photos)
    for name in np.unique(of_train):
        unknown = np.unique(train.photos.classes[of_train == name])
        result[f"auroc_{name.lower()}"] = strangers(train, val, unknown)
    return result


def drawn(classes: int) -> list[np.ndarray]:
    """Return LEFT_OUT class numbers, DRAWS times."""
    draw = np.random.default_rng(0)
    return [draw.permutation(classes)[:LEFT_OUT] for _ in range(DRAWS)]


def strangers(train: Frozen, val: Frozen, unknown: np.ndarray) -> float:
    """Return how well the largest cosine tells val's photos of known products from those of unknown ones, AUROC.

    The head does without the unknown products; the network never learnt any.
    """
    learnt = ~np.isin(train.photos.classes, unknown)
    head = fit(Statistics.of(train.vectors[learnt], train.photos.classes[learnt]), Habits(SHRINKAGE))
    largest = head.cosines(val.vectors).max(axis=1)
    strange = np.isin(val.photos.classes, unknown)
    return auroc(largest[~strange], largest[strange])


def table(found: dict[str, float]) -> str:
    """Return the figures as a Markdown table beside those on test."""
    lines = ["| figure | val, measured here | test, as the design states it |", "|---|---|---|"]
    lines += [f"| {what} | {found[key]:.3f} | {ON_TEST[key]:.3f} |" for key, what in ROWS.items()]
    for key in sorted(found.keys() - ROWS.keys()):
        lines.append(f"| all {key.removeprefix('auroc_')} unknown, AUROC | {found[key]:.3f} | {DEPARTMENTS_ON_TEST} |")
    return "\n".join(lines)
