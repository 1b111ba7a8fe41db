"""The best picture of each recent pass, kept in memory only, for the rare review that the daemon asks for.

Pictures of people's shopping are not stored: the ring forgets, and what is kept on request is sealed to the store's
key before it touches the disk. Without a key nothing is written.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from cart.core.effects import KeepCrop

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("cart.vision")

PASSES_MAX = 32
SIDE_PX_MAX = 512
SPOOL_FILES_MAX = 200
"""Sealed pictures that wait in the spool; further ones are dropped, for the oldest are the ones under review."""

JPEG_QUALITY = 85


class Crops:
    """A ring of one picture a pass.

    spool  folder for sealed pictures
    seal   encrypts bytes to the store's key; None where no key is configured
    """

    def __init__(self, spool: Path, seal: Callable[[bytes], bytes] | None) -> None:
        self._spool = spool
        self._seal = seal
        self._ring: OrderedDict[int, tuple[float, np.ndarray]] = OrderedDict()

    def offer(self, track: int, bgr: np.ndarray, worth: float) -> None:
        """Remember a copy of this picture if it is worth more than the one that is known of its pass."""
        known = self._ring.get(track)
        if known is not None and known[0] >= worth:
            return
        scale = SIDE_PX_MAX / max(bgr.shape[:2])
        small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else bgr.copy()
        self._ring[track] = (worth, small)
        while len(self._ring) > PASSES_MAX:
            self._ring.popitem(last=False)

    def keep(self, request: KeepCrop) -> Path | None:
        """Seal the picture of a pass into the spool and return its file, or None where that cannot be done."""
        known = self._ring.get(request.track)
        if known is None:
            log.info("CROP-GONE: pass %d is no longer remembered", request.track)
            return None
        if self._seal is None:
            log.warning("CROP-NO-KEY: the picture of pass %d is dropped: no key of the store to seal it", request.track)
            return None
        try:
            return self._store(request, self._seal(_jpeg(known[1])))
        except OSError as error:
            log.warning("CROP-NOT-KEPT: pass %d: %s", request.track, error)
            return None

    def _store(self, request: KeepCrop, sealed: bytes) -> Path | None:
        self._spool.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in self._spool.iterdir()) >= SPOOL_FILES_MAX:
            log.warning("CROP-NOT-KEPT: %d pictures wait in the spool", SPOOL_FILES_MAX)
            return None
        path = self._spool / f"{request.track:08d}.sealed"
        path.write_bytes(sealed)
        return path


def _jpeg(bgr: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    assert done, "OpenCV cannot write JPEG"
    return bytes(data.tobytes())
