"""What the rules need to know of an image: read to its end, looked into, and compared with its manifest."""

import json
from dataclasses import replace
from pathlib import Path

from cart.faults import Fault
from tools.imaging import copying, facts, image_map, manifest, small
from tools.imaging.progress import Progress
from tools.imaging.refusal import ImageFacts
from tools.imaging.source import Image, examine

# Faults of looking into an image that are reasons not to write it; a cut-off one is found by its partition table.
UNUSABLE = ("IMAGE-LAYOUT", "IMAGE-TRUNCATED")

# What the first start stores before it has grown the partition: machine-id, keys, database. `build` leaves much more.
FIRST_START_BYTES = 4 << 20


def gather(
    path: Path,
    progress: Progress,
    *,
    sha256: str = "",
    told: Path | None = None,
    mapped: Path | None = None,
    look: bool = True,
) -> tuple[Image, ImageFacts]:
    """Return the image, read once, and its facts; Fault IMAGE-UNREADABLE, IMAGE-MAP or IMAGE-MANIFEST.

    sha256  what the unpacked image must have; "" asks its manifest
    told    the manifest; None looks beside the image
    mapped  a block map of this very image: only what it lists is written
    look    into its file systems; a packed image cannot be looked into
    """
    given = image_map.load(mapped) if mapped is not None else None
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{path}: {error.strerror}") from None
    with progress.step("reading", size_bytes) as advance:
        image = examine(path, mapped=image_map.spans(given) if given else None, advance=advance)
    if given is not None and not image.damage:
        with progress.step("map", sum(row.length for row in given.ranges)) as advance:
            image_map.check_of(path, image.size_bytes, given, advance)
    expected_size, expected_sha256 = expected(path, told)
    known = ImageFacts(
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        damage=image.damage,
        layout_end_bytes=image.layout_end_bytes,
        expected_size_bytes=expected_size,
        expected_sha256=sha256 or expected_sha256,
    )
    return image, look_into(path, known) if look and not copying.is_packed(path) else known


def expected(path: Path, told: Path | None = None) -> tuple[int | None, str]:
    """Return size and hash that the manifest states; (None, "") where there is none."""
    told = told or _manifest_of(path)
    if told is None:
        return None, ""
    try:
        stated = json.loads(small.read_text(told, "IMAGE-MANIFEST", manifest.BYTES_MAX))
        return int(stated["extract_size"]), str(stated["extract_sha256"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Fault("IMAGE-MANIFEST", f"{told}: {error!r}") from None


def cart_of(path: Path, told: Path | None = None) -> str:
    """Return the cart that the manifest of a stamped image names, "" where none does; `expected` tells its faults."""
    told = told or _manifest_of(path)
    try:
        stated = json.loads(small.read_text(told, "IMAGE-MANIFEST", manifest.BYTES_MAX)) if told else {}
        return str((stated.get("cart") or {}).get("id") or "")
    except (Fault, ValueError, AttributeError, RecursionError):
        return ""


def _manifest_of(path: Path) -> Path | None:
    """Return the manifest beside an image, packed or not; None where there is none."""
    beside = [manifest.beside(image, manifest.SUFFIX) for image in (path, path.with_suffix(""))]
    return next((place for place in beside if place.is_file()), None)


def look_into(path: Path, known: ImageFacts) -> ImageFacts:
    """Return the facts with what the file systems of an unpacked image say."""
    try:
        found = facts.gather(facts.opened(path))
    except Fault as fault:
        if fault.code == "IMAGE-FEATURE":
            return replace(known, unknown_features=(fault.detail,))
        if fault.code in UNUSABLE:
            return replace(known, unusable=fault.detail)
        raise
    return replace(
        known,
        machine=found.machine,
        dirty_ext4=(found.dirty,) if found.dirty else (),
        unknown_features=found.unknown_features,
        free_bytes=found.root_free_bytes,
        needed_bytes=FIRST_START_BYTES,
    )
