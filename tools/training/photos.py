"""The grocery data set: which photo shows what, read as the cart reads photos, and split without touching val.

Source, licence and citation: SOURCE.md and LICENSE beside the photos. Only the splits train and val exist here.
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cart.vision import photo
from cart.vision.bench.grocery import listed
from cart.vision.classify import preprocess
from cart.vision.views import View, seen

SPLITS = ("train", "val")
PRINTED = "Packages"
"""The folder of the products that carry print."""


@dataclass(frozen=True, slots=True)
class Labels:
    """fine: the 81 product names in class order; coarse: the group of each, in the same order."""

    fine: tuple[str, ...]
    coarse: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Photos:
    """One split: paths relative to the data folder and the class number of each, in the list's order."""

    paths: tuple[str, ...]
    classes: np.ndarray


def read_labels(data: Path) -> Labels:
    """Return the names in classes.csv, sorted by class number."""
    with (data / "classes.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.reader(list(file)[1:]), key=lambda row: int(row[1]))
    assert [int(row[1]) for row in rows] == list(range(len(rows))), "class numbers have gaps"
    return Labels(tuple(row[0] for row in rows), tuple(row[2] for row in rows))


def read_split(data: Path, split: str) -> Photos:
    """Return the photos of "train" or "val"."""
    assert split in SPLITS, split
    return Photos(*listed(data, split))


def fingerprint(data: Path, photos: Photos) -> str:
    """Return a SHA-256 over paths, classes and bytes of the photos: names the data that a figure was measured on."""
    digest = hashlib.sha256()
    for path, number in zip(photos.paths, photos.classes.tolist(), strict=True):
        digest.update(f"{path},{number}\n".encode())
        digest.update((data / path).read_bytes())
    return digest.hexdigest()


def embedded(
    data: Path,
    photos: Photos,
    view: View,
    embed: Callable[[np.ndarray], np.ndarray],
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Return the float32 embeddings (photos, n); `progress` is told how many of how many are done."""
    rows = []
    for path in photos.paths:
        rows.append(embed(seen(photo.load(data / path), view)))
        progress(len(rows), len(photos.paths))
    return np.stack(rows)


def squares(data: Path, photos: Photos, side_px: int) -> np.ndarray:
    """Return the centred squares of the photos, uint8 (n, side, side, 3) RGB, to make training views from."""
    result = np.empty((len(photos.paths), side_px, side_px, 3), np.uint8)
    for index, path in enumerate(photos.paths):
        result[index] = preprocess(photo.load(data / path), side_px)
    return result


def mirrored(photos: Photos) -> np.ndarray:
    """Return for each photo whether it may be mirrored: not one of a package, whose print never is."""
    return np.array([PRINTED not in Path(path).parts for path in photos.paths])


def departments(photos: Photos) -> np.ndarray:
    """Return the uppermost folder of each photo: Fruit, Packages or Vegetables."""
    return np.array([Path(path).parts[1] for path in photos.paths])
