"""`verify`: everything that was put into an image is read back and compared, and every byte of it with the map."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.imaging import bmap, facts, manifest, small
from tools.imaging.bmap import BlockMap, Damage
from tools.imaging.entries import BOOT, ROOT, file_sha256
from tools.imaging.facts import Image
from tools.imaging.manifest import Manifest
from tools.imaging.progress import Progress

DAMAGES_MAX = 20


@dataclass(frozen=True)
class Verdict:
    """What was found; `problems` is empty when the image is as it was made."""

    files: int
    size_bytes: int
    problems: tuple[str, ...]
    first_offset: int | None


def verify(path: Path, told: Manifest, block_map: BlockMap, progress: Progress) -> Verdict:
    """Compare an image with its manifest and its map, from the bytes up.

    Raises IMAGE-TRUNCATED and the faults of `facts.opened` where it cannot be looked into at all.
    """
    with progress.step("verify", block_map.size_bytes) as advance:
        damages = []
        for damage in bmap.find_damage(path, block_map, advance):
            damages.append(damage)
            if len(damages) == DAMAGES_MAX:
                break
    try:
        image = facts.opened(path, told["epoch"])
        problems = [_said(image, damage) for damage in damages]
        problems += differences(image, told)
    except Fault as fault:
        if not damages:
            raise
        # The damage is why it cannot be looked into.
        problems = [str(damage) for damage in damages] + [f"{fault}"]
    first = min((damage.offset for damage in damages), default=None)
    return Verdict(len(told["files"]), block_map.size_bytes, tuple(problems), first)


def load_map(image: Path, told: Manifest) -> BlockMap:
    """Return the map beside an image; IMAGE-MAP where it is not the one that the manifest names or leaves bytes out."""
    path = manifest.beside(image, manifest.MAP_SUFFIX)
    text = small.read_text(path, "IMAGE-MAP", bmap.XML_BYTES_MAX)
    if text_sha256(text) != told["bmap_sha256"]:
        raise Fault("IMAGE-MAP", f"{path.name} is not the one that the manifest names")
    block_map = bmap.from_xml(text)
    if not bmap.covers_all(block_map) or block_map.size_bytes != told["extract_size"]:
        raise Fault("IMAGE-MAP", f"{path.name} does not cover the whole image")
    return block_map


def differences(image: Image, told: Manifest) -> list[str]:
    """Return what in the image is not as the manifest says: table, file systems, every file that was put in."""
    found = []
    if manifest.table_rows(image.table) != told["partitions"]:
        found.append("the partition table is another one")
    try:
        image.root.check("the root file system")
    except Fault as fault:
        found.append(f"{fault.detail}")
    found += _boot_differences(image, [row for row in told["files"] if row["where"] == BOOT])
    found += _root_differences(image, [row for row in told["files"] if row["where"] == ROOT])
    found += [f"{path}: is there, and was taken away" for path in image.root.rows(told["removed"])]
    return found


def text_sha256(text: str) -> str:
    """Return the hash of a text as it is written to a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def _boot_differences(image: Image, rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        data = image.boot.read(row["path"].removeprefix("/"))
        if data is None:
            found.append(f"boot:{row['path']}: is not there")
        elif hashlib.sha256(data).hexdigest() != row["sha256"]:
            found.append(f"boot:{row['path']}: its content is another")
    return found


def _root_differences(image: Image, rows: list[dict[str, Any]]) -> list[str]:
    there = image.root.rows(row["path"] for row in rows)
    links = image.root.links(row["path"] for row in rows if row["type"] == "link" and row["path"] in there)
    found = []
    for row in rows:
        path, is_now = row["path"], there.get(row["path"])
        if is_now is None:
            found.append(f"{path}: is not there")
            continue
        now = {"type": is_now.kind, "uid": is_now.uid, "gid": is_now.gid, "mode": f"{is_now.mode & 0o7777:04o}"}
        now["target"] = links.get(path)
        found += [
            f"{path}: {key} is {now[key]}, should be {row[key]}" for key in now if key in row and now[key] != row[key]
        ]
    return found + _content_differences(image, [row for row in rows if row["type"] == "file" and row["path"] in there])


def _content_differences(image: Image, rows: list[dict[str, Any]]) -> list[str]:
    expected = {row["path"]: row["sha256"] for row in rows}
    found = []
    with tempfile.TemporaryDirectory(prefix="cart-image-") as folder:
        for path, copy in image.root.copies(expected, Path(folder)):
            if file_sha256(copy) != expected.pop(path):
                found.append(f"{path}: its content is another")
    return found + [f"{path}: cannot be read" for path in sorted(expected)]


def _said(image: Image, damage: Damage) -> str:
    """Return where a damage is, with the partition and the file that it lies in."""
    partition = image.table.at(damage.offset)
    if partition is None:
        return f"{damage}, outside the partitions"
    told = f"{damage}, in partition {partition.number}"
    if partition == image.table.root:
        try:
            block = (damage.offset - partition.start_bytes) // image.root.header().block_bytes
            file = image.root.owner_of_block(block)
        except Fault:  # the damage may be what keeps it from being read
            file = ""
        told += f", {file}" if file else ""
    return told
