"""How strangers fare that neither backbone nor head learnt: a whole department, or products drawn by lot.

The second backbone (see `apart`) does without some products of each kind. Here all fruit, all vegetables or all
packages are unknown, as a new kind of goods would be, or a fifth to a quarter of the products. Val is measured against
val, by the score of the product: the packaged calibration says how much the race and nearness say.
"""

from dataclasses import dataclass

import numpy as np

from cart.edge.classifier import PACKAGED_DIR
from cart.vision import nearness
from cart.vision.bench.figures import auroc
from cart.vision.classify import Head, none_log_odds
from cart.vision.head_file import RANK
from cart.vision.head_fit import Habits, Statistics, fit
from tools.training.fitting import Views
from tools.training.photos import Photos, departments

STAGES = ((160, 6), (192, 3), (224, 3))
"""The usual recipe with 12 of 42 epochs: about 12 minutes of one core for a department."""

SHRINKAGE = 0.5
"""The shipped head's."""

DRAWS = 300
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a department's photos.

    auroc, low, high  of the log odds of none; 5 and 95 % of what products drawn again give
    auroc_cosine      of the largest cosine, to compare
    top1              of the known products among themselves
    known, strange    photos
    """

    auroc: float
    low: float
    high: float
    auroc_cosine: float
    top1: float
    known: int
    strange: int


def of_department(chosen: Photos, department: str) -> np.ndarray:
    """Return the class numbers of a department's products."""
    return np.unique(chosen.classes[departments(chosen) == department])


def without(chosen: Photos, unknown: np.ndarray) -> Photos:
    """Return the photos of all products but those of these class numbers."""
    keep = ~np.isin(chosen.classes, unknown)
    return Photos(tuple(np.array(chosen.paths)[keep].tolist()), chosen.classes[keep])


def measured(train: Views, val: Views, unknown: np.ndarray) -> Found:
    """Return how well val's photos of the unknown products are told from those of the others.

    unknown  class numbers, of which neither the backbone nor the head learns anything
    """
    learnt = ~np.isin(train.classes, unknown)
    statistics, habits = Statistics.of(*train.stacked(learnt), len(train.vectors), RANK), Habits(SHRINKAGE)
    cosines = fit(statistics, habits).cosines(val.vectors[0])
    near = nearness.fitted(statistics, habits).of(val.vectors[0])
    scores, strange = -none_log_odds(cosines, near, Head.load(PACKAGED_DIR).calibration), np.isin(val.classes, unknown)
    low, high = interval(scores, val.classes, strange)
    named = np.unique(train.classes[learnt])[cosines[~strange].argmax(axis=1)]
    right = float((named == val.classes[~strange]).mean())
    of_score, of_cosine = (auroc(each[~strange], each[strange]) for each in (scores, cosines.max(axis=1)))
    return Found(of_score, low, high, of_cosine, right, int((~strange).sum()), int(strange.sum()))


def interval(scores: np.ndarray, classes: np.ndarray, strange: np.ndarray) -> tuple[float, float]:
    """Return the AUROC between which nine in ten lie when the products of both sides are drawn again, whole.

    Photos of one product are alike, so drawing photos would promise too much.
    """
    draw = np.random.default_rng(0)

    def again(side: np.ndarray) -> np.ndarray:
        there = np.unique(classes[side])
        return np.concatenate([scores[side & (classes == one)] for one in draw.choice(there, len(there))])

    found = [auroc(again(~strange), again(strange)) for _ in range(DRAWS)]
    low, high = np.quantile(found, (LOW, HIGH))
    return float(low), float(high)
