"""The manifest beside an image: what it was made from, what was put in, and the hashes to check it by. No secrets.

Where Raspberry Pi Imager has a name for something, that name is used: extract_size, extract_sha256, release_date,
init_format, devices. `repository` is a list in Imager's form, so that the image can be written with Imager too.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from cart.faults import Fault
from tools.imaging import small
from tools.imaging.entries import Entry
from tools.imaging.facts import INIT_FORMATS, Facts
from tools.imaging.partitions import Table

FORMAT = 1
SUFFIX, MAP_SUFFIX, REPOSITORY_SUFFIX = ".manifest.json", ".bmap", ".imager.json"
DEVICES = ["pi5-64bit", "pi4-64bit"]
"""Imager's tags of the boards that the cart is made for."""

Manifest = dict[str, Any]
BYTES_MAX = 64 << 20

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Path = Annotated[str, msgspec.Meta(pattern=r"^/[^\x00-\x1f]*\Z")]
_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]


class _Row(msgspec.Struct, frozen=True):
    path: _Path
    where: Literal["root", "boot"]
    type: Literal["file", "dir", "link"]
    sha256: _Sha256 = "0" * 64
    target: str = ""
    uid: _Number = 0
    gid: _Number = 0
    mode: str = ""


class _Cart(msgspec.Struct, frozen=True):
    id: str


class _Form(msgspec.Struct, frozen=True):
    """What the tools rely on in a manifest; others may have been added."""

    kind: Literal["build", "stamp"]
    files: list[_Row]
    removed: list[_Path]
    extract_size: Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
    extract_sha256: _Sha256
    bmap_sha256: _Sha256
    partitions: list[dict[str, int | str]]
    epoch: _Number
    cart: _Cart | None = None


def beside(image: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to an image: cart.img -> cart.img.manifest.json."""
    return image.with_name(image.name + suffix)


def rows(entries: list[Entry], before: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Return a row for each entry, in place of the rows of the same paths in `before`, sorted."""
    table = {(row["where"], row["path"]): row for row in before or []}
    table |= {(entry.where, entry.path): entry.row() for entry in entries}
    return [table[key] for key in sorted(table)]


def described(facts: Facts, name: str, epoch: int) -> Manifest:
    """Return the part of a manifest that says what the image is."""
    return {
        "format": FORMAT,
        "name": name,
        "release_date": datetime.fromtimestamp(epoch, UTC).date().isoformat(),
        "init_format": INIT_FORMATS[facts.first_boot],
        "devices": DEVICES,
        "release": facts.codename,
        "os_name": facts.os_name,
        "python": ".".join(map(str, facts.python or ())),
        "machine": facts.machine,
        "first_boot": facts.first_boot,
        "network": facts.network,
        "epoch": epoch,
        "partitions": table_rows(facts.table),
    }


def table_rows(table: Table) -> list[dict[str, Any]]:
    """Return the partition table as the manifest keeps it."""
    return [
        {"number": p.number, "start": p.start_bytes, "size": p.size_bytes, "type": p.kind} for p in table.partitions
    ]


def load(path: Path) -> Manifest:
    """Return a manifest; IMAGE-MANIFEST where it is missing, torn or of another format."""
    text = small.read_text(path, "IMAGE-MANIFEST", BYTES_MAX)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault("IMAGE-MANIFEST", f"{path}: {error}") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Fault("IMAGE-MANIFEST", f"{path} is not of format {FORMAT}")
    try:
        msgspec.convert(told, _Form)
    except msgspec.ValidationError as error:
        raise Fault("IMAGE-MANIFEST", f"{path}: {error}") from None
    return told


def dump(manifest: Manifest) -> str:
    """Return the text of a manifest: one row a line, the same for the same content."""
    return json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def repository(manifest: Manifest, image: Path) -> str:
    """Return Imager's list with this one image, to be opened by: rpi-imager --repo FILE."""
    row = {key: manifest[key] for key in ("name", "extract_size", "extract_sha256", "release_date", "devices")}
    row |= {
        "description": f"Smart cart on {manifest['os_name']}",
        "icon": "",
        "url": image.absolute().as_uri(),
        # Not packed: the file is the image.
        "image_download_size": manifest["extract_size"],
        # Imager must not set up the first boot: whatever can be set is in the image already.
        "init_format": "none",
    }
    return json.dumps({"os_list": [row]}, indent=1, sort_keys=True) + "\n"
