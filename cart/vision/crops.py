"""The best picture of each recent pass, kept in memory only, for the rare review that the daemon asks for.

Pictures of people's shopping are not stored: the ring forgets, and what is kept on request is sealed to the store's
key before it touches the disk. Without a key nothing is written.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from cart.core.effects import KeepCrop
from cart.vision.spool import Full, Spool
from cart.wire.sealed_picture import TEXT_MAX, About, inside

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from cart.ports import Clock

log = logging.getLogger("cart.vision")

PASSES_MAX = 32
SIDE_PX_MAX = 512
JPEG_QUALITY = 85


@dataclass(slots=True, eq=False)
class _Best:
    """The best picture of a pass so far: pixels while the pass goes on, JPEG afterwards, for the sake of the memory.

    file  where it was kept, None while it was not asked for
    """

    worth: float
    bgr: np.ndarray | None
    jpeg: bytes = b""
    file: Path | None = None

    def as_jpeg(self) -> bytes:
        """Return the picture as JPEG; its pixels are then given up."""
        if self.bgr is not None:
            self.jpeg, self.bgr = _jpeg(self.bgr), None
        return self.jpeg


class Crops:
    """A ring of one picture a pass.

    folder  for sealed pictures
    seal    encrypts bytes to the store's key; None where there is none: then nothing is kept
    cart    this cart's id, for the store
    """

    def __init__(self, folder: Path, seal: Callable[[bytes], bytes] | None, clock: Clock, cart: str = "") -> None:
        self._spool = Spool(folder, clock)
        self._seal = seal
        self._clock = clock
        self._cart = cart
        self._ring: OrderedDict[int, _Best] = OrderedDict()

    def offer(self, track: int, bgr: np.ndarray, worth: float) -> None:
        """Remember a copy of this picture if it is worth more than the one that is known of its pass."""
        known = self._ring.get(track)
        if known is not None and known.worth >= worth:
            return
        scale = SIDE_PX_MAX / max(bgr.shape[:2])
        small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else bgr.copy()
        if known is None and self._ring:
            next(reversed(self._ring.values())).as_jpeg()
        self._ring[track] = _Best(worth, small)
        while len(self._ring) > PASSES_MAX:
            self._ring.popitem(last=False)

    def keep(self, request: KeepCrop) -> Path | None:
        """Seal the picture of a pass into the spool and return its file, or None where that cannot be done.

        A picture that was kept already is not kept twice, however many reasons there are; a better one of the same pass
        that came since is another picture.
        """
        best = self._ring.get(request.track)
        if best is None:
            log.info("CROP-GONE: pass %d is no longer remembered", request.track)
            return None
        if self._seal is None:
            log.debug("CROP-NO-KEY: the picture of pass %d is dropped", request.track)
            return None
        if best.file is None:
            about = About(self._cart, request.track, request.reason[:TEXT_MAX], self._clock.wall_ms())
            try:
                best.file = self._spool.put(request.track, self._seal(inside(about, best.as_jpeg())))
            except (OSError, Full) as error:
                log.warning("CROP-NOT-KEPT: pass %d: %s", request.track, error)
        return best.file

    def tend(self) -> None:
        """Let the spool delete what is too old."""
        self._spool.tend()


def _jpeg(bgr: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    assert done, "OpenCV cannot write JPEG"
    return bytes(data.tobytes())
