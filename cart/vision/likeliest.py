"""Which DataBar code most likely gave this profile: every character held against all its drawn forms at once.

A code has over 10^13 forms, but its picture is a sum: of guards that are always the same, of two finders, and of four
characters that hardly touch. So each character is compared by itself, and the nearest forms are combined under the
rule that ties all together, the checksum that the finders show.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cart.vision.drawn import QUIET_MODULES, SAMPLES_PER_MODULE, unit_rows
from cart.wire import databar
from cart.wire.databar import Characters, Widths

SAMPLES = (databar.MODULES + 2 * QUIET_MODULES) * SAMPLES_PER_MODULE
"""Of a profile on the grid of its code, quiet zones included."""

Lens = tuple[float, float]
"""Standard deviation of a blur, and ink spread, both in modules, as in drawn.LENSES."""

FORMS_TRIED, FINDERS_TRIED = 48, 2
"""So many of the nearest forms of each character, and of each finder, are combined."""

ROUNDS = 2
"""The two inside characters touch: each is compared again with the other in its place."""

LENSES_KEPT = 3
"""The forms of all characters through so many lenses are kept: 2.4 MB each."""

BESIDE = 2
"""Samples on both sides of a character that count with it: its blur reaches there."""

_LEFT_FINDER, _RIGHT_FINDER, _FINDER_MODULES = 18, 63, 15
_PLACES = (2, 33, 78, 48)
"""Where the finders and the four characters begin, in modules."""

_LIGHT_FIRST, _DARK_FIRST = 0, 1


class Guess(NamedTuple):
    """The most likely code of a profile.

    distance  sum of squares between profile and drawn code, where full contrast is 1
    lead      distance of the next code, in parts of this one's
    agreed    each of its characters is the nearest by itself: the checksum had nothing to put right
    """

    characters: Characters
    distance: float
    lead: float
    agreed: bool


def most_likely(seen: np.ndarray, lens: Lens) -> Guess:
    """Return the most likely code.

    seen  float32 (SAMPLES,), grey levels of any contrast on the grid of the code
    """
    near, far, light = _finders(seen, lens)
    found = [code for pair in itertools.product(near, far) for code in _with_finders(light, lens, *pair)]
    # Without another code to compare with, no code leads.
    if sum(math.isfinite(distance) for distance, *_ in found) < 2:
        return Guess((0, 0, 0, 0), math.inf, 1.0, agreed=False)
    (distance, characters, agreed), (next_distance, *_) = sorted(found)[:2]
    return Guess(characters, distance, next_distance / max(distance, 1e-6), agreed)


def finder_modules(*, right: bool) -> np.ndarray:
    """Return the light modules of the finders, (9, 15), on the left or on the right."""
    if right:
        return _modules([widths[::-1] for widths in databar.FINDERS], _DARK_FIRST)
    return _modules(databar.FINDERS, _LIGHT_FIRST)


def seen_rows(rows: np.ndarray, lens: Lens, per_module: int = SAMPLES_PER_MODULE) -> np.ndarray:
    """Return rows of light modules, (..., modules), as a lens shows them: (..., samples); the outermost ones go on."""
    lit, strips = _parts(rows.shape[-1], lens, per_module)
    return rows @ lit + _edges(rows) @ strips


@lru_cache(maxsize=32)
def _parts(modules: int, lens: Lens, per_module: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what each light module and each edge between two adds to a row: float32, (modules, samples) and one less.

    An edge that the ink moves outwards takes away a strip of light.
    """
    blur, spread = lens
    edges = np.arange(modules + 1.0)
    edges[0], edges[-1] = -99.0, modules + 99.0
    away = (np.arange(modules * per_module) + 0.5)[None, :] / per_module - edges[:, None]
    steps = np.vectorize(math.erf)(away / (blur * math.sqrt(2.0))) / 2
    strips = -spread * np.exp(-((away[1:-1] / blur) ** 2) / 2) / (blur * math.sqrt(2.0 * math.pi))
    return (steps[:-1] - steps[1:]).astype(np.float32), strips.astype(np.float32)


def _edges(rows: np.ndarray) -> np.ndarray:
    """Return where light begins or ends between two modules: 1, or parts of it where that is not known."""
    return np.abs(np.diff(rows, axis=-1))


def _finders(seen: np.ndarray, lens: Lens) -> tuple[list[int], list[int], np.ndarray]:
    """Return the nearest finders on the left and right, and the profile with dark at 0 and light at 1.

    What is light and dark is told by the finders: their elements are the widest that every code has.
    """
    drawn, found, chosen = [], [], []
    for at, right in ((_LEFT_FINDER, False), (_RIGHT_FINDER, True)):
        forms = finder_modules(right=right)
        rows = np.repeat(_always()[None, :], len(forms), axis=0)
        rows[:, _modules_at(at, _FINDER_MODULES)] = forms
        window = _samples_at(at, _FINDER_MODULES)
        drawn.append(seen_rows(rows, lens)[:, window])
        nearness = unit_rows(drawn[-1]) @ unit_rows(seen[None, window])[0]
        found.append(np.argsort(-nearness)[:FINDERS_TRIED].tolist())
        chosen.append(np.arange(SAMPLES)[window])
    places = np.concatenate(chosen)
    picture = np.concatenate([rows[best[0]] for rows, best in zip(drawn, found, strict=True)])
    # Light may fall from one side.
    terms = np.stack([picture, np.ones_like(picture), places / SAMPLES], axis=1)
    contrast, dark, slope = np.linalg.lstsq(terms, seen[places], rcond=None)[0]
    light = (seen - dark - slope * np.arange(SAMPLES) / SAMPLES) / max(contrast, 1e-3)
    return found[0], found[1], light.astype(np.float32)


def _with_finders(light: np.ndarray, lens: Lens, near: int, far: int) -> list[tuple[float, Characters, bool]]:
    """Return the two nearest codes with these finders: distance, characters, agreed; none if no code has them."""
    checksum = databar.checksum_of(near, far)
    if checksum is None:
        return []
    known = _always().copy()
    known[_modules_at(_LEFT_FINDER, _FINDER_MODULES)] = finder_modules(right=False)[near]
    known[_modules_at(_RIGHT_FINDER, _FINDER_MODULES)] = finder_modules(right=True)[far]
    distances = _all_distances(light, lens, known)
    alone = tuple(int(of.argmin()) for of in distances)
    around = _finders_distance(light, lens, known, alone)
    left, right = _pairs(distances, 0), _pairs(distances, 2)
    # Row: what the left half adds to the checksum; the right half has to add the rest.
    rest = (checksum - np.arange(databar.CHECKSUMS)) % databar.CHECKSUMS
    sums = left.distance[:, :, None] + right.distance[rest][:, None, :]
    nearest = np.argsort(sums, axis=None)[:2]
    codes = []
    for rest_left, one, other in zip(*np.unravel_index(nearest, sums.shape), strict=True):
        pairs = (left.characters[rest_left, one], right.characters[rest[rest_left], other])
        first, second, third, fourth = (int(character) for pair in pairs for character in pair)
        characters = (first, second, third, fourth)
        codes.append((around + float(sums[rest_left, one, other]), characters, characters == alone))
    return codes


def _all_distances(light: np.ndarray, lens: Lens, known: np.ndarray) -> list[np.ndarray]:
    """Return the distances of all forms of the four characters, the two inside ones each beside the other's nearest."""
    distances = [_distances(light, lens, place, known) for place in range(4)]
    for _ in range(ROUNDS):
        for place, other in ((1, 3), (3, 1)):
            beside = _with_character(known, other, int(distances[other].argmin()))
            distances[place] = _distances(light, lens, place, beside)
    return distances


def _finders_distance(light: np.ndarray, lens: Lens, known: np.ndarray, characters: Sequence[int]) -> float:
    """Return the distance of the two finders from the profile, beside these characters."""
    for place, character in enumerate(characters):
        known = _with_character(known, place, character)
    missed = np.square(light - seen_rows(known, lens))
    return sum(float(missed[_samples_at(at, _FINDER_MODULES)].sum()) for at in (_LEFT_FINDER, _RIGHT_FINDER))


class _Pairs(NamedTuple):
    """The two nearest pairs of characters for each share of the checksum: (79, 2), and (79, 2, 2) character values."""

    distance: np.ndarray
    characters: np.ndarray


def _pairs(distances: list[np.ndarray], first: int) -> _Pairs:
    """Return the nearest pairs of the characters at `first` and the place after it."""
    tried = [np.argpartition(distances[place], FORMS_TRIED)[:FORMS_TRIED] for place in (first, first + 1)]
    one, other = (values.ravel() for values in np.meshgrid(*tried, indexing="ij"))
    total = distances[first][one] + distances[first + 1][other]
    share = (_weights(first)[one] + _weights(first + 1)[other]) % databar.CHECKSUMS
    order = np.lexsort((total, share))
    begin = np.searchsorted(share[order], np.arange(databar.CHECKSUMS + 1))
    pairs = _Pairs(np.full((databar.CHECKSUMS, 2), np.inf), np.zeros((databar.CHECKSUMS, 2, 2), np.int64))
    for rank in range(2):
        there = begin[:-1] + rank < begin[1:]
        which = order[(begin[:-1] + rank)[there]]
        pairs.distance[there, rank] = total[which]
        pairs.characters[there, rank] = np.stack([one[which], other[which]], axis=1)
    return pairs


def _distances(light: np.ndarray, lens: Lens, place: int, known: np.ndarray) -> np.ndarray:
    """Return the distance of each form of a character from the profile, with the rest of the code as it is known."""
    drawn, squares = _drawn_forms(place, lens)
    count = _forms(place).shape[1]
    at, window = _modules_at(_PLACES[place], count), _samples_at(_PLACES[place], count, BESIDE)
    rest, edges = known.copy(), _edges(known)
    # The edges on both sides of a character belong to it.
    rest[at], edges[at.start - 1 : at.stop] = 0.0, 0.0
    lit, strips = _parts(len(known), lens, SAMPLES_PER_MODULE)
    own = light[window] - rest @ lit[:, window] - edges @ strips[:, window]
    return own @ own - 2 * (drawn @ own) + squares


@lru_cache(maxsize=4 * LENSES_KEPT)
def _drawn_forms(place: int, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Return all forms of a character as a lens shows them, float32 (forms, samples), and their squares."""
    forms = _forms(place)
    count = forms.shape[1]
    window = _samples_at(0, count, BESIDE)
    lit, strips = _parts(count + 2 * QUIET_MODULES, lens, SAMPLES_PER_MODULE)
    # Beside a character stands the opposite of its outermost module.
    edges = _edges(np.concatenate([1 - forms[:, :1], forms, 1 - forms[:, -1:]], axis=1))
    at = _modules_at(0, count)
    drawn = forms @ lit[at, window] + edges @ strips[at.start - 1 : at.stop, window]
    return drawn, np.einsum("ij,ij->i", drawn, drawn)


@lru_cache(maxsize=4)
def _forms(place: int) -> np.ndarray:
    """Return the light modules of all forms of the character at a place."""
    inside = place % 2
    widths = databar.characters(outside=not inside)
    # Characters are written from the outside inwards.
    return _modules([w[::-1] for w in widths] if place in (1, 2) else widths, _DARK_FIRST if inside else _LIGHT_FIRST)


@lru_cache(maxsize=4)
def _weights(place: int) -> np.ndarray:
    return np.array([databar.weight(place, widths) for widths in databar.characters(outside=not place % 2)])


@lru_cache(maxsize=1)
def _always() -> np.ndarray:
    """Return what is light in every code: 1, 0 where it is dark in every code, between them where it differs."""
    # The guards at both ends are a light module and a dark one.
    known = np.pad(np.array([1.0, 0.0] * (databar.MODULES // 2), np.float32), QUIET_MODULES, constant_values=1.0)
    parts = [(_PLACES[place], _forms(place)) for place in range(4)]
    parts += [(_LEFT_FINDER, finder_modules(right=False)), (_RIGHT_FINDER, finder_modules(right=True))]
    for at, forms in parts:
        known[_modules_at(at, forms.shape[1])] = (forms.min(axis=0) + forms.max(axis=0)) / 2
    return known


def _with_character(known: np.ndarray, place: int, value: int) -> np.ndarray:
    changed = known.copy()
    changed[_modules_at(_PLACES[place], _forms(place).shape[1])] = _forms(place)[value]
    return changed


def _modules_at(at: int, count: int) -> slice:
    return slice(QUIET_MODULES + at, QUIET_MODULES + at + count)


def _samples_at(at: int, count: int, beside: int = 0) -> slice:
    modules = _modules_at(at, count)
    return slice(modules.start * SAMPLES_PER_MODULE - beside, modules.stop * SAMPLES_PER_MODULE + beside)


def _modules(rows: Sequence[Widths], dark_first: int) -> np.ndarray:
    """Return widths as light modules, float32 (rows, modules)."""
    lit = [[(number + dark_first + 1) % 2 for number, width in enumerate(row) for _ in range(width)] for row in rows]
    return np.array(lit, np.float32)
