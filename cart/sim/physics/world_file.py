"""Worlds in files: TOML with the sections and names of `parameters.py`, any of which may be left out.

    [cell]
    counts_per_kg = 51_800      # measured on our cart

An unknown name is refused with the nearest valid one, a value outside its limits with the limits: a typing mistake must
not become a silent default. `digest` is what reports print, so that two of them can be compared.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any

from cart.sim.physics.parameters import SECTIONS, Params

FILE_BYTES_MAX = 100_000


class BadWorld(ValueError):
    """A file that describes no world; the message says why, one line a fault."""


def read_world(path: Path) -> Params:
    """Return the world of a file; BadWorld with every fault at once, OSError when it cannot be read."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise BadWorld(f"longer than {FILE_BYTES_MAX} bytes")
    try:
        return world(tomllib.loads(content.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadWorld(str(error)) from None


def world(tables: dict[str, Any]) -> Params:
    """Return the default world with the values of these tables; BadWorld with every fault at once."""
    values: dict[str, int | float] = {}
    faults: list[str] = []
    for section, table in tables.items():
        if section in SECTIONS and not isinstance(table, dict):
            faults.append(f"{section} is a section: write [{section}] once, and its values below")
            continue
        if section not in SECTIONS:
            hint = _nearest(section, SECTIONS) if isinstance(table, dict) else _hint(section, "")
            faults.append(f"no section [{section}]{hint}")
            continue
        known = {f.name: f for f in fields(SECTIONS[section])}
        for name, value in table.items():
            if name not in known:
                faults.append(f"[{section}] has no {name}{_hint(name, section)}")
            elif complaint := _wrong(known[name], value):
                faults.append(f"[{section}] {complaint}")
            else:
                values[name] = value if isinstance(known[name].default, int) else float(value)
    faults += [] if faults else _odd_together(values)
    if faults:
        raise BadWorld("\n".join(faults))
    return Params(**values)


def digest(params: Params) -> str:
    """Return 12 hex digits that are equal only for equal worlds: of the SHA-256 of all values as canonical JSON."""
    text = json.dumps(asdict(params), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def world_text(params: Params) -> str:
    """Return a world as a file: every parameter with its meaning, unit, limits and source."""
    lines = [f"# A world for `cart bench weigh --world FILE`, hash {digest(params)}. Leave out what is as usual."]
    for section, group in SECTIONS.items():
        lines += ["", f"# {(group.__doc__ or '').splitlines()[0]}", f"[{section}]"]
        for f in fields(group):
            m = f.metadata
            limits = f"{m['lo']:g} to {m['hi']:g} {m['unit']}"
            lines += [f"# {m['meaning']}; {limits}; {m['source']}", f"{f.name} = {getattr(params, f.name)!r}"]
    return "\n".join(lines) + "\n"


def _wrong(f: Field, value: Any) -> str:
    whole = isinstance(f.default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return f"{f.name} = {value!r}: must be a {'whole ' * whole}number"
    lo, hi, unit = f.metadata["lo"], f.metadata["hi"], f.metadata["unit"]
    return "" if lo <= value <= hi else f"{f.name} = {value!r}: must be {lo:g} to {hi:g} {unit}"


def _odd_together(values: dict[str, int | float]) -> list[str]:
    """Return what no limit of one parameter alone can say."""
    defaults = {f.name: f.default for f in fields(Params)}
    now = {**defaults, **values}
    faults = [
        f"{name}_min is above {name}_max"
        for name in ("bump_ms", "place_s", "lift_s", "drop_cm", "drop_ms")
        if now[f"{name}_min"] > now[f"{name}_max"]
    ]
    if 1_600 % now["samples_per_s"]:
        faults.append(f"samples_per_s = {now['samples_per_s']}: must divide 1600")
    if now["cells"] not in (1, 4):
        faults.append(f"cells = {now['cells']}: must be 1 or 4")
    if now["counts_per_kg"] == 0:
        faults.append("counts_per_kg = 0: must not be 0")
    if now["rough_low_hz"] >= now["rough_high_hz"]:
        faults.append("rough_low_hz is not below rough_high_hz")
    return faults


def _nearest(name: str, known: dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _hint(name: str, section: str) -> str:
    """Say where a name is that was looked for in the wrong section, or which name was meant."""
    homes = {f.name: home for home, group in SECTIONS.items() for f in fields(group)}
    if name in homes:
        return f"; it is in [{homes[name]}]"
    near = difflib.get_close_matches(name, homes, n=1)
    if not near:
        return ""
    return f"; did you mean {near[0]}" + (f" in [{homes[near[0]]}]?" if homes[near[0]] != section else "?")
