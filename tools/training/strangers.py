"""What becomes of products that the second backbone never saw, and the odds of "none of these" fitted on them.

Two signs tell that no known product is shown, the race and nearness (`cart.vision.classify.none_log_odds`). How much
each says is fitted here, on photos that nobody learnt: held looks and val of known products against strangers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cart.vision import nearness
from cart.vision.bench import swaps
from cart.vision.bench.figures import auroc
from cart.vision.classify import race
from cart.vision.head_fit import ENROLMENT_PHOTOS, Habits, Statistics, Whitening, fit
from cart.vision.nearness import Nearness
from tools.training.fitting import LOOKS, Views, logistic, look_folds, significant

if TYPE_CHECKING:
    from tools.training.apart import Apart
    from tools.training.unseen import Embedded

NONE_PRIOR = 0.05
"""An assumption, not a measurement: one photo in twenty shows something that this model does not know."""

NEARNESS_SHARE = 0.75
"""How much nearness says of strangers beside the race, each by its spread over unseen photos of known products.

A written constant: a fit on the second backbone's strangers, who are mostly siblings, would leave nearly all to the
race, and goods of another kind are told by nearness (docs/CLASSIFIER.md, "Strangers")."""

DISTINCT_REFUSED = 0.05
"""Share of products that are new and are yet taken for a duplicate, because a photo does not tell them apart."""

Facts = dict[str, float | int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Seconds:
    """The second backbone's head with some products, enrolled ones behind the others."""

    habits: Habits
    head: Whitening
    near: Nearness

    @classmethod
    def of(cls, statistics: Statistics, habits: Habits) -> Seconds:
        """Return what a cart would have of these statistics."""
        return cls(habits, fit(statistics, habits), nearness.fitted(statistics, habits))

    def signs(self, vectors: np.ndarray, sharpness: float) -> np.ndarray:
        """Return what tells a stranger, (photos, 2): by how much the likeliest is ahead, and nearness."""
        return np.stack([race(self.head.cosines(vectors), sharpness), self.near.of(vectors)], axis=1)


class Odds(NamedTuple):
    """The log odds that no known product is shown: offset, and weights of the two signs. As in `Calibration`."""

    offset: float
    race: float
    nearness: float

    @classmethod
    def fitted(cls, known: np.ndarray, strange: np.ndarray) -> Odds:
        """Return them from signs (photos, 2) of both kinds; only offset and slope of the sum of both are fitted."""
        shares = np.array([1.0, NEARNESS_SHARE]) / known.std(axis=0)
        offset, weight = logistic(known @ shares, strange @ shares)
        return cls(offset, *(significant(weight * share) for share in shares))

    def of(self, signs: np.ndarray) -> np.ndarray:
        """Return the log odds of each photo, strangers and known products alike beforehand."""
        return self.offset + signs @ np.array(self[1:])


class Enrolled(NamedTuple):
    """Photos of enrolled products: true class and likeliest of each, and its log odds of none (even beforehand)."""

    true: np.ndarray
    likeliest: np.ndarray
    none: np.ndarray

    @property
    def top1(self) -> float | None:
        """The share that is right, None of no photo at all."""
        return float((self.true == self.likeliest).mean()) if len(self.true) else None


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """What becomes of products that the second backbone never saw, before and after they are enrolled.

    odds              that no known product is shown, as fitted on all of these
    known             log odds that it is one, of each unseen photo of a known product: held looks, then val
    siblings, groups  the same of each photo of a stranger, whose group is known, or is not: of train, then of val
    of_train          how many photos of each of these three are of train
    nll_cross         mean negative log-likelihood of both kinds in nats, odds from four fifths of the products
    looks, val        of new products after enrolment from ten photos: of other looks, and of train
    gain, allowance   see `Habits`
    duplicate_cosine  from here on the mean of new photos is taken for a product that is known
    duplicates        cosine of a held look of each known product with that product
    """

    odds: Odds
    known: np.ndarray
    siblings: np.ndarray
    groups: np.ndarray
    of_train: tuple[int, int, int]
    nll_cross: float
    looks: Enrolled
    val: Enrolled
    gain: float
    allowance: float
    duplicate_cosine: float
    duplicates: np.ndarray

    @classmethod
    def met(cls, data: Embedded, second: Statistics, shrinkage: float, sharpness: float) -> Strangers:
        """Return what the second backbone makes of its strangers."""
        plain = Seconds.of(second, Habits(shrinkage))
        train, val, apart = data.apart_train, data.apart_val, data.apart
        held = data.held & np.isin(train.classes, apart.known)

        def signs(of_train: np.ndarray, of_val: np.ndarray) -> np.ndarray:
            vectors = np.concatenate([train.vectors[0][of_train], val.vectors[0][of_val]])
            return plain.signs(vectors, sharpness)

        kinds = [
            (np.isin(train.classes, apart.siblings), np.isin(val.classes, apart.siblings)),
            (np.isin(train.classes, apart.groups), np.isin(val.classes, apart.groups)),
        ]
        marked = [(held, np.isin(val.classes, apart.known)), *kinds]
        known, siblings, groups = (signs(*kind) for kind in marked)
        classes = [np.concatenate([train.classes[some], val.classes[others]]) for some, others in marked]
        both = np.concatenate([siblings, groups])
        odds = Odds.fitted(known, both)

        new = np.sort(np.concatenate([apart.siblings, apart.groups]))
        folds = _folds_of_looks(train, new)
        gain, allowance = _aside(train, second, plain, new, folds, held, apart)
        habits = Habits(shrinkage, gain, 1.0, allowance)
        nearest = _nearest(train, plain.head, new, folds)
        order = np.concatenate([apart.known, new])

        def enrolled(usable: np.ndarray, views: Views, seen: np.ndarray) -> Enrolled:
            taught = Seconds.of(_enrolling(train, second, new, usable), habits)
            likeliest = order[taught.head.cosines(views.vectors[0][seen]).argmax(axis=1)]
            none = odds.of(taught.signs(views.vectors[0][seen], sharpness))
            return Enrolled(views.classes[seen], likeliest, none)

        by_look = [enrolled((folds >= 0) & (folds != fold), train, folds == fold) for fold in range(LOOKS)]
        return cls(
            odds,
            *(-odds.of(kind) for kind in (known, siblings, groups)),
            (int(held.sum()), *(int(some.sum()) for some, _ in kinds)),
            none_nll_cross(known, classes[0], both, np.concatenate(classes[1:])),
            Enrolled(*(np.concatenate(parts) for parts in zip(*by_look, strict=True))),
            enrolled(folds >= 0, val, np.isin(val.classes, new)),
            gain,
            allowance,
            significant(float(np.quantile(nearest, 1.0 - DISTINCT_REFUSED))),
            np.array([_look_mean_cosine(train, plain.head, apart, held, number) for number in apart.known]),
        )

    def facts(self) -> Facts:
        """Return the figures for the card."""
        strange = np.concatenate([self.siblings, self.groups])
        return {
            "strangers_siblings": len(self.siblings),
            "strangers_groups": len(self.groups),
            "strangers_known": len(self.known),
            "auroc_siblings": auroc(self.known, self.siblings),
            "auroc_groups": auroc(self.known, self.groups),
            **self._by_split("siblings", self.siblings, self.of_train[1]),
            **self._by_split("groups", self.groups, self.of_train[2]),
            "none_nll_cross": self.nll_cross,
            "none_known": none_mean(-self.known),
            "none_strangers": none_mean(-strange),
            "enrolled_looks": len(self.looks.true),
            "enrolled_looks_top1": self.looks.top1,
            "enrolled_looks_none": none_mean(self.looks.none),
            "enrolled_val": len(self.val.true),
            "enrolled_val_top1": self.val.top1,
            "enrolled_val_none": none_mean(self.val.none),
            "enrolled_gain": self.gain,
            "enrolled_allowance": self.allowance,
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


def none_mean(odds: np.ndarray) -> float | None:
    """Return the mean probability of "none of these" with the prior of the cart, None of no photo at all."""
    prior = math.log(NONE_PRIOR / (1.0 - NONE_PRIOR))
    return float(np.exp(-np.logaddexp(0.0, -(odds + prior))).mean()) if len(odds) else None


def none_nll_cross(known: np.ndarray, of_known: np.ndarray, strange: np.ndarray, of_strange: np.ndarray) -> float:
    """Return the mean negative log-likelihood of "stranger or not", both weighing half, of signs (photos, 2).

    of_known, of_strange  (photos,) classes: the odds come from four fifths of the products, the loss from the others'
    """
    losses = []
    for signs, other, classes, others, sign in (
        (known, strange, of_known, of_strange, 1.0),
        (strange, known, of_strange, of_known, -1.0),
    ):
        folds, other_folds = (np.unique(some, return_inverse=True)[1] % swaps.FOLDS for some in (classes, others))
        loss = np.zeros(len(signs))
        for fold in range(swaps.FOLDS):
            kept = signs[folds != fold], other[other_folds != fold]
            odds = Odds.fitted(*(kept if sign > 0 else kept[::-1]))
            loss[folds == fold] = np.logaddexp(0.0, sign * odds.of(signs[folds == fold]))
        losses.append(loss.mean())
    return float(np.mean(losses))


def _folds_of_looks(train: Views, new: np.ndarray) -> np.ndarray:
    """Return the look of each train photo of a new product, (photos,), -1 for all others."""
    mine = np.isin(train.classes, new)
    folds = np.full(len(train.classes), -1)
    folds[mine] = look_folds(train.vectors[0][mine], train.classes[mine], LOOKS)
    return folds


def _aside(
    train: Views, second: Statistics, plain: Seconds, new: np.ndarray, folds: np.ndarray, held: np.ndarray, apart: Apart
) -> tuple[float, float]:
    """Return gain and allowance: a held look against a product learnt whole, beside one against a product enrolled."""
    cosines, terms = [], []
    for fold in range(LOOKS):
        seen = folds == fold
        taught = Seconds.of(_enrolling(train, second, new, (folds >= 0) & ~seen), plain.habits)
        own = len(apart.known) + np.searchsorted(new, train.classes[seen])
        cosines.append(_of_own(taught.head.cosines(train.vectors[0][seen]), own))
        terms.append(_of_own(taught.near.terms(train.vectors[0][seen]), own))
    own = apart.numbers(train.classes[held])
    whole_cosine = _of_own(plain.head.cosines(train.vectors[0][held]), own).mean()
    whole_term = _of_own(plain.near.terms(train.vectors[0][held]), own).mean()
    gain, allowance = whole_cosine / np.concatenate(cosines).mean(), whole_term - np.concatenate(terms).mean()
    return significant(max(1.0, float(gain))), significant(max(0.0, float(allowance)))


def _of_own(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    return rows[np.arange(len(own)), own]


def _nearest(train: Views, head: Whitening, new: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return for each look of each new product the cosine of its mean with the nearest product that is known."""
    looks = [(train.classes == number) & (folds == fold) for number in new for fold in range(LOOKS)]
    return np.array([head.cosines(_enrolment(train, look)[0][None]).max() for look in looks if look.any()])


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
