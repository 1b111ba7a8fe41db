"""The partition table of an image file, read and grown with sfdisk."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from cart.faults import Fault
from tools.imaging import programs

SECTOR_BYTES = 512
GPT_END_BYTES = 1 << 20
"""Left behind the last partition of a GPT for its second copy, which needs 33 sectors."""

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
    table = Table(told["label"], told.get("id", ""), tuple(_partition(row) for row in rows))
    end_bytes = max((p.end_bytes for p in table.partitions), default=0)
    size_bytes = image.stat().st_size
    if end_bytes > size_bytes:
        raise Fault(
            "IMAGE-TRUNCATED",
            f"{image.name} has {size_bytes} bytes, its last partition ends at {end_bytes}:"
            f" {end_bytes - size_bytes} are missing",
        )
    return table


def grow_last(image: Path, table: Table, partition: Partition, size_bytes: int) -> None:
    """Make the last partition `size_bytes` large, and the file with it; disk id and all else of the table stay."""
    assert size_bytes % SECTOR_BYTES == 0
    assert size_bytes >= partition.size_bytes
    behind_bytes = GPT_END_BYTES if table.label == "gpt" else 0
    with image.open("r+b") as file:
        file.truncate(partition.start_bytes + size_bytes + behind_bytes)
    options = ("-q", "--no-reread", "--no-tell-kernel")
    if behind_bytes:
        programs.run("sfdisk", *options, "--relocate", "gpt-bak-std", str(image))
    row = f"{partition.start_bytes // SECTOR_BYTES},{size_bytes // SECTOR_BYTES}\n"
    programs.run("sfdisk", *options, "-N", str(partition.number), str(image), stdin=row)


def _partition(row: dict[str, object]) -> Partition:
    start, size = int(str(row["start"])), int(str(row["size"]))
    # Its place in the list is not its number: rows of a table may be empty. The name is the image's, "p" if that ends
    # in a digit, and the number.
    number = re.search(r"\d+$", str(row["node"]))
    assert number is not None
    return Partition(
        int(number[0]), start * SECTOR_BYTES, size * SECTOR_BYTES, str(row["type"]), bool(row.get("bootable"))
    )
