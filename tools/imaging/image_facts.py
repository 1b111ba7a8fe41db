"""What the rules need to know of an image: read to its end, looked into, and compared with its manifest."""

import json
from pathlib import Path

from cart.faults import Fault
from tools.imaging import facts, manifest
from tools.imaging.bmap import from_xml
from tools.imaging.progress import Progress
from tools.imaging.refusal import ImageFacts
from tools.imaging.source import Image, examine

# The image room's faults that mean: nobody can look into this one here. Its layout is still checked by the rules.
CANNOT_LOOK = ("IMAGE-LAYOUT", "IMAGE-TOOL-MISSING", "IMAGE-TRUNCATED", "IMAGE-NAME")


def gather(
    path: Path, progress: Progress, *, sha256: str = "", told: Path | None = None, mapped: Path | None = None
) -> tuple[Image, ImageFacts]:
    """Return the image, read once, and its facts; Fault IMAGE-UNREADABLE, IMAGE-MAP or IMAGE-MANIFEST.

    sha256  what the unpacked image must have; "" asks its manifest
    told    the manifest; None looks beside the image
    mapped  a block map: only what it lists is written
    """
    ranges = None
    if mapped is not None:
        text = _text(mapped, "IMAGE-MAP")
        ranges = tuple((row.start, row.start + row.length) for row in from_xml(text).ranges)
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise Fault("IMAGE-UNREADABLE", f"{path}: {error.strerror}") from None
    with progress.step("reading", size_bytes) as advance:
        image = examine(path, mapped=ranges, advance=advance)
    expected_size, expected_sha256 = expected(path, told)
    found, unknown = look_into(path)
    return image, ImageFacts(
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        damage=image.damage,
        layout_end_bytes=image.layout_end_bytes,
        expected_size_bytes=expected_size,
        expected_sha256=sha256 or expected_sha256,
        machine=found.machine if found else "",
        dirty_ext4=(found.dirty,) if found and found.dirty else (),
        unknown_features=unknown,
    )


def expected(path: Path, told: Path | None = None) -> tuple[int | None, str]:
    """Return size and hash that the manifest states; (None, "") where there is none."""
    if told is None:
        beside = [manifest.beside(image, manifest.SUFFIX) for image in (path, path.with_suffix(""))]
        told = next((place for place in beside if place.is_file()), None)
        if told is None:
            return None, ""
    try:
        stated = json.loads(_text(told, "IMAGE-MANIFEST"))
        return int(stated["extract_size"]), str(stated["extract_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise Fault("IMAGE-MANIFEST", f"{told}: {error!r}") from None


def look_into(path: Path) -> tuple[facts.Facts | None, tuple[str, ...]]:
    """Return what the file systems of a raw image say, and which ext4 features nobody here knows.

    (None, ()) for a packed image and for one with another layout: its partition table is still checked.
    """
    if path.suffix == ".xz":
        return None, ()
    try:
        found = facts.gather(facts.opened(path))
    except Fault as fault:
        if fault.code == "IMAGE-FEATURE":
            return None, (fault.detail,)
        if fault.code in CANNOT_LOOK:
            return None, ()
        raise
    return found, found.unknown_features


def _text(path: Path, code: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(code, f"{path}: {error}") from None
