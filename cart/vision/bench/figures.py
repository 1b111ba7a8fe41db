"""The figures of a classifier on photos that it never saw: one definition of each, for the bench and for training."""

import numpy as np

from cart.sim.weighing.intervals import share_interval
from cart.vision.classify import Head, agreement_millinats

ECE_BINS = 15
CALIBRATED_DRAWS = 2_000
CALIBRATED_QUANTILES = {"low": 0.05, "median": 0.5, "high": 0.95}
UNKNOWN = -1.0
"""The cosine that stands for "this head does not know that product"."""

Figures = dict[str, float | int | None]


def figures(head: Head, embeddings: np.ndarray, classes: np.ndarray) -> Figures:
    """Return every figure of the model card, shares between 0 and 1; None where no photo or pair could show one.

    embeddings  (photos, n) as from the classifier
    classes     (photos,) true class numbers
    """
    posterior = np.exp(head.log_posteriors(embeddings))
    known = posterior[:, :-1] / posterior[:, :-1].sum(axis=1, keepdims=True)
    groups = group_numbers(head)
    right = known.argmax(axis=1) == classes
    rank = (known > known[np.arange(len(classes)), classes][:, None]).sum(axis=1)
    in_group = _summed(known, groups)
    confidence = known.max(axis=1)
    return {
        "n": len(classes),
        "classes_seen": len(np.unique(classes)),
        **_with_interval("top1", right),
        "top3": _mean(rank < 3),
        **_with_interval("top5", rank < 5),
        **_with_interval("coarse", in_group.argmax(axis=1) == groups[classes]),
        "confidence_mean": _mean(confidence),
        "ece": calibration_error(confidence, right),
        **calibrated_errors(confidence),
        "coverage_at_99": coverage(confidence, right, 0.99),
        "coverage_at_95": coverage(confidence, right, 0.95),
        "none_mean": _mean(posterior[:, -1]),
        **_agreement_figures(head, embeddings, classes, groups),
    }


def _with_interval(name: str, right: np.ndarray) -> Figures:
    """Return a share and its 95 % interval (Wilson)."""
    low, high = share_interval(int(right.sum()), len(right))
    return {name: _mean(right), f"{name}_low": low, f"{name}_high": high}


def _agreement_figures(head: Head, embeddings: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> Figures:
    """Return how the verdicts of `agree` do: on true labels, and on wrong ones in place of them."""
    values = agreement_millinats(head.log_posteriors(embeddings)[:, :-1])
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
    return float(_calibration_errors(confidence, right[None])[0])


def calibrated_errors(confidence: np.ndarray) -> Figures:
    """Return the calibration error that a model whose confidence is exactly true shows on as few photos.

    Each of CALIBRATED_DRAWS draws lets each photo be right as often as the model is confident. Chance alone leaves
    gaps in the bins: a model as sure as this one shows less than "ece_calibrated_low" one time in twenty.
    """
    draws = np.random.default_rng(0).random((CALIBRATED_DRAWS, len(confidence)))
    errors = _calibration_errors(confidence, draws < confidence)
    return {f"ece_calibrated_{name}": float(np.quantile(errors, q)) for name, q in CALIBRATED_QUANTILES.items()}


def _calibration_errors(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the error of each row of `right`, (draws,) of (draws, photos): the bins' gaps, weighed by their photos."""
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    in_bin = bins[:, None] == np.arange(ECE_BINS)
    return np.abs((right - confidence) @ in_bin).sum(axis=1) / max(1, len(confidence))


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


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if values.size else None
