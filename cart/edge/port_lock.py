"""Who may have a serial port open: a lock file with the holder's pid, as terminal programs keep and honour it.

pyserial's `exclusive` is an advisory lock: a program that does not ask for it opens the port all the same, and then
each of the two gets half of the bytes. Terminal programs such as minicom and picocom look for a file like
/run/lock/LCK..ttyACM0 instead. So we look there too, and leave one. A file whose process is gone counts as none. The
kernel's own refusal (TIOCEXCL) holds against everybody but root.
"""

from __future__ import annotations

import fcntl
import logging
import os
import termios
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("cart.scale")

LOCK_DIR = Path("/run/lock")
"""Where the Filesystem Hierarchy Standard has lock files of devices (also named /var/lock)."""

FILE_BYTES_MAX = 32


class PortLock:
    """The lock file of one device; nothing is written before `take`.

    device  any name of it: links are followed, so that all names mean the same lock
    """

    def __init__(self, device: str, folder: Path = LOCK_DIR) -> None:
        """Name the file; a URL that is no device of this machine (socket://...) has none that anybody honours."""
        node = device if "://" in device else os.path.realpath(device)
        self._path = folder / f"LCK..{node.removeprefix('/dev/').replace('/', '_')}"
        self._taken = False

    def holder(self) -> str:
        """Return who has the lock, "picocom (pid 812)"; "" where nobody else does."""
        try:
            with self._path.open("rb") as file:
                pid = int(file.read(FILE_BYTES_MAX))
        except (OSError, ValueError):
            return ""
        if pid <= 0 or pid == os.getpid() or not _alive(pid):
            return ""
        return f"{_program(pid)} (pid {pid})"

    def take(self) -> None:
        """Write our pid, also over a lock whose process is gone; where the folder refuses, we go without."""
        try:
            with suppress(FileNotFoundError):
                self._path.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            log.debug("no lock file: %s", error)
            return
        self._taken = True
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"%10d\n" % os.getpid())  # the form of HDB UUCP, which the others read

    def release(self) -> None:
        """Remove what `take` wrote; safe to call twice."""
        if self._taken:
            self._taken = False
            with suppress(OSError):
                self._path.unlink()


def set_exclusive(descriptor: int, *, on: bool) -> None:
    """Let the kernel refuse any further open of this terminal, or allow it again.

    A pseudo-terminal is left alone: its other end outlives us, and the mark would outlive a killed daemon with it.
    """
    with suppress(OSError):
        if not os.ttyname(descriptor).startswith("/dev/pts/"):
            fcntl.ioctl(descriptor, termios.TIOCEXCL if on else termios.TIOCNXCL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it lives, and belongs to somebody else
    return True


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
