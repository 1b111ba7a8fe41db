"""What is put into an image: files, folders and links with their owners, and their rows in the manifest."""

import hashlib
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault

ROOT, BOOT = "root", "boot"
"""The two file systems: ext4 with the system, FAT with the firmware. FAT keeps no mode and no owner."""

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One thing to put into an image.

    path    absolute within its file system
    kind    "file" | "dir" | "link"
    mode    permission bits; a link has none
    data    of a file: its bytes, or the file to copy
    target  of a link
    where   ROOT or BOOT
    """

    path: str
    kind: str = "file"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    data: bytes | Path = b""
    target: str = ""
    where: str = ROOT

    def __post_init__(self) -> None:
        """Refuse names that would not come back as they went in: IMAGE-NAME."""
        text = self.path + self.target
        if any(ord(mark) < 32 or ord(mark) == 127 for mark in text):
            raise Fault("IMAGE-NAME", f"{self.path!r} holds a line end or another control character")
        if not self.path.startswith("/") or posixpath.normpath(self.path) != self.path or self.path.startswith("//"):
            raise Fault("IMAGE-NAME", f"{self.path!r} is not a plain absolute path")
        assert self.kind in ("file", "dir", "link")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def parent(self) -> str:
        """The folder it lies in."""
        return posixpath.dirname(self.path)

    @property
    def size_bytes(self) -> int:
        """Size of the content; 0 for what has none."""
        if self.kind != "file":
            return 0
        return self.data.stat().st_size if isinstance(self.data, Path) else len(self.data)

    def sha256(self) -> str:
        """Return the hash of a file's content."""
        if isinstance(self.data, Path):
            return file_sha256(self.data)
        return hashlib.sha256(self.data).hexdigest()

    def row(self) -> dict[str, Any]:
        """Return what the manifest keeps of it: everything needed to find it changed, nothing of its content."""
        row: dict[str, Any] = {"path": self.path, "where": self.where, "type": self.kind}
        if self.kind == "file":
            row |= {"sha256": self.sha256(), "size": self.size_bytes}
        if self.kind == "link":
            row["target"] = self.target
        if self.where == ROOT:
            row |= {"uid": self.uid, "gid": self.gid}
            if self.kind != "link":
                row["mode"] = f"{self.mode:04o}"
        return row


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Return the last entry of each path, sorted, and the folders above them that nobody named (0755, root)."""
    named = {entry.path: entry for entry in entries}
    for entry in list(named.values()):
        folder = entry.parent
        while folder != "/" and folder not in named:
            named[folder] = Entry(folder, "dir", 0o755)
            folder = posixpath.dirname(folder)
    return [named[path] for path in sorted(named)]


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
