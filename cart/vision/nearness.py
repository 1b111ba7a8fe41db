"""How much nearer a photo is to one of the products than to goods in general: what tells a stranger of another kind.

That is the relative Mahalanobis distance of Ren et al. 2021 ("A simple fix to Mahalanobis distance for improving
near-OOD detection", arXiv:2106.09022): the squared distance of a photo from the middle of all photos, measured by how
all photos spread, less its squared distance from the nearest class mean, measured by how photos of one product spread.
What is odd about a photo and has nothing to do with what it shows counts in both and goes.

Both spreads are those of `Statistics`, so a product that is enrolled or forgotten changes them as it changes the head.
"""

from dataclasses import dataclass

import numpy as np

from cart.vision.head_fit import ENROLMENT_PHOTOS, Habits, Statistics

SHRINKAGE = 0.8
"""Share of "alike in all directions" in both spreads (docs/CLASSIFIER.md, "Strangers")."""

RANK = 64
"""Directions in which the spread within a product is told apart; all 512 of the file are no better than these."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearness:
    """The difference of the two distances as one quadratic form. All of it in float32: a cart asks for every photo.

    centre     (n,) mean of all photos
    directions (d, n) orthonormal rows: in all others both spreads are alike in every direction
    form       (d, d) what the form is along them beyond `rest`
    rest       the form along every direction
    planes     (classes, d) and
    levels     (classes,): the term of a class mean at the offset m is 2 m'Wz - m'Wm, W being the spread within,
               inverted, and z the photo's offset
    """

    centre: np.ndarray
    directions: np.ndarray
    form: np.ndarray
    rest: float
    planes: np.ndarray
    levels: np.ndarray

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return the nearness of normalised embeddings, (...) of (..., n); the larger the likelier one is known."""
        offsets = vectors - self.centre
        along = offsets @ self.directions.T
        shared = self.rest * (offsets**2).sum(axis=-1) + ((along @ self.form) * along).sum(axis=-1)
        return shared + self._terms(along).max(axis=-1)

    def terms(self, vectors: np.ndarray) -> np.ndarray:
        """Return what each class adds, (..., classes): of these the largest counts."""
        return self._terms((vectors - self.centre) @ self.directions.T)

    def _terms(self, along: np.ndarray) -> np.ndarray:
        return along @ self.planes.T - self.levels


def fitted(statistics: Statistics, habits: Habits) -> Nearness:
    """Return the nearness to the products of these statistics: some 20 ms for 81 of them."""
    size = statistics.means.shape[1]
    shares = statistics.counts / statistics.counts.sum()
    centre = shares @ statistics.means
    offsets = statistics.means - centre
    few = statistics.of_rank(RANK)
    # Whatever differs between directions differs within these: outside, both spreads are `few.rest` all over.
    directions = np.linalg.qr(np.concatenate([few.directions, offsets]).T)[0].T
    own, means = few.directions @ directions.T, offsets @ directions.T
    within = (own.T * (few.spreads - few.rest)) @ own + few.rest * np.eye(len(directions))
    total = within + (means.T * shares) @ means
    near, near_rest = _inverse(within, few.rest, size)
    general, general_rest = _inverse(total, few.rest, size)
    rest = general_rest - near_rest
    planes = means @ near
    levels = (planes * means).sum(axis=1) - _allowances(statistics, habits)
    form = general - near - rest * np.eye(len(directions))
    arrays = (array.astype(np.float32) for array in (centre, directions, form, 2.0 * planes, levels))
    centre, directions, form, planes, levels = arrays
    return Nearness(centre, directions, form, rest, planes, levels)


def _inverse(spread: np.ndarray, rest: float, size: int) -> tuple[np.ndarray, float]:
    """Return the inverse of a shrunk spread: along the directions (d, d), and along each of the others."""
    mean = (np.trace(spread) + rest * (size - len(spread))) / size
    along = (1.0 - SHRINKAGE) * spread + SHRINKAGE * mean * np.eye(len(spread))
    return np.linalg.inv(along), float(1.0 / ((1.0 - SHRINKAGE) * rest + SHRINKAGE * mean))


def _allowances(statistics: Statistics, habits: Habits) -> np.ndarray:
    """Return what each class's term is raised by: an enrolled mean of few photos points aside."""
    result = np.zeros(len(statistics.counts))
    result[statistics.trained :] = habits.allowance * ENROLMENT_PHOTOS / statistics.counts[statistics.trained :]
    return result
