"""Things that are carried through the view of the reference camera, drawn frame by frame, and the loop that sees them.

The camera's geometry and exposure are those of firmware_config/camera/optics.toml and cart.toml: 0.22 mm a pixel,
330 us, 15 frames a second. A thing crosses the view on a straight line at a steady speed, held at any angle, with one
EAN-13 on it; its frames are smeared by its motion during the exposure. Time is virtual and advances with the processor
time that the loop spends, so a loop that is too slow loses frames here as it would on a cart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cart.clock import SystemClock
from cart.ports import Frame
from cart.sim.scene import NOISE_LEVELS, background, held
from cart.wire.bars import modules
from cart.wire.gtin import check_digit

if TYPE_CHECKING:
    from cart.vision.frames import Watcher

WIDTH_PX, HEIGHT_PX = 1_280, 720
MM_PER_PX = 0.22
EXPOSURE_S = 330e-6
NS_PER_S = 1_000_000_000

MODULE_MM_MIN, MODULE_MM_MAX = 0.264, 0.495
"""Thinnest bar of an EAN-13 at 80 % and at 150 % of its nominal size."""

BAR_MODULES, QUIET_MODULES = 50, 11
PACKAGE_PX = (260, 420)
"""Least and largest side of the face that carries the code: 6 to 9 cm."""

CLEAR_NS = 400_000_000
"""The empty view between two passes."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One thing on its way through the view.

    code       the digits on it
    module_px  width of the thinnest bar in the picture
    turn_deg   how it is held
    start_px   its middle when it touches the view, (x, y)
    velocity   pixels a second, (x, y)
    """

    code: str
    module_px: float
    turn_deg: float
    start_px: tuple[float, float]
    velocity: tuple[float, float]
    duration_s: float
    seed: int

    def middle(self, t_s: float) -> tuple[float, float]:
        """Return where its middle is so long after it touched the view."""
        return self.start_px[0] + self.velocity[0] * t_s, self.start_px[1] + self.velocity[1] * t_s


class Drawn:
    """The pixels of one passage. code_corners: of its label around the middle of the patch, (4, 2)."""

    def __init__(self, passage: Passage, empty: np.ndarray) -> None:
        """Draw the thing once: turned, seen through the lens, smeared along its way."""
        rng = np.random.default_rng(passage.seed)
        face, label = _face(passage, rng)
        patch, mask = held(face, passage.turn_deg, passage.seed)
        smear_px = math.hypot(*passage.velocity) * EXPOSURE_S
        self.patch = _smeared(patch, smear_px, math.atan2(passage.velocity[1], passage.velocity[0]))
        self.mask = mask
        self._passage, self._empty = passage, empty
        turn = math.radians(-passage.turn_deg)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        self._corners = label @ rotation.T

    def frame(self, t_s: float) -> np.ndarray:
        """Return the frame so long after the thing touched the view."""
        x, y = self._passage.middle(t_s)
        frame = self._empty.copy()
        _paste(frame, self.patch, self.mask, round(x), round(y))
        return frame

    def shows_code(self, t_s: float) -> bool:
        """Return True if the whole label is in the view."""
        corners = self._corners + self._passage.middle(t_s)
        inside = (corners >= 0) & (corners < (WIDTH_PX, HEIGHT_PX))
        return bool(inside.all())


class WorkClock:
    """Virtual time that advances with the processor time spent between `begin` and `end`.

    slowness  how much slower than this machine the one is that this plays
    """

    def __init__(self, slowness: float, cpu_ns: Callable[[], int] | None = None) -> None:
        """Start at one second; cpu_ns tells the processor time spent so far, by default the system's."""
        self._slowness, self._cpu_ns = slowness, cpu_ns or SystemClock().cpu_ns
        self._t_ns = NS_PER_S
        self._began_ns: int | None = None

    def monotonic_ns(self) -> int:
        """Return virtual nanoseconds."""
        if self._began_ns is None:
            return self._t_ns
        return self._t_ns + int(self._slowness * (self._cpu_ns() - self._began_ns))

    def wall_ms(self) -> int:
        """Return virtual milliseconds."""
        return self.monotonic_ns() // 1_000_000

    def begin(self) -> None:
        """Let work count from now on."""
        self._began_ns = self._cpu_ns()

    def end(self) -> int:
        """Let work no longer count; return the processor time that was spent."""
        assert self._began_ns is not None
        spent_ns = self._cpu_ns() - self._began_ns
        self._t_ns, self._began_ns = self.monotonic_ns(), None
        return spent_ns

    def advance_to_ns(self, t_ns: int) -> None:
        """Wait until then, which may be past."""
        self._t_ns = max(self._t_ns, t_ns)


@dataclass(slots=True)
class Seen:
    """What the loop had of one passage.

    began_ns, end_ns   when the thing touched the view, and when it had left it
    frames, with_code  how many the loop took meanwhile, and in how many of them the whole code was
    cpu_ns             processor time of each
    """

    began_ns: int
    end_ns: int
    frames: int = 0
    with_code: int = 0
    cpu_ns: tuple[int, ...] = ()

    def __contains__(self, t_frame_ns: int) -> bool:
        """Return True for a moment at which the thing was in the view."""
        return self.began_ns <= t_frame_ns < self.end_ns


def passages(count: int, speed_m_s: float, seed: int) -> Iterator[Passage]:
    """Yield things that go in (from the top of the view to its bottom) or out, within 25 degrees of upright."""
    rng = np.random.default_rng([seed, round(1_000 * speed_m_s)])
    for number in range(count):
        digits = f"{rng.integers(10**11, 10**12)}"
        slant = math.radians(rng.uniform(-25, 25))
        speed = speed_m_s * 1_000 / MM_PER_PX
        sense = 1 if rng.random() < 0.5 else -1
        velocity = (speed * math.sin(slant), sense * speed * math.cos(slant))
        reach = 0.5 * math.hypot(PACKAGE_PX[1], PACKAGE_PX[1])
        x = WIDTH_PX / 2 + rng.uniform(-0.22, 0.22) * WIDTH_PX - HEIGHT_PX / 2 * math.tan(slant)
        start = (x, -reach if sense > 0 else HEIGHT_PX + reach)
        module_px = rng.uniform(MODULE_MM_MIN, MODULE_MM_MAX) / MM_PER_PX
        yield Passage(
            code=digits + check_digit(digits),
            module_px=module_px,
            turn_deg=rng.uniform(0, 360),
            start_px=start,
            velocity=velocity,
            duration_s=(HEIGHT_PX + 2 * reach) / abs(velocity[1]),
            seed=seed * 100_003 + number,
        )


def watched(
    watcher: Watcher, clock: WorkClock, drawn: Drawn, passage: Passage, empty: np.ndarray, period_ns: int
) -> Seen:
    """Let the loop see one passage, and the empty view before and after it."""
    began_ns = clock.monotonic_ns() + CLEAR_NS
    end_ns = began_ns + int(passage.duration_s * NS_PER_S)
    seen = Seen(began_ns, end_ns)
    # The camera's frames come when they come: the thing meets them at any phase.
    t_ns = clock.monotonic_ns() + passage.seed * 7_919 % period_ns
    costs = []
    while t_ns < end_ns + CLEAR_NS:
        clock.advance_to_ns(t_ns)
        # Of the frames that came meanwhile the newest is taken.
        t_ns += (clock.monotonic_ns() - t_ns) // period_ns * period_ns
        inside = t_ns in seen
        t_s = (t_ns - began_ns) / NS_PER_S
        pixels = drawn.frame(t_s) if inside else empty
        clock.begin()
        watcher.see(Frame(t_ns, pixels))
        spent_ns = clock.end()
        if inside:
            seen.frames += 1
            seen.with_code += drawn.shows_code(t_s)
            costs.append(spent_ns)
        t_ns += period_ns
    seen.cpu_ns = tuple(costs)
    return seen


def empty_view() -> np.ndarray:
    """Return the view with nothing in it."""
    empty = background(WIDTH_PX, HEIGHT_PX)
    empty.flags.writeable = False
    return empty


def _face(passage: Passage, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the face of a package, and the corners of its label around the face's middle."""
    label = _label(passage)
    height, width = label.shape
    size = [max(int(rng.integers(*PACKAGE_PX)), need + 24) for need in (height, width)]
    face = _print(size[0], size[1], rng)
    top, left = int(rng.integers(8, size[0] - height - 8)), int(rng.integers(8, size[1] - width - 8))
    face[top : top + height, left : left + width] = label[:, :, None]
    quiet = QUIET_MODULES * passage.module_px
    box = np.array([(left + quiet, top), (left + width - quiet, top + height)], float) - (size[1] / 2, size[0] / 2)
    (x1, y1), (x2, y2) = box
    return face, np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def _label(passage: Passage) -> np.ndarray:
    """Return the bars with their quiet zones, uint8, drawn finer and averaged as a sensor's cells do."""
    drawn = "0" * QUIET_MODULES + modules("EAN13", passage.code) + "0" * QUIET_MODULES
    fine = np.repeat(np.array([30 if bit == "1" else 235 for bit in drawn], np.uint8), 32)
    row = cv2.resize(fine[None, :], (round(len(drawn) * passage.module_px), 1), interpolation=cv2.INTER_AREA)
    return np.tile(row, (round(BAR_MODULES * passage.module_px), 1))


def _print(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return a printed face: a coloured ground, patches, and lines like fine print."""
    face = np.full((height, width, 3), rng.integers(60, 220, 3), np.uint8)
    for _ in range(5):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        colour = [int(level) for level in rng.integers(30, 240, 3)]
        cv2.ellipse(face, (x, y), (int(rng.integers(20, 120)), int(rng.integers(15, 70))), 0, 0, 360, colour, -1)
    for line in range(12, min(height, 90), 11):
        for x in range(10, width - 14, int(rng.integers(9, 15))):
            cv2.line(face, (x, line), (x + 6, line), (40, 40, 40), 2)
    return face


def _smeared(patch: np.ndarray, length_px: float, angle: float) -> np.ndarray:
    """Return the patch averaged along a line of this length, as motion during the exposure does."""
    side = 2 * math.ceil(length_px / 2) + 3
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    for share in np.linspace(-0.5, 0.5, 33):
        x, y = middle + share * length_px * math.cos(angle), middle + share * length_px * math.sin(angle)
        left, top = math.floor(x), math.floor(y)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            kernel[top + dy, left + dx] += (1 - abs(x - left - dx)) * (1 - abs(y - top - dy))
    smeared = cv2.filter2D(patch, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(side).standard_normal(patch.shape, np.float32) * NOISE_LEVELS
    return np.clip(smeared + noise, 0, 255).astype(np.uint8)


def _paste(frame: np.ndarray, patch: np.ndarray, mask: np.ndarray, x: int, y: int) -> None:
    """Put the patch into the frame around (x, y); what lies outside is cut."""
    height, width = frame.shape[:2]
    left, top = x - patch.shape[1] // 2, y - patch.shape[0] // 2
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + patch.shape[1], width), min(top + patch.shape[0], height)
    if x1 < x2 and y1 < y2:
        piece = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
        cv2.copyTo(np.ascontiguousarray(patch[piece]), np.ascontiguousarray(mask[piece]), frame[y1:y2, x1:x2])
