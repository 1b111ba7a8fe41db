"""The printed target that `cart camera test` measures a camera by: EAN-13 codes of known sizes on a white card.

Each code's number says how wide its thinnest bar is, so one that is read tells how large a pixel is in the plane of
the card, whatever its place; only a camera that is fine and sharp enough reads the small ones. Lengths in micrometres.
"""

from __future__ import annotations

from typing import NamedTuple

from cart.wire.bars import modules
from cart.wire.gtin import check_digit

CARD_UM = (150_000, 100_000)
QUIET_MODULES = 11
RULER_UM = 100_000
PREFIX = "9521000"
"""Of GS1's numbers for demonstrations: no product has them."""


class Label(NamedTuple):
    """One code of the card. left, top: of its bars, without the quiet zone."""

    text: str
    module_um: int
    left_um: int
    top_um: int
    height_um: int


def _label(module_um: int, left_um: int, top_um: int, height_um: int) -> Label:
    body = f"{PREFIX}{module_um:05d}"
    return Label(body + check_digit(body), module_um, left_um, top_um, height_um)


# 200, 150, 100 and 80 % of the nominal size.
LABELS = (
    _label(660, 10_000, 8_000, 28_000),
    _label(495, 90_000, 8_000, 28_000),
    _label(330, 10_000, 50_000, 22_000),
    _label(264, 90_000, 50_000, 22_000),
)


def module_um_of(text: str) -> int | None:
    """Return how wide the thinnest bar of a code of the card is, None for any other code."""
    return next((label.module_um for label in LABELS if label.text == text), None)


def bars_of(label: Label) -> list[tuple[int, int]]:
    """Return (left, width) of each dark bar of a label on the card, in micrometres."""
    found: list[tuple[int, int]] = []
    drawn = modules("EAN13", label.text)
    number = 0
    while number < len(drawn):
        width = len(drawn[number:]) - len(drawn[number:].lstrip("1"))
        if width:
            found.append((label.left_um + number * label.module_um, width * label.module_um))
        number += max(1, width)
    return found


def svg() -> str:
    """Return the card as an SVG picture, to be printed in its own size."""
    width, height = CARD_UM
    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for label in LABELS:
        parts += [
            f'<rect x="{left}" y="{label.top_um}" width="{bar}" height="{label.height_um}"/>'
            for left, bar in bars_of(label)
        ]
        under = label.top_um + label.height_um + 4_500
        size = f"{label.module_um / 1_000:.3f} mm"
        parts.append(f'<text x="{label.left_um}" y="{under}">{label.text} · {size} a module</text>')
    parts += _ruler(width, height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width // 1_000}mm" height="{height // 1_000}mm"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="3200">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _ruler(width: int, height: int) -> list[str]:
    left, line = (width - RULER_UM) // 2, height - 12_000
    return [
        f'<path d="M{left} {line - 2_000}v4000M{left} {line}h{RULER_UM}M{left + RULER_UM} {line - 2_000}v4000"'
        ' fill="none" stroke="#000" stroke-width="250"/>',
        f'<text x="{left}" y="{line + 6_500}">This line is {RULER_UM // 1_000} mm long; if it is not, print at 100 %.'
        " Then: cart camera test</text>",
    ]
