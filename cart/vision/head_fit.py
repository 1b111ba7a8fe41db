"""The classifier's head in closed form, from what is known of each product in numbers: no photo, no network.

`Statistics` is all that the head rests on: how many photos each product has, their mean, and how photos of one product
differ from each other, which is taken to be alike for all products. Kept beside the head, it lets a cart learn a
product, or forget one, by fitting again: well under a second, and the network stays as it is. What the products'
photos differ in was measured on the training photos; ten more say nothing new about it, so enrolling leaves it alone.

The directions in which photos of one product differ are kept to a rank; what is left counts as alike in all others.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from cart.vision.vectors import unit

DIMENSIONS = 256
ENROLMENT_PHOTOS = 10
"""Photos of an enrolment, as `Habits.gain` was measured."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What was chosen by cross-validation over the training photos, and holds for every later fit.

    shrinkage         share of "alike in all directions" in the spread within a product, 0 to 1
    gain              cosine of a photo with the mean of its product's whole training set, over that with the mean of
                      ENROLMENT_PHOTOS, >= 1: a mean of few photos points aside
    duplicate_cosine  from here on the mean of new photos is taken for a product that is known already
    allowance         the same for nearness: the term of a photo with its product's whole training set, less that with
                      the mean of ENROLMENT_PHOTOS, >= 0
    """

    shrinkage: float
    gain: float = 1.0
    duplicate_cosine: float = 1.0
    allowance: float = 0.0

    def gain_of(self, photos: int) -> float:
        """Return the gain of a mean of so many photos: its error falls with their number."""
        return math.sqrt(1.0 + (self.gain**2 - 1.0) * ENROLMENT_PHOTOS / photos)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """What a head is fitted from.

    counts     (classes,) photos of each product
    means      (classes, n) mean of their normalised embeddings, over all views
    directions (rank, n) orthonormal rows: those in which photos of one product differ most
    spreads    (rank,) variance along each, in falling order
    rest       variance along every other direction
    trained    the first so many classes are the training's; those behind were enrolled
    """

    counts: np.ndarray
    means: np.ndarray
    directions: np.ndarray
    spreads: np.ndarray
    rest: float
    trained: int

    @classmethod
    def of(cls, vectors: np.ndarray, classes: np.ndarray, views: int = 1, rank: int | None = None) -> "Statistics":
        """Return the statistics of vectors (photos * views, n) of unit length; classes any set of numbers.

        rank  directions that are kept, all without one
        """
        numbers, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
        means = np.zeros((len(numbers), vectors.shape[1]))
        np.add.at(means, inverse, vectors)
        means /= counts[:, None]
        within = vectors - means[inverse]
        spreads, columns = np.linalg.eigh(within.T @ within / len(vectors))
        spreads, directions = np.maximum(spreads[::-1], 0.0), signed(columns.T[::-1])
        kept = len(spreads) if rank is None else rank
        # With all directions kept there is no other, and any number serves.
        rest = float(spreads[kept:].mean() if kept < len(spreads) else spreads[-1])
        return cls(counts / views, means, directions[:kept], spreads[:kept], rest, len(numbers))

    def with_class(self, mean: np.ndarray, photos: int) -> "Statistics":
        """Return these with one more class behind the others."""
        return replace(self, counts=np.append(self.counts, photos), means=np.concatenate([self.means, mean[None]]))

    def without(self, index: int) -> "Statistics":
        """Return these without the class of this number."""
        trained = self.trained - (index < self.trained)
        counts, means = (np.delete(array, index, axis=0) for array in (self.counts, self.means))
        return replace(self, counts=counts, means=means, trained=trained)

    def of_rank(self, rank: int) -> "Statistics":
        """Return these with at most so many directions; what the others held is spread evenly over the rest."""
        kept, size = min(rank, len(self.spreads)), self.means.shape[1]
        if kept == size:
            return self
        rest = (self.spreads[kept:].sum() + self.rest * (size - len(self.spreads))) / (size - kept)
        return replace(self, directions=self.directions[:kept], spreads=self.spreads[:kept], rest=float(rest))

    def only(self, keep: np.ndarray) -> "Statistics":
        """Return these with the classes that `keep` (classes,) marks."""
        return replace(self, counts=self.counts[keep], means=self.means[keep], trained=int(keep[: self.trained].sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """A fitted head: centre (n,), projection (n, d), means (classes, d) of unit length, those enrolled longer."""

    centre: np.ndarray
    projection: np.ndarray
    means: np.ndarray

    def cosines(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cosine with each class mean, (photos, classes), those enrolled times their gain."""
        return self.projected(vectors) @ self.means.T

    def projected(self, vectors: np.ndarray) -> np.ndarray:
        """Return normalised embeddings as the head compares them, (..., d) of unit length."""
        return unit((vectors - self.centre) @ self.projection)


def fit(statistics: Statistics, habits: Habits, dimensions: int = DIMENSIONS) -> Whitening:
    """Return the head of these statistics.

    Whitening makes the spread within a product alike in all directions; the directions in which whitened photos still
    differ most are those in which the products differ.
    """
    total_photos = statistics.counts.sum()
    centre = statistics.counts @ statistics.means / total_photos
    offsets = statistics.means - centre
    shrunk, shrunk_rest = _shrunk(statistics, habits.shrinkage)
    scales, scale_rest = 1.0 / np.sqrt(shrunk), 1.0 / math.sqrt(shrunk_rest)

    def whitened(rows: np.ndarray) -> np.ndarray:
        along = rows @ statistics.directions.T
        return rows * scale_rest + (along * (scales - scale_rest)) @ statistics.directions

    # The total spread of whitened photos, less what all directions share: a sum of squares of these few rows.
    share = statistics.rest / shrunk_rest
    within = np.sqrt(np.maximum(statistics.spreads / shrunk - share, 0.0))[:, None] * statistics.directions
    between = np.sqrt(statistics.counts / total_photos)[:, None] * whitened(offsets)
    projection = whitened(_leading(np.concatenate([within, between]), dimensions)).T
    means = unit(offsets @ projection)
    gains = [habits.gain_of(int(photos)) for photos in statistics.counts[statistics.trained :]]
    means[statistics.trained :] *= np.array(gains)[:, None] if gains else 1.0
    return Whitening(centre, projection, means)


def signed(directions: np.ndarray) -> np.ndarray:
    """Return the rows with their largest entry positive; an eigenvector's sign is otherwise up to the library."""
    largest = np.abs(directions).argmax(axis=1)
    return directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]


def _shrunk(statistics: Statistics, shrinkage: float) -> tuple[np.ndarray, float]:
    """Return the spreads, and that of the rest, with a share of their mean mixed in."""
    rank, size = statistics.directions.shape
    mean = (statistics.spreads.sum() + statistics.rest * (size - rank)) / size
    return (1.0 - shrinkage) * statistics.spreads + shrinkage * mean, (
        1.0 - shrinkage
    ) * statistics.rest + shrinkage * mean


def _leading(rows: np.ndarray, count: int) -> np.ndarray:
    """Return the `count` orthonormal directions (count, n) along which the rows are largest; fewer where there are."""
    count = min(count, *rows.shape)
    if rows.shape[0] < rows.shape[1]:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        lengths = np.sqrt(np.maximum(values[-count:], 1e-12))
        return signed((vectors[:, -count:] / lengths).T @ rows)
    return signed(np.linalg.eigh(rows.T @ rows)[1][:, -count:].T)
