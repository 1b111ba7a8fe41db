"""The person who calibrates: what is said to him, and the few words that he answers with.

Three ways, one behind the other's back: keys on a terminal, lines of text, lines of JSON for a script.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Protocol

from cart.core import calibration_plan
from cart.core.calibration_plan import ASKING, Procedure, Task
from cart.core.calibration_refusals import REFUSALS
from cart.core.calibration_rest import BLOCKS, Mean
from cart.edge.terminal import Terminal, is_one

READY, BACK, QUIT, WRONG = "ready", "back", "quit", "wrong"
WORDS = {"": READY, "back": BACK, "b": BACK, "quit": QUIT, "q": QUIT, "wrong": WRONG, "x": WRONG}
KEYS = {"\n": READY, "\r": READY, "b": BACK, "q": QUIT, "\x04": QUIT, "x": WRONG}
LINE_BYTES_MAX = 1_000


class Operator(Protocol):
    """Who is asked and told."""

    def word(self, timeout_s: float) -> str:
        """Return what was said: one of the four words, or "" where nothing was in time."""

    def waves(self) -> bool:
        """Return True where the try that is being read is to be taken back; never waits."""

    def say(self, fact: str, text: str, **more: object) -> None:
        """Tell something that stays: in JSON under the name `fact`, else as text."""

    def live(self, at: Procedure, counts: int | None) -> None:
        """Show what the scale reads now."""


@contextmanager
def operator(*, as_json: bool) -> Iterator[Operator]:
    """Give the operator who is there."""
    if as_json:
        yield _Script()
    elif is_one(sys.stdin, sys.stdout):
        with Terminal() as terminal:
            yield _Person(terminal)
    else:
        yield _Lines()


def ask(who: Operator, at: Procedure) -> None:
    """Ask for the task."""
    task, total = calibration_plan.task(at), len(calibration_plan.tasks(at.plan))
    text = f"[{len(at.taken) + 1}/{total}] {task_words(task)}, then press Enter"
    who.say("ask", text, number=len(at.taken) + 1, of=total, **asdict(task))


def tell_taken(who: Operator, at: Procedure, mean: Mean) -> None:
    """Say that the point was taken, and what it reads with what is known by now."""
    line = calibration_plan.line(at)
    weighs = f", {grams(line.mass_mg(mean.counts))}" if line.counts_per_kg else ""
    text = f"        taken: {mean.counts:,} counts over {mean.readings} readings{weighs}"
    who.say("taken", text, number=len(at.taken), counts=mean.counts, sd_milli=mean.sd_milli, readings=mean.readings)


def tell_refused(who: Operator, at: Procedure) -> None:
    """Say why the point was refused, what to do, and from where it goes on."""
    refusal = at.refusal
    assert refusal is not None
    meaning, mend = REFUSALS[refusal.code]
    task = calibration_plan.task(at)
    lines = [f"refused: {refusal.code}: {meaning}: {refusal.detail}", f"     -> {mend}"]
    lines += [f"     -> goes on from: {task_words(task)}"]
    who.say("refused", "\n".join(lines), meaning=meaning, mend=mend, **asdict(refusal))


def task_words(task: Task) -> str:
    """Return a task in words."""
    match task.kind:
        case calibration_plan.ZERO | calibration_plan.RETURN:
            return "empty the basket"
        case calibration_plan.DOWN:
            return f"take off until {grams(task.mass_mg)} in all are in the middle"
        case calibration_plan.CORNER:
            return f"have {grams(task.mass_mg)} in all on the {task.place} corner"
        case calibration_plan.VERIFY:
            return f"to verify: have {grams(task.mass_mg)} in all in the middle"
    return f"put on until {grams(task.mass_mg)} in all are in the middle"


def grams(value_mg: int) -> str:
    """Return a mass in words, to 0.1 g; whole grams without."""
    sign, rest = "-" if value_mg < 0 else "", abs(value_mg) % 1_000 // 100
    return f"{sign}{abs(value_mg) // 1_000:,}{f'.{rest}' if abs(value_mg) % 1_000 else ''} g"


def live_words(at: Procedure, counts: int | None) -> str:
    """Return what the scale reads now, and how far the point is."""
    line = calibration_plan.line(at)
    if counts is None:
        now = "no reading"
    elif line.counts_per_kg:
        now = f"{line.mass_mg(counts) / 1e6:.4f} kg   {counts:,} counts"
    else:
        now = f"{counts:,} counts"
    if at.phase == ASKING:
        return f"        now {now}     (Enter: it is done   b: back   q: stop)"
    return f"        reading: {now}   {at.rest.why or 'at rest'}, {len(at.rest.blocks)} of {BLOCKS} s"


class _Lines:
    """Lines in, lines out."""

    def __init__(self) -> None:
        self._unread, self._ended = b"", False

    def word(self, timeout_s: float) -> str:
        while b"\n" not in self._unread:
            if self._ended:
                return QUIT
            ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
            if not ready:
                return ""
            data = os.read(sys.stdin.fileno(), LINE_BYTES_MAX)
            self._ended = not data
            self._unread = (self._unread + data)[-LINE_BYTES_MAX:]
        line, _, self._unread = self._unread.partition(b"\n")
        return WORDS.get(line.decode("utf-8", "replace").strip().lower(), "")

    def waves(self) -> bool:
        return False  # the lines of a script are answers to questions, and may all be there before the first

    def say(self, fact: str, text: str, **more: object) -> None:
        print(text, flush=True)

    def live(self, at: Procedure, counts: int | None) -> None:
        """Nothing: a line a moment would drown what matters."""


class _Script(_Lines):
    """Lines in, JSON lines out."""

    def say(self, fact: str, text: str, **more: object) -> None:
        print(json.dumps({"what": fact, **more}), flush=True)


class _Person:
    """Keys in, text out, with the last line alive."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def word(self, timeout_s: float) -> str:
        return KEYS.get(self._terminal.key(timeout_s), "")

    def waves(self) -> bool:
        return self.word(0) in (BACK, QUIT)

    def say(self, fact: str, text: str, **more: object) -> None:
        for line in text.split("\n"):
            self._terminal.say(line)

    def live(self, at: Procedure, counts: int | None) -> None:
        self._terminal.draw([live_words(at, counts)])
