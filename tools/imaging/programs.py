"""The system programs that know disks and file systems, run so that the same input gives the same bytes."""

import os
import shutil
import subprocess
from pathlib import Path

from cart.faults import Fault

# Debian keeps these in sbin, which is not on everybody's path.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

PACKAGES = {
    "sfdisk": "fdisk",
    "mcopy": "mtools",
    "mdir": "mtools",
    "mdel": "mtools",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "resize2fs": "e2fsprogs",
}
"""Program -> the Debian package that holds it."""

ANY_CODE = tuple(range(256))
"""For programs whose exit code says what they found."""

DEFAULT_EPOCH = 1_767_225_600
"""2026-01-01: the time written into an image where none was asked for."""


def missing() -> list[str]:
    """Return the packages to install before images can be made, sorted; empty where all is there."""
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


def find(program: str) -> str | None:
    """Return the path of a program, or None."""
    return shutil.which(program, path=SEARCH_PATH)


def environment(epoch: int) -> dict[str, str]:
    """Return the environment in which the programs take `epoch` for the present and speak plain English."""
    return os.environ | {
        "PATH": SEARCH_PATH,
        "LC_ALL": "C",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch),
        "E2FSPROGS_FAKE_TIME": str(epoch),
        # e2fsck has a clock of its own, and writes it into the superblock.
        "E2FSCK_TIME": str(epoch),
        # A person's own ~/.mtoolsrc must not change what is written.
        "MTOOLSRC": os.devnull,
        "HOME": "/nonexistent",
    }


def run(
    program: str, *words: str, stdin: str | bytes = b"", epoch: int = DEFAULT_EPOCH, allowed: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[bytes]:
    """Run a program and return it finished.

    allowed  exit codes that are no error

    Raises IMAGE-TOOL-MISSING where it is not installed, IMAGE-TOOL-FAILED for any other exit code.
    """
    binary = find(program)
    if binary is None:
        raise Fault("IMAGE-TOOL-MISSING", f"{program}: sudo apt install {PACKAGES.get(program, program)}")
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([binary, *words], input=data, capture_output=True, env=environment(epoch), check=False)
    if done.returncode not in allowed:
        told = (done.stderr or done.stdout).decode(errors="replace").strip()[-400:]
        raise Fault("IMAGE-TOOL-FAILED", f"{program} ended with {done.returncode}: {told}")
    return done


def checked_path(path: Path) -> Path:
    """Return the absolute path of an image; IMAGE-NAME where the programs would misread it.

    debugfs takes what follows a "?" for options and its commands end at a line's end; mtools takes "@@" for an offset.
    """
    absolute = path.absolute()
    if any(mark in str(absolute) for mark in ("?", "\n", "\r", "@@", '"')):
        raise Fault("IMAGE-NAME", f"{str(absolute)!r}: the path of an image may not hold ?, @@, quotes or line ends")
    return absolute
