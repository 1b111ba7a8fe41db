"""What heads say of photos that neither they nor their backbone learnt, and all that is chosen from it.

A fine-tuned backbone is surer of the photos that it learnt than of any other, so nothing can be chosen on them, not
even by leaving them out of the head. What is left are two kinds of photos:

* val, with the shipped backbone and a head on all train photos;
* the looks held back from the second backbone (see `apart`), with that one and a head on what it learnt.

Strangers, and products enrolled from ten photos, are known to the second backbone alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cart.vision.bench import swaps
from cart.vision.bench.figures import UNKNOWN, calibration_error, random_folds
from cart.vision.classify import Calibration, logits
from cart.vision.head_file import RANK
from cart.vision.head_fit import DIMENSIONS, Habits, Statistics, Whitening, fit
from tools.training.apart import Apart
from tools.training.fitting import (
    SHRINKAGES,
    Views,
    best_sharpness,
    fits,
    verdict_limits,
)
from tools.training.strangers import NONE_PRIOR, Facts, Strangers


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The data as both backbones see it; the first view is the cart's, and val has no other.

    train, val              by the shipped backbone
    apart_train, apart_val  by the second backbone
    apart                   what that one did without
    held                    (train photos,) True for those held back from it
    """

    train: Views
    val: Views
    apart_train: Views
    apart_val: Views
    apart: Apart
    held: np.ndarray

    @property
    def learnt(self) -> np.ndarray:
        """(train photos,) True for those that the second backbone learnt."""
        return np.isin(self.apart_train.classes, self.apart.known) & ~self.held


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """Cosines (photos, classes), true classes (photos,), and (photos,) True in `val` for the shipped backbone's."""

    cosines: np.ndarray
    classes: np.ndarray
    val: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a head is fitted from, with its calibration, and what the choices rest on.

    facts  what was chosen, and the figures by which it was, for the card and the report
    """

    statistics: Statistics
    habits: Habits
    calibration: Calibration
    facts: Facts


def fit_head(data: Embedded, groups: np.ndarray, progress: Callable[[str], None]) -> Fitted:
    """Return the head on all train photos; groups (classes,) are the numbers of the coarse groups."""
    progress("gathering the statistics of both backbones")
    shipped = Statistics.of(*data.train.stacked(np.ones(len(data.train.classes), bool)), len(data.train.vectors), RANK)
    second = Statistics.of(*data.apart_train.stacked(data.learnt), len(data.apart_train.vectors), RANK)
    progress("choosing the shrinkage on photos that nobody learnt")
    tried = {shrinkage: unseen(data, shipped, second, shrinkage) for shrinkage in SHRINKAGES}
    loss = {shrinkage: best_sharpness(found.cosines, found.classes)[0] for shrinkage, found in tried.items()}
    shrinkage = min(loss, key=loss.__getitem__)
    found = tried[shrinkage]
    # The sharpness is the shipped backbone's own: the second one is less sure, and rightly so.
    nll, sharpness, outlier = best_sharpness(found.cosines[found.val], found.classes[found.val])

    progress("meeting strangers, and enrolling them")
    strangers = Strangers.met(data, second, shrinkage, sharpness)
    calibration = Calibration(sharpness, outlier, *strangers.odds, NONE_PRIOR, 0, 0)
    disagree, agree = verdict_limits(found.cosines, found.classes, calibration)
    calibration = replace(calibration, agree_millinat=agree, disagree_millinat=disagree)
    habits = Habits(shrinkage, strangers.gain, strangers.duplicate_cosine, strangers.allowance)
    facts: Facts = {
        "shrinkage": shrinkage,
        "dimensions": DIMENSIONS,
        "classes": len(groups),
        "photos": len(data.train.classes),
        "views": len(data.train.vectors),
        "unseen": len(found.classes),
        "unseen_val": int(found.val.sum()),
        "val_nll": nll,
        "ece_cross": ece_cross(found.cosines[found.val], found.classes[found.val]),
        "refit_top1": refit_top1(data, shrinkage),
        "held_top1": _top1(found, ~found.val),
        **strangers.facts(),
        **swaps.figures(found.cosines, found.classes, groups, calibration),
    }
    return Fitted(shipped, habits, calibration, facts)


def unseen(data: Embedded, shipped: Statistics, second: Statistics, shrinkage: float) -> Unseen:
    """Return the cosines of val by the shipped backbone and of the held looks by the second."""
    val = fit(shipped, Habits(shrinkage)).cosines(data.val.vectors[0])
    held = data.held & np.isin(data.apart_train.classes, data.apart.known)
    looks = widened(fit(second, Habits(shrinkage)), data.apart_train.vectors[0][held], data.apart, val.shape[1])
    return Unseen(
        np.concatenate([val, looks]),
        np.concatenate([data.val.classes, data.apart_train.classes[held]]),
        np.arange(len(val) + len(looks)) < len(val),
    )


def ece_cross(cosines: np.ndarray, classes: np.ndarray) -> float:
    """Return the expected calibration error with the sharpness from four fifths of the photos, tried on the rest."""
    folds = random_folds(classes, swaps.FOLDS)
    confidence = np.zeros(len(classes))
    for fold in range(swaps.FOLDS):
        rest = folds != fold
        _, sharpness, outlier = best_sharpness(cosines[rest], classes[rest])
        each = logits(cosines[~rest], sharpness)
        chances = np.exp(each - np.logaddexp.reduce(each, axis=1, keepdims=True))
        confidence[~rest] = (1.0 - outlier) * chances.max(axis=1) + outlier / cosines.shape[1]
    return calibration_error(confidence, cosines.argmax(axis=1) == classes)


def refit_top1(data: Embedded, shrinkage: float) -> float:
    """Return the share of val photos that are right with a head on train and the other four fifths of val."""
    vectors, classes = data.train.stacked(np.ones(len(data.train.classes), bool))
    folds = random_folds(data.val.classes, swaps.FOLDS)
    right = np.zeros(len(folds), bool)
    for fold in range(swaps.FOLDS):
        more, mine = folds != fold, folds == fold
        both = np.concatenate([vectors, data.val.vectors[0][more]])
        head = next(fits(both, np.concatenate([classes, data.val.classes[more]]), (shrinkage,)))
        right[mine] = head.cosines(data.val.vectors[0][mine]).argmax(axis=1) == data.val.classes[mine]
    return float(right.mean())


def widened(head: Whitening, vectors: np.ndarray, apart: Apart, classes: int) -> np.ndarray:
    """Return the cosines (photos, classes) of the second backbone's head, UNKNOWN for what it does not know."""
    result = np.full((len(vectors), classes), UNKNOWN)
    result[:, apart.known] = head.cosines(vectors)
    return result


def _top1(found: Unseen, marked: np.ndarray) -> float | None:
    """Return the share of the marked photos that are right, None of no photo at all."""
    right = found.cosines[marked].argmax(axis=1) == found.classes[marked]
    return float(right.mean()) if len(right) else None
