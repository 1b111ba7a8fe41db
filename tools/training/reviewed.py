"""Pictures that people have looked at and named, as further training photos.

The folder holds one folder for each product, named as its label in classes.csv, with JPEG or PNG pictures in it:

    reviewed/Granny-Smith/cart-7-0012.jpg
    reviewed/Oat-Drink/cart-3-0044.jpg
    reviewed/labels.csv                     Oat-Drink,Oat-Milk

labels.csv is needed only for labels that classes.csv does not have: label, group. Anything else in the folder is
refused, all at once, each with what to do: a wrong label would be learnt without a word.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cart.vision import photo
from tools.training.photos import Labels, Photos

LABELS_FILE = "labels.csv"
SUFFIXES = (".jpg", ".jpeg", ".png")
SIDE_PX_MIN = 64
NEW_PHOTOS_MIN = 10
PICTURES_MAX = 100_000


class BadReview(Exception):
    """The folder cannot be learnt from; the message has one line a reason, each with the next step."""


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """What the folder adds: labels with the new ones behind the known, and photos by absolute path."""

    labels: Labels
    photos: Photos


def digests(data: Path, photos: Photos, split: str) -> dict[str, str]:
    """Return digest -> name of each photo of a split, for `read`."""
    return {_digest(photo.load(data / path)): f"{split} photo {path} of the data set" for path in photos.paths}


def read(folder: Path, labels: Labels, known: Mapping[str, str]) -> Reviewed:
    """Return what `folder` adds to `labels`.

    known  digest -> name of each photo that must not be there again: one of train is learnt already, perhaps under
           another label, and one of val would be measured on after it was learnt

    Errors: BadReview when the folder is not there or empty, holds more than PICTURES_MAX pictures, a label that nobody
    declared, a file that is no picture or smaller than SIDE_PX_MIN, the same picture twice or one of `known`, or a new
    product with fewer than NEW_PHOTOS_MIN photos.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise BadReview(f"{folder}: no such folder; make it with one folder per label, or leave --reviewed out")
    groups = dict(_declared(folder / LABELS_FILE, labels))
    new = tuple(sorted(groups))
    extended = Labels((*labels.fine, *new), (*labels.coarse, *(groups[label] for label in new)))
    found, reasons = _pictures(folder, extended.fine)
    reasons += _wrong_pictures(found, known)
    reasons += [
        f"{folder / label}: {count} pictures for a new product; gather at least {NEW_PHOTOS_MIN}"
        for label in new
        if (count := sum(name == label for _, name in found)) < NEW_PHOTOS_MIN
    ]
    if reasons:
        raise BadReview("\n".join(reasons))
    if not found:
        raise BadReview(f"{folder}: no picture in it; put reviewed pictures into folders named by their label")
    numbers = {label: number for number, label in enumerate(extended.fine)}
    classes = np.array([numbers[label] for _, label in found])
    return Reviewed(extended, Photos(tuple(str(path) for path, _ in found), classes))


def _declared(path: Path, labels: Labels) -> Iterator[tuple[str, str]]:
    """Yield label and group of each product that is new."""
    if not path.exists():
        return
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadReview(f"{path}: cannot be read ({error}); write lines of label,group in UTF-8") from error
    seen = set(labels.fine)
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        if len(row) != 2 or not all(_is_plain(word) for word in row):
            raise BadReview(f"{path}:{number}: not label,group; write both as in classes.csv, with hyphens for spaces")
        if row[0] in seen:
            raise BadReview(f"{path}:{number}: {row[0]} is there already; take the line out")
        seen.add(row[0])
        yield row[0], row[1]


def _is_plain(word: str) -> bool:
    return bool(word) and word[0] != "." and all(letter.isalnum() or letter in "-_" for letter in word)


def _pictures(folder: Path, known: tuple[str, ...]) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return path and label of each picture in order, and a reason for each thing that is none."""
    found: list[tuple[Path, str]] = []
    reasons = []
    for entry in sorted(folder.iterdir()):
        if entry.name == LABELS_FILE:
            continue
        if not entry.is_dir():
            reasons.append(f"{entry}: lies beside the folders; move it into the folder of its label")
        elif entry.name not in known:
            reasons.append(f"{entry}: no such label; rename it as in classes.csv, or add it to {LABELS_FILE}")
        else:
            for path in sorted(entry.iterdir()):
                if path.is_file() and path.suffix.lower() in SUFFIXES:
                    found.append((path, entry.name))
                else:
                    reasons.append(f"{path}: not a {' or '.join(SUFFIXES)} file; take it out")
    if len(found) > PICTURES_MAX:
        raise BadReview(f"{folder}: {len(found)} pictures; {PICTURES_MAX} can be learnt from at once: take some out")
    return found, reasons


def _wrong_pictures(found: list[tuple[Path, str]], known: Mapping[str, str]) -> list[str]:
    """Return a reason for each picture that cannot be read, is too small, or was there before."""
    reasons = []
    before: dict[str, Path] = {}
    for path, _ in found:
        try:
            pixels = photo.load(path)
        except photo.BadPhoto as error:
            reasons.append(f"{path}: {error}; take it out")
            continue
        if min(pixels.shape[:2]) < SIDE_PX_MIN:
            size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
            reasons.append(f"{path}: {size}; take out what is below {SIDE_PX_MIN}")
        digest = _digest(pixels)
        if digest in known:
            reasons.append(f"{path}: the same picture as {known[digest]}; take it out")
        elif digest in before:
            reasons.append(f"{path}: the same picture as {before[digest]}; keep it under the label that is right")
        before.setdefault(digest, path)
    return reasons


def _digest(pixels: np.ndarray) -> str:
    """Return the SHA-256 of pixels: a file with other metadata is still the same picture."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()
