"""What is in an image: its partitions, its system, its Python, its first boot, and how much room is left.

Nothing is guessed from the file's name: everything is read inside the image.
"""

import re
import shlex
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.imaging import partitions
from tools.imaging.ext4 import Ext4
from tools.imaging.fat import Fat
from tools.imaging.partitions import Table
from tools.imaging.programs import DEFAULT_EPOCH

MACHINES = {183: "aarch64", 40: "armv7l", 62: "x86_64", 3: "i686", 243: "riscv64"}
"""ELF's e_machine -> what Python calls the machine."""

CUSTOM_TOML, CLOUD_INIT, NO_FIRST_BOOT = "custom.toml", "cloud-init", "none"
INIT_FORMATS = {CUSTOM_TOML: "systemd", CLOUD_INIT: "cloudinit", NO_FIRST_BOOT: "none"}
"""How first boot is set up -> what Raspberry Pi Imager calls it (init_format)."""


@dataclass(frozen=True)
class Release:
    """What is known of an OS release: its Python and its C library, which decide on the wheels that fit."""

    codename: str
    python: tuple[int, int]
    glibc: tuple[int, int]


RELEASES = {
    "bookworm": Release("bookworm", (3, 11), (2, 36)),
    "trixie": Release("trixie", (3, 13), (2, 41)),
}


@dataclass(frozen=True)
class Facts:
    """What an image says about itself.

    python        (3, 11), or None where there is none
    machine       what its programs are compiled for, "" where there is none to look at
    first_boot    CUSTOM_TOML | CLOUD_INIT | NO_FIRST_BOOT
    network       "NetworkManager" or ""
    dirty         why the root file system was not left in order, or ""
    """

    size_bytes: int
    table: Table
    os_id: str
    codename: str
    os_name: str
    python: tuple[int, int] | None
    machine: str
    first_boot: str
    network: str
    features: tuple[str, ...]
    unknown_features: tuple[str, ...]
    dirty: str
    root_uuid: str
    root_free_bytes: int
    boot_free_bytes: int
    boot_files: tuple[str, ...]

    @property
    def release(self) -> Release:
        """What is known of its release; IMAGE-RELEASE for one that nobody tried."""
        if self.codename not in RELEASES:
            known = ", ".join(sorted(RELEASES))
            raise Fault("IMAGE-RELEASE", f"{self.os_name or 'no /etc/os-release'}; known are {known}")
        return RELEASES[self.codename]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        told = asdict(self)
        told["python"] = ".".join(map(str, self.python)) if self.python else None
        told["init_format"] = INIT_FORMATS[self.first_boot]
        return told


@dataclass(frozen=True)
class Image:
    """An image file opened at its two file systems."""

    path: Path
    table: Table
    boot: Fat
    root: Ext4


def opened(path: Path, epoch: int = DEFAULT_EPOCH) -> Image:
    """Return the image's file systems.

    Raises IMAGE-UNREADABLE, IMAGE-LAYOUT where table or partitions are missing, IMAGE-TRUNCATED where the file is
    shorter than its table.
    """
    if not path.is_file():
        raise Fault("IMAGE-UNREADABLE", f"{path}: there is no such file")
    table = partitions.read(path)
    return Image(
        path, table, Fat(path, table.boot.start_bytes, epoch), Ext4(path, table.root.start_bytes, epoch)
    )  # fmt: skip


def gather(image: Image) -> Facts:
    """Read everything; the faults of `opened`, and IMAGE-FEATURE where the root file system cannot be read."""
    header = image.root.header()
    release = _os_release(image.root)
    python = image.root.resolve("/usr/bin/python3")
    program = python or image.root.resolve("/bin/sh")
    there = set(image.root.rows([*FIRST_BOOT_MARKS, "/usr/sbin/NetworkManager"]))
    return Facts(
        size_bytes=image.path.stat().st_size,
        table=image.table,
        os_id=release.get("ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        os_name=release.get("PRETTY_NAME", ""),
        python=_python_version(python),
        machine=_machine(image.root, program) if program else "",
        first_boot=next((how for mark, how in FIRST_BOOT_MARKS.items() if mark in there), NO_FIRST_BOOT),
        network="NetworkManager" if "/usr/sbin/NetworkManager" in there else "",
        features=header.features,
        unknown_features=header.unknown_features,
        dirty=header.dirty,
        root_uuid=header.uuid,
        root_free_bytes=header.free_bytes,
        boot_free_bytes=image.boot.free_bytes(),
        boot_files=image.boot.names(),
    )


# The first that is there decides: images with cloud-init ignore custom.toml.
FIRST_BOOT_MARKS = {
    "/usr/bin/cloud-init": CLOUD_INIT,
    "/usr/lib/raspberrypi-sys-mods/init_config": CUSTOM_TOML,
}


def check_usable(facts: Facts, machine: str = "aarch64") -> None:
    """Refuse an image that must not be written into.

    IMAGE-MACHINE: not for this processor. IMAGE-RELEASE: nobody knows its Python. IMAGE-DIRTY: a journal waits.
    IMAGE-FEATURE: the local e2fsprogs would break what they do not know.
    """
    if facts.unknown_features:
        raise Fault("IMAGE-FEATURE", ", ".join(facts.unknown_features))
    if facts.dirty:
        raise Fault("IMAGE-DIRTY", facts.dirty)
    if facts.machine != machine:
        raise Fault("IMAGE-MACHINE", f"its programs are for {facts.machine or 'no known machine'}, not {machine}")
    release = facts.release
    if facts.python != release.python:
        found = ".".join(map(str, facts.python)) if facts.python else "none"
        raise Fault(
            "IMAGE-RELEASE", f"{release.codename} has Python {release.python[0]}.{release.python[1]}, this {found}"
        )


def _os_release(root: Ext4) -> dict[str, str]:
    place = root.resolve("/etc/os-release")
    text = root.read([place]).get(place, b"").decode(errors="replace") if place else ""
    values = {}
    for line in text.splitlines():
        key, mark, value = line.partition("=")
        if mark and key.isidentifier():
            values[key] = "".join(shlex.split(value)[:1])
    return values


def _python_version(path: str | None) -> tuple[int, int] | None:
    found = re.fullmatch(r".*/python(\d+)\.(\d+)", path or "")
    return (int(found[1]), int(found[2])) if found else None


def _machine(root: Ext4, path: str) -> str:
    head = root.read([path]).get(path, b"")[:20]
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    code = struct.unpack("<H" if head[5] == 1 else ">H", head[18:20])[0]
    return MACHINES.get(code, f"ELF machine {code}")
