"""Compares a card with its image, byte for byte, as the card gives it back and not as the kernel remembers it.

Six threads read and hash one piece each: while some are hashed others are on their way, so that the card sets the pace.
"""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from cart.faults import Fault
from tools.imaging.card import Card, aligned
from tools.imaging.progress import Advance
from tools.imaging.source import HEAD_BYTES, PIECE_BYTES, Image, Piece, piece_bytes

READERS = 6
ADVICE = (
    "card or reader: write it again in another reader; if the same card fails again, throw it away, and if other cards"
    " fail in the same reader, the reader is bad"
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is wrong on a card.

    first_bad_offset  of the first byte that differs
    bad_pieces        how many of `pieces` differ
    """

    first_bad_offset: int
    bad_pieces: int
    pieces: int

    def __str__(self) -> str:
        """Return the sentence for people."""
        offset = self.first_bad_offset
        return f"first wrong byte at offset {offset} ({offset:#x}), {self.bad_pieces} of {self.pieces} pieces; {ADVICE}"


def read_back(card: Card, image: Image, advance: Advance, pieces: tuple[Piece, ...] | None = None) -> Mismatch | None:
    """Return what differs behind the first MiB, or None when the card holds the image.

    advance  is told of the bytes read since the last call
    pieces   only these; None means all

    Fault IMAGE-CHANGED when the image is no longer what was examined, CARD-FAILED when the card cannot be read.
    """
    pieces = image.pieces if pieces is None else pieces
    bad: list[Piece] = []
    first_bytes = b""
    free = [aligned(PIECE_BYTES) for _ in range(READERS)]
    with ThreadPoolExecutor(READERS) as readers:
        waiting: deque[tuple[Piece, memoryview, Future[bytes]]] = deque()
        for piece in (*pieces, *[None] * READERS):  # the Nones wait for what is still on its way
            if len(waiting) == READERS or (piece is None and waiting):
                read, buffer, digest = waiting.popleft()
                if digest.result() != read.sha256:
                    first_bytes = first_bytes if bad else bytes(buffer[: read.length])
                    bad.append(read)
                free.append(buffer)
                advance(read.length)
            if piece is not None:
                buffer = free.pop()
                waiting.append((piece, buffer, readers.submit(_digest, card, piece, buffer)))
    if not bad:
        return None
    return Mismatch(bad[0].offset + _first_difference(image, bad[0], first_bytes), len(bad), len(pieces))


def head_mismatch(card: Card, image: Image) -> Mismatch | None:
    """Return what differs in the first MiB of a finished card."""
    buffer = aligned(HEAD_BYTES)
    card.read(buffer, 0)
    offset = first_difference(bytes(buffer[: len(image.head)]), image.head)
    return None if offset is None else Mismatch(offset, 1, 1)


def first_difference(left: bytes, right: bytes) -> int | None:
    """Return the index of the first byte that differs, or None; the shorter one counts as differing at its end."""
    common = min(len(left), len(right))
    if left[:common] == right[:common]:
        return None if len(left) == len(right) else common
    low, high = 0, common
    while high - low > 1:  # left[:low] equals right[:low], and left[:high] does not
        middle = (low + high) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _digest(card: Card, piece: Piece, buffer: memoryview) -> bytes:
    card.read(buffer[: card.padded(piece.length)], piece.offset)
    return hashlib.sha256(buffer[: piece.length]).digest()


def _first_difference(image: Image, piece: Piece, read: bytes) -> int:
    wanted = piece_bytes(image.path, piece)
    if hashlib.sha256(wanted).digest() != piece.sha256:
        raise Fault("IMAGE-CHANGED", f"{image.path} at byte {piece.offset}")
    offset = first_difference(read, wanted)
    assert offset is not None, "digests differ, so bytes do"
    return offset
