"""The figures of a classifier on photos that it never saw: one definition of each, for the bench and for training."""

import math

import numpy as np

from cart.sim.weighing.intervals import share_interval
from cart.vision.classify import Head, agreement_millinats

ECE_BINS = 15
UNKNOWN = -1.0
"""The cosine that stands for "this head does not know that product"."""

Figures = dict[str, float | int]


def figures(head: Head, embeddings: np.ndarray, classes: np.ndarray) -> Figures:
    """Return every figure of the model card, shares between 0 and 1.

    embeddings  (photos, n) as from the classifier
    classes     (photos,) true class numbers
    """
    posterior = np.exp(head.log_posteriors(embeddings))
    known = posterior[:, :-1] / posterior[:, :-1].sum(axis=1, keepdims=True)
    groups = group_numbers(head)
    right = known.argmax(axis=1) == classes
    rank = (known > known[np.arange(len(classes)), classes][:, None]).sum(axis=1)
    in_group = _summed(known, groups)
    low, high = share_interval(int(right.sum()), len(right))
    return {
        "n": len(classes),
        "classes_seen": len(np.unique(classes)),
        "top1": _mean(right),
        "top1_low": low,
        "top1_high": high,
        "top3": _mean(rank < 3),
        "top5": _mean(rank < 5),
        "coarse": _mean(in_group.argmax(axis=1) == groups[classes]),
        "confidence_mean": _mean(known.max(axis=1)),
        "ece": calibration_error(known.max(axis=1), right),
        "coverage_at_99": coverage(known.max(axis=1), right, 0.99),
        "coverage_at_95": coverage(known.max(axis=1), right, 0.95),
        "none_mean": _mean(posterior[:, -1]),
        **_agreement_figures(head, embeddings, classes, groups),
    }


def _agreement_figures(head: Head, embeddings: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> Figures:
    """Return how the verdicts of `agree` do: on true labels, and on wrong ones in place of them."""
    values = agreement_millinats(head.log_posteriors(embeddings), len(head.labels))
    true = np.arange(len(head.labels)) == classes[:, None]
    sibling = (groups == groups[classes][:, None]) & ~true
    other = ~sibling & ~true
    disagrees = values <= head.calibration.disagree_millinat
    agrees = values >= head.calibration.agree_millinat
    return {
        "false_alarms": _mean(disagrees[true]),
        "swap_caught_other_group": _mean(disagrees[other]),
        "swap_caught_sibling": _mean(disagrees[sibling]),
        "true_label_agrees": _mean(agrees[true]),
        "swap_agrees_other_group": _mean(agrees[other]),
        "swap_agrees_sibling": _mean(agrees[sibling]),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error over equal bins of confidence (Guo et al. 2017)."""
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [abs(float(right[bins == b].mean() - confidence[bins == b].mean())) * _mean(bins == b) for b in set(bins)]
    return float(sum(gaps))


def coverage(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float:
    """Return the largest share of photos, surest first, of which `accuracy` are right.

    The limit is found on the very photos it is measured on, so this is the best that any limit could do.
    """
    order = np.argsort(-confidence, kind="stable")
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= accuracy
    return float((np.flatnonzero(reached).max() + 1) / len(order)) if reached.any() else 0.0


def coverage_cross(confidence: np.ndarray, right: np.ndarray, folds: np.ndarray, accuracy: float) -> tuple[int, int]:
    """Return how many photos reach the limit for `accuracy`, and how many of those are right.

    The limit for each fold is that of the other folds, so this is what a limit does on photos that it was not set on.
    """
    covered = np.zeros(len(right), bool)
    for fold in np.unique(folds):
        rest, mine = folds != fold, folds == fold
        order = np.sort(confidence[rest])[::-1]
        kept = round(coverage(confidence[rest], right[rest], accuracy) * len(order))
        covered[mine] = confidence[mine] >= (order[kept - 1] if kept else np.inf)
    return int(covered.sum()), int((covered & right).sum())


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """Return how often a known photo has a larger value than a strange one, ties counting half."""
    order = np.sort(strange)
    below, upto = np.searchsorted(order, known, "left"), np.searchsorted(order, known, "right")
    return float((below + upto).mean() / 2.0 / len(strange))


def random_folds(classes: np.ndarray, count: int) -> np.ndarray:
    """Return a fold number per photo: photo by photo through each class, whose files are in no order."""
    folds = np.zeros(len(classes), int)
    for number in np.unique(classes):
        folds[classes == number] = np.arange((classes == number).sum()) % count
    return folds


def group_numbers(head: Head) -> np.ndarray:
    """Return the number of each label's coarse group, by the groups' names in order."""
    names = sorted(set(head.groups.values()))
    return np.array([names.index(head.groups[label]) for label in head.labels])


def _summed(known: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.stack([known[:, groups == g].sum(axis=1) for g in range(groups.max() + 1)], axis=1)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if values.size else math.nan
