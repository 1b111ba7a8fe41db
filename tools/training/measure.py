"""The figures of a model on photos that it never saw; needs numpy alone, no training framework."""

import math

import numpy as np

from cart.vision.classify import Head, agreement_millinats

ECE_BINS = 15
WILSON_Z = 1.959964  # 95 %
Figures = dict[str, float | int]


def figures(head: Head, embeddings: np.ndarray, classes: np.ndarray) -> Figures:
    """Return every figure of the model card, shares between 0 and 1.

    embeddings  (photos, n) as from the classifier
    classes     (photos,) true class numbers
    """
    posterior = np.exp(head.log_posteriors(embeddings))
    known = posterior[:, :-1] / posterior[:, :-1].sum(axis=1, keepdims=True)
    groups = _group_numbers(head)
    right = known.argmax(axis=1) == classes
    rank = (known > known[np.arange(len(classes)), classes][:, None]).sum(axis=1)
    in_group = _summed(known, groups)
    low, high = wilson(int(right.sum()), len(right))
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


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share after `hits` of `n` (Wilson 1927)."""
    share, z2 = hits / n, WILSON_Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return middle - half, middle + half


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


def _group_numbers(head: Head) -> np.ndarray:
    names = sorted(set(head.groups.values()))
    return np.array([names.index(head.groups[label]) for label in head.labels])


def _summed(known: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.stack([known[:, groups == g].sum(axis=1) for g in range(groups.max() + 1)], axis=1)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if values.size else math.nan
