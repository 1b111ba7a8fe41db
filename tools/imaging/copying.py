"""A private copy of an image: raw or unpacked, holes kept, never visible under its final name before it is whole."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path

from cart.faults import Fault
from tools.imaging import source
from tools.imaging.entries import file_sha256
from tools.imaging.progress import Advance, Progress, nothing

PIECE_BYTES = 4 << 20
COPY_BYTES = 64 << 20
PAGE = bytes(PIECE_BYTES)
XZ_RATIO_GUESS = 4
PART = ".part"


@dataclass(frozen=True)
class Copied:
    """What was copied: size and hash of the image, and of the file it was packed in ("" for a raw image)."""

    size_bytes: int
    sha256: str
    packed_sha256: str


@contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """Yield a temporary name beside `out`; it is removed unless the body renamed it.

    The name is fixed, so a run that was killed leaves nothing that the next one does not clear away.
    """
    part = out.with_name(out.name + PART)
    part.unlink(missing_ok=True)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def copy(base: Path, part: Path, progress: Progress) -> None:
    """Copy a raw image to `part` as quickly as the file system can: shared blocks, in the kernel, holes kept."""
    size_bytes = _size(base)
    _check_room(part, size_bytes)
    with progress.step("copy", size_bytes) as advance:
        part.touch()
        copy_range(base, 0, size_bytes, part, 0, advance)


def copy_range(old: Path, start: int, length: int, new: Path, at: int, advance: Advance = nothing) -> None:
    """Copy bytes of one file into another that reads as zeros there; what is a hole stays one."""
    with old.open("rb") as source_file, new.open("r+b") as target_file:
        target_file.truncate(max(at + length, os.fstat(target_file.fileno()).st_size))
        shown = start
        for first, end in _data(source_file.fileno(), start, start + length):
            advance(first - shown)
            shown = end
            while first < end:
                piece = min(end - first, COPY_BYTES)
                done = _copy_piece(source_file.fileno(), first, target_file.fileno(), first - start + at, piece)
                if done == 0:
                    raise Fault("IMAGE-TRUNCATED", f"{old.name} became shorter while it was copied")
                first += done
                advance(done)
        advance(start + length - shown)


def copy_hashed(base: Path, part: Path, progress: Progress) -> Copied:
    """Copy or unpack an image to `part`, zeros as holes, and return its hashes.

    Raises IMAGE-TRUNCATED for a packed file that ends early or is damaged.
    """
    packed = is_packed(base)
    guess = _size(base) * (XZ_RATIO_GUESS if packed else 1)
    _check_room(part, guess)
    digest, size_bytes = hashlib.sha256(), 0
    name = "unpack" if packed else "copy"
    with source.opened(base) as old, part.open("wb") as new, progress.step(name, guess) as advance:
        try:
            while data := old.read(PIECE_BYTES):
                digest.update(data)
                if data != PAGE[: len(data)]:
                    os.pwrite(new.fileno(), data, size_bytes)
                size_bytes += len(data)
                advance(len(data))
        except (EOFError, LZMAError) as error:
            raise Fault("IMAGE-TRUNCATED", f"{base.name} cannot be unpacked to its end: {error}") from None
        new.truncate(size_bytes)
    return Copied(size_bytes, digest.hexdigest(), file_sha256(base) if packed else "")


def is_packed(path: Path) -> bool:
    """Return True for a file packed with xz, by its first bytes; IMAGE-UNREADABLE where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(source.XZ_MAGIC)) == source.XZ_MAGIC
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{path}: {error.strerror}") from None


def put(part: Path, out: Path) -> None:
    """Give a finished file its name; it is on the disk before it has it."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, out)


def put_text(text: str, out: Path) -> None:
    """Write a small file whole or not at all."""
    with unfinished(out) as part:
        part.write_text(text, encoding="utf-8")
        put(part, out)


def _size(base: Path) -> int:
    try:
        return base.stat().st_size
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{base}: {error.strerror}") from None


def _check_room(part: Path, size_bytes: int) -> None:
    try:
        free = shutil.disk_usage(part.parent).free
    except OSError as error:
        raise Fault("IMAGE-DISK-FULL", f"{part.parent}: {error.strerror}") from None
    if free < size_bytes:
        raise Fault(
            "IMAGE-DISK-FULL", f"{part.parent} has {free // 10**6} MB free, {size_bytes // 10**6} MB may be needed"
        )


def _data(fd: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what is no hole; a hole is copied as a hole, which reads as the same zeros."""
    at = start
    while at < stop:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(fd, at, os.SEEK_HOLE)
        if at < stop:
            yield at, min(end, stop)
        at = end


def _copy_piece(old: int, start: int, new: int, at: int, length: int) -> int:
    try:
        return os.copy_file_range(old, new, length, start, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return os.pwrite(new, os.pread(old, min(length, PIECE_BYTES), start), at)
