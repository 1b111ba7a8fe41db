"""Files and folders that only this run may touch, whatever other runs do; what a killed run left behind goes first.

The kernel frees a lock when its holder dies, however it dies: no number of a process is trusted, and nothing is left
to be unlocked by hand.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cart.faults import Fault

PART = ".part"
ROOM = "cart-fleet-"


@contextmanager
def unfinished(out: Path, *, secret: bool = False) -> Iterator[Path]:
    """Yield a new, empty file beside `out`; it is removed unless the body renamed it.

    secret  only its owner may read it

    Its name is fixed, so a run that was killed leaves nothing that the next one does not clear away. IMAGE-BUSY while
    another run makes the same file, IMAGE-UNWRITABLE where none can be made.
    """
    part = out.with_name(out.name + PART)
    fd = _own_file(part, 0o600 if secret else 0o666)
    try:
        yield part
    finally:
        if _is_at(fd, part):
            part.unlink()
        os.close(fd)


@contextmanager
def room(beside: Path) -> Iterator[Path]:
    """Yield an empty folder beside a file, which nobody else may look into, and remove it with all that is in it."""
    parent = beside.absolute().parent
    for old in parent.glob(f"{ROOM}*"):
        _clear(old)
    path, fd = _own_folder(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(fd)


def _own_file(part: Path, mode: int) -> int:
    """Return the locked descriptor of a new file; one that a killed run left is taken away first."""
    while True:
        fd, is_new = _opened(part, mode)
        if not _locked(fd):
            os.close(fd)
            raise Fault("IMAGE-BUSY", str(part))
        if is_new and _is_at(fd, part):
            return fd
        if _is_at(fd, part):
            part.unlink()
        os.close(fd)


def _opened(part: Path, mode: int) -> tuple[int, bool]:
    """Return the file opened, and whether it was not there before."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with suppress(FileExistsError):
            return os.open(part, flags | os.O_CREAT | os.O_EXCL, mode), True
        return os.open(part, flags), False
    except FileNotFoundError:
        if part.parent.is_dir():  # its run has just ended
            return _opened(part, mode)
        raise Fault("IMAGE-UNWRITABLE", f"{part.parent}: there is no such folder") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Fault("IMAGE-UNWRITABLE", f"{part}: {error.strerror}") from None


def _own_folder(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=ROOM, dir=parent))
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if _locked(fd) and _is_at(fd, path):
            return path, fd
        os.close(fd)  # another run took it for an old one


def _clear(old: Path) -> None:
    """Remove the folder of a run that is no more."""
    try:
        fd = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # somebody else's
    if _locked(fd):
        shutil.rmtree(old, ignore_errors=True)
    os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno != errno.EWOULDBLOCK  # a file system without locks protects nobody
    return True


def _is_at(fd: int, path: Path) -> bool:
    """Return True when the open file is the one that the name stands for."""
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False
