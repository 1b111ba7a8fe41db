"""The facts of one block device: what refusals are decided by and what a person is shown before a card is written.

`record` asks the system (lsblk, findmnt, /proc/swaps, /sys) and returns plain JSON; `read_record` turns such a record
into a Target without asking anybody, so that every decision can be tested on recorded facts.
"""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault

LSBLK_COLUMNS = (
    "NAME,KNAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,SUBSYSTEMS,VENDOR,MODEL,SERIAL,FSTYPE,LABEL,PARTLABEL,"
    "LOG-SEC,MOUNTPOINTS"
)
# Files below /sys/class/block/NAME/. diskseq changes when another medium is put into the same reader.
SYS_FILES = ("diskseq", "ro", "removable", "device/type", "device/serial", "device/name", "device/cid")
TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What must not change between the prompt and the first byte.

    sequence  the kernel's number of this medium in this drive, "" on kernels before 5.15
    """

    major_minor: str
    serial: str
    model: str
    size_bytes: int
    sequence: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, or what else lies directly on the disk."""

    name: str
    size_bytes: int
    file_system: str
    label: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system that lives on the device."""

    device: str
    place: str


@dataclass(frozen=True, slots=True)
class Target:
    """One device as the system described it.

    path       as the person named it
    kind       "block" | "file" | "directory" | "character" | "missing" | "other"; the rest is of a block device
    type       "disk" | "part" | "loop" | "rom" | ...
    embedded   an eMMC chip: on the bus of cards, and soldered in
    transport  "usb" | "mmc" | "nvme" | "sata" | ... or ""
    holders    what is built upon the device or its partitions: volumes, arrays, encryption
    members    kinds of disk sets that it or a partition carries a label of, such as "linux_raid_member"
    """

    path: str
    kind: str
    name: str = ""
    type: str = ""
    identity: Identity = Identity("", "", "", 0, "")
    sector_bytes: int = 512
    read_only: bool = False
    removable: bool = False
    hotplug: bool = False
    embedded: bool = False
    transport: str = ""
    partitions: tuple[Partition, ...] = ()
    mounts: tuple[Mount, ...] = ()
    swaps: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of the device."""
        return self.identity.size_bytes

    @property
    def word(self) -> str:
        """What a person types to confirm: the serial, or the device's name where it has none."""
        return self.identity.serial or self.name


def collect(path: str) -> Target:
    """Return the facts of the device at `path` as they are now; Fault CARD-FACTS when the system does not tell."""
    return read_record(record(path))


def record(path: str) -> dict[str, Any]:
    """Return all answers of the system about `path` as JSON; see read_record."""
    kind = _kind(path)
    answer: dict[str, Any] = {"path": path, "kind": kind}
    if kind != "block":
        return answer
    real = os.path.realpath(path)
    answer["lsblk"] = _json_of(["lsblk", "--json", "--bytes", "--output", LSBLK_COLUMNS, real])["blockdevices"]
    answer["findmnt"] = _json_of(["findmnt", "--json", "--list", "--output", "TARGET,SOURCE,FSTYPE,MAJ:MIN"])[
        "filesystems"
    ]
    answer["swaps"] = _text_of(Path("/proc/swaps"))
    answer["sys"] = {node["kname"]: _sys_facts(node["kname"]) for node in _walk(answer["lsblk"])}
    return answer


def read_record(answer: dict[str, Any]) -> Target:
    """Return the Target that a record describes. Pure."""
    if answer["kind"] != "block":
        return Target(answer["path"], answer["kind"])
    disk = answer["lsblk"][0]
    nodes = list(_walk(answer["lsblk"]))
    of_sys = answer["sys"].get(disk["kname"], {})
    return Target(
        path=answer["path"],
        kind="block",
        name=disk["kname"],
        type=disk["type"],
        identity=_identity(disk, of_sys),
        sector_bytes=int(disk.get("log-sec") or 512),
        read_only=_flag(disk.get("ro")) or of_sys.get("ro") == "1",
        removable=_flag(disk.get("rm")) or of_sys.get("removable") == "1",
        hotplug=_flag(disk.get("hotplug")),
        embedded=of_sys.get("device/type") == "MMC",
        transport=_transport(disk),
        partitions=tuple(_partition(node) for node in nodes if node["type"] == "part" or _text(node, "fstype")),
        mounts=_mounts(nodes, answer["findmnt"]),
        swaps=_swaps(nodes, answer["swaps"]),
        holders=_holders(nodes, answer["sys"]),
        members=tuple(sorted({fs for node in nodes if _is_member(fs := _text(node, "fstype"))})),
    )


def _identity(disk: dict, of_sys: dict[str, Any]) -> Identity:
    # An MMC reader has no serial for lsblk where udev is not running; the card itself has one in /sys.
    serial = _text(disk, "serial") or of_sys.get("device/serial", "") or of_sys.get("device/cid", "")
    model = " ".join(filter(None, (_text(disk, "vendor"), _text(disk, "model") or of_sys.get("device/name", ""))))
    return Identity(disk["maj:min"].strip(), serial, model, int(disk["size"]), of_sys.get("diskseq", ""))


def _transport(disk: dict) -> str:
    # lsblk knows no transport for cards in a built-in reader (before util-linux 2.40), but their bus.
    return _text(disk, "tran") or ("mmc" if "mmc" in _text(disk, "subsystems").split(":") else "")


def _partition(node: dict) -> Partition:
    label = _text(node, "label") or _text(node, "partlabel")
    return Partition(node["kname"], int(node["size"]), _text(node, "fstype"), label)


def _mounts(nodes: list[dict], mounted: list[dict]) -> tuple[Mount, ...]:
    """Return mounts of any of the nodes, by device number and, for file systems with numbers of their own, by path."""
    found = set()
    by_number = {node["maj:min"].strip(): node["path"] for node in nodes}
    paths = {node["path"] for node in nodes}
    for node in nodes:
        found |= {Mount(node["path"], place) for place in node.get("mountpoints") or () if place and place != "[SWAP]"}
    for row in mounted:
        source = (row.get("source") or "").split("[")[0]  # a bind mount is "/dev/sda1[/folder]"
        device = by_number.get(row["maj:min"].strip()) or (source if source in paths else None)
        if device:
            found.add(Mount(device, row["target"]))
    return tuple(sorted(found, key=lambda mount: (mount.place, mount.device)))


def _swaps(nodes: list[dict], swaps: str) -> tuple[str, ...]:
    active = {line.split()[0] for line in swaps.splitlines()[1:] if line.strip()}

    def used(node: dict) -> bool:
        # /proc/swaps says /dev/dm-2 where lsblk says /dev/mapper/vg-swap.
        by_name = {node["path"], f"/dev/{node['kname']}"} & active
        return bool(by_name) or "[SWAP]" in (node.get("mountpoints") or ())

    return tuple(sorted({node["path"] for node in nodes if used(node)}))


def _holders(nodes: list[dict], of_sys: dict[str, dict]) -> tuple[str, ...]:
    built = {node["name"] for node in nodes[1:] if node["type"] != "part"}
    held = {holder for facts in of_sys.values() for holder in facts.get("holders", ())}
    names = {node["kname"]: node["name"] for node in nodes}
    return tuple(sorted(built | {names.get(holder, holder) for holder in held}))


def _is_member(file_system: str) -> bool:
    return file_system.lower().endswith("_member") or file_system in ("bcache", "bcachefs")


def _walk(nodes: list[dict]) -> Iterator[dict]:
    for node in nodes:
        yield node
        yield from _walk(node.get("children", []))


def _text(node: dict, column: str) -> str:
    return " ".join(str(node.get(column) or "").split())


def _flag(value: object) -> bool:
    return value in (True, "1", 1)


def _kind(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise Fault("CARD-FACTS", f"{path}: {error.strerror}") from None
    kinds = ((stat.S_ISBLK, "block"), (stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISCHR, "character"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "other")


def _text_of(path: Path) -> str:
    """Return the text of a file of the kernel; "" where the kernel was built without what it tells of."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Fault("CARD-FACTS", f"{path}: {error.strerror}") from None


def _sys_facts(name: str) -> dict[str, Any]:
    folder = Path("/sys/class/block") / name
    facts: dict[str, Any] = {}
    for file in SYS_FILES:
        try:
            facts[file] = (folder / file).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # which files there are depends on the kind of drive
    try:
        facts["holders"] = sorted(os.listdir(folder / "holders"))
    except OSError:
        facts["holders"] = []
    return facts


def _json_of(command: list[str]) -> dict[str, Any]:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        answer: dict[str, Any] = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Fault("CARD-FACTS", f"{command[0]}: {error}") from None
    return answer
