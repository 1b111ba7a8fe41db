"""`build`: a copy of the stock image with everything on it that all carts share. Once for each OS release."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cart
from cart import config
from cart.faults import Fault
from tools.imaging import (
    bmap,
    copying,
    device,
    facts,
    from_apt,
    manifest,
    partitions,
    small,
    verify,
    wheelhouse,
    workroom,
)
from tools.imaging.copying import Copied
from tools.imaging.entries import Entry, with_parents
from tools.imaging.ext4 import Ext4, room_bytes
from tools.imaging.facts import Image
from tools.imaging.manifest import Manifest
from tools.imaging.programs import DEFAULT_EPOCH
from tools.imaging.progress import Progress

# What stays free behind the files: journal, recordings and a second release, until first boot grows the partition.
SPARE_BYTES = 256 << 20
GROW_STEP_BYTES = 64 << 20


@dataclass(frozen=True)
class Order:
    """What to build.

    base_sha256  what the base has to be, packed or unpacked; "" takes the file BASE.sha256 where there is one
    config_file  cart.toml of the fleet; None takes the defaults
    spare_bytes  room to leave in the root partition, which is grown for it
    """

    base: Path
    wheels: Path
    out: Path
    base_sha256: str = ""
    config_file: Path | None = None
    spare_bytes: int = SPARE_BYTES
    epoch: int = DEFAULT_EPOCH


def build(order: Order, progress: Progress) -> Manifest:
    """Make the image and return its manifest; the base is only read, the result appears whole or not at all.

    Raises the faults of `facts.check_usable` and of the wheelhouse, IMAGE-HASH for another base than the one named,
    IMAGE-BUILT for one that is built already.
    """
    _check_paths(order)
    settings = config.load(order.config_file) if order.config_file else config.default()
    if not copying.is_packed(order.base):  # what is wrong with it is told before gigabytes are copied
        facts.check_usable(facts.gather(facts.opened(order.base)))
    with workroom.unfinished(order.out) as part, tempfile.TemporaryDirectory(prefix="cart-image-") as scratch:
        copied = copying.copy_hashed(order.base, part, progress)
        expected = check_base(order, copied)
        image = facts.opened(part, order.epoch)
        found = facts.gather(image)
        facts.check_usable(found)
        image.root.check(order.base.name)
        if device.CURRENT in image.root.rows([device.CURRENT]):
            raise Fault("IMAGE-BUILT", f"{order.base.name} holds {device.CURRENT}")
        house = wheelhouse.opened(order.wheels, found.release, device.requirements())
        progress.say(f"{found.os_name}: {len(house.wheels)} wheels fit its Python")
        entries = device.entries(image, found, house, settings, Path(scratch))
        image = make_room(image, entries, order.spare_bytes)
        lacking = from_apt.lacks(image.root, [wheel.name for wheel in house.wheels])
        removed = sorted(image.root.rows(device.REMOVED))
        boot = device.boot_files(image)
        put = [*image.root.write(entries, removed), *device.boot_entries(boot)]
        image.boot.write(boot)
        told = manifest.described(facts.gather(image), order.out.name, order.epoch) | {
            "kind": "build",
            "cart_version": cart.__version__,
            "base": {
                "name": order.base.name,
                "extract_size": copied.size_bytes,
                "extract_sha256": copied.sha256,
                "image_download_sha256": copied.packed_sha256 or copied.sha256,
                "checked": expected,
            },
            "wheels": house.rows(),
            "lacks": lacking,
            "files": manifest.rows(put),
            "removed": sorted(device.REMOVED),
        }
        return finish(image, order.out, told, progress)


def finish(image: Image, out: Path, told: Manifest, progress: Progress, made: bmap.BlockMap | None = None) -> Manifest:
    """Check what was made, write map and manifest, and give the image its name last."""
    problems = verify.differences(image, told)
    if problems:
        raise Fault("IMAGE-DAMAGED", f"read back right after writing: {'; '.join(problems[:5])}")
    if made is None:
        with progress.step("hash", image.path.stat().st_size) as advance:
            made = bmap.measure(image.path, advance)
    xml = bmap.to_xml(made, out.name)
    told = told | {
        "extract_size": made.size_bytes,
        "extract_sha256": made.sha256,
        "bmap_sha256": verify.text_sha256(xml),
    }
    # An image that is there stands for a whole one, so the old one goes first and the new one comes last.
    out.unlink(missing_ok=True)
    # With the hashes of a cart's files, a passphrase that is easily guessed can be guessed.
    secret = told["kind"] == "stamp"
    copying.put_text(xml, manifest.beside(out, manifest.MAP_SUFFIX), secret=secret)
    copying.put_text(manifest.dump(told), manifest.beside(out, manifest.SUFFIX), secret=secret)
    copying.put_text(manifest.repository(told, out), manifest.beside(out, manifest.REPOSITORY_SUFFIX), secret=secret)
    copying.put(image.path, out)
    return told


def check_base(order: Order, copied: Copied) -> str:
    """Return the hash that the base was checked by, "" for none; IMAGE-HASH where it is another."""
    expected = order.base_sha256.lower()
    beside = order.base.with_name(order.base.name + ".sha256")
    if not expected and beside.is_file():
        expected = (small.read_text(beside, "IMAGE-HASH").split() or [""])[0].lower()
        if not re.fullmatch("[0-9a-f]{64}", expected):
            raise Fault("IMAGE-HASH", f"{beside.name} does not begin with a sha256: download it again, or remove it")
    if expected and expected not in (copied.sha256, copied.packed_sha256):
        raise Fault("IMAGE-HASH", f"{order.base.name} is {copied.packed_sha256 or copied.sha256}, expected {expected}")
    return expected


def make_room(image: Image, entries: list[Entry], spare_bytes: int) -> Image:
    """Grow the root partition, which has to be the last one, until entries and spare room fit."""
    header, root = image.root.header(), image.table.root
    lacking = room_bytes(with_parents(entries), header.block_bytes) + spare_bytes - header.free_bytes
    if lacking <= 0:
        return image
    if root.end_bytes != max(p.end_bytes for p in image.table.partitions):
        raise Fault("IMAGE-NO-SPACE", f"{lacking} bytes are lacking, and the root partition is not the last one")
    # Tables of a larger file system take a little of what is added.
    size_bytes = root.size_bytes + -(-(lacking + lacking // 16) // GROW_STEP_BYTES) * GROW_STEP_BYTES
    if shutil.disk_usage(image.path.parent).free < lacking:
        raise Fault("IMAGE-DISK-FULL", f"{image.path.parent} has no room for {lacking} more bytes")
    _grow(image, size_bytes)
    return facts.opened(image.path, image.root.epoch)


def _grow(image: Image, size_bytes: int) -> None:
    """Grow the last partition and its file system, which resize2fs only does in a file of its own."""
    root = image.table.root
    with workroom.unfinished(image.path.with_name(image.path.name + ".root")) as alone:
        alone.touch()
        copying.copy_range(image.path, root.start_bytes, root.size_bytes, alone, 0)
        os.truncate(image.path, root.start_bytes)
        Ext4(alone, 0, image.root.epoch).grow(size_bytes)
        partitions.grow_last(image.path, image.table, root, size_bytes)
        copying.copy_range(alone, 0, size_bytes, image.path, root.start_bytes)


def _check_paths(order: Order) -> None:
    if not order.base.is_file():
        raise Fault("IMAGE-UNREADABLE", f"{order.base}: there is no such file")
    if order.out.exists() and order.out.samefile(order.base):
        raise Fault("IMAGE-NAME", f"{order.out} is the base itself, which is never changed: choose another name")
