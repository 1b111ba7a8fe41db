"""The legally relevant part by name: which files it is made of, and the hash that stands for all of them.

`cart/legal_manifest.json` lists each file with its SHA-256; `tools/write_texts.py` writes it, a test compares. The
legal hash is the SHA-256 of that list: it is shown by `cart version -v` and on the screen, and a seal names it. What is
not listed may change without the scale being verified again, and may not make a weight, a tare or a price by weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import msgspec

NAME = "legal_manifest.json"

MODULES = (
    "core/legal.py",
    "core/legal_profile.py",
    "core/legal_reading.py",
    "core/legal_record.py",
    "core/legal_rules.py",
    "core/pricing.py",
    "core/trade.py",
    "core/trade_view.py",
    "core/weighing.py",
    "edge/calibration_file.py",
    "edge/database.py",
    "edge/legal_log.py",
    "edge/seal.py",
    "web/weighing.js",
    "wire/alibi.py",
    "wire/calibration.py",
    "wire/cell_events.py",
    "wire/legal_manifest.py",
    "wire/loadcell.py",
    "wire/seal.py",
)
"""Files of the package, from its folder."""

FIRMWARE = "firmware_config/loadcell/firmware"
"""The converter's own program, from the repository's folder: part of the hash, but the cart cannot read it back."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Path -> SHA-256 of every file of the package and of the converter's firmware."""

    package: dict[str, str]
    firmware: dict[str, str]


def manifest_bytes(package: Mapping[str, bytes], firmware: Mapping[str, bytes]) -> bytes:
    """Return the list of these files: JSON for people and programs, the same for the same files."""
    manifest = Manifest(
        {path: sha256_of(package[path]) for path in MODULES},
        {path: sha256_of(firmware[path]) for path in sorted(firmware)},
    )
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def changed(manifest: bytes, read: Callable[[str], bytes]) -> tuple[str, ...]:
    """Return the files of the package that are not as the list says; `read` gives a file's bytes, OSError if it cannot.

    Raises ValueError where the list cannot be read or names other files than MODULES.
    """
    listed = msgspec.json.decode(manifest, type=Manifest).package
    if set(listed) != set(MODULES):
        raise ValueError("the list names other files than this program")
    return tuple(path for path in MODULES if _sha256(read, path) != listed[path])


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of these bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _sha256(read: Callable[[str], bytes], path: str) -> str:
    try:
        return sha256_of(read(path))
    except OSError:
        return ""
