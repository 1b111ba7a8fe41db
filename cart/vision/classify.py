"""From the network's embedding of a photo to calibrated evidence about which product it shows.

The head is whitened class means: square root of the embedding, unit length, minus the mean of all photos, projected
by the shrunk within-class covariance to the dimensions that separate the products, then the cosine with each class
mean. That no known product is shown is told by two things: a close race between the likeliest and the others, and a
photo that is no nearer to a product than to goods in general (`cart.vision.nearness`). `tools/train_classifier.py` fits
all of it; cart/models/MODEL_CARD.md says how good it is. Functions on arrays: no camera, no network, no clock.
"""

import json
import math
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cart.core.odds import LIMIT_MILLINAT, clip
from cart.faults import Fault
from cart.ports import Embedder
from cart.vision import nearness
from cart.vision.head_file import STATISTICS_FILE, read_statistics
from cart.vision.nearness import Nearness
from cart.vision.vectors import normalised, unit

INPUT_SIDE_PX = 288
LABELS_MAX = 10_000
PERMILLE = 1_000
RACE_NATS_MAX = LIMIT_MILLINAT / 1_000
HEAD_FILE = "head.npz"
LABELS_FILE = "labels.json"
NONE = "none"
"""The key under which the evidence for "none of these products" is given; no product has this label."""

AGREE, UNSURE, DISAGREE = "agree", "unsure", "disagree"


class Score(NamedTuple):
    """A label and its probability in permille, for display."""

    label: str
    permille: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a photo shows, for display: evidence for the decision comes from `Head.log_likelihoods`.

    ranked         every label, most likely first; the permille of all and of none add up to about 1,000
    none_permille  how likely none of the labels is right
    """

    ranked: tuple[Score, ...]
    none_permille: int

    def top(self, count: int) -> tuple[Score, ...]:
        """Return the `count` most likely labels."""
        return self.ranked[:count]


class Agreement(NamedTuple):
    """How a photo fits a given label: ln P(photo | label) / P(photo | another product), and what to make of it."""

    log_likelihood_millinat: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers fitted by cross-validation over the training photos; see tools/training/fitting.py.

    sharpness           logits by which a product falls per unit of distance from its mean (see `logits`)
    outlier             share of photos that the softmax is wrong about however sure it is, 0 to 1
    none_offset         log odds that a photo shows no known product where all below is 0, for even odds beforehand
    none_race           what they gain by each nat of the likeliest product's own log odds (see `race`), negative
    none_nearness       what they gain by each unit of nearness (see `cart.vision.nearness`), negative
    none_prior          how often no known product is shown, beforehand; an assumption, not a measurement
    agree_millinat      from here on the photo agrees with a label
    disagree_millinat   up to here it disagrees
    """

    sharpness: float
    outlier: float
    none_offset: float
    none_race: float
    none_nearness: float
    none_prior: float
    agree_millinat: int
    disagree_millinat: int


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The closed-form head.

    labels       the products' names, in class order
    groups       label -> the coarse group that it belongs to
    centre       (n,) mean of the normalised embeddings
    projection   (n, d) whitening and projection
    means        (labels, d) class means, unit length
    nearness     to the same products
    """

    labels: tuple[str, ...]
    groups: dict[str, str]
    centre: np.ndarray
    projection: np.ndarray
    means: np.ndarray
    nearness: Nearness
    calibration: Calibration

    @classmethod
    def load(cls, model_dir: Path) -> "Head":
        """Return the head kept in `model_dir` (head.npz, statistics.npz and labels.json).

        Fault MODEL-HASH where it is none: a manifest vouches for whatever it was written for, so files whose hashes
        are right may be anything. `head_for` also tries the head with its network.
        """
        try:
            head = cls._read(model_dir)
            head._check()
        except Exception as error:
            raise Fault("MODEL-HASH", f"{model_dir}: no head: {type(error).__name__}: {error}") from error
        return head

    @classmethod
    def _read(cls, model_dir: Path) -> "Head":
        rows = json.loads((model_dir / LABELS_FILE).read_text(encoding="utf-8"))
        with np.load(model_dir / HEAD_FILE, allow_pickle=False) as arrays:
            matrices = {name: arrays[name].astype(np.float32) for name in ("centre", "projection", "means")}
            calibration = Calibration(**{name: arrays[name].item() for name in Calibration.__dataclass_fields__})
        if not 0 < len(rows) == len(matrices["means"]) <= LABELS_MAX:
            raise ValueError(f"{len(rows)} labels for {len(matrices['means'])} class means")
        near = nearness.fitted(*read_statistics(model_dir / STATISTICS_FILE))
        groups = {row["label"]: row["coarse"] for row in rows}
        return cls(tuple(groups), groups, **matrices, nearness=near, calibration=calibration)

    def _check(self) -> None:
        """Raise ValueError where parts do not fit each other or a number is none: found now, not while it is used."""
        if len(self.labels) != len(self.means) or NONE in self.labels:
            raise ValueError(f"a label stands twice, or is {NONE!r}")
        if not all(isinstance(text, str) for pair in self.groups.items() for text in pair):
            raise ValueError("a label or a group is no text")
        size, dimensions = self.projection.shape
        if self.centre.shape != (size,) or self.means.shape != (len(self.labels), dimensions):
            raise ValueError(f"centre {self.centre.shape}, projection {size, dimensions}, means {self.means.shape}")
        near = self.nearness
        if len(near.planes) != len(self.means) or near.centre.shape != (size,):
            raise ValueError(f"statistics of {len(near.planes)} products for a head of {len(self.means)}")
        numbers = (self.centre, self.projection, self.means, np.array(astuple(self.calibration)))
        if not all(np.isfinite(array).all() for array in numbers):
            raise ValueError("a number that is none")
        if self.calibration.sharpness <= 0:
            raise ValueError("the farther a mean is the likelier, by this sharpness")
        self.log_likelihoods(np.ones(size, np.float32))

    def cosines(self, embedding: np.ndarray) -> np.ndarray:
        """Return the cosine with each class mean, (labels,) or (photos, labels), of (n,) or (photos, n)."""
        return self._cosines(normalised(embedding))

    def _cosines(self, vectors: np.ndarray) -> np.ndarray:
        return unit((vectors - self.centre) @ self.projection) @ self.means.T

    def log_posteriors(self, embedding: np.ndarray) -> np.ndarray:
        """Return ln P(label | photo) for each label and, last, for none: (labels + 1,) or (photos, labels + 1)."""
        vectors = normalised(embedding)
        return log_posteriors(self._cosines(vectors), self.nearness.of(vectors), self.calibration)

    def scores(self, embedding: np.ndarray) -> Scores:
        """Return every label with its probability, most likely first, and that of none."""
        posteriors = self.log_posteriors(embedding)
        permille = np.rint(np.exp(posteriors) * PERMILLE).astype(int)
        order = np.argsort(-posteriors[:-1], kind="stable")
        ranked = tuple(Score(self.labels[i], int(permille[i])) for i in order)
        return Scores(ranked, int(permille[-1]))

    def log_likelihoods(self, embedding: np.ndarray) -> dict[str, int]:
        """Return millinats of ln(P(label | photo) / P(label)) per label and for NONE, clipped to +-20,000.

        That is the log-likelihood of the photo under each label, up to a constant that is the same for all of them.
        """
        evidence = self.log_posteriors(embedding) - log_priors(len(self.labels), self.calibration.none_prior)
        millinats = (clip(round(1000.0 * nats)) for nats in evidence.tolist())
        return dict(zip((*self.labels, NONE), millinats, strict=True))


def head_for(network: Embedder, model_dir: Path) -> Head:
    """Return the head of a folder after one try with its network; Fault MODEL-HASH where the two do not fit."""
    head = Head.load(model_dir)
    grey = np.full((INPUT_SIDE_PX, INPUT_SIDE_PX, 3), 128, np.uint8)
    embedding = network.embed(grey)
    if embedding.shape != head.centre.shape:
        raise Fault("MODEL-HASH", f"{model_dir}: a head of {len(head.centre)} for a network of {embedding.size}")
    return head


def preprocess(bgr: np.ndarray, side_px: int = INPUT_SIDE_PX) -> np.ndarray:
    """Return what the network takes, uint8 (288, 288, 3) RGB: the centred square of the photo, resized.

    bgr      uint8 (height, width, 3), any size from 1 pixel
    side_px  of the result; the network takes the default alone
    """
    height, width = bgr.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = bgr[top : top + side, left : left + side]
    # Averaging when shrinking: any other method lets fine print alias into texture.
    how = cv2.INTER_AREA if side >= side_px else cv2.INTER_CUBIC
    small = cv2.resize(square, (side_px, side_px), interpolation=how)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)


def logits(cosines: np.ndarray, sharpness: float) -> np.ndarray:
    """Return ln P per label up to a constant of each photo, of cosines (..., labels).

    It falls with the distance of the photo from the class mean, both at length 1, and not with the square of it, as
    the cosine itself would: looks of a product that nobody learnt lie farther out than a bell curve allows. Between
    two siblings the one that is nearly hit counts for more so (docs/CLASSIFIER.md, "Distance, not cosine").
    """
    # A cosine with an enrolled mean times its gain may be more than 1.
    squares = np.maximum(2.0 - 2.0 * cosines.astype(np.float64), 0.0)
    return -sharpness * np.sqrt(squares)


def log_shares(cosines: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return ln P per label given that one of them is shown, of cosines (..., labels)."""
    # In logarithms throughout: a probability that rounds to 0 would be infinite evidence.
    each = logits(cosines, calibration.sharpness)
    among = each - np.logaddexp.reduce(each, axis=-1, keepdims=True)
    if calibration.outlier > 0.0:
        # A photo may mislead however sure the softmax is: mix in a share of "could be anything".
        even = math.log(calibration.outlier / cosines.shape[-1])
        among = np.logaddexp(math.log1p(-calibration.outlier) + among, even)
    return among


def log_posteriors(cosines: np.ndarray, near: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return ln P per label and, last, for none, of cosines (..., labels) and nearnesses (...)."""
    odds = none_log_odds(cosines, near, calibration)
    odds = odds + math.log(calibration.none_prior / (1.0 - calibration.none_prior))
    known, none = -np.logaddexp(0.0, odds), -np.logaddexp(0.0, -odds)
    return np.concatenate([log_shares(cosines, calibration) + known[..., None], none[..., None]], axis=-1)


def none_log_odds(cosines: np.ndarray, near: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return the log odds that no known product is shown, both alike beforehand, of the same as `log_posteriors`.

    A close race tells the stranger that lies between two siblings, nearness the one that lies far from everything.
    """
    ahead = calibration.none_race * race(cosines, calibration.sharpness)
    return calibration.none_offset + ahead + calibration.none_nearness * near


def race(cosines: np.ndarray, sharpness: float) -> np.ndarray:
    """Return by how much the likeliest label is ahead of all others: ln p / (1 - p) of its share, (...).

    At most RACE_NATS_MAX, which a head of a single label has.
    """
    each = np.sort(logits(cosines, sharpness), axis=-1)
    others = np.logaddexp.reduce(each[..., :-1], axis=-1)
    return np.minimum(each[..., -1] - others, RACE_NATS_MAX)


def log_priors(labels: int, none_prior: float) -> np.ndarray:
    """Return ln P beforehand: the same for each label, `none_prior` for none."""
    return np.log(np.array([(1.0 - none_prior) / labels] * labels + [none_prior]))


def agreement_millinats(products: np.ndarray) -> np.ndarray:
    """Return ln P(photo | label) / P(photo | another product) in clipped millinats, (photos, labels).

    products  (photos, labels) ln P up to a constant of each photo, so with "none" in mind or without: it is neither
              the label nor another product

    The prior odds of a label are 1 : labels - 1 and are taken out again.
    """
    labels = products.shape[1]
    # ln(1 - P) as the sum of the others: exact where P is nearly 1.
    others = [np.logaddexp.reduce(np.delete(products, i, axis=1), axis=1) for i in range(labels)]
    nats = products - np.stack(others, axis=1) + math.log(labels - 1)
    return np.clip(np.rint(nats * 1000.0), -LIMIT_MILLINAT, LIMIT_MILLINAT).astype(int)


def verdict(agreement_millinat: int, calibration: Calibration) -> str:
    """Return "agree", "unsure" or "disagree"."""
    if agreement_millinat >= calibration.agree_millinat:
        return AGREE
    return DISAGREE if agreement_millinat <= calibration.disagree_millinat else UNSURE
