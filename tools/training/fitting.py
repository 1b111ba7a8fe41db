"""The head in closed form, and every number in it that has to be chosen, chosen inside the training photos.

Nothing here ever sees val. Most training photos have a near twin among the others of their class, in no order of
file numbers. Folds of random photos are therefore far too easy: they say nothing about the next visit to a shop. So
whole *looks* are left out: the photos of each class fall into LOOKS groups that resemble each other, and a fold is
one group of each class. Fewer looks make harder folds; five is the customary number of folds. That it comes out about
as hard as val was seen when it was fixed, so it is not free of val altogether, and the model card says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cart.vision.classify import Calibration, agreement_millinats, log_posteriors, normalised, unit
from cart.vision.head_file import RANK
from cart.vision.head_fit import DIMENSIONS, ENROLMENT_PHOTOS, Habits, Statistics, Whitening, fit

LOOKS = 5
CLASS_BUNDLES = 9
SHRINKAGES = (0.03, 0.05, 0.1, 0.2, 0.3)
SCALES = np.geomspace(5.0, 60.0, 100)
# Not 0: photos in the thousands cannot show that fewer than one in 2,000 misleads, however well 0 fits them.
OUTLIERS = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
# An assumption, not a measurement: one photo in twenty shows something that this model does not know.
NONE_PRIOR = 0.05
FALSE_ALARMS = 0.01
DISTINCT_REFUSED = 0.05
"""Share of products that are new and are yet taken for a duplicate, because a photo does not tell them apart."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a head is fitted from, with its calibration, and what the choices rest on.

    facts  shrinkage, cross-validated figures and the like, for the report
    """

    statistics: Statistics
    habits: Habits
    calibration: Calibration
    facts: dict[str, float]


def fit_head(views: Views, progress: Callable[[str], None]) -> Fitted:
    """Return the head fitted on all photos of `views`; progress is told each step in words."""
    classes = len(np.unique(views.classes))
    folds = look_folds(views.vectors[0], views.classes, LOOKS)
    progress(f"choosing the shrinkage over {LOOKS} folds of looks")
    by_shrinkage = cross_validated(views, folds, SHRINKAGES)
    loss = {shrinkage: best_scale(cosines, views.classes)[0] for shrinkage, cosines in by_shrinkage.items()}
    shrinkage = min(loss, key=loss.__getitem__)
    cosines = by_shrinkage[shrinkage]
    nll, scale, outlier = best_scale(cosines, views.classes)

    progress("folds of random photos, for comparison")
    easy = cross_validated(views, random_folds(views.classes, LOOKS), (shrinkage,))[shrinkage]

    progress(f"fitting 'none of these' on {CLASS_BUNDLES} heads that lack a ninth of the classes, and enrolling those")
    strangers = Strangers.met(views, folds, shrinkage)
    offset, weight = logistic(cosines.max(axis=1), strangers.largest)
    calibration = Calibration(scale, outlier, weight, offset, NONE_PRIOR, 0, 0)
    disagree, agree = verdict_limits(cosines, views.classes, calibration)
    progress("gathering the statistics of every training photo")
    vectors, numbers = views.stacked(np.ones(len(views.classes), bool))
    statistics = Statistics.of(vectors, numbers, len(views.vectors), RANK)
    true = cosines[np.arange(len(views.classes)), views.classes]
    habits = Habits(
        shrinkage,
        gain=significant(max(1.0, float(true.mean() / strangers.enrolled_true(views.classes).mean()))),
        duplicate_cosine=significant(float(np.quantile(strangers.nearest, 1.0 - DISTINCT_REFUSED))),
    )
    enrolled = strangers.enrolled_with(habits.gain)
    facts = {
        "shrinkage": shrinkage,
        "dimensions": DIMENSIONS,
        "classes": classes,
        "photos": len(views.classes),
        "views": len(views.vectors),
        "cv_top1": float((cosines.argmax(axis=1) == views.classes).mean()),
        "cv_top1_random_folds": float((easy.argmax(axis=1) == views.classes).mean()),
        "cv_nll": nll,
        "stranger_auroc": auroc(cosines.max(axis=1), strangers.largest),
        "enrolled_top1": float((enrolled.argmax(axis=1) == views.classes).mean()),
        "enrolled_false_alarms": _share_disagreeing(enrolled, views.classes, calibration, disagree),
        "enrolled_gain": habits.gain,
        "duplicate_cosine": habits.duplicate_cosine,
        "duplicates_found": float((own_look_cosines(views, folds, shrinkage) >= habits.duplicate_cosine).mean()),
    }
    calibration = replace(calibration, agree_millinat=agree, disagree_millinat=disagree)
    return Fitted(statistics, habits, calibration, facts)


def fits(vectors: np.ndarray, classes: np.ndarray, shrinkages: tuple[float, ...]) -> Iterator[Whitening]:
    """Yield the head for each shrinkage; vectors (photos, n) of unit length, classes any set of numbers."""
    statistics = Statistics.of(vectors, classes, rank=RANK)
    for shrinkage in shrinkages:
        yield fit(statistics, Habits(shrinkage), DIMENSIONS)


def class_means(vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the mean of each class 0..k, (k + 1, n)."""
    return np.stack([vectors[classes == number].mean(axis=0) for number in range(classes.max() + 1)])


def cross_validated(views: Views, folds: np.ndarray, shrinkages: tuple[float, ...]) -> dict[float, np.ndarray]:
    """Return for each shrinkage the cosines (photos, classes) of heads that did not see the photo's fold."""
    shape = (len(views.classes), len(np.unique(views.classes)))
    result = {shrinkage: np.zeros(shape) for shrinkage in shrinkages}
    for fold in np.unique(folds):
        held_out = folds == fold
        for shrinkage, head in zip(shrinkages, fits(*views.stacked(~held_out), shrinkages), strict=True):
            result[shrinkage][held_out] = head.cosines(views.vectors[0][held_out])
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """What becomes of photos whose class the head does not know, and of the class once it is enrolled.

    largest   (photos,) largest cosine of each photo with a head that does not know its class
    nearest   (looks of classes,) cosine of the mean of ENROLMENT_PHOTOS strangers with the nearest class that is known
    enrolled  (photos, classes) cosines after its class was enrolled from ENROLMENT_PHOTOS photos of other looks, at
              gain 1
    strange   (photos, classes) True where that class was enrolled
    """

    largest: np.ndarray
    nearest: np.ndarray
    enrolled: np.ndarray
    strange: np.ndarray

    @classmethod
    def met(cls, views: Views, folds: np.ndarray, shrinkage: float) -> "Strangers":
        """Return what comes of leaving out every ninth class, enrolling it from all looks but one, and seeing that one.

        Classes with neighbouring numbers are siblings; taking every ninth leaves most siblings of a stranger known,
        which is the hard case and the common one in a shop.
        """
        count = len(np.unique(views.classes))
        shape = (len(views.classes), count)
        largest, enrolled, strange = np.zeros(shape[0]), np.zeros(shape), np.zeros(shape, bool)
        nearest: list[float] = []
        for bundle in range(CLASS_BUNDLES):
            new = np.arange(count)[np.arange(count) % CLASS_BUNDLES == bundle]
            order = np.concatenate([np.setdiff1d(np.arange(count), new), new])
            met = np.isin(views.classes, new)
            known = Statistics.of(*views.stacked(~met), len(views.vectors), RANK)
            head = fit(known, Habits(shrinkage), DIMENSIONS)
            largest[met] = head.cosines(views.vectors[0][met]).max(axis=1)
            for fold in np.unique(folds):
                statistics = known
                for number in new:
                    there = (views.classes == number) & (folds != fold)
                    mean, photos = _enrolment(views, there)
                    statistics = statistics.with_class(mean, photos)
                    look, _ = _enrolment(views, (views.classes == number) & (folds == fold))
                    nearest.append(float(head.cosines(look[None]).max()))
                seen = met & (folds == fold)
                cosines = fit(statistics, Habits(shrinkage), DIMENSIONS).cosines(views.vectors[0][seen])
                enrolled[np.ix_(seen, order)] = cosines
            strange[np.ix_(met, new)] = True
        return cls(largest, np.array(nearest), enrolled, strange)

    def enrolled_true(self, classes: np.ndarray) -> np.ndarray:
        """Return the cosine of each photo with its own class, enrolled at gain 1."""
        return self.enrolled[np.arange(len(classes)), classes]

    def enrolled_with(self, gain: float) -> np.ndarray:
        """Return the cosines (photos, classes) with those of enrolled classes times `gain`."""
        return np.where(self.strange, self.enrolled * gain, self.enrolled)


def own_look_cosines(views: Views, folds: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return the cosine of the mean of each class's left-out look with that class: what a true duplicate reaches."""
    found = []
    for fold in np.unique(folds):
        head = next(fits(*views.stacked(folds != fold), (shrinkage,)))
        for number in np.unique(views.classes[folds == fold]):
            mean, _ = _enrolment(views, (views.classes == number) & (folds == fold))
            found.append(head.cosines(mean[None])[0, number])
    return np.array(found)


def _enrolment(views: Views, marked: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the mean over all views of at most ENROLMENT_PHOTOS marked photos, spread evenly, and their number."""
    photos = np.flatnonzero(marked)
    photos = photos[np.linspace(0, len(photos) - 1, min(ENROLMENT_PHOTOS, len(photos))).round().astype(int)]
    return views.vectors[:, photos].mean(axis=(0, 1)), len(photos)


def _share_disagreeing(cosines: np.ndarray, classes: np.ndarray, calibration: Calibration, disagree: int) -> float:
    values = agreement_millinats(log_posteriors(cosines, calibration), cosines.shape[1])
    return float((values[np.arange(len(classes)), classes] <= disagree).mean())


def best_scale(cosines: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """Return the smallest mean negative log-likelihood, in nats, and the scale and outlier share that reach it."""
    rows, count = np.arange(len(classes)), cosines.shape[1]
    best = (np.inf, 0.0, 0.0)
    for scale in SCALES:
        logits = cosines * scale
        true = np.exp(logits[rows, classes] - np.logaddexp.reduce(logits, axis=1))
        mixed = (1.0 - OUTLIERS)[:, None] * true + OUTLIERS[:, None] / count
        losses = -np.log(mixed).mean(axis=1)
        index = int(losses.argmin())
        best = min(best, (float(losses[index]), significant(scale), float(OUTLIERS[index])))
    return best


def verdict_limits(cosines: np.ndarray, classes: np.ndarray, calibration: Calibration) -> tuple[int, int]:
    """Return (disagree, agree) in millinats, each at FALSE_ALARMS over cross-validated photos.

    disagree  1 % of photos disagree with their true label
    agree     1 % of pairs of a photo and a wrong label, all wrong labels alike, agree; never below `disagree`
    """
    values = agreement_millinats(log_posteriors(cosines, calibration), cosines.shape[1])
    true = np.zeros(values.shape, bool)
    true[np.arange(len(classes)), classes] = True
    disagree = int(np.floor(np.quantile(values[true], FALSE_ALARMS)))
    agree = int(np.ceil(np.quantile(values[~true], 1.0 - FALSE_ALARMS)))
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


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """Return how often a known photo has a larger value than a strange one, ties counting half."""
    order = np.sort(strange)
    below, upto = np.searchsorted(order, known, "left"), np.searchsorted(order, known, "right")
    return float((below + upto).mean() / 2.0 / len(strange))


def look_folds(vectors: np.ndarray, classes: np.ndarray, looks: int) -> np.ndarray:
    """Return a fold number per photo: each class cut into `looks` groups of photos that resemble each other."""
    folds = np.zeros(len(classes), int)
    for number in np.unique(classes):
        mine = np.flatnonzero(classes == number)
        folds[mine] = _grouped(vectors[mine], looks)
        assert len(set(folds[mine])) > 1, f"class {number} has one look only and would be missing from a fold"
    return folds


def random_folds(classes: np.ndarray, count: int) -> np.ndarray:
    """Return a fold number per photo: photo by photo through each class, whose files are in no order."""
    folds = np.zeros(len(classes), int)
    for number in np.unique(classes):
        folds[classes == number] = np.arange((classes == number).sum()) % count
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
