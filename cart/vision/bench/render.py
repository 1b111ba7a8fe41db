"""Frames with one retail code in them, drawn as a camera near its limits would see it.

A label (bars, quiet zones, digits printed below and guard bars between them, ink spread) lies on a cluttered package:
turned, tilted, bent around a can, half covered, shone upon; seen through a lens, in motion, with noise. Everything
random comes from the generator that is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from cart.vision.bench.readers import Code
from cart.wire import bars

WIDTH_PX, HEIGHT_PX = 480, 360
LABEL_PX = 8
"""Pixels of the label for one module, before it is seen."""

FINER = 3
"""The frame is drawn so much finer and then averaged, as the cells of a sensor do."""

TEXT_BELOW_MODULES, GUARD_BELOW_MODULES = 9, 5
FONT = cv2.FONT_HERSHEY_SIMPLEX
CAMERA_DISTANCE_PX = 900.0
BACKGROUNDS = 16


@dataclass(frozen=True, slots=True)
class Hardship:
    """How a frame is seen; what is given in modules is as large in pixels as `module_px` says.

    turn_deg, tilt_deg  in the plane of the picture; out of it, about the upright axis of the label, or its level one
    arc_deg             part of a can that the label goes around, 0 for flat
    smear_modules       motion during the exposure, in `smear_deg` from across the bars
    defocus_modules     standard deviation of the lens's blur
    glare, thumb        part of the bars' height burnt out, and covered from below
    ink_modules         by how much a bar is printed too wide, on both sides together
    """

    module_px: float = 2.0
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    level_tilt_deg: float = 0.0
    arc_deg: float = 0.0
    smear_modules: float = 0.0
    smear_deg: float = 0.0
    defocus_modules: float = 0.25
    noise: float = 3.0
    contrast: float = 1.0
    glare: float = 0.0
    thumb: float = 0.0
    ink_modules: float = 0.0
    quiet_modules: tuple[int, int] = (11, 7)
    height_modules: int = 40


def frame(code: Code, seen: Hardship, rng: np.random.Generator) -> np.ndarray:
    """Return the uint8 (HEIGHT_PX, WIDTH_PX) frame of a code."""
    label = _covered(_label(code, seen), seen, rng)
    if seen.arc_deg:
        label = bent(label, seen.arc_deg)
    picture = _placed(label, seen, rng)
    picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, seen.defocus_modules * seen.module_px))
    if seen.smear_modules:
        picture = cv2.filter2D(picture, -1, _smear(seen), borderType=cv2.BORDER_REPLICATE)
    picture = 128 + (picture - 128) * seen.contrast
    return np.clip(picture + rng.normal(0, seen.noise, picture.shape), 0, 255).astype(np.uint8)


def _label(code: Code, seen: Hardship) -> np.ndarray:
    """Return the label, float32, LABEL_PX pixels a module, with its quiet zones and digits."""
    modules = bars.modules(code.symbology, code.text)
    before, after = seen.quiet_modules
    width = (before + len(modules) + after) * LABEL_PX
    label = np.full(((seen.height_modules + TEXT_BELOW_MODULES + 2) * LABEL_PX, width), 235, np.uint8)
    grow = round(seen.ink_modules * LABEL_PX / 2)
    text_top = (1 + seen.height_modules) * LABEL_PX
    for number, module in enumerate(modules):
        if module == "1":
            left = (before + number) * LABEL_PX
            below = GUARD_BELOW_MODULES * LABEL_PX if _is_guard(number, len(modules)) else 0
            label[LABEL_PX : text_top + below, max(0, left - grow) : left + LABEL_PX + grow] = 25
    # An ink spread that is negative eats the bars from both sides.
    if grow < 0:
        label = cv2.dilate(label, np.ones((1, 1 - 2 * grow), np.uint8))
    across = (len(modules) - 12) // len(code.text)
    for number, digit in enumerate(code.text):
        at = ((before + 6 + number * across) * LABEL_PX, text_top + 8 * LABEL_PX)
        cv2.putText(label, digit, at, FONT, LABEL_PX * 0.26, 25, max(2, LABEL_PX // 3), cv2.LINE_AA)
    return label.astype(np.float32)


def _is_guard(module: int, modules: int) -> bool:
    return module < 3 or module >= modules - 3 or (modules != 51 and abs(module - modules // 2) <= 2)


def _covered(label: np.ndarray, seen: Hardship, rng: np.random.Generator) -> np.ndarray:
    height, width = label.shape
    if seen.thumb:
        label[int(height * (1 - seen.thumb)) :] = rng.uniform(90, 150)
    if seen.glare:
        down = np.linspace(-0.5, 0.5, height)[:, None]
        along = np.linspace(-1, 1, width)[None, :]
        away = np.abs(down - rng.uniform(-0.25, 0.25) - rng.uniform(-0.15, 0.15) * along)
        label += np.clip(1.6 - 2 * away / seen.glare, 0, 1) * (260 - label)
    return label


def bent(label: np.ndarray, arc_deg: float) -> np.ndarray:
    """Return the label around a can whose axis is along the bars: modules shrink and darken towards both sides."""
    height, width = label.shape
    half = math.radians(arc_deg) / 2
    angle = np.arcsin(np.linspace(-1, 1, width) * math.sin(half))
    columns = ((angle / half + 1) / 2 * (width - 1)).astype(np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    seen = cv2.remap(label, np.tile(columns, (height, 1)), np.tile(rows, (1, width)), cv2.INTER_LINEAR)
    return seen * (0.45 + 0.55 * np.cos(angle))[None, :].astype(np.float32)


def _placed(label: np.ndarray, seen: Hardship, rng: np.random.Generator) -> np.ndarray:
    """Return the label on its package as a pinhole camera sees it, float32 at the size of the frame."""
    height, width = label.shape
    scale = seen.module_px / LABEL_PX
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2) * scale
    tilt, level = math.radians(seen.tilt_deg), math.radians(seen.level_tilt_deg)
    depth = corners[:, 0] * math.sin(tilt) + corners[:, 1] * math.sin(level)
    flat = corners * (math.cos(tilt), math.cos(level)) * (CAMERA_DISTANCE_PX / (CAMERA_DISTANCE_PX + depth))[:, None]
    turn = math.radians(seen.turn_deg)
    turned = flat @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    room = np.maximum(0, np.array([WIDTH_PX, HEIGHT_PX]) / 2 - np.abs(turned).max(axis=0) - 2)
    middle = np.array([WIDTH_PX, HEIGHT_PX]) / 2 + rng.uniform(-1, 1, 2) * np.minimum(room, 60)
    there = ((turned + middle) * FINER).astype(np.float32)
    here = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    view = cv2.getPerspectiveTransform(here, there)
    size = (WIDTH_PX * FINER, HEIGHT_PX * FINER)
    # Sampled points of a label much finer than the picture would alias.
    soft = cv2.GaussianBlur(label, (0, 0), max(0.01, LABEL_PX / seen.module_px / FINER / 2))
    drawn = cv2.warpPerspective(soft, view, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones(label.shape, np.uint8), view, size, flags=cv2.INTER_NEAREST).astype(np.float32)
    drawn = cv2.resize(drawn * mask, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return drawn + (1 - mask) * _background(int(rng.integers(BACKGROUNDS)))


def _smear(seen: Hardship) -> np.ndarray:
    """Return the path of a point during the exposure as a kernel that sums to 1."""
    length_px = seen.smear_modules * seen.module_px
    angle = math.radians(seen.turn_deg + seen.smear_deg)
    side = 2 * math.ceil(length_px / 2) + 3
    kernel = np.zeros((side, side), np.float32)
    for away in np.linspace(-length_px / 2, length_px / 2, max(9, round(8 * length_px))):
        x, y = side // 2 + away * math.cos(angle), side // 2 + away * math.sin(angle)
        left, top = math.floor(x), math.floor(y)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            if 0 <= column < side and 0 <= row < side:
                kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return kernel / kernel.sum()


@lru_cache(maxsize=BACKGROUNDS)
def _background(number: int) -> np.ndarray:
    """Return a package: patches of colour, lines of print, light from one side."""
    rng = np.random.default_rng(number)
    picture = np.full((HEIGHT_PX, WIDTH_PX), rng.integers(80, 180), np.uint8)
    for _ in range(14):
        x, y = int(rng.integers(WIDTH_PX)), int(rng.integers(HEIGHT_PX))
        w, h = int(rng.integers(20, WIDTH_PX // 2)), int(rng.integers(10, HEIGHT_PX // 2))
        cv2.rectangle(picture, (x, y), (x + w, y + h), int(rng.integers(30, 230)), -1)
    letters = list("ABCDEFGHIKLMNOPRSTUabcdefgilmnopr 0123456789|")
    for _ in range(18):
        words, size = "".join(rng.choice(letters, 12)), float(rng.uniform(0.3, 1.0))
        at = (int(rng.integers(WIDTH_PX)) - 40, int(rng.integers(HEIGHT_PX)))
        cv2.putText(picture, words, at, FONT, size, int(rng.choice([20, 230])), int(rng.integers(1, 3)), cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32)
    return picture + np.linspace(-20, 20, WIDTH_PX, dtype=np.float32)[None, :]
