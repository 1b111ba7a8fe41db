"""The files of a head as bytes, and back: head.npz, and statistics.npz, which it is fitted from. A cart loads both.

The same content gives the same bytes, so that a product enrolled and forgotten again leaves the very model that was.
"""

import io
import json
import zipfile
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cart.vision.head_fit import Habits, Statistics, Whitening

if TYPE_CHECKING:
    from cart.vision.classify import Calibration

STATISTICS_FILE = "statistics.npz"
RANK = 512
"""Directions kept in the file: with more of them the figures stay the same and the file grows by 1.3 kB each."""

# The earliest moment that a zip can state: a real one would change the bytes at every run.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def head_bytes(whitening: Whitening, calibration: "Calibration") -> bytes:
    """Return head.npz, as `Head.load` reads it."""
    matrices = {name: getattr(whitening, name).astype(np.float16) for name in ("centre", "projection", "means")}
    numbers = {field.name: np.array(getattr(calibration, field.name)) for field in fields(calibration)}
    return npz_bytes(matrices | numbers)


def statistics_bytes(statistics: Statistics, habits: Habits) -> bytes:
    """Return statistics.npz; the directions are rounded to 8 bits, which moves no figure."""
    scales = np.abs(statistics.directions).max(axis=1) / 127.0
    arrays = {
        "counts": statistics.counts.astype(np.float32),
        "means": statistics.means.astype(np.float16),
        "directions": np.rint(statistics.directions / scales[:, None]).astype(np.int8),
        "direction_scales": scales.astype(np.float32),
        "spreads": statistics.spreads.astype(np.float32),
        "rest": np.array(statistics.rest, np.float32),
        "trained": np.array(statistics.trained, np.int32),
    }
    return npz_bytes(arrays | {field.name: np.array(getattr(habits, field.name)) for field in fields(habits)})


def read_statistics(path: Path) -> tuple[Statistics, Habits]:
    """Return what `statistics_bytes` wrote to this file; OSError or ValueError where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            directions = arrays["directions"].astype(np.float64)
            directions *= arrays["direction_scales"].astype(np.float64)[:, None]  # in place: a cart has little memory
            statistics = Statistics(
                arrays["counts"].astype(np.float64),
                arrays["means"].astype(np.float64),
                directions,
                arrays["spreads"].astype(np.float64),
                float(arrays["rest"]),
                int(arrays["trained"]),
            )
            habits = Habits(**{field.name: float(arrays[field.name]) for field in fields(Habits)})
        _check(statistics, habits)
    except OSError:
        raise
    except Exception as error:  # a manifest vouches for whatever it was written for: the file may be anything
        raise ValueError(f"{path} holds no statistics: {type(error).__name__}: {error}") from error
    return statistics, habits


def _check(statistics: Statistics, habits: Habits) -> None:
    """Raise ValueError where no head can be fitted from these: shapes that do not fit, numbers that are none."""
    arrays = (statistics.counts, statistics.means, statistics.directions, statistics.spreads)
    (classes, size), rank = statistics.means.shape, len(statistics.spreads)
    if [array.shape for array in arrays] != [(classes,), (classes, size), (rank, size), (rank,)]:
        raise ValueError(f"shapes that do not fit each other: {[array.shape for array in arrays]}")
    if not all(np.isfinite(array).all() for array in (*arrays, astuple(habits), statistics.rest)):
        raise ValueError("a number that is none")
    if not (0 <= statistics.trained <= classes and statistics.counts.min(initial=1) > 0):
        raise ValueError(f"{statistics.trained} products of the training among {classes}")
    if statistics.spreads.min(initial=1) < 0 or statistics.rest < 0:
        raise ValueError("a spread below 0")
    if not (0 < habits.shrinkage <= 1 <= habits.gain and habits.allowance >= 0):
        raise ValueError(str(habits))


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Return an .npz of little-endian arrays, sorted by name, that `numpy.load` reads without pickle."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name]) if arrays[name].ndim else arrays[name]
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array.astype(array.dtype.newbyteorder("<")), (1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH), entry.getvalue())
    return result.getvalue()


def json_bytes(value: object) -> bytes:
    """Return readable JSON with sorted keys and a final newline."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
