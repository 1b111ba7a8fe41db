"""Photos of a product from passes before the camera: its own crops, each unlike the ones before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cart.vision import motion
from cart.vision.enroll_photos import Named, fault_of, is_alike, tiny
from cart.vision.frames import square_around
from cart.vision.process import FRAME_TIMEOUT_MS, SILENT_TIMEOUTS_MAX

if TYPE_CHECKING:
    import numpy as np

    from cart.ports import Clock, FrameSource

GAP_NS = 300_000_000
"""Between two photos: the frames of one moment show one side."""

PATIENCE_NS = 4_000_000_000
"""Once there are enough photos: without a new one for so long, they are all that will come."""


def gathered(
    source: FrameSource,
    enough: int,
    wanted: int,
    limit_ns: int,
    clock: Clock,
    progress: Callable[[int], None],
    waiting: Callable[[], None],
) -> list[Named]:
    """Return `wanted` photos of what moves before the camera, cut out as the classifier will see it.

    enough    photos that will do when no more come
    limit_ns  how long it may take; then there may be fewer
    progress  told the number of photos after each
    waiting   called when the camera has given no frame for SILENT_TIMEOUTS_MAX timeouts

    Errors: OSError when the camera is lost.
    """
    view = motion.View()
    photos: list[Named] = []
    small: list[np.ndarray] = []
    begun_ns = clock.monotonic_ns()
    taken_ns, silent = -GAP_NS, 0
    while len(photos) < wanted and clock.monotonic_ns() - begun_ns < limit_ns:
        frame = source.next_frame(FRAME_TIMEOUT_MS)
        silent = silent + 1 if frame is None else 0
        if silent == SILENT_TIMEOUTS_MAX:
            waiting()
        if frame is None:
            continue
        view = motion.looked(view, motion.shrunk(frame.pixels), frame.t_ns)
        if len(photos) >= enough and frame.t_ns - taken_ns > PATIENCE_NS:
            break
        if not view.active or view.box is None or frame.t_ns < taken_ns + GAP_NS:
            continue
        picture = square_around(frame.pixels, view.box)
        little = tiny(picture)
        if fault_of(picture) or any(is_alike(little, other) for other in small):
            continue
        photos.append(Named(f"frame {len(photos) + 1}", picture.copy()))
        small.append(little)
        taken_ns = frame.t_ns
        progress(len(photos))
    return photos
