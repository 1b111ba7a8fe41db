"""A folder of pictures played as a camera: the same FrameSource, for benches without one."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cart.edge.camera import NS_PER_S, fitted
from cart.ports import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cart.ports import Clock

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
HOLD_MS, GAP_MS = 800, 600
"""How long each picture is shown, and the empty grey view before it, so that each is a pass of its own."""


class FolderPlayer:
    """Shows the pictures of a folder in the order of their names, again and again.

    Raises OSError where the folder holds no picture.
    """

    def __init__(self, folder: Path, width_px: int, height_px: int, frames_per_s: int, clock: Clock) -> None:
        self._files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not self._files:
            raise OSError(f"{folder} holds no picture")
        self._size = (width_px, height_px)
        self._clock = clock
        self._period_ns = NS_PER_S // frames_per_s
        self._due_ns = clock.monotonic_ns()
        self._views = self._all_views(frames_per_s)
        self._closed = threading.Event()

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the frame that is due next, or None when it is not due within timeout_ms; OSError once closed."""
        wait_ns = max(0, self._due_ns - self._clock.monotonic_ns())
        if wait_ns and self._closed.wait(min(wait_ns, timeout_ms * 1_000_000) / NS_PER_S):
            raise OSError("the player is closed")
        now_ns = self._clock.monotonic_ns()
        if self._closed.is_set():
            raise OSError("the player is closed")
        if now_ns < self._due_ns:
            return None
        self._due_ns = max(self._due_ns + self._period_ns, now_ns)
        return Frame(now_ns, next(self._views))

    def close(self) -> None:
        """Stop playing; safe to call twice."""
        self._closed.set()

    def _all_views(self, frames_per_s: int) -> Iterator[np.ndarray]:
        width, height = self._size
        empty = np.full((height, width, 3), 128, np.uint8)
        for file in itertools.cycle(self._files):
            pixels = cv2.imread(str(file))
            if pixels is None:
                raise OSError(f"{file} is not a picture")
            # The empty view comes first: what is there when the camera starts is taken for the background.
            yield from itertools.repeat(empty, max(1, GAP_MS * frames_per_s // 1_000))
            yield from itertools.repeat(fitted(pixels, width, height), max(1, HOLD_MS * frames_per_s // 1_000))
