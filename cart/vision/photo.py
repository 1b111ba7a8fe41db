"""Photo files as pixels."""

from pathlib import Path

import cv2
import numpy as np

FILE_BYTES_MAX = 64 << 20
WITH_TRANSPARENCY = (b"\x89PNG", b"RIFF")
"""How files begin that may have transparent parts: PNG and WebP."""


class BadPhoto(Exception):
    """A file that cannot be read as a photo; the message says why, without the path."""


def load(path: Path) -> np.ndarray:
    """Return the photo as uint8 (height, width, 3) in B, G, R order, turned upright as its EXIF data says.

    Errors: BadPhoto when the file is missing, empty, larger than FILE_BYTES_MAX, or not a picture that OpenCV reads.
    """
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise BadPhoto("a device or pipe, and no file")  # it may never end
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadPhoto(f"larger than {FILE_BYTES_MAX >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise BadPhoto((error.strerror or str(error)).lower()) from error
    return decoded(content)


def decoded(content: bytes) -> np.ndarray:
    """Return the pixels of an encoded picture, as `load` does."""
    if not content:
        raise BadPhoto("the file is empty")
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # a header that claims more pixels than OpenCV takes
        raise BadPhoto(error.err) from error
    if pixels is None:
        raise BadPhoto("not a picture, or a damaged one")
    return _on_white(content, pixels)


def _on_white(content: bytes, pixels: np.ndarray) -> np.ndarray:
    """Return the pixels with what is transparent in the file shown on white, as a page shows it.

    OpenCV drops the transparency and leaves the colour below it, often black: bars on nothing become black on black.
    """
    if not content.startswith(WITH_TRANSPARENCY):
        return pixels
    whole = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    # A picture that was turned upright by its EXIF data has no place for its transparency any more.
    if whole is None or whole.shape != (*pixels.shape[:2], 4) or whole.dtype != np.uint8:
        return pixels
    opaque = whole[:, :, 3:].astype(np.float32) / 255
    return np.rint(whole[:, :, :3] * opaque + 255 * (1 - opaque)).astype(np.uint8)


def grey(bgr: np.ndarray) -> np.ndarray:
    """Return the photo as uint8 (height, width)."""
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
