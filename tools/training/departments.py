"""How strangers fare that are unlike all that was learnt: a backbone trained without a whole department.

The second backbone (see `apart`) does without some products of each kind. Here all fruit, all vegetables or all
packages are unknown, to the backbone and to the head, as a new kind of goods would be. Val is measured against val.
"""

from dataclasses import dataclass

import numpy as np

from cart.vision.bench.figures import auroc
from tools.training.fitting import Views, fits
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

    auroc, low, high  of the largest cosine; 5 and 95 % of what products drawn again give
    top1              of the known products among themselves
    known, strange    photos
    """

    auroc: float
    low: float
    high: float
    top1: float
    known: int
    strange: int


def without(chosen: Photos, department: str) -> Photos:
    """Return the photos of all other departments."""
    keep = departments(chosen) != department
    return Photos(tuple(np.array(chosen.paths)[keep].tolist()), chosen.classes[keep])


def measured(train: Views, val: Views, unknown: np.ndarray) -> Found:
    """Return how well val's photos of the unknown products are told from those of the others.

    unknown  class numbers, of which neither the backbone nor the head learns anything
    """
    learnt = ~np.isin(train.classes, unknown)
    head = next(fits(*train.stacked(learnt), (SHRINKAGE,)))
    cosines = head.cosines(val.vectors[0])
    largest, strange = cosines.max(axis=1), np.isin(val.classes, unknown)
    low, high = interval(largest, val.classes, strange)
    named = np.unique(train.classes[learnt])[cosines[~strange].argmax(axis=1)]
    right = float((named == val.classes[~strange]).mean())
    both = auroc(largest[~strange], largest[strange])
    return Found(both, low, high, right, int((~strange).sum()), int(strange.sum()))


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
