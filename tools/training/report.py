"""The report of a training run: one HTML file with the figures, and the photos that were taken for something else.

It holds photos of the data set (MIT, Copyright (c) 2019 Marcus Klasson) and is not part of the repository.
"""

import base64
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from cart.vision import photo
from cart.vision.classify import Head, preprocess
from tools.training import card
from tools.training.photos import Photos

THUMB_PX = 112
JPEG_QUALITY = 80
MISSES_MAX = 200

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5rem } td, th { padding: .25rem .8rem; text-align: left;
  border-bottom: 1px solid #d7dce1 } td:last-child { font-variant-numeric: tabular-nums }
.miss { display: inline-grid; grid-template-columns: auto auto; gap: .15rem .5rem; width: 19rem;
  margin: 0 1rem 1.2rem 0;
  vertical-align: top } .miss img { display: block; border-radius: 4px } .miss b { color: #9b1c1c }
small { color: #57606a }
"""


@dataclass(frozen=True, slots=True)
class Miss:
    """A photo that was taken for another product.

    jpeg, example        the photo, and a train photo of what it was taken for
    true, taken_for      labels
    permille, true_permille  how likely each was said to be
    """

    jpeg: bytes
    example: bytes
    true: str
    taken_for: str
    permille: int
    true_permille: int


def misses(data: Path, train: Photos, val: Photos, head: Head, embeddings: np.ndarray) -> list[Miss]:
    """Return the photos of val whose likeliest product is not theirs, the commonest confusion first."""
    chances = np.rint(np.exp(head.log_posteriors(embeddings))[:, :-1] * 1000).astype(int)
    likeliest = chances.argmax(axis=1)
    wrong = np.flatnonzero(likeliest != val.classes)
    pairs = Counter((int(val.classes[i]), int(likeliest[i])) for i in wrong)
    order = sorted(wrong, key=lambda i: (-pairs[int(val.classes[i]), int(likeliest[i])], val.classes[i], likeliest[i]))
    return [
        Miss(
            _thumb(data / val.paths[i]),
            _thumb(data / train.paths[int(np.flatnonzero(train.classes == likeliest[i])[0])]),
            head.labels[val.classes[i]],
            head.labels[likeliest[i]],
            int(chances[i, likeliest[i]]),
            int(chances[i, val.classes[i]]),
        )
        for i in order[:MISSES_MAX]
    ]


def page(measured: dict, found: list[Miss]) -> str:
    """Return the report as one HTML document without a link to anywhere."""
    pairs = Counter((miss.true, miss.taken_for) for miss in found)
    rows = [(f"{true} taken for {taken}", str(count)) for (true, taken), count in pairs.most_common()]
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8><title>Classifier: what was measured</title>",
            f"<style>{STYLE}</style><h1>Classifier: what was measured</h1>",
            "<h2>On val</h2>",
            _table(card.rows(measured["val"])),
            "<h2>A swapped code, seen on the photo</h2>",
            _table(card.swap_rows(measured["fit"])),
            "<h2>Strangers and enrolment</h2>",
            _table(card.stranger_rows(measured["fit"])),
            f"<h2>Taken for something else: {len(found)} photos of val</h2>",
            _table(rows),
            "<p><small>Left the photo, right a train photo of what it was taken for. Photos: Grocery Store Dataset, "
            "MIT, Copyright (c) 2019 Marcus Klasson.</small></p>",
            *(_shown(miss) for miss in found),
            "</html>\n",
        ]
    )


def _table(rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{escape(name)}<td>{escape(figure)}" for name, figure in rows)
    return f"<table>{lines}</table>"


def _shown(miss: Miss) -> str:
    return (
        f"<div class=miss>{_image(miss.jpeg, miss.true)}{_image(miss.example, miss.taken_for)}"
        f"<span>{escape(miss.true)}<br><small>{miss.true_permille / 10:.1f} %</small></span>"
        f"<span><b>{escape(miss.taken_for)}</b><br><small>{miss.permille / 10:.1f} %</small></span></div>"
    )


def _image(jpeg: bytes, label: str) -> str:
    content = base64.b64encode(jpeg).decode()
    return f'<img width={THUMB_PX} height={THUMB_PX} alt="{escape(label)}" src="data:image/jpeg;base64,{content}">'


def _thumb(path: Path) -> bytes:
    pixels = cv2.cvtColor(preprocess(photo.load(path), THUMB_PX), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
