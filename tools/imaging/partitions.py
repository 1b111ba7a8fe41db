"""The partition table of an image file, read and grown with sfdisk."""

import json
from dataclasses import dataclass
from pathlib import Path

from cart.faults import Fault
from tools.imaging import programs

SECTOR_BYTES = 512
FAT_TYPES = {"b", "c", "e", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"}
LINUX_TYPES = {"83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"}


@dataclass(frozen=True)
class Partition:
    """One row of the table; number counts from 1, kind is sfdisk's type."""

    number: int
    start_bytes: int
    size_bytes: int
    kind: str
    bootable: bool

    @property
    def end_bytes(self) -> int:
        """Offset of the first byte behind it."""
        return self.start_bytes + self.size_bytes


@dataclass(frozen=True)
class Table:
    """label is "dos" or "gpt"; disk_id is what PARTUUIDs are made from."""

    label: str
    disk_id: str
    partitions: tuple[Partition, ...]

    @property
    def boot(self) -> Partition:
        """The FAT partition that the firmware reads."""
        return self._first(FAT_TYPES, "FAT")

    @property
    def root(self) -> Partition:
        """The Linux partition with the system."""
        return self._first(LINUX_TYPES, "Linux")

    def at(self, offset: int) -> Partition | None:
        """Return the partition that holds a byte of the image, or None for table and gaps."""
        return next((p for p in self.partitions if p.start_bytes <= offset < p.end_bytes), None)

    def _first(self, kinds: set[str], name: str) -> Partition:
        for partition in self.partitions:
            if partition.kind in kinds:
                return partition
        raise Fault("IMAGE-LAYOUT", f"there is no {name} partition among {len(self.partitions)}")


def read(image: Path) -> Table:
    """Return the table of an image.

    Raises IMAGE-LAYOUT where there is none, IMAGE-TRUNCATED where the file ends before its last partition.
    """
    done = programs.run("sfdisk", "--json", str(image), allowed=(0, 1))
    try:
        told = json.loads(done.stdout)["partitiontable"]
    except (ValueError, KeyError):
        raise Fault("IMAGE-LAYOUT", f"{image.name}: {done.stderr.decode(errors='replace').strip()[-200:]}") from None
    rows = told.get("partitions", [])
    table = Table(told["label"], told.get("id", ""), tuple(_partition(n, row) for n, row in enumerate(rows, 1)))
    end_bytes = max((p.end_bytes for p in table.partitions), default=0)
    size_bytes = image.stat().st_size
    if end_bytes > size_bytes:
        raise Fault(
            "IMAGE-TRUNCATED",
            f"{image.name} has {size_bytes} bytes, its last partition ends at {end_bytes}:"
            f" {end_bytes - size_bytes} are missing",
        )
    return table


def grow_last(image: Path, partition: Partition, size_bytes: int) -> None:
    """Make the last partition `size_bytes` large, and the file with it; its disk id stays."""
    assert size_bytes % SECTOR_BYTES == 0
    assert size_bytes >= partition.size_bytes
    with image.open("r+b") as file:
        file.truncate(partition.start_bytes + size_bytes)
    row = f"{partition.start_bytes // SECTOR_BYTES},{size_bytes // SECTOR_BYTES}\n"
    options = ("-q", "--no-reread", "--no-tell-kernel", "-N", str(partition.number))
    programs.run("sfdisk", *options, str(image), stdin=row)


def _partition(number: int, row: dict[str, object]) -> Partition:
    start, size = int(str(row["start"])), int(str(row["size"]))
    return Partition(number, start * SECTOR_BYTES, size * SECTOR_BYTES, str(row["type"]), bool(row.get("bootable")))
