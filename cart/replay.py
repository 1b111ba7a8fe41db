"""Runs a recording again: the same events through the same step, and every effect compared for equality.

No tolerance and no list of what to ignore: one changed threshold must show. The first difference ends the comparison,
because from there on the two runs are no longer the same run.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cart.core import out_of_service
from cart.core import step as core
from cart.core.catalog import Catalog
from cart.core.effects import Effect
from cart.core.events import Event
from cart.faults import Fault
from cart.wire import codec, recording
from cart.wire.recording import Ending, Head, Step

SERVICE, OUT_OF_SERVICE = "service", "out_of_service"

Fold = Callable[[Any, Event], tuple[Any, tuple[Effect, ...]]]

STEPS: dict[str, tuple[Callable[[Any], Any], Fold]] = {
    SERVICE: (core.initial, core.step),
    OUT_OF_SERVICE: (out_of_service.initial, out_of_service.step),
}
"""Name of a mode, as a recording's head has it -> (initial, step)."""

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two runs part.

    number    the event's number
    event     the event's line
    recorded  the effect's line in the recording, None where there is none any more
    computed  the effect's line now, None where there is none any more
    fields    (path, recorded, computed) of each field that differs, when both are of one kind
    error     what broke the core now, ""
    """

    number: int
    event: str
    recorded: str | None = None
    computed: str | None = None
    fields: tuple[tuple[str, Any, Any], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What replaying one file gave. ending: a reason of `recording.Ending`, "" where a difference came first."""

    file: str
    events: int
    effects: int
    ending: str
    difference: Difference | None

    @property
    def passed(self) -> bool:
        """Return True when all that was recorded was compared and is the same."""
        return self.difference is None and self.ending not in (recording.DAMAGED, recording.LOST)


@dataclass
class Replay:
    """Replays files in the order given; the later parts of a run follow its first one.

    catalog  for recordings that hold only the hash of theirs
    """

    catalog: Catalog | None = None
    _follows: tuple[str, int] | None = field(default=None, init=False)
    _state: Any = field(default=None, init=False)
    _step: Fold = field(default=core.step, init=False)

    def compare(self, path: Path) -> Outcome:
        """Return what replaying the file gave; RECORDING-BAD where it cannot be replayed at all."""
        head, steps = self._begin(path)
        events = effects = 0
        ending, difference = "", None
        for step in steps:
            if isinstance(step, Ending):
                ending = step.reason
                break
            events += 1
            computed, difference = self._fold(step)
            difference = difference or first_difference(step, computed)
            if difference:
                break
            effects += len(computed)
        self._follows = (head.run_id, head.part + 1) if ending == "rotated" else None
        return Outcome(str(path), events, effects, ending, difference)

    def bless(self, path: Path) -> int:
        """Rewrite the effects of the file as they are now; return how many events had others.

        Head, events and ending stay as they are, byte for byte. A file that is damaged or incomplete is refused.
        """
        lines = _lines(path)
        head, steps = self._begin(path)
        made, changed, ending = [lines[0]], 0, recording.TORN
        for step in steps:
            if isinstance(step, Ending):
                ending = step.reason
                break
            computed, broken = self._fold(step)
            if broken:
                raise Fault("RECORDING-BAD", f"{path}: event {step.number} breaks the core: {broken.error}")
            changed += computed != step.effects
            made.append(recording.event_line(step.number, step.event))
            made += [recording.effect_line(step.number, effect) for effect in computed]
        if ending in (recording.DAMAGED, recording.LOST):
            raise Fault("RECORDING-BAD", f"{path}: {ending}, so it is no golden recording")
        self._follows = (head.run_id, head.part + 1) if ending == "rotated" else None
        write(path, b"".join(made + [line for line in lines[-1:] if ending != recording.TORN]))
        return changed

    def _begin(self, path: Path) -> tuple[Head, Iterator[Step | Ending]]:
        lines = _lines(path)
        try:
            head = recording.read_head(lines[0] if lines else b"")
            if head.part > 1:
                self._must_follow(head)
            else:
                initial, self._step = STEPS[head.mode]
                self._state = initial(recording.setup_from_dict(head.setup, self.catalog))
        except (ValueError, KeyError, TypeError) as error:
            raise Fault("RECORDING-BAD", f"{path}: {error}") from None
        return head, recording.read_steps(lines[1:])

    def _must_follow(self, head: Head) -> None:
        if self._follows != (head.run_id, head.part):
            raise ValueError(f"this is part {head.part} of a run: name the parts before it first, in order")

    def _fold(self, step: Step) -> tuple[tuple[Effect, ...], Difference | None]:
        try:
            self._state, computed = self._step(self._state, step.event)
        except Exception as error:  # whatever breaks the core is what a person wants to see here
            return (), Difference(step.number, _text(step.event), error=f"{type(error).__name__}: {error}")
        return computed, None


def first_difference(step: Step, computed: tuple[Effect, ...]) -> Difference | None:
    """Return the first effect that differs, or None. Effects after a cut are not missed."""
    recorded = step.effects
    if recorded == (computed if step.whole else computed[: len(recorded)]):
        return None
    same = 0
    while same < min(len(recorded), len(computed)) and recorded[same] == computed[same]:
        same += 1
    old = recorded[same] if same < len(recorded) else None
    new = computed[same] if same < len(computed) else None
    fields = tuple(_field_diff(_plain(old), _plain(new), "")) if type(old) is type(new) and old and new else ()
    return Difference(step.number, _text(step.event), old and _text(old), new and _text(new), fields)


def describe(difference: Difference) -> list[str]:
    """Return the difference as lines for people."""
    lines = [f"event {difference.number}: {_short(difference.event)}"]
    if difference.error:
        return [*lines, f"  breaks the core: {difference.error}"]
    if difference.fields:
        kind = json.loads(difference.recorded or "{}").get("k", "")
        lines.append(f"  {kind} differs:")
        return lines + [f"    {path}: recorded {old!r}, now {new!r}" for path, old, new in difference.fields]
    return [*lines, f"  recorded: {_short(difference.recorded)}", f"  now:      {_short(difference.computed)}"]


def _field_diff(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for name in old:
            yield from _field_diff(old[name], new[name], f"{path}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _field_diff(one, other, f"{path}[{index}]")
    else:
        yield path, old, new


def _plain(value: Event | Effect) -> Any:
    return json.loads(codec.encode(value))["v"]


def _text(value: Event | Effect) -> str:
    return codec.encode(value).decode()


def _short(line: str | None) -> str:
    return "nothing" if line is None else line if len(line) <= 300 else line[:300] + "..."


def _lines(path: Path) -> list[bytes]:
    """Return the file's lines with their ends; a compressed file that is torn gives what can be read of it."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        if not packed:
            return path.read_bytes().splitlines(keepends=True)
        lines = []
        with gzip.open(path) as unpacked, suppress(EOFError, zlib.error, gzip.BadGzipFile):
            lines.extend(unpacked)
        return lines
    except OSError as error:
        raise Fault("RECORDING-BAD", f"{path}: {error.strerror}") from None


def write(path: Path, data: bytes) -> None:
    """Replace the file by `data` in one go, compressed if its name ends in .gz; the same data gives the same file."""
    half = path.with_name(path.name + ".tmp")
    with half.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                packed.write(data)
        else:
            raw.write(data)
    half.replace(path)
