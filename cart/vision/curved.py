"""QR codes on cloth, bags and bottles: OpenCV's decoder straightens a bent code along its finder patterns.

It is slower and weaker than the engines on flat codes, so it is asked last, and for photos only.
"""

from __future__ import annotations

import cv2
import numpy as np

from cart.ports import RawRead


class CurvedQrEngine:
    """The decoder behind the port BarcodeEngine."""

    name = "curved"

    def __init__(self) -> None:
        """Make the detector."""
        self._detector = cv2.QRCodeDetector()

    def read(self, grey: np.ndarray, symbologies: frozenset[str]) -> list[RawRead]:
        """Return the QR code of a uint8 (height, width) array, at most one; its text says nothing about GS1."""
        if "QR" not in symbologies:
            return []
        try:
            text, found, _ = self._detector.detectAndDecodeCurved(grey)
        except cv2.error:  # some pictures make its geometry fail
            return []
        if not text or found is None:
            return []
        corners = tuple((round(x), round(y)) for x, y in np.asarray(found).reshape(-1, 2)[:4].tolist())
        return [RawRead("QR", text, corners, self.name)]
