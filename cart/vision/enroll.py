"""A model that learns a product from a few photos, or forgets one: the head is fitted again, the network stays.

Thresholds stay too. They hold for a product of ten photos because its cosines are brought to the size of the others'
(`Habits.gain`); how well that goes is in cart/models/MODEL_CARD.md. A product whose photos the head takes for a known
one is refused: two products that the camera mixes up make both of them worse.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cart.faults import Fault
from cart.vision.classify import HEAD_FILE, LABELS_FILE, LABELS_MAX, NONE, Calibration, Head
from cart.vision.head_file import STATISTICS_FILE, head_bytes, json_bytes, read_statistics, statistics_bytes
from cart.vision.head_fit import ENROLMENT_PHOTOS, Habits, Statistics, Whitening, fit
from cart.vision.vectors import normalised

NEAREST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Class:
    """A product that the head knows.

    coarse   the group it belongs to
    product  id in the catalogue, "" for those of the training
    photos   that it was enrolled from, 0 for those of the training
    """

    label: str
    coarse: str
    product: str = ""
    photos: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Everything of a model but its network. classes: in the order of the statistics."""

    classes: tuple[Class, ...]
    statistics: Statistics
    habits: Habits
    calibration: Calibration

    def enrolled(self) -> tuple[Class, ...]:
        """Return the classes that were enrolled."""
        return self.classes[self.statistics.trained :]

    def index(self, label: str) -> int | None:
        """Return the number of the class with this label, or None."""
        return next((i for i, known in enumerate(self.classes) if known.label == label), None)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What became of an enrolment.

    nearest     the known labels that the product looks most like, with the cosine in permille, nearest first
    recognised  of `photos`, how many the head would know if it had learnt from the others alone
    """

    label: str
    photos: int
    recognised: int
    nearest: tuple[tuple[str, int], ...]


def read_model(model_dir: Path) -> Model:
    """Return the model of a folder whose hashes were checked; Fault MODEL-STATISTICS where it cannot learn."""
    try:
        head = Head.load(model_dir)
        statistics, habits = read_statistics(model_dir / STATISTICS_FILE)
        rows = json.loads((model_dir / LABELS_FILE).read_text(encoding="utf-8"))
        classes = tuple(Class(**row) for row in rows)
    except (OSError, ValueError, TypeError) as error:
        raise Fault("MODEL-STATISTICS", f"{model_dir}: {error}") from error
    except Fault as fault:
        raise Fault("MODEL-STATISTICS", fault.detail) from fault
    if len(head.centre) != statistics.means.shape[1]:
        raise Fault("MODEL-STATISTICS", f"{model_dir}: statistics of another network than the head's")
    if len(classes) != len(statistics.counts):
        raise Fault("MODEL-STATISTICS", f"{model_dir}: {len(classes)} labels for {len(statistics.counts)} statistics")
    return Model(classes, statistics, habits, head.calibration)


def files(model: Model) -> dict[str, bytes]:
    """Return the files of a model by name, but for its network and manifest."""
    rows = [{name: value for name, value in asdict(known).items() if value} for known in model.classes]
    return {
        STATISTICS_FILE: statistics_bytes(model.statistics, model.habits),
        HEAD_FILE: head_bytes(fit(model.statistics, model.habits), model.calibration),
        LABELS_FILE: json_bytes(rows),
    }


def learnt(model: Model, new: Class, embeddings: np.ndarray, although: str = "") -> tuple[Model, Learnt]:
    """Return the model with one more class, and what became of it.

    embeddings  (photos, views, n) of ENROLMENT_PHOTOS photos or more, as from the network
    although    a label that the product may look like

    Errors: Fault ENROLL-LABEL for a label that is known or NONE, ENROLL-PHOTOS for too few, ENROLL-DUPLICATE.
    """
    if new.label == NONE:
        raise Fault("ENROLL-LABEL", f"{NONE} stands for no product at all")
    if model.index(new.label) is not None:
        raise Fault("ENROLL-LABEL", f"{new.label} is known already")
    if len(embeddings) < ENROLMENT_PHOTOS:
        raise Fault("ENROLL-PHOTOS", f"{len(embeddings)} of at least {ENROLMENT_PHOTOS}")
    assert len(model.classes) < LABELS_MAX
    by_photo = normalised(embeddings.astype(np.float64)).mean(axis=1)
    nearest = resembling(model, by_photo.mean(axis=0))
    _refuse_duplicate(new.label, nearest, model.habits, although)
    # As precise as the file keeps it: what is fitted now is what is fitted from the file later.
    mean = by_photo.mean(axis=0).astype(np.float16).astype(np.float64)
    statistics = model.statistics.with_class(mean, len(embeddings))
    more = replace(model, classes=(*model.classes, new), statistics=statistics)
    head = fit(statistics, model.habits)
    seen = normalised(embeddings[:, 0].astype(np.float64))
    recognised = sum(_knows(head, model.habits, by_photo, seen, left_out) for left_out in range(len(seen)))
    shown = tuple((label, round(1_000 * cosine)) for label, cosine in nearest[:NEAREST_SHOWN])
    return more, Learnt(new.label, len(embeddings), recognised, shown)


def forgotten(model: Model, label: str) -> Model:
    """Return the model without a class that was enrolled; Fault ENROLL-LABEL for any other label."""
    index = model.index(label)
    if index is None:
        raise Fault("ENROLL-LABEL", f"the model knows no {label}")
    if index < model.statistics.trained:
        raise Fault("ENROLL-LABEL", f"{label} is part of the training and stays")
    classes = tuple(known for known in model.classes if known.label != label)
    return replace(model, classes=classes, statistics=model.statistics.without(index))


def resembling(model: Model, mean: np.ndarray) -> list[tuple[str, float]]:
    """Return every label with its cosine to the mean of new photos, in the head as it is, nearest first."""
    # At length 1, all of them: the gain of an enrolled class is for photos, not for means.
    cosines = fit(model.statistics, replace(model.habits, gain=1.0)).cosines(mean)
    return [(model.classes[i].label, float(cosines[i])) for i in np.argsort(-cosines, kind="stable")]


def _refuse_duplicate(label: str, nearest: list[tuple[str, float]], habits: Habits, although: str) -> None:
    for other, cosine in nearest:
        if cosine >= habits.duplicate_cosine and other != although:
            limit = f"{round(1_000 * cosine)} of 1000, the limit is {round(1_000 * habits.duplicate_cosine)}"
            raise Fault("ENROLL-DUPLICATE", f"{label} looks like {other}: {limit}")


def _knows(head: Whitening, habits: Habits, by_photo: np.ndarray, seen: np.ndarray, left_out: int) -> bool:
    """Return True if the head would take a photo for the new class had it learnt from the other photos alone."""
    mean = np.delete(by_photo, left_out, axis=0).mean(axis=0)
    own = head.projected(mean) * habits.gain_of(len(by_photo) - 1)
    photo = head.projected(seen[left_out])
    return bool(photo @ own > (head.means[:-1] @ photo).max())
