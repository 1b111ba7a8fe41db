"""The recording: every event that entered the core and every effect it returned, as lines of text.

    3d7a0c11 H 1 {"format":1,"run_id":"0196...","part":1,...}      head: what the core was built from
    9b1f22e0 E 1 {"k":"Restored","v":{...}}                        event 1
    0c5d7e3a F 1 {"k":"Show","v":{...}}                            an effect of event 1
    77e2b1aa E 2 {"k":"Tick","v":{...}}                            event 2, without effects
    51c0ffee G 3 {"lost":12}                                       records lost before event 3 (the disk was too slow)
    1a2b3c4d Z 2 {"reason":"stopped"}                              the end, where the run or this file ended in order

A line is the CRC-32 of all that follows the first blank as 8 hex digits, a letter, a number and canonical JSON
(`cart.wire.codec`). A file without a Z line was cut off: its last line may be torn and the effects of its last event
may be missing, and everything before is as good as ever. A long run is cut into parts; each has the head, and
numbers run on.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import msgspec

from cart.core.catalog import Catalog, Product
from cart.core.effects import Effect
from cart.core.events import Event
from cart.core.setup import Setup
from cart.wire import codec

FORMAT = 1

CATALOG_BYTES_MAX = 1_000_000
"""A larger catalogue is named by its hash only, and replay must be given the file."""

LINE_BYTES_MAX = 8_000_000
"""No line of ours is longer; a longer one is damage."""

TORN, DAMAGED, LOST = "torn", "damaged", "lost"
"""Reasons of an Ending that no Z line gives."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a run was made of.

    run_id        UUIDv7 of the run; its parts share it
    part          1 for the file in which the run starts
    first_event   number of the first event of this part
    t_ns          monotonic time when the part was begun
    wall_ms       Unix time when the part was begun, for people
    mode          which step function ran: a name of `cart.replay.STEPS`
    config        the configuration as TOML
    model_sha256  hash of the classifier's model, "" where there was none
    setup         `setup_to_dict` of what the core was built from
    """

    run_id: str
    part: int
    first_event: int
    t_ns: int
    wall_ms: int
    version: str
    cart: str
    mode: str
    config: str
    model_sha256: str
    setup: dict[str, Any]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Step:
    """One event and what it brought about. whole: False where later effects of it may be missing."""

    number: int
    event: Event
    effects: tuple[Effect, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Ending:
    """How a file ends.

    reason  "stopped", "rotated", "poison" (the last event broke the core), TORN (cut off), DAMAGED (a bad line has
            good ones after it) or LOST (records are missing)
    number  the last event before the ending
    """

    reason: str
    number: int


# -- writing -----------------------------------------------------------------


def head_line(head: Head) -> bytes:
    """Return the first line of a file."""
    return _line("H", head.part, msgspec.json.encode(head))


def event_line(number: int, event: Event) -> bytes:
    """Return the line of the event with this number."""
    return _line("E", number, codec.encode(event))


def effect_line(number: int, effect: Effect) -> bytes:
    """Return the line of an effect of event `number`."""
    return _line("F", number, codec.encode(effect))


def lost_line(number: int, lost: int) -> bytes:
    """Return the line that says that `lost` records are missing before event `number`."""
    return _line("G", number, msgspec.json.encode({"lost": lost}))


def end_line(number: int, reason: str) -> bytes:
    """Return the last line of a file; `number` is its last event."""
    return _line("Z", number, msgspec.json.encode({"reason": reason}))


def _line(letter: str, number: int, json: bytes) -> bytes:
    body = b"%s %d %s" % (letter.encode(), number, json)
    return b"%08x %s\n" % (binascii.crc32(body), body)


# -- reading -----------------------------------------------------------------


def read_head(line: bytes) -> Head:
    """Return the head in the first line of a file; ValueError where it is none, or of a later format."""
    letter, _, json = split(line)
    if letter != "H":
        raise ValueError("a recording starts with its head")
    try:
        parsed = msgspec.json.decode(json)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(parsed, dict) or parsed.get("format") != FORMAT:
        raise ValueError(f"the recording is not of format {FORMAT}")
    head: Head = codec.convert(parsed, Head)
    return head


def read_steps(lines: Iterable[bytes]) -> Iterator[Step | Ending]:
    """Yield the steps in the lines after the head, then exactly one Ending.

    Reading stops at the first line that is not whole; it never raises for what is in the lines.
    """
    number, event, effects = 0, None, []  # type: int, Event | None, list[Effect]
    rest = iter(lines)
    for line in rest:
        try:
            letter, line_number, json = split(line)
            value = codec.decode(json) if letter in "EF" else msgspec.json.decode(json)
            _check_order(letter, line_number, number)
        except ValueError:
            reason = DAMAGED if any(True for _ in rest) else TORN
            break
        if letter == "F":
            effects.append(value)
            continue
        if letter != "E":
            reason = LOST if letter == "G" else str(value.get("reason", TORN))
            break
        if event is not None:
            yield Step(number, event, tuple(effects))
        number, event, effects = line_number, value, []
    else:
        reason = TORN
    if event is not None:
        yield Step(number, event, tuple(effects), whole=reason in ("stopped", "rotated"))
    yield Ending(reason, number)


def split(line: bytes) -> tuple[str, int, bytes]:
    """Return letter, number and JSON of one line; ValueError where it is torn or damaged."""
    crc, _, body = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or len(line) > LINE_BYTES_MAX or crc != b"%08x" % binascii.crc32(body):
        raise ValueError("torn or damaged line")
    letter, number, json = body.split(b" ", 2)
    if letter not in (b"H", b"E", b"F", b"G", b"Z"):
        raise ValueError(f"unknown line {letter!r}")
    return letter.decode(), int(number), json


def _check_order(letter: str, line_number: int, number: int) -> None:
    """Raise ValueError where a line is missing or doubled; `number` is that of the last event, 0 before the first."""
    expected = number + 1 if letter == "E" and number else number
    if letter == "H" or (letter in "EF" and expected and line_number != expected) or (letter == "F" and not number):
        raise ValueError("lines are missing")


# -- setup -------------------------------------------------------------------


def setup_to_dict(setup: Setup) -> dict[str, Any]:
    """Return `setup` as JSON values; a catalogue above CATALOG_BYTES_MAX as version, currency and hash only."""
    return {field.name: _part_to_json(getattr(setup, field.name)) for field in fields(setup)}


def setup_from_dict(parsed: dict[str, Any], catalog: Catalog | None = None) -> Setup:
    """Return the setup in a head.

    catalog  used where the head holds only the hash of it; ValueError where it is needed and missing, or another one

    Raises ValueError for a field that is unknown, missing or of a wrong type.
    """
    kinds = get_type_hints(Setup)
    unknown = parsed.keys() - kinds.keys()
    if unknown:
        raise ValueError(f"the head's setup has an unknown part {min(unknown)!r}")
    setup = Setup(**{name: _part_from_json(item, kinds[name], catalog) for name, item in parsed.items()})
    if setup.calibration.counts_per_kg == 0:
        raise ValueError("the head's calibration has no slope")
    return setup


def catalog_sha256(catalog: Catalog) -> str:
    """Return the hash that names the content of a catalogue, 64 hex digits."""
    return hashlib.sha256(msgspec.json.encode(catalog.products)).hexdigest()


def _part_to_json(part: Any) -> Any:
    if not isinstance(part, Catalog):
        return msgspec.json.decode(msgspec.json.encode(part))
    products = msgspec.json.encode(part.products)
    known = {"version": part.version, "currency": part.currency, "sha256": catalog_sha256(part)}
    return known if len(products) > CATALOG_BYTES_MAX else {**known, "products": msgspec.json.decode(products)}


def _part_from_json(item: Any, kind: Any, catalog: Catalog | None) -> Any:
    if kind is not Catalog:
        return codec.convert(item, kind)
    if "products" in item:
        products = [codec.convert(product, Product) for product in item["products"]]
        return Catalog(item["version"], item["currency"], products)
    if catalog is None or catalog_sha256(catalog) != item["sha256"]:
        raise ValueError(f"the recording needs the catalogue {item['version']} with hash {item['sha256'][:16]}...")
    return catalog
