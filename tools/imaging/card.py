"""An open block device: whole pieces in and out, past the page cache. Thin: it decides nothing.

It is opened with O_EXCL, which the kernel refuses while the device or a partition of it is mounted or held by another
writer, and stays open until everything was read back: nobody mounts it in between.
"""

import errno
import fcntl
import mmap
import os
import struct
from contextlib import suppress
from types import TracebackType

from cart.faults import Fault

# From linux/fs.h.
BLKGETSIZE64 = 0x80081272
BLKSSZGET = 0x1268
BLKFLSBUF = 0x1261
BLKZEROOUT = 0x127F

BUFFER_BYTES = 4 << 20
HUGE_PAGE_BYTES = 2 << 20
GONE = (errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM)


def aligned(size_bytes: int) -> memoryview:
    """Return zeroed memory that starts at a page, as O_DIRECT needs it.

    Large pieces lie in huge pages where the kernel has some: it then hands the device a few long runs of memory and not
    a thousand short ones, which was measured to make direct writing 1.3 to 1.5 times as fast.
    """
    memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size_bytes >= HUGE_PAGE_BYTES:
        with suppress(OSError):  # a kernel without them says EINVAL
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


class Card:
    """A block device opened for this process alone."""

    def __init__(self, path: str, *, write: bool = True) -> None:
        """Open it; Fault CARD-BUSY, CARD-DENIED or CARD-FAILED."""
        self.path = path
        flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_EXCL | os.O_DIRECT | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags)
        except OSError as error:
            raise _open_fault(path, error) from None
        try:
            self.size_bytes: int = struct.unpack("Q", fcntl.ioctl(self._fd, BLKGETSIZE64, b"\0" * 8))[0]
            self.sector_bytes: int = struct.unpack("i", fcntl.ioctl(self._fd, BLKSSZGET, b"\0" * 4))[0]
        except OSError as error:
            os.close(self._fd)
            raise Fault("CARD-FAILED", f"{path} does not tell its size: {error.strerror}") from None

    def __enter__(self) -> "Card":
        """Return itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        os.close(self._fd)

    @property
    def major_minor(self) -> str:
        """Number of the device that is really open, as lsblk writes it."""
        number = os.fstat(self._fd).st_rdev
        return f"{os.major(number)}:{os.minor(number)}"

    @property
    def open_path(self) -> str:
        """A path at which another program reads the device that is open, whatever lies at `path` by now."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def padded(self, length: int) -> int:
        """Return the length rounded up to whole sectors."""
        return -(-length // self.sector_bytes) * self.sector_bytes

    def write(self, view: memoryview, offset: int) -> None:
        """Write all of `view`, aligned and of whole sectors, at `offset`; Fault CARD-FAILED names the place."""
        while len(view):
            try:
                count = os.pwrite(self._fd, view, offset)
            except OSError as error:
                raise _io_fault(self.path, "written", offset, error) from None
            view, offset = view[count:], offset + count

    def read(self, view: memoryview, offset: int) -> None:
        """Fill `view`, which is aligned and of whole sectors, from `offset`; Fault CARD-FAILED names the place."""
        while len(view):
            try:
                count = os.preadv(self._fd, [view], offset)
            except OSError as error:
                raise _io_fault(self.path, "read", offset, error) from None
            if count == 0:
                raise Fault("CARD-FAILED", f"{self.path} ends at byte {offset}")
            view, offset = view[count:], offset + count

    def zero(self, offset: int, length: int) -> None:
        """Zero whole sectors: by the kernel, which keeps them allocated, or by writing zeros where it cannot."""
        try:
            fcntl.ioctl(self._fd, BLKZEROOUT, struct.pack("QQ", offset, length))
        except OSError as error:
            if error.errno in GONE or error.errno == errno.EIO:
                raise _io_fault(self.path, "zeroed", offset, error) from None
            zeros = aligned(min(length, BUFFER_BYTES))
            for start in range(offset, offset + length, len(zeros)):
                self.write(zeros[: min(len(zeros), offset + length - start)], start)

    def flush(self) -> None:
        """Wait until the card says that it has everything, and forget what the kernel cached of it."""
        try:
            os.fsync(self._fd)
            fcntl.ioctl(self._fd, BLKFLSBUF, 0)
        except OSError as error:
            raise Fault("CARD-FAILED", f"{self.path} could not be flushed: {error.strerror}") from None


def _open_fault(path: str, error: OSError) -> Fault:
    if error.errno == errno.EBUSY:
        return Fault("CARD-BUSY", path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Fault("CARD-DENIED", path)
    return Fault("CARD-FAILED", f"{path} cannot be opened: {error.strerror}")


def _io_fault(path: str, verb: str, offset: int, error: OSError) -> Fault:
    gone = "; the card was pulled out or its reader reset" if error.errno in GONE else ""
    return Fault("CARD-FAILED", f"{path} cannot be {verb} at byte {offset} ({offset:#x}): {error.strerror}{gone}")
