"""A block map that somebody gives for an image: what it lists is written to the card, and nothing else.

A map that leaves out what the image needs would be found by nobody: the read-back compares only what was written. So
its ranges have to be in order and inside the image, and what they say of the bytes has to be true of this image.
"""

import hashlib
from pathlib import Path
from typing import IO

from cart.faults import Fault
from tools.imaging import small, source
from tools.imaging.bmap import XML_BYTES_MAX, BlockMap, Range, from_xml
from tools.imaging.progress import Advance
from tools.imaging.source import PIECE_BYTES


def load(path: Path) -> BlockMap:
    """Return the map in a file; IMAGE-MAP where it cannot be read, or its ranges overlap or are out of order."""
    given = from_xml(small.read_text(path, "IMAGE-MAP", XML_BYTES_MAX))
    at = 0
    for row in given.ranges:
        if row.start < at or row.length <= 0 or row.start + row.length > given.size_bytes:
            raise Fault("IMAGE-MAP", f"{path}: its range at byte {row.start} overlaps another or leaves the image")
        at = row.start + row.length
    return given


def spans(given: BlockMap) -> tuple[tuple[int, int], ...]:
    """Return (start, end) in bytes of what the map lists, in order."""
    return tuple((row.start, row.start + row.length) for row in given.ranges)


def check_of(image: Path, size_bytes: int, given: BlockMap, advance: Advance) -> None:
    """Refuse the map of another image: IMAGE-MAP names the first range that differs.

    size_bytes  of the unpacked image
    advance     is told of the bytes compared since the last call
    """
    if given.size_bytes != size_bytes:
        raise Fault("IMAGE-MAP", f"it is of an image of {given.size_bytes} bytes, and {image} has {size_bytes}")
    buffer = memoryview(bytearray(PIECE_BYTES))
    with source.opened(image) as file:
        for row in given.ranges:
            if _sha256(file, image, row, buffer, advance) != row.sha256:
                last = row.start + row.length - 1
                raise Fault("IMAGE-MAP", f"it is of another image: bytes {row.start} to {last} of {image} differ")


def _sha256(file: IO[bytes], image: Path, row: Range, buffer: memoryview, advance: Advance) -> str:
    digest = hashlib.sha256()
    for start in range(row.start, row.start + row.length, PIECE_BYTES):
        view = buffer[: min(PIECE_BYTES, row.start + row.length - start)]
        source.take(file, image, start, view)
        digest.update(view)
        advance(len(view))
    return digest.hexdigest()
