"""The block map of an image: a hash for every MiB, so that one wrong byte anywhere is found and its offset named.

Written as bmap XML 2.0, which bmaptool and Raspberry Pi Imager read, with two differences in what we put in:

* Every block is mapped. A map that leaves out what reads as zeros is unsafe: a card keeps its old bytes there, and
  checks out all the same.
* Each range also has its Adler-32. Its two sums change by a known amount for one changed byte, which leaves at most 17
  places in a MiB where that byte can be; putting the old value back there and hashing again proves which one it is.
"""

import hashlib
import os
import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cart.faults import Fault
from tools.imaging.progress import Advance, nothing

BLOCK_BYTES = 4096
RANGE_BYTES = 1 << 20
ADLER_PRIME = 65_521
ZEROS = bytes(RANGE_BYTES)
HASH_PLACE = "0" * 64
XML_BYTES_MAX = 1 << 28


@dataclass(frozen=True)
class Range:
    """A run of bytes; adler is None in a map that somebody else made."""

    start: int
    length: int
    sha256: str
    adler: int | None


@dataclass(frozen=True)
class BlockMap:
    """size_bytes and sha256 of the whole image, and its ranges in order; sha256 is empty when read from XML."""

    size_bytes: int
    ranges: tuple[Range, ...]
    sha256: str = ""


@dataclass(frozen=True)
class Damage:
    """The first byte of a range that is not as it was.

    offset  of the byte, or of the range where more than one byte changed
    exact   True when this one byte alone is wrong; `was` and `now` are its values then
    """

    offset: int
    length: int
    exact: bool = False
    was: int = 0
    now: int = 0

    def __str__(self) -> str:
        """Name the place."""
        if self.exact:
            return f"byte {self.offset} ({self.offset:#x}) is {self.now:#04x}, was {self.was:#04x}"
        return f"bytes {self.offset} to {self.offset + self.length - 1} ({self.offset:#x}): more than one is wrong"


def measure(image: Path, advance: Advance = nothing) -> BlockMap:
    """Return the map of an image, which is read once; the hash of the whole runs beside those of the ranges."""
    whole = hashlib.sha256()
    ranges: list[Range] = []
    with ThreadPoolExecutor(1) as beside:
        for start, data in _pieces(image):
            hashed = beside.submit(whole.update, data)
            ranges.append(_range(start, data))
            hashed.result()
            advance(len(data))
    return BlockMap(image.stat().st_size, tuple(ranges), whole.hexdigest())


def find_damage(image: Path, expected: BlockMap, advance: Advance = nothing) -> Iterator[Damage]:
    """Yield where the image is not what the map says; IMAGE-TRUNCATED when it is not as long."""
    size_bytes = image.stat().st_size
    if size_bytes != expected.size_bytes:
        raise Fault("IMAGE-TRUNCATED", f"{image.name} has {size_bytes} bytes, its map says {expected.size_bytes}")
    with image.open("rb") as file:
        for row in expected.ranges:
            file.seek(row.start)
            data = file.read(row.length)
            if _sha256(data) != row.sha256:
                yield _locate(data, row)
            advance(row.length)


def to_xml(made: BlockMap, name: str) -> str:
    """Return bmap XML 2.0 for the image called `name`; its own hash is in it, made with zeros in that place."""
    blocks = -(-made.size_bytes // BLOCK_BYTES)
    rows = "".join(
        f'        <Range chksum="{row.sha256}" adler32="{row.adler:08x}"> {_blocks(row)} </Range>\n'
        for row in made.ranges
    )
    text = (
        '<?xml version="1.0" ?>\n'
        f"<!-- Block map of {name.replace('--', '-')}: every block is mapped, zeros too. -->\n"
        '<bmap version="2.0">\n'
        f"    <ImageSize> {made.size_bytes} </ImageSize>\n"
        f"    <BlockSize> {BLOCK_BYTES} </BlockSize>\n"
        f"    <BlocksCount> {blocks} </BlocksCount>\n"
        f"    <MappedBlocksCount> {blocks} </MappedBlocksCount>\n"
        "    <ChecksumType> sha256 </ChecksumType>\n"
        f"    <BmapFileChecksum> {HASH_PLACE} </BmapFileChecksum>\n"
        f"    <BlockMap>\n{rows}    </BlockMap>\n"
        "</bmap>\n"
    )
    return text.replace(HASH_PLACE, hashlib.sha256(text.encode()).hexdigest(), 1)


def from_xml(text: str) -> BlockMap:
    """Return the map in a bmap file of version 2.0; IMAGE-MAP where it is damaged or of another kind."""
    if len(text) > XML_BYTES_MAX or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Fault("IMAGE-MAP", "this is no block map")
    try:
        tree = ET.fromstring(text)
        told = (tree.findtext("BmapFileChecksum") or "").strip()
        if tree.get("version", "").split(".")[0] != "2" or (tree.findtext("ChecksumType") or "").strip() != "sha256":
            raise Fault("IMAGE-MAP", "not of version 2 with sha256")
        if not re.fullmatch("[0-9a-f]{64}", told) or _sha256(text.replace(told, HASH_PLACE, 1).encode()) != told:
            raise Fault("IMAGE-MAP", "its own hash does not match: it was changed or torn")
        size = int(tree.findtext("ImageSize", ""))
        block = int(tree.findtext("BlockSize", ""))
        return BlockMap(size, tuple(_from_row(row, block, size) for row in tree.iter("Range")))
    except (ET.ParseError, ValueError, KeyError) as error:
        raise Fault("IMAGE-MAP", f"it cannot be read: {error}") from None


def covers_all(given: BlockMap) -> bool:
    """Return True when no byte of the image is left out."""
    at = 0
    for row in given.ranges:
        if row.start != at:
            return False
        at += row.length
    return at == given.size_bytes


def _pieces(image: Path) -> Iterator[tuple[int, bytes]]:
    with image.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        start = 0
        while data := file.read(RANGE_BYTES):
            while len(data) < RANGE_BYTES and (more := file.read(RANGE_BYTES - len(data))):
                data += more
            yield start, data
            start += len(data)


def _range(start: int, data: bytes) -> Range:
    if data == ZEROS:
        return Range(start, RANGE_BYTES, ZEROS_SHA256, ZEROS_ADLER)
    return Range(start, len(data), _sha256(data), zlib.adler32(data))


def _locate(data: bytes, row: Range) -> Damage:
    """Return the one byte that is wrong, proved by the range's hash, or else the whole range."""
    for place, was in _candidates(data, row):
        mended = bytearray(data)
        mended[place] = was
        if _sha256(mended) == row.sha256:
            return Damage(row.start + place, 1, exact=True, was=was, now=data[place])
    return Damage(row.start, row.length)


def _candidates(data: bytes, row: Range) -> Iterator[tuple[int, int]]:
    """Yield (place, old value) of each single byte whose change fits the two sums of Adler-32.

    a is 1 + the sum of the bytes and b the sum of all a's on the way, both modulo 65521 (RFC 1950, 8.2): a byte that
    grew by d with n - i bytes from it to the end adds d to a and d (n - i) to b.
    """
    if row.adler is None or len(data) != row.length:
        return
    now = zlib.adler32(data)
    grown = ((now & 0xFFFF) - (row.adler & 0xFFFF)) % ADLER_PRIME
    if grown == 0:
        return
    drift = ((now >> 16) - (row.adler >> 16)) * pow(grown, -1, ADLER_PRIME) % ADLER_PRIME
    change = grown if grown < 256 else grown - ADLER_PRIME
    for to_end in range(drift or ADLER_PRIME, len(data) + 1, ADLER_PRIME):
        place = len(data) - to_end
        if 0 <= data[place] - change <= 255:
            yield place, data[place] - change


def _blocks(row: Range) -> str:
    first, last = row.start // BLOCK_BYTES, (row.start + row.length - 1) // BLOCK_BYTES
    return str(first) if first == last else f"{first}-{last}"


def _from_row(row: ET.Element, block_bytes: int, size_bytes: int) -> Range:
    first, _, last = (row.text or "").strip().partition("-")
    start = int(first) * block_bytes
    # The last block of an image need not be whole.
    end = min((int(last or first) + 1) * block_bytes, size_bytes)
    adler = row.get("adler32")
    return Range(start, end - start, row.attrib["chksum"], int(adler, 16) if adler else None)


def _sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


ZEROS_SHA256, ZEROS_ADLER = _sha256(ZEROS), zlib.adler32(ZEROS)
