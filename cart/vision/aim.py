"""How well a camera sees: pixel size, sharpness and light by the printed target (`cart.wire.target`), rate by frames.

What the readers need (docs/OPERATING.md, "The camera"): 0.22 mm a pixel, blur of at most 0.6 of the thinnest bar, 2 px
of motion during the exposure. Functions on arrays and values; nothing here opens a camera.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

import numpy as np

from cart.vision import check
from cart.vision.live import sharpness
from cart.vision.profile import profile_across
from cart.vision.reader import read_photo
from cart.wire.bars import modules
from cart.wire.target import module_um_of

SAMPLES_PER_MODULE = 12
QUIET_MODULES = 3
BLURS_MODULES = tuple(0.05 * step for step in range(2, 41))
BURNT = 250
"""Grey level from which on the sensor cannot tell how much lighter a place is."""


class Seen(NamedTuple):
    """One code of the target as a frame shows it.

    module_um         how wide its thinnest bar is printed
    module_px         how wide it is in the frame
    blur_px           standard deviation of the blur that explains its edges
    dark, light       grey levels of its bars and of the paper
    """

    module_um: int
    module_px: float
    blur_px: float
    dark: float
    light: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    frames_per_s      by the times of the frames, 0 with fewer than two
    pixel_um          size of a pixel in the plane of the target, None without it
    blur_um           standard deviation of the blur there, None without it
    smallest_um       thinnest bar that was read
    dark, light       grey levels of print and paper, None without a target
    burnt_percent     part of the frame that is lighter than the sensor can tell
    sharpness         spread of the second derivative: for turning the lens, larger is sharper
    """

    width_px: int
    height_px: int
    frames: int
    frames_per_s: float
    sharpness: float
    burnt_percent: float
    pixel_um: float | None = None
    blur_um: float | None = None
    smallest_um: int | None = None
    dark: float | None = None
    light: float | None = None


def figures(greys: Sequence[np.ndarray], times_ns: Sequence[int]) -> Figures:
    """Return what some frames show, uint8 (height, width) each, at least one; times_ns are those of all that came."""
    last = greys[-1]
    seen = [found for grey in greys for found in seen_in(grey)]
    gaps_ns = np.diff(times_ns)
    general = Figures(
        width_px=last.shape[1],
        height_px=last.shape[0],
        frames=len(times_ns),
        frames_per_s=1e9 * len(gaps_ns) / float(gaps_ns.sum()) if len(gaps_ns) and gaps_ns.sum() else 0.0,
        sharpness=max(sharpness(grey) for grey in greys),
        burnt_percent=100 * float(np.count_nonzero(last >= BURNT)) / last.size,
    )
    return _with_target(general, seen) if seen else general


def seen_in(grey: np.ndarray) -> list[Seen]:
    """Return the codes of the target that can be read in a frame, uint8 (height, width)."""
    found = []
    for read in read_photo(grey):
        module_um = module_um_of(read.text)
        if module_um is not None and read.symbology == "EAN13" and len(read.corners) == 4:
            quad = check.fit_of(grey, read.corners, read.symbology, read.text).quad
            found.append(_measured(grey, quad, read.text, module_um))
    return found


def _measured(grey: np.ndarray, quad: np.ndarray, text: str, module_um: int) -> Seen:
    width_px = (math.dist(quad[0], quad[1]) + math.dist(quad[3], quad[2])) / 2
    drawn = modules("EAN13", text)
    around = QUIET_MODULES / len(drawn)
    count = (len(drawn) + 2 * QUIET_MODULES) * SAMPLES_PER_MODULE
    profile = profile_across(grey, quad, around, evened=False, samples=count)
    blur_modules = _blur_modules(profile, drawn)
    dark, light = np.percentile(profile, (5, 95))
    module_px = width_px / len(drawn)
    return Seen(module_um, module_px, blur_modules * module_px, float(dark), float(light))


def _blur_modules(profile: np.ndarray, drawn: str) -> float:
    """Return the blur, in modules, with which the drawn bars look most like the profile, at the best small shift."""
    levels = [1.0] * QUIET_MODULES + [0.0 if bit == "1" else 1.0 for bit in drawn] + [1.0] * QUIET_MODULES
    ideal = np.repeat(levels, SAMPLES_PER_MODULE)
    edge = 2 * SAMPLES_PER_MODULE
    best, blur = -1.0, BLURS_MODULES[-1]
    for modules_wide in BLURS_MODULES:
        soft = _blurred(ideal, modules_wide * SAMPLES_PER_MODULE)
        for shift in range(-SAMPLES_PER_MODULE // 2, SAMPLES_PER_MODULE // 2 + 1, 2):
            fit = float(np.corrcoef(soft[edge:-edge], np.roll(profile, shift)[edge:-edge])[0, 1])
            if fit > best:
                best, blur = fit, modules_wide
    return blur


def _blurred(signal: np.ndarray, sigma: float) -> np.ndarray:
    reach = math.ceil(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(signal, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def _with_target(general: Figures, seen: Sequence[Seen]) -> Figures:
    # Each code tells the size of a pixel. The blur is the lens's where it is least: the widest code shows it best, for
    # its bars hide the least of it, and every camera that is of any use reads that one.
    pixel_um = median(code.module_um / code.module_px for code in seen)
    return replace(
        general,
        pixel_um=pixel_um,
        blur_um=min(code.blur_px for code in seen) * pixel_um,
        smallest_um=min(code.module_um for code in seen),
        dark=median(code.dark for code in seen),
        light=median(code.light for code in seen),
    )
