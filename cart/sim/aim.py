"""The printed target as the reference camera would see it, drawn: for `cart camera test` where there is no camera."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from cart.ports import Clock, Frame
from cart.wire import target

NS_PER_S = 1_000_000_000
PIXEL_UM = 218
"""Of the reference camera in the plane of the card (firmware_config/camera/optics.toml)."""

FINER = 6
BLUR_SIGMA_PX, NOISE_LEVELS = 0.45, 3.0
WHITE, BLACK, TABLE = 205, 28, 96


class TargetCamera:
    """Frames of the card, at a steady rate.

    pixel_um       size of a pixel in the plane of the card
    blur_px        of the lens, standard deviation
    light_percent  of the light that is right
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        frames_per_s: int,
        clock: Clock,
        *,
        pixel_um: int = PIXEL_UM,
        blur_px: float = BLUR_SIGMA_PX,
        light_percent: int = 100,
    ) -> None:
        self._clock = clock
        self._period_ns = NS_PER_S // frames_per_s
        self._due_ns = clock.monotonic_ns()
        self._closed = threading.Event()
        self._still = drawn(width_px, height_px, pixel_um, blur_px) * (light_percent / 100)
        self._noise = np.random.default_rng(7)

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the frame that is due next, or None when it is not due within timeout_ms; OSError once closed."""
        wait_ns = min(max(0, self._due_ns - self._clock.monotonic_ns()), timeout_ms * 1_000_000)
        if self._closed.is_set() or (wait_ns and self._closed.wait(wait_ns / NS_PER_S)):
            raise OSError("the drawn camera is closed")
        t_ns = self._clock.monotonic_ns()
        if t_ns < self._due_ns:
            return None
        self._due_ns += self._period_ns * max(1, -(-(t_ns - self._due_ns) // self._period_ns))
        noisy = self._still + self._noise.standard_normal(self._still.shape, np.float32) * NOISE_LEVELS
        return Frame(t_ns, cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR))

    def close(self) -> None:
        """End; safe to call twice."""
        self._closed.set()


def drawn(width_px: int, height_px: int, pixel_um: int, blur_px: float) -> np.ndarray:
    """Return the card in the middle of a table, float32 (height, width): each pixel is the mean of what it covers."""
    fine_um = pixel_um / FINER
    left_um = (target.CARD_UM[0] - width_px * pixel_um) / 2
    top_um = (target.CARD_UM[1] - height_px * pixel_um) / 2
    fine = np.full((height_px * FINER, width_px * FINER), TABLE, np.uint8)

    def fill(x: float, y: float, width: float, height: float, level: int) -> None:
        x1, y1 = round((x - left_um) / fine_um), round((y - top_um) / fine_um)
        x2, y2 = round((x + width - left_um) / fine_um), round((y + height - top_um) / fine_um)
        fine[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = level

    fill(0, 0, *target.CARD_UM, WHITE)
    for label in target.LABELS:
        for bar_left, bar_width in target.bars_of(label):
            fill(bar_left, label.top_um, bar_width, label.height_um, BLACK)
    # A sensor's cells are as large as their distance: the mean over the finer ones.
    seen = cv2.resize(fine, (width_px, height_px), interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.GaussianBlur(seen, (0, 0), blur_px)
