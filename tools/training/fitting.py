"""The head in closed form, and the numbers of its calibration, each from cosines that somebody measured.

Which photos those cosines may come from is the subject of `unseen`: none that the head or its backbone learnt. Most
training photos have a near twin among the others of their class, in no order of file numbers. Folds of random photos
are therefore far too easy: they say nothing about the next visit to a shop. So whole *looks* are left out: the photos
of each class fall into LOOKS groups that resemble each other, and a fold is one group of each class.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cart.vision.bench.figures import UNKNOWN
from cart.vision.classify import Calibration, agreement_millinats, log_shares, logits
from cart.vision.head_file import RANK
from cart.vision.head_fit import DIMENSIONS, Habits, Statistics, Whitening, fit
from cart.vision.vectors import normalised, unit

LOOKS = 5
SHRINKAGES = (0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
SHARPNESSES = np.geomspace(5.0, 60.0, 100)
# Not 0: photos in the thousands cannot show that fewer than one in 2,000 misleads, however well 0 fits them.
OUTLIERS = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
FALSE_ALARMS = 0.01
KMEANS_ROUNDS_MAX = 50
NEWTON_ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Embeddings of the same photos seen in several ways: (views, photos, n), unit length; view 0 is the cart's."""

    vectors: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, embeddings: list[np.ndarray], classes: np.ndarray) -> "Views":
        """Return the views of raw embeddings."""
        return cls(normalised(np.stack(embeddings).astype(np.float64)), classes)

    def stacked(self, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all views of the photos that `keep` marks, and their classes."""
        kept = self.vectors[:, keep]
        return kept.reshape(-1, kept.shape[-1]), np.tile(self.classes[keep], len(kept))


def fits(vectors: np.ndarray, classes: np.ndarray, shrinkages: tuple[float, ...]) -> Iterator[Whitening]:
    """Yield the head for each shrinkage; vectors (photos, n) of unit length, classes any set of numbers."""
    statistics = Statistics.of(vectors, classes, rank=RANK)
    for shrinkage in shrinkages:
        yield fit(statistics, Habits(shrinkage), DIMENSIONS)


def best_sharpness(cosines: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """Return the smallest mean negative log-likelihood, in nats, and the sharpness and outlier share that reach it."""
    rows, count = np.arange(len(classes)), cosines.shape[1]
    best = (np.inf, 0.0, 0.0)
    for sharpness in SHARPNESSES:
        each = logits(cosines, sharpness)
        true = np.exp(each[rows, classes] - np.logaddexp.reduce(each, axis=1))
        mixed = (1.0 - OUTLIERS)[:, None] * true + OUTLIERS[:, None] / count
        losses = -np.log(mixed).mean(axis=1)
        index = int(losses.argmin())
        best = min(best, (float(losses[index]), significant(sharpness), float(OUTLIERS[index])))
    return best


def verdict_limits(cosines: np.ndarray, classes: np.ndarray, calibration: Calibration) -> tuple[int, int]:
    """Return (disagree, agree) in millinats, each at FALSE_ALARMS over photos that nobody learnt.

    disagree  1 % of photos disagree with their true label
    agree     1 % of pairs of a photo and a wrong label that its head knows, all alike, agree; never below `disagree`
    """
    values = agreement_millinats(log_shares(cosines, calibration))
    true = np.arange(cosines.shape[1]) == classes[:, None]
    disagree = int(np.floor(np.quantile(values[true], FALSE_ALARMS)))
    agree = int(np.ceil(np.quantile(values[~true & (cosines > UNKNOWN)], 1.0 - FALSE_ALARMS)))
    return disagree, max(agree, disagree + 1)


def logistic(known: np.ndarray, strange: np.ndarray) -> tuple[float, float]:
    """Return offset and weight of the log odds "strange" in one number, both kinds weighing half (Newton)."""
    x = np.concatenate([known, strange])
    y = np.concatenate([np.zeros(len(known)), np.ones(len(strange))])
    share = np.concatenate([np.full(len(known), 0.5 / len(known)), np.full(len(strange), 0.5 / len(strange))])
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.zeros(2)
    for _ in range(NEWTON_ROUNDS):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        slope = design.T @ (share * (y - p))
        curvature = (design * (share * p * (1.0 - p))[:, None]).T @ design
        beta = beta + np.linalg.solve(curvature, slope)
    return significant(beta[0]), significant(beta[1])


def look_folds(vectors: np.ndarray, classes: np.ndarray, looks: int) -> np.ndarray:
    """Return a fold number per photo: each class cut into `looks` groups of photos that resemble each other."""
    folds = np.zeros(len(classes), int)
    for number in np.unique(classes):
        mine = np.flatnonzero(classes == number)
        folds[mine] = _grouped(vectors[mine], looks)
        assert len(set(folds[mine])) > 1, f"class {number} has one look only and would be missing from a fold"
    return folds


def significant(value: float, digits: int = 5) -> float:
    """Return `value` to some significant digits: more would be noise, and noise differs between machines."""
    return float(f"{value:.{digits}g}")


def _grouped(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return group numbers by spherical k-means, started from photos far apart, so without any draw of lots."""
    centres = vectors[:1]
    while len(centres) < count:
        farthest = (vectors @ centres.T).max(axis=1).argmin()
        centres = np.concatenate([centres, vectors[farthest : farthest + 1]])
    groups = (vectors @ centres.T).argmax(axis=1)
    for _ in range(KMEANS_ROUNDS_MAX):
        means = [vectors[groups == g].mean(axis=0) if (groups == g).any() else centres[g] for g in range(count)]
        centres = unit(np.stack(means))
        before, groups = groups, (vectors @ centres.T).argmax(axis=1)
        if (groups == before).all():
            break
    return groups
