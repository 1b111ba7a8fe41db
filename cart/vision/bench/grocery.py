"""The shared grocery photos as the bench uses them: val, which no network or head learnt, and some of train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cart.clock import NS_PER_MS, SystemClock
from cart.sim import pictures
from cart.vision import photo
from cart.vision.classify import Head, preprocess
from cart.vision.head_fit import ENROLMENT_PHOTOS
from cart.vision.views import VIEWS, seen

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Split:
    """Photos of one list: paths, class numbers in the order of the model's labels."""

    paths: tuple[Path, ...]
    classes: np.ndarray

    def of(self, number: int, count: int) -> list[Path]:
        """Return at most `count` photos of a class, evenly spread over the list."""
        mine = np.flatnonzero(self.classes == number)
        chosen = np.linspace(0, len(mine) - 1, min(count, len(mine))).round().astype(int)
        return [self.paths[i] for i in mine[chosen]]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A split as the network sees it: embeddings (photos, n), and the CPU time of each photo in ns."""

    embeddings: np.ndarray
    cpu_ns: np.ndarray

    @property
    def ms_median(self) -> float:
        """The middle one's time in ms."""
        return float(np.median(self.cpu_ns)) / NS_PER_MS


def listed(folder: Path, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the photos of a list of the data set, "val" or "train": paths relative to `folder`, class numbers."""
    rows = pictures.listed(folder, name)
    return tuple(path for path, _ in rows), np.array([number for _, number in rows])


def read_split(folder: Path, name: str, head: Head) -> Split:
    """Return a split of the data set; ValueError where the model's labels are not the data set's."""
    paths, classes = listed(folder, name)
    if classes.max() >= len(head.labels):
        raise ValueError(f"{len(head.labels)} labels for {classes.max() + 1} classes of photos")
    return Split(tuple(folder / path for path in paths), classes)


def embedded(split: Split, embed: Embed, head: Head, told: Callable[[int], None]) -> Seen:
    """Return what the network sees of each photo; a photo's time is from its pixels to its evidence."""
    clock = SystemClock()
    rows, cpu_ns = [], []
    for number, path in enumerate(split.paths):
        told(number)
        pixels = photo.load(path)
        begin_ns = clock.cpu_ns()
        embedding = embed(preprocess(pixels))
        head.log_likelihoods(embedding)
        cpu_ns.append(clock.cpu_ns() - begin_ns)
        rows.append(embedding)
    return Seen(np.stack(rows), np.array(cpu_ns))


def enrolments(split: Split, numbers: np.ndarray, embed: Embed, told: Callable[[int], None]) -> dict[int, np.ndarray]:
    """Return the embeddings (photos, views, n) of ten photos of each class, as `cart catalog enroll` takes them."""
    result = {}
    for done, number in enumerate(numbers.tolist()):
        told(done)
        loaded = [photo.load(path) for path in split.of(number, ENROLMENT_PHOTOS)]
        result[number] = np.stack([np.stack([embed(seen(picture, view)) for view in VIEWS]) for picture in loaded])
    return result
