"""What a retail code looks like through a lens, as linear algebra.

The picture of a code is linear in its light modules and in the edges between them: `parts @ basis`. So all lenses of
one code, and all 170 codes that differ from it in one digit, are one small matrix product each. A lens is a blur and
an ink spread. The spread matters: taken for something else, it makes a 1 out of a 7 and a 2 out of an 8, which have
their edges in the same places.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

QUIET_MODULES = 4
"""Modules of quiet zone on each side that take part."""

SAMPLES_PER_MODULE = 4

BLURS_MODULES = (0.35, 0.6, 0.9, 1.25, 1.7)
"""Standard deviations of the blurs tried, in modules."""

INK_SPREADS_MODULES = (-0.15, 0.0, 0.15, 0.3)
"""By how much each edge of a dark bar is moved outwards, in modules; negative where light eats into the bars."""

LENSES = tuple(itertools.product(BLURS_MODULES, INK_SPREADS_MODULES))


def best_correlation(seen: np.ndarray, lenses: Sequence[int], codes: Sequence[str]) -> float:
    """Return the best correlation of a profile with any of the codes, seen through any of some lenses.

    seen    (samples,) of mean 0 and length 1, on the grid of the code
    lenses  indices into LENSES
    codes   modules as cart.wire.bars gives them, at least one
    """
    others = parts_of(codes)
    best = -1.0
    for lens in lenses:
        basis, gram = _basis(module_count(others[0]), lens)
        lengths = np.sqrt(np.einsum("ij,ij->i", others @ gram, others))
        best = max(best, float(((others @ (basis @ seen)) / lengths).max()))
    return best


def same_blur(lens: int) -> tuple[int, ...]:
    """Return the lenses with the same blur and any ink spread."""
    return tuple(n for n, (blur, _) in enumerate(LENSES) if blur == LENSES[lens][0])


def templates_of(drawn: np.ndarray) -> np.ndarray:
    """Return the code as each lens shows it, (lenses, samples), of mean 0 and length 1."""
    return unit_rows((drawn @ _bases(module_count(drawn))).reshape(len(LENSES), -1))


@lru_cache(maxsize=3)
def _bases(count: int) -> np.ndarray:
    """Return the bases of all lenses side by side, so that one product gives all templates; float32, 7 MB at most."""
    modules = count + 2 * QUIET_MODULES
    pictures = np.empty((2 * modules - 1, len(LENSES) * modules * SAMPLES_PER_MODULE), np.float32)
    for lens in range(len(LENSES)):
        pictures[:, _columns(count, lens)] = _drawn_basis(modules, lens)
    return pictures


@lru_cache(maxsize=3 * len(LENSES))
def _basis(count: int, lens: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture of each part of a code, (parts, samples) and centred, and the parts' inner products."""
    basis = _bases(count)[:, _columns(count, lens)]
    return basis, basis @ basis.T


def _columns(count: int, lens: int) -> slice:
    samples = (count + 2 * QUIET_MODULES) * SAMPLES_PER_MODULE
    return slice(lens * samples, (lens + 1) * samples)


def _drawn_basis(modules: int, lens: int) -> np.ndarray:
    blur, spread = LENSES[lens]
    # Light goes on beyond the quiet zone, so the outermost modules have no outer edge.
    edges = np.arange(modules + 1.0)
    edges[0], edges[-1] = -99.0, modules + 99.0
    places = (np.arange(modules * SAMPLES_PER_MODULE) + 0.5) / SAMPLES_PER_MODULE
    away = places[None, :] - edges[:, None]
    steps = np.vectorize(math.erf)(away / (blur * math.sqrt(2.0))) / 2
    inner = away[1:-1]
    # An edge that moves outwards takes away a strip of light, `spread` wide, at the edge.
    strips = -spread * np.exp(-((inner / blur) ** 2) / 2) / (blur * math.sqrt(2.0 * math.pi))
    basis = np.concatenate([steps[:-1] - steps[1:], strips])
    return basis - basis.mean(axis=1, keepdims=True)


def parts_of(codes: Sequence[str]) -> np.ndarray:
    """Return what of each code takes part in its picture, (codes, parts): light modules, then edges between modules."""
    dark = np.frombuffer("".join(codes).encode("ascii"), np.uint8).reshape(len(codes), -1) == ord("1")
    light = np.pad(np.float32(1.0) - dark, ((0, 0), (QUIET_MODULES, QUIET_MODULES)), constant_values=1.0)
    return np.concatenate([light, np.abs(np.diff(light, axis=1))], axis=1)


def module_count(parts: np.ndarray) -> int:
    """Return how many modules a code of so many parts has between its quiet zones."""
    return (len(parts) + 1) // 2 - 2 * QUIET_MODULES


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return the rows at mean 0 and length 1, so that a product of two is their correlation; flat rows stay 0."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
