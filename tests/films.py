"""Films for tests: what a camera's driver, or a player, reads."""

from itertools import pairwise
from pathlib import Path

import cv2
import pytest


def film(folder, pictures, frames_per_s):
    """Write the pictures, uint8 (height, width, 3) and all of one size, as MJPEG; return the path."""
    pictures = list(pictures)
    assert all(one.shape == other.shape for one, other in pairwise(pictures))
    path, (height, width, _) = folder / "film.avi", pictures[0].shape
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), frames_per_s, (width, height))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def is_open(path):
    """Return True while this process holds the file open."""
    held = Path("/proc/self/fd")
    if not held.is_dir():
        pytest.skip("no /proc on this machine")
    return path.resolve() in [descriptor.resolve() for descriptor in held.iterdir()]
