"""Pictures, recordings and films played as a camera: the same FrameSource, for benches without one.

Whatever is played starts over at its end, as a camera never ends. Frames that were not asked for in time are passed
over: the newest wins here, too.
"""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cart.edge.camera import NS_PER_S, fitted
from cart.edge.frame_log import Recorded, is_recording, read_index
from cart.ports import Frame, FrameSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cart.ports import Clock

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
HOLD_MS, GAP_MS = 800, 600
"""How long each picture is shown, and the empty grey view before it, so that each is a pass of its own."""

FILE_BYTES_MAX = 64 << 20
"""Of one picture."""

PASSED_OVER_MAX = 100
"""Frames of a film that are passed over at once: after a process was stopped for an hour it goes on where it was."""

PAUSE_NS_MAX = 200_000_000
"""Longer pauses of a recording are cut to this: it was made of passes, with nothing recorded between them."""


def player_of(path: Path, width_px: int, height_px: int, frames_per_s: int, clock: Clock) -> FrameSource:
    """Return what plays the recording, the folder of pictures or the film at `path`; OSError where it cannot."""
    if not path.is_dir():
        return FilmPlayer(path, width_px, height_px, frames_per_s, clock)
    if is_recording(path):
        return RecordingPlayer(path, width_px, height_px, clock)
    return FolderPlayer(path, width_px, height_px, frames_per_s, clock)


class _Waiting:
    """Waits for the moment at which a frame is due, until it is closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed = threading.Event()

    def close(self) -> None:
        """Stop playing; safe to call twice."""
        self._closed.set()

    def _is_due(self, due_ns: int, timeout_ms: int) -> bool:
        """Return whether the moment came within timeout_ms; OSError once closed."""
        wait_ns = min(max(0, due_ns - self._clock.monotonic_ns()), timeout_ms * 1_000_000)
        if self._closed.is_set() or (wait_ns and self._closed.wait(wait_ns / NS_PER_S)):
            raise OSError("the player is closed")
        return self._clock.monotonic_ns() >= due_ns


class FolderPlayer(_Waiting):
    """Shows the pictures of a folder in the order of their names, again and again.

    Raises OSError where the folder holds no picture.
    """

    def __init__(self, folder: Path, width_px: int, height_px: int, frames_per_s: int, clock: Clock) -> None:
        super().__init__(clock)
        self._files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not self._files:
            raise OSError(f"{folder} holds no picture")
        self._size = (width_px, height_px)
        self._period_ns = NS_PER_S // frames_per_s
        self._due_ns = clock.monotonic_ns()
        self._views = self._all_views(frames_per_s)

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the frame that is due next, or None when it is not due within timeout_ms; OSError once closed."""
        if not self._is_due(self._due_ns, timeout_ms):
            return None
        now_ns = self._clock.monotonic_ns()
        self._due_ns = max(self._due_ns + self._period_ns, now_ns)
        return Frame(now_ns, next(self._views))

    def _all_views(self, frames_per_s: int) -> Iterator[np.ndarray]:
        width, height = self._size
        empty = np.full((height, width, 3), 128, np.uint8)
        for file in itertools.cycle(self._files):
            # The empty view comes first: what is there when the camera starts is taken for the background.
            yield from itertools.repeat(empty, max(1, GAP_MS * frames_per_s // 1_000))
            yield from itertools.repeat(_picture(file, *self._size), max(1, HOLD_MS * frames_per_s // 1_000))


class RecordingPlayer(_Waiting):
    """Plays a recording in its own time; OSError where it cannot be read."""

    def __init__(self, folder: Path, width_px: int, height_px: int, clock: Clock) -> None:
        super().__init__(clock)
        self._size = (width_px, height_px)
        self._frames = read_index(folder)
        self._offsets_ns = _offsets(self._frames)
        self._next = 0
        self._start_ns = clock.monotonic_ns()

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the newest frame that is due, or None when none is within timeout_ms; OSError once closed."""
        due_ns = self._start_ns + self._offsets_ns[self._next]
        if not self._is_due(due_ns, timeout_ms):
            return None
        now_ns = self._clock.monotonic_ns()
        while self._next + 1 < len(self._frames) and self._start_ns + self._offsets_ns[self._next + 1] <= now_ns:
            self._next += 1
        frame = Frame(
            self._start_ns + self._offsets_ns[self._next], _picture(self._frames[self._next].file, *self._size)
        )
        self._next += 1
        if self._next == len(self._frames):
            self._next, self._start_ns = 0, frame.t_ns + PAUSE_NS_MAX
        return frame


class FilmPlayer(_Waiting):
    """Plays a film (MJPEG in AVI, Y4M, whatever OpenCV reads) at its own rate; OSError where it cannot be opened.

    frames_per_s  the rate of a film that tells none
    """

    def __init__(self, path: Path, width_px: int, height_px: int, frames_per_s: int, clock: Clock) -> None:
        super().__init__(clock)
        self._film = _opened(path)
        self._path, self._size = path, (width_px, height_px)
        rate = self._film.get(cv2.CAP_PROP_FPS)
        self._period_ns = round(NS_PER_S / rate) if 1 <= rate <= 240 else NS_PER_S // frames_per_s
        self._due_ns = clock.monotonic_ns()

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the newest frame that is due, or None when none is within timeout_ms; OSError once closed."""
        if not self._is_due(self._due_ns, timeout_ms):
            return None
        late = (self._clock.monotonic_ns() - self._due_ns) // self._period_ns
        for _ in range(min(late, PASSED_OVER_MAX)):
            self._grab()
        self._grab()
        got, pixels = self._film.retrieve()
        if not got:
            raise OSError(f"{self._path}: a frame cannot be decoded")
        t_ns = self._due_ns + late * self._period_ns
        self._due_ns = t_ns + self._period_ns
        return Frame(t_ns, fitted(pixels, *self._size))

    def close(self) -> None:
        """Stop playing and close the file; safe to call twice."""
        super().close()
        self._film.release()

    def _grab(self) -> None:
        """Go to the next frame; from the last to the first."""
        if self._film.grab():
            return
        self._film.release()
        self._film = _opened(self._path)
        if not self._film.grab():
            raise OSError(f"{self._path} holds no frame")


def _opened(path: Path) -> cv2.VideoCapture:
    film = cv2.VideoCapture(str(path)) if path.is_file() and _is_utf8(path) else None
    if film is None or not film.isOpened():
        raise OSError(f"{path} is no film, recording or folder of pictures")
    return film


def _is_utf8(path: Path) -> bool:
    """Return True for a name that OpenCV can be given: any other ends the process in its C++."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _offsets(frames: list[Recorded]) -> list[int]:
    """Return when each frame is due after the first, with long pauses cut."""
    steps = [min(b.t_ns - a.t_ns, PAUSE_NS_MAX) for a, b in itertools.pairwise(frames)]
    return list(itertools.accumulate(steps, initial=0))


def _picture(file: Path, width_px: int, height_px: int) -> np.ndarray:
    if not file.is_file() or file.stat().st_size > FILE_BYTES_MAX:
        raise OSError(f"{file} is not a picture, or larger than {FILE_BYTES_MAX >> 20} MiB")
    try:
        # From memory: given a name that is not UTF-8, OpenCV's own reader ends the process.
        pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # an empty file, or a header that claims more pixels than OpenCV takes
        raise OSError(f"{file} is not a picture: {error.err}") from error
    if pixels is None:
        raise OSError(f"{file} is not a picture")
    return fitted(pixels, width_px, height_px)
