"""What `./tools/bars` measures with: the registry of bars, and how their commands are run."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"

SHARED = Path(os.environ.get("CART_SHARED") or ROOT.parent / "shared") / "data"
"""The photos that are not in the repository."""

PASS, MISS, NOT_MEASURED = "pass", "miss", "not measured"
TRIP_TIMEOUT_S = 240


class NotMeasured(Exception):
    """This row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Bar:
    """One row.

    limit    what the figure has to meet
    sense    "<=" | ">=" | "="
    command  what a person runs to see the same
    full     only measured with --full
    """

    name: str
    what: str
    sense: str
    limit: float
    unit: str
    command: str
    measure: Callable[[], float]
    full: bool

    def met_by(self, figure: float) -> bool:
        """Return True when the figure is good enough."""
        return {"<=": figure <= self.limit, ">=": figure >= self.limit, "=": figure == self.limit}[self.sense]


@dataclass(frozen=True)
class Row:
    """What was found for one bar."""

    name: str
    what: str
    figure: float | None
    bar: str
    verdict: str
    command: str
    reason: str = ""


@dataclass
class Scope:
    """How much is measured: with `full`, the long rows and all samples of the others."""

    full: bool = False


scope = Scope()
BARS: list[Bar] = []


def bar(name: str, what: str, sense: str, limit: float, unit: str, command: str, *, full: bool = False):
    """Add the decorated function as a row."""

    def add(measure: Callable[[], float]) -> Callable[[], float]:
        BARS.append(Bar(name, what, sense, limit, unit, command, measure, full))
        return measure

    return add


def measured(b: Bar, *, wanted: bool = False) -> Row:
    """Return the row of one bar; a long one is left out unless --full or its name asks for it."""
    limit = f"{b.sense} {b.limit:g} {b.unit}".rstrip()
    try:
        if b.full and not (scope.full or wanted):
            raise NotMeasured("long: takes --full")
        figure = b.measure()
    except NotMeasured as reason:
        return Row(b.name, b.what, None, limit, NOT_MEASURED, b.command, str(reason))
    except (OSError, ValueError, LookupError, AssertionError) as error:
        # One broken measurement must not hide the other rows.
        reason = f"the measurement failed: {type(error).__name__}: {error}"
        return Row(b.name, b.what, None, limit, NOT_MEASURED, b.command, reason)
    return Row(b.name, b.what, figure, limit, PASS if b.met_by(figure) else MISS, b.command)


def cart(*words: str, timeout_s: int = 60, shown: bool = False) -> subprocess.CompletedProcess:
    """Run `cart WORDS...`; a verb that is not there yet is a reason not to measure.

    shown  what it writes to stderr is not kept but seen: the progress of a long one
    """
    verb = words[0]
    if not (ROOT / "cart" / "commands" / f"{verb}.py").exists():
        raise NotMeasured(f"`cart {verb}` does not exist yet")
    return finished([str(PYTHON), "-m", "cart", *words], timeout_s, shown=shown)


def tool(module: str, *words: str, timeout_s: int = 600) -> subprocess.CompletedProcess:
    """Run tools/MODULE.py; one that is not there yet is a reason not to measure."""
    if not (ROOT / "tools" / f"{module}.py").exists():
        raise NotMeasured(f"tools/{module}.py does not exist yet")
    return finished([str(PYTHON), "-m", f"tools.{module}", *words], timeout_s)


def finished(command: list[str], timeout_s: int, *, shown: bool = False) -> subprocess.CompletedProcess:
    """Return the finished process; a time limit is a reason not to measure."""
    stderr = None if shown else subprocess.PIPE
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=timeout_s, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"took more than {timeout_s} s") from None


def field(result: subprocess.CompletedProcess, name: str) -> float:
    """Return a number from the JSON that a command printed, whole or in its last line; `a.b` is b of table a."""
    printed = result.stdout.strip()
    try:
        value = json.loads(printed if printed.startswith("{\n") else printed.splitlines()[-1])
        for part in name.split("."):
            value = value[part]
    except (ValueError, KeyError, IndexError, TypeError):
        last = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise NotMeasured(f"no field {name} (exit {result.returncode}: {last[0][:120]})") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotMeasured(f"{name} is {value!r}, not a number")
    return value
