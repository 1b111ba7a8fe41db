"""A private copy of an image: raw or unpacked, holes kept, never visible under its final name before it is whole."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path

from cart.faults import Fault
from tools.imaging import source, workroom
from tools.imaging.entries import file_sha256
from tools.imaging.progress import Advance, Progress, nothing

PIECE_BYTES = 4 << 20
COPY_BYTES = 64 << 20
PAGE = bytes(PIECE_BYTES)
XZ_RATIO_GUESS = 4


@dataclass(frozen=True)
class Copied:
    """What was copied: size and hash of the image, and of the file it was packed in ("" for a raw image)."""

    size_bytes: int
    sha256: str
    packed_sha256: str


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
    packed, file_bytes = is_packed(base), _size(base)
    _check_room(part, file_bytes * (XZ_RATIO_GUESS if packed else 1))
    digest, size_bytes, told = hashlib.sha256(), 0, 0
    name = "unpack" if packed else "copy"
    with (
        source.opened_raw(base) as raw,
        source.unpacked(raw, base) as old,
        part.open("wb") as new,
        progress.step(name, file_bytes) as advance,
    ):
        try:
            while data := old.read(PIECE_BYTES):
                digest.update(data)
                if data != PAGE[: len(data)]:
                    _write_all(new.fileno(), data, size_bytes)
                size_bytes += len(data)
                # Of the file that is read: how much a packed one unpacks to is not known before.
                advance(raw.tell() - told)
                told = raw.tell()
        except (EOFError, LZMAError) as error:
            raise Fault("IMAGE-TRUNCATED", f"{base.name} cannot be unpacked to its end: {error}") from None
        new.truncate(size_bytes)
    return Copied(size_bytes, digest.hexdigest(), file_sha256(base) if packed else "")


def is_packed(path: Path) -> bool:
    """Return True for a file packed with xz, by its first bytes.

    IMAGE-UNREADABLE where it cannot be read, or is packed with something else.
    """
    with source.opened_raw(path) as raw:
        return source.is_packed(raw, path)


def put(part: Path, out: Path) -> None:
    """Give a finished file its name; it is on the disk before it has it, and the name is when this returns."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, out)
    folder = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):  # a network file system may not know how
        os.fsync(folder)
    os.close(folder)


def put_text(text: str, out: Path, *, secret: bool = False) -> None:
    """Write a small file whole or not at all; `secret` keeps others from reading it."""
    with workroom.unfinished(out, secret=secret) as part:
        part.write_text(text, encoding="utf-8")
        put(part, out)


def disk_fault(error: OSError) -> Fault:
    """Return the fault for what a disk refused: one that fills up, or a folder, can be met in any step."""
    code = "IMAGE-DISK-FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "IMAGE-UNREADABLE"
    return Fault(code, f"{error.filename or 'while writing'}: {error.strerror}")


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


def _write_all(fd: int, data: bytes, at: int) -> None:
    """Write all of `data`; a disk that fills up takes the first part of it without a word."""
    view = memoryview(data)
    while len(view):
        done = os.pwrite(fd, view, at)
        view, at = view[done:], at + done
