"""An image to write: a raw file or one packed with xz, read in pieces.

`examine` reads it once from end to end before any card is touched: that gives its size, its hash, the digest of every
piece, which the read-back compares with, and what is wrong with it.

Zero blocks of an image are not the same as blocks that nobody uses: xz and `cp --sparse` turn a file full of zeros
into a hole. So nothing is left out because it reads as zeros or as a hole; pieces of zeros are zeroed on the card.
Only a map made from the file systems' own bitmaps may leave out blocks.
"""

import hashlib
import itertools
import lzma
import mmap
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cart.faults import Fault
from tools.imaging.progress import Advance, nothing

HEAD_BYTES = 1 << 20
PIECE_BYTES = 4 << 20
ZEROS = bytearray(PIECE_BYTES)
XZ_MAGIC = b"\xfd7zXZ\x00"
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"7z\xbc\xaf": "7-zip",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes that is written and compared as one.

    sha256  of its bytes; the last piece may be shorter than a sector, its digest is of the image's bytes only
    zero    nothing but zeros
    """

    offset: int
    length: int
    sha256: bytes
    zero: bool


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was read once.

    size_bytes        unpacked
    sha256            of the unpacked image
    head              its first MiB: the partition table, without which a card does not boot
    pieces            the rest in order, as far as a map does not leave it out
    layout_end_bytes  where its last partition ends; None without a partition table
    damage            why it could not be read to its end, or ""
    """

    path: Path
    size_bytes: int
    sha256: str
    head: bytes
    pieces: tuple[Piece, ...]
    layout_end_bytes: int | None
    damage: str = ""

    @property
    def plan_sha256(self) -> str:
        """Digest of which bytes are written where: an interrupted write goes on only with the same plan."""
        plan = hashlib.sha256(self.sha256.encode())
        for piece in self.pieces:
            plan.update(struct.pack("<QQ", piece.offset, piece.length))
        return plan.hexdigest()

    @property
    def body_bytes(self) -> int:
        """Bytes of all pieces."""
        return sum(piece.length for piece in self.pieces)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Yield the unpacked image as a file that can be read and wound; Fault IMAGE-UNREADABLE."""
    with opened_raw(path) as raw, unpacked(raw, path) as file:
        yield file


@contextmanager
def opened_raw(path: Path) -> Iterator[IO[bytes]]:
    """Yield the file as it is, packed or not; Fault IMAGE-UNREADABLE."""
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{path}: {error.strerror}") from None
    with raw:
        yield raw


@contextmanager
def unpacked(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Yield what is in a file that was opened: itself, or what xz packed; `raw.tell()` says how far it was read."""
    if is_packed(raw, path):
        with lzma.open(raw) as file:
            yield file
    else:
        yield raw


def is_packed(raw: IO[bytes], path: Path) -> bool:
    """Return True for a file packed with xz, by its first bytes; Fault IMAGE-UNREADABLE for other ways to pack."""
    magic = raw.read(len(XZ_MAGIC))
    raw.seek(0)
    for start, name in PACKED.items():
        if magic.startswith(start):
            raise Fault("IMAGE-UNREADABLE", f"{path} is packed with {name}: unpack it, or take the .xz")
    return magic == XZ_MAGIC


def fill(file: IO[bytes], view: memoryview) -> int:
    """Read until `view` is full or the file ends; return how much was read."""
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done


def examine(path: Path, *, mapped: tuple[tuple[int, int], ...] | None = None, advance: Advance = nothing) -> Image:
    """Return what the image is, having read all of it; Fault IMAGE-UNREADABLE when its disk fails.

    mapped   ranges (start, end) in bytes that are in use, in order; None writes everything
    advance  is told of the bytes of the file read since the last call, packed ones where it is packed

    The hash of the whole and those of the pieces are computed side by side, each in a thread of its own.
    """
    whole = hashlib.sha256()
    pieces: list[Piece] = []
    head, size, damage, told = b"", 0, "", 0
    # Two buffers by turns, each with what still looks at it.
    ring: list[tuple[memoryview, list[Future[None]]]] = [(memoryview(mmap.mmap(-1, PIECE_BYTES)), []) for _ in range(2)]
    with (
        opened_raw(path) as raw,
        unpacked(raw, path) as file,
        ThreadPoolExecutor(1) as hasher,
        ThreadPoolExecutor(1) as piecer,
    ):
        for turn in itertools.count():
            buffer, users = ring[turn % 2]
            _settle(users)
            try:
                view = buffer[: fill(file, buffer[: PIECE_BYTES if turn else HEAD_BYTES])]
            except (EOFError, lzma.LZMAError) as error:
                damage = f"the packed file is cut off or damaged: {error}"
                break
            except OSError as error:
                raise Fault("IMAGE-UNREADABLE", f"{path} at byte {size}: {error.strerror}") from None
            if not view:
                break
            if turn:
                users.append(piecer.submit(_add, pieces, size, view))
            else:
                head = bytes(view)
            users.append(hasher.submit(whole.update, view))
            size += len(view)
            advance(raw.tell() - told)
            told = raw.tell()
        for _, users in ring:
            _settle(users)
    kept = pieces if mapped is None else list(_only_mapped(path, pieces, mapped))
    sha256 = "" if damage else whole.hexdigest()
    return Image(path, size, sha256, head, tuple(kept), layout_end_bytes(head), damage)


def _settle(users: list[Future[None]]) -> None:
    for future in users:
        future.result()
    users.clear()


def take(file: IO[bytes], path: Path, offset: int, view: memoryview) -> None:
    """Fill `view` with what begins at `offset`, read again from the unpacked image that `file` is.

    Fault IMAGE-CHANGED when it ends before that by now, IMAGE-UNREADABLE when its disk fails.
    """
    try:
        file.seek(offset)
        count = fill(file, view)
    except (EOFError, lzma.LZMAError) as error:
        raise Fault("IMAGE-CHANGED", f"{path} at byte {offset}: {error}") from None
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{path} at byte {offset}: {error.strerror}") from None
    if count != len(view):
        raise Fault("IMAGE-CHANGED", f"{path} ends at byte {offset + count}")


def piece_bytes(path: Path, piece: Piece) -> bytes:
    """Return the bytes of one piece, read again from the image; the faults of `take`."""
    view = memoryview(bytearray(piece.length))
    with opened(path) as file:
        take(file, path, piece.offset, view)
    return bytes(view)


def layout_end_bytes(head: bytes) -> int | None:
    """Return where the last partition of an MBR or GPT ends; None for anything else.

    head  the first MiB of the image; sectors have 512 bytes, as in every image of a card
    """
    if len(head) < 1024 or head[510:512] != b"\x55\xaa":
        return None
    entries = [head[446 + 16 * index : 462 + 16 * index] for index in range(4)]
    if any(entry[4] == 0xEE for entry in entries):
        # A GPT ends with its second header, whose place the first one tells.
        return (struct.unpack_from("<Q", head, 512 + 32)[0] + 1) * 512 if head[512:520] == b"EFI PART" else None
    ends = [sum(struct.unpack_from("<II", entry, 8)) * 512 for entry in entries if entry[4]]
    return max(ends) if ends else None


def _add(pieces: list[Piece], offset: int, view: memoryview) -> None:
    pieces.append(_piece(offset, view))


def _piece(offset: int, view: memoryview) -> Piece:
    return Piece(offset, len(view), hashlib.sha256(view).digest(), zero=ZEROS.startswith(view))


def _only_mapped(path: Path, pieces: list[Piece], mapped: tuple[tuple[int, int], ...]) -> Iterator[Piece]:
    """Yield the parts of pieces that lie in mapped ranges; digests of parts are made from the image, read again."""
    with opened(path) as file:
        for piece in pieces:
            end = piece.offset + piece.length
            for start, stop in mapped:
                low, high = max(start, piece.offset), min(stop, end)
                if low >= high:
                    continue
                if (low, high) == (piece.offset, end):
                    yield piece
                    continue
                view = memoryview(bytearray(high - low))
                take(file, path, low, view)
                yield _piece(low, view)
