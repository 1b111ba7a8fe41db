"""The report as one HTML page that needs no network: tables, then the misses as pictures, wrong reads first."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np

from cart.vision.bench import tables
from cart.vision.bench.sections import Picture, Plan, Result, Table

PICTURES_MAX = 200
"""In a section; wrong ones come first, so nothing that matters is cut off before them."""

PICTURE_WIDTH_PX = 320

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 13px }
section { overflow-x: auto } nav a { margin-right: 1rem }
td { white-space: pre-wrap }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #8884 }
.warn { border-left: 4px solid #c80; padding-left: .8rem }
.misses { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
figure { margin: 0 } figure img { width: 100% } figcaption { font-size: 12px; overflow-wrap: anywhere }
.wrong { outline: 3px solid #c22; outline-offset: 3px }
"""


def html(plan: Plan, results: dict[str, Result], missing: dict[str, str]) -> str:
    """Return the page.

    missing  why a section was not measured, by its name
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Seeing, seed {plan.seed}</title><style>{STYLE}</style><h1>Seeing</h1>",
        f"<p class=warn>{'<br>'.join(map(escape, tables.HEAD))}</p>",
    ]
    parts.append(f"<p>Seed {plan.seed}{', a quick run: few photos and frames' if plan.quick else ''}.</p>")
    parts.append(f"<nav>{''.join(map(_link, results.items()))}</nav>")
    parts += [f"<p class=warn>{escape(name)} was not measured: {escape(why)}</p>" for name, why in missing.items()]
    for name, result in results.items():
        parts.append(f"<section id='{escape(name)}'>")
        parts += [_table(table) for table in result.tables]
        parts += [f"<p>{escape(note)}</p>" for note in result.notes]
        parts += [_pictures(result.pictures), "</section>"]
    return "\n".join(parts) + "\n"


def _link(item: tuple[str, Result]) -> str:
    name, result = item
    misses = f" ({len(result.pictures)} misses)" if result.pictures else ""
    return f"<a href='#{escape(name)}'>{escape(name)}{misses}</a>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}" for cell in table.head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in table.rows)
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return f"<h2>{escape(table.title)}</h2><table><tr>{head}{body}</table>{notes}"


def _pictures(pictures: tuple[Picture, ...]) -> str:
    if not pictures:
        return ""
    shown = sorted(pictures, key=lambda picture: not picture.wrong)[:PICTURES_MAX]
    more = f"<p>{len(pictures) - len(shown)} more are not shown.</p>" if len(pictures) > len(shown) else ""
    return f"<h3>Misses, wrong ones first</h3><div class=misses>{''.join(map(_figure, shown))}</div>{more}"


def _figure(picture: Picture) -> str:
    kind = " class=wrong" if picture.wrong else ""
    caption = f"<b>{escape(picture.title)}</b><br>{escape(picture.caption)}"
    return f"<figure{kind}><img src='{_data_url(picture.pixels)}' alt=''><figcaption>{caption}</figcaption></figure>"


def _data_url(pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    if width > PICTURE_WIDTH_PX:
        size = (PICTURE_WIDTH_PX, max(1, round(height * PICTURE_WIDTH_PX / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 80))
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
