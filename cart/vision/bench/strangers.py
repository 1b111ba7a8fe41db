"""Products that the head does not know: told from the known ones, and enrolled from ten photos. Arrays in, figures out.

The products are left out of the head alone. The network has learnt them where it was fine-tuned on the same data, and
the spread within a product was measured with them: what a truly new product does is measured in training, with a
second network that never saw some, and stands in measured.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cart.vision import nearness
from cart.vision.bench.figures import auroc
from cart.vision.classify import agreement_millinats, log_shares, none_log_odds
from cart.vision.enroll import Model
from cart.vision.head_fit import Statistics, fit
from cart.vision.vectors import normalised

BUNDLES = 9
"""Every ninth product is left out at a time: neighbours in the list are siblings, and most of them stay known."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """What became of photos of enrolled products: photos, right among all products, in the right group, alarms.

    alarms  photos that disagreed with their own label by the shipped limit
    """

    photos: int
    right: int
    in_group: int
    alarms: int


def unknown_auroc(model: Model, embeddings: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Return how well "none of these" tells unknown products, whose group is known or unknown, from known ones.

    embeddings  (photos, n); classes (photos,); groups (classes,) numbers of the coarse groups
    """
    vectors = normalised(embeddings.astype(np.float64))
    known = _known_log_odds(model, vectors)
    numbers = np.arange(len(groups))
    with_siblings = np.bincount(groups)[groups] > 1
    bundles = [(numbers % BUNDLES == bundle) & with_siblings for bundle in range(BUNDLES)]
    whole = [groups % BUNDLES == bundle for bundle in range(BUNDLES)]
    return {
        "siblings": auroc(known, _strange(model, vectors, classes, bundles)),
        "groups": auroc(known, _strange(model, vectors, classes, whole)),
    }


def enrolled(
    model: Model, ten: dict[int, np.ndarray], embeddings: np.ndarray, classes: np.ndarray, groups: np.ndarray
) -> Enrolled:
    """Return what becomes of val's photos of products that are left out and enrolled again from ten photos.

    ten  embeddings (photos, views, n) of the products to try, by class number
    """
    vectors = normalised(embeddings.astype(np.float64))
    photos = right = in_group = alarms = 0
    for bundle in range(BUNDLES):
        new = np.array([number for number in sorted(ten) if number % BUNDLES == bundle], int)
        seen = np.isin(classes, new)
        if not seen.any():
            continue
        statistics, order = _enrolled(model.statistics, new, ten)
        cosines = fit(statistics, model.habits).cosines(vectors[seen])
        found, true = order[cosines.argmax(axis=1)], classes[seen]
        values = agreement_millinats(log_shares(cosines, model.calibration))
        own = values[np.arange(len(true)), np.argsort(order)[true]]
        photos += len(true)
        right += int((found == true).sum())
        in_group += int((groups[found] == groups[true]).sum())
        alarms += int((own <= model.calibration.disagree_millinat).sum())
    return Enrolled(photos, right, in_group, alarms)


def _enrolled(statistics: Statistics, new: np.ndarray, ten: dict[int, np.ndarray]) -> tuple[Statistics, np.ndarray]:
    """Return the statistics with the new products taken out and enrolled, and the class number of each row."""
    numbers = np.arange(len(statistics.counts))
    result = statistics.only(~np.isin(numbers, new))
    for number in new.tolist():
        mean = normalised(ten[number].astype(np.float64)).mean(axis=(0, 1))
        result = result.with_class(mean, len(ten[number]))
    return result, np.concatenate([np.setdiff1d(numbers, new), new])


def _strange(model: Model, vectors: np.ndarray, classes: np.ndarray, left_out: list[np.ndarray]) -> np.ndarray:
    """Return `_known_log_odds` of each photo of the products that were left out, with the head that lacks them."""
    found = []
    for marked in left_out:
        seen = marked[classes]
        if seen.any():
            without = replace(model, statistics=model.statistics.only(~marked))
            found.append(_known_log_odds(without, vectors[seen]))
    return np.concatenate(found)


def _known_log_odds(model: Model, vectors: np.ndarray) -> np.ndarray:
    """Return the log odds that each photo shows one of the products of these statistics."""
    near = nearness.fitted(model.statistics, model.habits).of(vectors)
    return -none_log_odds(fit(model.statistics, model.habits).cosines(vectors), near, model.calibration)
