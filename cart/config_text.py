"""TOML text of the configuration: finds every fault with its line, and writes the commented file.

Knows nothing of the keys themselves: `cart/config.py` states them and passes them in.
"""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class KeyText(NamedTuple):
    """What is known about one key: a whole number from lo to hi in steps, or a text that matches pattern.

    form  the range or the pattern in words
    unit  empty for texts and plain counts
    """

    section: str
    key: str
    default: int | str
    lo: int | None
    hi: int | None
    step: int
    pattern: str | None
    form: str
    unit: str
    meaning: str

    @property
    def limits(self) -> str:
        """The form with its unit, as in `1 to 8 threads`."""
        return f"{self.form} {self.unit}".rstrip()


def find_faults(data: dict[str, Any], text: str, keys: Sequence[KeyText]) -> list[tuple[int, str]]:
    """Return (line, complaint) for every fault in the parsed tables `data` of `text`, in the order of lines."""
    lines = _line_numbers(text)
    return sorted([*_section_faults(data, lines, keys), *_pin_faults(data, lines, keys)])


def render_section(meaning: str, keys: Sequence[KeyText], values: dict[str, int | str]) -> str:
    """Return one section as TOML, each key under a comment with its meaning, range and unit."""
    lines = [f"# {meaning.strip()}", f"[{keys[0].section}]"]
    for text in keys:
        lines.append(f"# {text.meaning}; {text.limits}")
        # A JSON string is a TOML basic string; whole numbers are the same in both.
        lines.append(f"{text.key} = {json.dumps(values[text.key], ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


_Lines = dict[tuple[str, ...], int]


def _section_faults(data: dict[str, Any], lines: _Lines, keys: Sequence[KeyText]) -> Iterator[tuple[int, str]]:
    known: dict[str, dict[str, KeyText]] = {text.section: {} for text in keys}
    for text in keys:
        known[text.section][text.key] = text
    for section, values in data.items():
        line = lines.get((section,), 1)
        if section not in known:
            yield line, f"{section}: unknown section{_suggestion(section, known, '[{}]')}"
        elif not isinstance(values, dict):
            yield line, f"{section}: must be a section, written [{section}]"
        else:
            for key, value in values.items():
                if complaint := _complaint(key, value, known[section]):
                    yield lines.get((section, key), line), f"{section}.{key}: {complaint}"


def _complaint(key: str, value: object, known: dict[str, KeyText]) -> str:
    """Return what is wrong with one key and its value, or an empty text."""
    text = known.get(key)
    if text is None:
        return f"unknown key{_suggestion(key, known, '{!r}')}"
    if type(value) is not type(text.default):
        wanted = "a whole number" if isinstance(text.default, int) else "a text"
        return f"must be {wanted} ({text.limits}), not {_kind_name(value)}"
    if isinstance(value, int) and (value % text.step or not (text.lo or 0) <= value <= (text.hi or 0)):
        return f"{value} is outside {text.limits}"
    if isinstance(value, str) and not re.fullmatch(text.pattern or "", value):
        return f"{value!r} is not {text.limits}"
    return ""


def _pin_faults(data: dict[str, Any], lines: _Lines, keys: Sequence[KeyText]) -> Iterator[tuple[int, str]]:
    """Yield a complaint for each pin of the header that two keys claim."""
    panel = data.get("panel")
    if not isinstance(panel, dict):
        return
    taken: dict[int, str] = {}
    for text in keys:
        pin = panel.get(text.key, text.default)
        if text.section != "panel" or not text.key.endswith("_pin") or type(pin) is not int:
            continue
        if pin in taken:
            line = lines.get(("panel", text.key), lines.get(("panel", taken[pin]), 1))
            yield line, f"panel.{text.key}: pin {pin} is already {taken[pin]}"
        taken.setdefault(pin, text.key)


_HEADER = re.compile(r"^\s*\[\s*([\w.\"'-]+)\s*\]")
_ASSIGNMENT = re.compile(r"^\s*([\w.\"'-]+)\s*=")


def _line_numbers(text: str) -> _Lines:
    """Return the line of each section and key; tomllib keeps none.

    A line inside a multi-line string can look like a key. No key of ours needs such a string, so at worst the line
    number of a fault is off, never the fault.
    """
    found: _Lines = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = _split_key(header[1])
            found.setdefault(section, number)
        elif assignment := _ASSIGNMENT.match(line):
            key = section + _split_key(assignment[1])
            found.setdefault(key[:1], number)
            found.setdefault(key[:2], number)
    return found


def _split_key(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"' ") for part in dotted.split("."))


def _suggestion(word: str, known: dict[str, Any], form: str) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else ""


def _kind_name(value: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number with a point", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "a table or a date")
