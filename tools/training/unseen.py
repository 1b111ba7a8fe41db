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
from cart.vision.bench.figures import UNKNOWN, auroc, calibration_error, random_folds
from cart.vision.classify import Calibration, logits
from cart.vision.head_file import RANK
from cart.vision.head_fit import DIMENSIONS, ENROLMENT_PHOTOS, Habits, Statistics, Whitening, fit
from tools.training.apart import Apart
from tools.training.fitting import (
    LOOKS,
    SHRINKAGES,
    Views,
    best_sharpness,
    fits,
    logistic,
    look_folds,
    significant,
    verdict_limits,
)

NONE_PRIOR = 0.05
"""An assumption, not a measurement: one photo in twenty shows something that this model does not know."""

DISTINCT_REFUSED = 0.05
"""Share of products that are new and are yet taken for a duplicate, because a photo does not tell them apart."""

Facts = dict[str, float | int | None]


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
    strangers = Strangers.met(data, second, shrinkage)
    offset, weight = logistic(strangers.known, strangers.both)
    calibration = Calibration(sharpness, outlier, weight, offset, NONE_PRIOR, 0, 0)
    disagree, agree = verdict_limits(found.cosines, found.classes, calibration)
    calibration = replace(calibration, agree_millinat=agree, disagree_millinat=disagree)
    habits = Habits(shrinkage, strangers.gain, strangers.duplicate_cosine)
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


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """What becomes of products that the second backbone never saw, before and after they are enrolled.

    known             largest cosine of each unseen photo of a known product: held looks, then val
    siblings, groups  the same of each photo of a stranger, whose group is known, or is not: of train, then of val
    of_train          how many photos of each of these three are of train
    enrolled_looks    (photos, 2) true class and likeliest, after enrolment from ten photos of other looks
    enrolled_val      the same of val photos, after enrolment from ten train photos
    gain              cosine with a mean of a whole training set over that with a mean of ten photos, >= 1
    duplicate_cosine  from here on the mean of new photos is taken for a product that is known
    duplicates        cosine of a held look of each known product with that product
    """

    known: np.ndarray
    siblings: np.ndarray
    groups: np.ndarray
    of_train: tuple[int, int, int]
    enrolled_looks: np.ndarray
    enrolled_val: np.ndarray
    gain: float
    duplicate_cosine: float
    duplicates: np.ndarray

    @property
    def both(self) -> np.ndarray:
        """Largest cosines of strangers of either kind."""
        return np.concatenate([self.siblings, self.groups])

    @classmethod
    def met(cls, data: Embedded, second: Statistics, shrinkage: float) -> "Strangers":
        """Return what the second backbone makes of its strangers."""
        head = fit(second, Habits(shrinkage))
        train, val, apart = data.apart_train, data.apart_val, data.apart

        def largest(*marked: tuple[Views, np.ndarray]) -> np.ndarray:
            return np.concatenate([head.cosines(views.vectors[0][keep]).max(axis=1) for views, keep in marked])

        def photos_of(numbers: np.ndarray) -> tuple[tuple[Views, np.ndarray], ...]:
            return (train, np.isin(train.classes, numbers)), (val, np.isin(val.classes, numbers))

        held = data.held & np.isin(train.classes, apart.known)
        new = np.sort(np.concatenate([apart.siblings, apart.groups]))
        looks, within, nearest = _enrolled_by_look(train, second, head, new, apart, shrinkage)
        own = np.take_along_axis(
            head.cosines(train.vectors[0][held]), apart.numbers(train.classes[held])[:, None], axis=1
        )
        gain = significant(max(1.0, float(own.mean() / within.mean())))
        whole = _enrolling(train, second, new, np.isin(train.classes, new))
        seen = np.isin(val.classes, new)
        found = fit(whole, Habits(shrinkage, gain)).cosines(val.vectors[0][seen]).argmax(axis=1)
        order = np.concatenate([apart.known, new])
        return cls(
            largest((train, held), (val, np.isin(val.classes, apart.known))),
            largest(*photos_of(apart.siblings)),
            largest(*photos_of(apart.groups)),
            (int(held.sum()), *(int(np.isin(train.classes, kind).sum()) for kind in (apart.siblings, apart.groups))),
            _with_gain(looks, gain, order, len(apart.known)),
            np.stack([val.classes[seen], order[found]], axis=1),
            gain,
            significant(float(np.quantile(nearest, 1.0 - DISTINCT_REFUSED))),
            np.array([_look_mean_cosine(train, head, apart, held, number) for number in apart.known]),
        )

    def facts(self) -> Facts:
        """Return the figures for the card."""
        looks = self.enrolled_looks[:, 0] == self.enrolled_looks[:, 1]
        val = self.enrolled_val[:, 0] == self.enrolled_val[:, 1]
        return {
            "strangers_siblings": len(self.siblings),
            "strangers_groups": len(self.groups),
            "strangers_known": len(self.known),
            "auroc_siblings": auroc(self.known, self.siblings),
            "auroc_groups": auroc(self.known, self.groups),
            **self._by_split("siblings", self.siblings, self.of_train[1]),
            **self._by_split("groups", self.groups, self.of_train[2]),
            "enrolled_looks": len(looks),
            "enrolled_looks_top1": float(looks.mean()) if len(looks) else None,
            "enrolled_val": len(val),
            "enrolled_val_top1": float(val.mean()) if len(val) else None,
            "enrolled_gain": self.gain,
            "duplicate_cosine": self.duplicate_cosine,
            "duplicates_found": float((self.duplicates >= self.duplicate_cosine).mean()),
        }

    def _by_split(self, kind: str, strange: np.ndarray, of_train: int) -> Facts:
        """Return how strangers are told from known products within train and within val.

        The two differ in how near their photos come to what was learnt, whatever they show, so mixing them blurs it.
        """
        result: Facts = {}
        split_known = np.split(self.known, [self.of_train[0]])
        for split, known, mine in zip(("train", "val"), split_known, np.split(strange, [of_train]), strict=True):
            result[f"strangers_{kind}_{split}"] = len(mine)
            result[f"auroc_{kind}_{split}"] = auroc(known, mine) if len(mine) and len(known) else None
        return result


Enrolled = tuple[np.ndarray, np.ndarray]
"""True classes (photos,) and cosines (photos, known + new) at gain 1, new ones behind the known."""


def _enrolled_by_look(
    train: Views, second: Statistics, head: Whitening, new: np.ndarray, apart: Apart, shrinkage: float
) -> tuple[Enrolled, np.ndarray, np.ndarray]:
    """Return what becomes of each look of a new product that is enrolled from its other looks.

    That is all such photos with their cosines, the cosine of each with its own product, and for each look the cosine
    of its mean with the nearest product that is known.
    """
    mine = np.isin(train.classes, new)
    folds = np.full(len(train.classes), -1)
    folds[mine] = look_folds(train.vectors[0][mine], train.classes[mine], LOOKS)
    classes, cosines, nearest = [], [], []
    for fold in range(LOOKS):
        enrolled = _enrolling(train, second, new, mine & (folds != fold))
        seen = folds == fold
        classes.append(train.classes[seen])
        cosines.append(fit(enrolled, Habits(shrinkage)).cosines(train.vectors[0][seen]))
        for number in new:
            look = seen & (train.classes == number)
            if look.any():
                nearest.append(float(head.cosines(_enrolment(train, look)[0][None]).max()))
    true, rows = np.concatenate(classes), np.concatenate(cosines)
    within = rows[np.arange(len(true)), len(apart.known) + np.searchsorted(new, true)]
    return (true, rows), within, np.array(nearest)


def _with_gain(enrolled: Enrolled, gain: float, order: np.ndarray, known: int) -> np.ndarray:
    """Return (photos, 2) true class and likeliest, with the cosines of new products times their gain."""
    true, cosines = enrolled
    gains = np.where(np.arange(len(order)) < known, 1.0, gain)
    return np.stack([true, order[(cosines * gains).argmax(axis=1)]], axis=1)


def _enrolling(train: Views, second: Statistics, new: np.ndarray, usable: np.ndarray) -> Statistics:
    """Return the statistics with each new product enrolled from at most ten of its usable photos."""
    result = second
    for number in new:
        result = result.with_class(*_enrolment(train, usable & (train.classes == number)))
    return result


def _enrolment(views: Views, marked: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the mean over all views of at most ENROLMENT_PHOTOS marked photos, spread evenly, and their number."""
    photos = np.flatnonzero(marked)
    photos = photos[np.linspace(0, len(photos) - 1, min(ENROLMENT_PHOTOS, len(photos))).round().astype(int)]
    return views.vectors[:, photos].mean(axis=(0, 1)), len(photos)


def _look_mean_cosine(train: Views, head: Whitening, apart: Apart, held: np.ndarray, number: int) -> float:
    """Return the cosine of the mean of a product's held look with that product: what a true duplicate reaches."""
    mean, _ = _enrolment(train, held & (train.classes == number))
    return float(head.cosines(mean[None])[0, apart.numbers(np.array([number]))[0]])


def _top1(found: Unseen, marked: np.ndarray) -> float | None:
    """Return the share of the marked photos that are right, None of no photo at all."""
    right = found.cosines[marked].argmax(axis=1) == found.classes[marked]
    return float(right.mean()) if len(right) else None
