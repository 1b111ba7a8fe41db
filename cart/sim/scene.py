"""What the camera over the basket sees, as pixels: an empty basket, and a hand that carries a thing through the view.

Geometry comes from the world as a `Pass`; nothing here knows what the thing is
called. Everything costly (turning, blurring, noise) happens once a pass, so a
frame is one copy and one paste.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cart.wire.bars import modules

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE_PX = 2.4
"""Width of a code's thinnest bar: within the 2 to 2.5 px that the camera's geometry is chosen for."""

BAR_ROWS_PX = 96
QUIET_MODULES = 11
NOISE_LEVELS = 4.0
NOISE_ROWS = 32
BLUR_SIGMA_PX = 0.6
PATH_MAX = 8


@dataclass(frozen=True, slots=True)
class Pass:
    """One thing on its way through the view.

    t0_ns    monotonic time at which its path begins
    path     (ms after t0, x, y of its middle in px), in order, at most PATH_MAX
    picture  name of its picture
    code     digits of the EAN-13 on it, "" for none
    turn_deg how it is held
    seed     of its noise
    """

    t0_ns: int
    path: tuple[tuple[int, int, int], ...]
    picture: str
    code: str = ""
    turn_deg: float = 0.0
    seed: int = 0

    def place(self, t_ns: int) -> tuple[int, int] | None:
        """Return where the thing's middle is, or None before and after its pass."""
        t_ms = (t_ns - self.t0_ns) / 1e6
        if not self.path or not self.path[0][0] <= t_ms < self.path[-1][0]:
            return None
        for (t1, x1, y1), (t2, x2, y2) in zip(self.path, self.path[1:], strict=False):
            if t_ms < t2:
                share = (t_ms - t1) / max(1, t2 - t1)
                return round(x1 + share * (x2 - x1)), round(y1 + share * (y2 - y1))
        return None


def background(width_px: int, height_px: int, seed: int = 1) -> np.ndarray:
    """Return the empty basket: a dark floor, a wire mesh, uneven light, still noise."""
    across = np.cos((np.arange(width_px, dtype=np.float32) / width_px - 0.45) * 2.2)
    down = np.cos((np.arange(height_px, dtype=np.float32) / height_px - 0.4) * 2.0)
    frame = cv2.cvtColor((74 + 22 * np.outer(down, across)).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    for x in range(-height_px, width_px, 64):
        cv2.line(frame, (x, 0), (x + height_px // 3, height_px), (112, 114, 118), 3, cv2.LINE_AA)
    for y in range(20, height_px, 64):
        cv2.line(frame, (0, y), (width_px, y), (104, 106, 110), 3, cv2.LINE_AA)
    frame = cv2.GaussianBlur(frame, (0, 0), 0.8)
    _add_noise(frame, seed)
    return frame


def bars_picture(code: str, module_px: float = MODULE_PX) -> np.ndarray:
    """Return the printed EAN-13 with its quiet zones and digits, uint8 (h, w, 3).

    Bars are drawn 8 times too large and averaged down, as a lens does: their edges fall between pixels.
    """
    drawn = "0" * QUIET_MODULES + modules("EAN13", code) + "0" * QUIET_MODULES
    fine = np.array([0 if bit == "1" else 255 for bit in drawn for _ in range(round(8 * module_px))], np.uint8)
    width = round(len(drawn) * module_px)
    row = cv2.resize(fine[None, :], (width, 1), interpolation=cv2.INTER_AREA)
    label = np.full((BAR_ROWS_PX + 34, width), 255, np.uint8)
    label[8 : 8 + BAR_ROWS_PX] = row
    cv2.putText(label, code, (round(width * 0.2), BAR_ROWS_PX + 28), cv2.FONT_HERSHEY_SIMPLEX, 0.62, 0, 1, cv2.LINE_AA)
    return cv2.cvtColor(label, cv2.COLOR_GRAY2BGR)


def package(picture: np.ndarray, code: str) -> np.ndarray:
    """Return the side of a package that faces the camera: its picture, and below it the label with its code, if any."""
    if not code:
        return picture
    label = bars_picture(code)
    strip = np.full((label.shape[0] + 12, picture.shape[1], 3), 246, np.uint8)
    left = (strip.shape[1] - label.shape[1]) // 2
    strip[6 : 6 + label.shape[0], left : left + label.shape[1]] = label
    return np.vstack([picture, strip])


def held(face: np.ndarray, turn_deg: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the turned, slightly blurred and noisy face, and its mask (uint8, 0 or 255)."""
    height, width = face.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = (int(width * cos + height * sin) + 2, int(width * sin + height * cos) + 2)
    turn[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    patch = cv2.warpAffine(face, turn, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, size, flags=cv2.INTER_NEAREST)
    patch = cv2.GaussianBlur(patch, (0, 0), BLUR_SIGMA_PX)
    _add_noise(patch, seed)
    return patch, cv2.erode(mask, np.ones((3, 3), np.uint8))


def _add_noise(picture: np.ndarray, seed: int) -> None:
    """Add the sensor's noise in place, a band at a time: vision shares its memory budget with this."""
    rng = np.random.default_rng(seed)
    for top in range(0, picture.shape[0], NOISE_ROWS):
        band = picture[top : top + NOISE_ROWS]
        noise = rng.standard_normal(band.shape, np.float32) * NOISE_LEVELS
        band[:] = np.clip(band + noise, 0, 255)


class Composer:
    """Makes frames from passes.

    load  gives the picture of a name, uint8 (h, w, 3)
    """

    def __init__(self, width_px: int, height_px: int, load: Callable[[str], np.ndarray], seed: int = 1) -> None:
        self.empty = background(width_px, height_px, seed)
        self.empty.flags.writeable = False
        # A page of zeros that is never written costs no memory.
        self.black = np.zeros((height_px, width_px, 3), np.uint8)
        self.black.flags.writeable = False
        self._load = load
        self._thing: tuple[Pass, np.ndarray, np.ndarray] | None = None

    def frame(self, t_ns: int, thing: Pass | None, covered: bool = False) -> np.ndarray:
        """Return what is seen at t_ns; the very same array while nothing moves."""
        if covered:
            return self.black
        place = thing.place(t_ns) if thing is not None else None
        if thing is None or place is None:
            return self.empty
        patch, mask = self._prepared(thing)
        frame = self.empty.copy()
        _paste(frame, patch, mask, place)
        return frame

    def prepare(self, thing: Pass) -> None:
        """Do the costly part before the thing comes into view."""
        self._prepared(thing)

    def _prepared(self, thing: Pass) -> tuple[np.ndarray, np.ndarray]:
        if self._thing is None or self._thing[0] != thing:
            patch, mask = held(package(self._load(thing.picture), thing.code), thing.turn_deg, thing.seed)
            self._thing = (thing, patch, mask)
        return self._thing[1], self._thing[2]


def _paste(frame: np.ndarray, patch: np.ndarray, mask: np.ndarray, middle: tuple[int, int]) -> None:
    """Put the patch into the frame around `middle`; what lies outside is cut."""
    height, width = frame.shape[:2]
    left, top = middle[0] - patch.shape[1] // 2, middle[1] - patch.shape[0] // 2
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + patch.shape[1], width), min(top + patch.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    piece = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    cv2.copyTo(np.ascontiguousarray(patch[piece]), np.ascontiguousarray(mask[piece]), frame[y1:y2, x1:x2])
