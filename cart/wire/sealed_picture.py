r"""A picture for review as bytes: what lies sealed in a cart's spool, and what the store finds inside.

    cart-picture-1 <key id>\n <sealed>      the file; the key id says whose private key opens it
    {"cart":...,"reason":...}\n <JPEG>      inside, once opened

Sealed is HPKE in its base mode (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305), with the first line as `info`: a
file whose first line was changed does not open. Which cart, which pass and why are inside, for they tell of a person.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

MAGIC = b"cart-picture-1 "
FILE_BYTES_MAX = 1_000_000
TEXT_MAX = 128
"""Longest id of a cart and reason, in characters."""

_HEAD = re.compile(MAGIC + rb"([0-9a-f]{16})\n")


@dataclass(frozen=True, slots=True)
class About:
    """What a picture is of.

    cart     the cart's id
    track    number of the camera pass, as in the recording
    reason   why it was kept, as in KeepCrop
    wall_ms  when it was kept, by the cart's clock
    """

    cart: str
    track: int
    reason: str
    wall_ms: int


def head(key_id: str) -> bytes:
    """Return the first line of a file that is sealed to the key with this id."""
    line = MAGIC + key_id.encode("ascii") + b"\n"
    assert _HEAD.fullmatch(line), key_id
    return line


def split(data: bytes) -> tuple[str, bytes, bytes]:
    """Return (key id, first line, sealed part) of a file; ValueError where it is not a sealed picture."""
    found = _HEAD.match(data)
    if not found or len(data) > FILE_BYTES_MAX:
        raise ValueError("not a sealed picture")
    return found[1].decode("ascii"), found[0], data[found.end() :]


def inside(about: About, jpeg: bytes) -> bytes:
    """Return what is sealed: the line about the picture, then the picture."""
    return json.dumps(asdict(about), sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n" + jpeg


def opened(data: bytes) -> tuple[About, bytes]:
    """Return what `inside` was given; ValueError where this is nothing that `inside` made.

    Whoever has the public key can seal anything to it, so the fields are checked.
    """
    line, _, jpeg = data.partition(b"\n")
    try:
        about = About(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("no line about the picture") from error
    texts, numbers = (about.cart, about.reason), (about.track, about.wall_ms)
    if not all(isinstance(text, str) and len(text) <= TEXT_MAX for text in texts):
        raise ValueError("no cart or reason")
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
        raise ValueError("no pass or time")
    if not jpeg.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG")
    return about, jpeg
