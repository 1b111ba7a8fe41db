"""One event, effect or trip as one line of canonical JSON, and back.

    {"k":"Tick","v":{"t_ns":5,"wall_ms":1767225600000}}

Canonical: `k` before `v`, fields in the order of their class, no white space, UTF-8, integers as digits. So equal
values are equal bytes on every Python and processor, and a recording can be compared byte by byte.

Fields are only ever added, with defaults: a line that lacks such a field is filled in, so an old recording stays
readable; one that has a field this version does not know is refused, for its meaning would be lost.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from cart.core.effects import Effect
from cart.core.events import Event
from cart.core.trip import Trip

KINDS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(Event), *get_args(Effect), Trip)}
"""Every class that has a line, by the name it has there."""


def encode(value: Event | Effect | Trip) -> bytes:
    """Return the canonical line of `value`, without a line end. Integers must fit 64 bits."""
    kind = type(value).__name__
    assert KINDS.get(kind) is type(value), f"{kind} has no line"
    return msgspec.json.encode({"k": kind, "v": value})


def decode(data: bytes) -> Any:
    """Return the event, effect or trip that `data` holds.

    Raises ValueError for anything that is not such a line: broken JSON, an unknown kind, an unknown field, a missing
    field that has no default, a wrong type.
    """
    try:
        parsed = msgspec.json.decode(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(parsed, dict) or parsed.keys() != {"k", "v"}:
        raise ValueError('expected an object of "k" and "v"')
    kind = KINDS.get(parsed["k"]) if isinstance(parsed["k"], str) else None
    if kind is None:
        raise ValueError(f"unknown kind {str(parsed['k'])[:40]!r}")
    return convert(parsed["v"], kind)


def convert(parsed: Any, kind: type) -> Any:
    """Return `parsed` (dicts, lists, integers, texts) as a value of the dataclass `kind`; ValueError if it is not one.

    msgspec passes over fields it does not know, so they are looked for in what the value turns back into.
    """
    value: Any = msgspec.convert(parsed, kind)
    unknown = _unknown_field(parsed, msgspec.to_builtins(value), "$")
    if unknown:
        raise ValueError(f"unknown field {unknown}")
    return value


def _unknown_field(given: Any, known: Any, path: str) -> str:
    """Return the path of the first field that is in `given` and not in `known`, or ""."""
    if isinstance(given, dict):
        for name, item in given.items():
            found = _unknown_field(item, known[name], f"{path}.{name}") if name in known else f"{path}.{name}"
            if found:
                return found
    elif isinstance(given, list):
        for index, (item, other) in enumerate(zip(given, known, strict=True)):
            found = _unknown_field(item, other, f"{path}[{index}]")
            if found:
                return found
    return ""
