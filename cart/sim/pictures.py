"""Which picture a product has in the simulated world: a photo where photos are there, else one that we draw.

Photos are the validation photos of the Grocery Store Dataset (MIT), which the
classifier that is measured never saw. A bare clone has none: then each product
gets a drawing, which a reader of codes does not mind and a classifier rightly
does not know.
"""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np

DRAWN = "drawn:"
SIDE_PX = 400


def photo_folder() -> Path | None:
    """Return the folder of the photos: in $CART_SHARED, else beside the checkout; None where there is none."""
    shared = os.environ.get("CART_SHARED")
    base = Path(shared) if shared else Path(__file__).resolve().parents[2].parent / "shared"
    folder = base / "data" / "grocery"
    return folder if (folder / "val.txt").is_file() and (folder / "classes.csv").is_file() else None


class Pictures:
    """Names of pictures by classifier label.

    folder  the photos, None for drawings only
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._photos = _by_label(folder) if folder else {}

    @property
    def words(self) -> str:
        """Say what is shown, for people."""
        return f"photos: {sum(map(len, self._photos.values()))} of {self.folder}" if self._photos else "own drawings"

    def of(self, label: str, number: int = 0) -> str:
        """Return the name of a product's picture; number chooses among its photos."""
        photos = self._photos.get(label, ())
        return photos[number % len(photos)] if photos else DRAWN + label

    def load(self, name: str) -> np.ndarray:
        """Return the picture as uint8 (SIDE_PX, SIDE_PX, 3) in B, G, R order; a lost file becomes its drawing."""
        import cv2

        if not name.startswith(DRAWN) and self.folder is not None:
            photo = cv2.imread(str(self.folder / name))
            if photo is not None:
                return cv2.resize(_square(photo), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        return drawing(name.removeprefix(DRAWN))


@cache
def drawing(label: str) -> np.ndarray:
    """Return the drawing of a label: a carton or a fruit in the colours that its name gives it."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(crc32(label.encode()))
    ground, body, stripe = (tuple(int(c) for c in rng.integers(40, 230, 3)) for _ in range(3))
    picture = np.full((SIDE_PX, SIDE_PX, 3), ground, np.uint8)
    middle = SIDE_PX // 2
    if any(word in label for word in ("Milk", "Juice", "Yog", "ghurt", "Cream", "Tropicana")):
        cv2.rectangle(picture, (90, 30), (SIDE_PX - 90, SIDE_PX - 20), body, cv2.FILLED)
        cv2.rectangle(picture, (90, 120), (SIDE_PX - 90, 180), stripe, cv2.FILLED)
        words = label.split("-")[0]
        cv2.putText(picture, words, (100, 230), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3, cv2.LINE_AA)
    else:
        axes = (int(rng.integers(90, 160)), int(rng.integers(70, 150)))
        cv2.ellipse(picture, (middle, middle), axes, float(rng.integers(0, 180)), 0, 360, body, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (middle - 40, middle - 40), 30, stripe, cv2.FILLED, cv2.LINE_AA)
    picture.flags.writeable = False
    return picture


def _square(photo: np.ndarray) -> np.ndarray:
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


def listed(folder: Path, split: str) -> list[tuple[str, int]]:
    """Return (path below `folder`, class number) of each photo of a list of the data set, "val" or "train"."""
    lines = (folder / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    rows = [[field.strip() for field in line.split(",")] for line in lines if line.strip()]
    return [(path, int(fine)) for path, fine, _ in rows]


def _by_label(folder: Path) -> dict[str, list[str]]:
    """Return the validation photos of each fine label, in the order of their list."""
    with (folder / "classes.csv").open(encoding="utf-8", newline="") as file:
        names = {int(row[1]): row[0] for row in list(csv.reader(file))[1:]}
    photos: dict[str, list[str]] = {}
    for path, fine in listed(folder, "val"):
        photos.setdefault(names[fine], []).append(path)
    return photos
