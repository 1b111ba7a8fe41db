"""A person's terminal: keys one at a time, lines drawn over each other, and all as it was afterwards."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any, TextIO

WIDTH_MIN = 20
CLEAR_BELOW = "\x1b[J"
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:-=+*#@"


class Terminal:
    """A terminal while it is used: `with Terminal() as terminal`. Only where `is_one` is true.

    On leaving, also by a signal or an exception, line editing and echo are as they were, and the cursor is below what
    was drawn. The size is asked for at every drawing, so that it may change.
    """

    def __init__(self, keys: TextIO = sys.stdin, screen: TextIO = sys.stdout) -> None:
        """Use these two; nothing is changed before `with`."""
        self._keys, self._screen = keys, screen
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._drawn = 0

    def __enter__(self) -> Terminal:
        """Take keys without Enter and without echo; Ctrl-C stays Ctrl-C."""
        descriptor = self._keys.fileno()
        self._before = termios.tcgetattr(descriptor)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, _end)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, lambda *_: tty.setcbreak(descriptor))
        tty.setcbreak(descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        termios.tcsetattr(self._keys.fileno(), termios.TCSADRAIN, self._before)

    def key(self, timeout_s: float) -> str:
        """Return the next key, "" where none comes in time, "q" at the end of the input."""
        ready, _, _ = select.select([self._keys], [], [], timeout_s)
        if not ready:
            return ""
        return os.read(self._keys.fileno(), 1).decode("latin-1") or "q"

    def draw(self, lines: list[str]) -> None:
        """Draw over what was drawn before; long lines are cut, for a wrapped one could not be drawn over."""
        width, height = shutil.get_terminal_size()
        shown = [line[: max(WIDTH_MIN, width) - 1] for line in lines[: max(1, height - 1)]]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._screen.write(up + "\r" + CLEAR_BELOW + "".join(f"{line}\n" for line in shown))
        self._screen.flush()
        self._drawn = len(shown)

    def say(self, line: str) -> None:
        """Print a line that stays, above what is drawn."""
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._screen.write(f"{up}\r{CLEAR_BELOW}{line}\n")
        self._screen.flush()
        self._drawn = 0


def is_one(*streams: TextIO) -> bool:
    """Return True where all of these are terminals, and not one that can do nothing (TERM=dumb)."""
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM", "dumb") != "dumb"


def width() -> int:
    """Return the width of the terminal in characters, 80 where there is none."""
    return max(WIDTH_MIN, shutil.get_terminal_size().columns)


def spark(values: list[int], screen: TextIO = sys.stdout) -> str:
    """Return a line with a bar for each value, from the least to the most; in ASCII where blocks cannot be shown."""
    if not values:
        return ""
    blocks = BLOCKS if "utf" in (screen.encoding or "").lower() else ASCII_BLOCKS
    least, span = min(values), max(1, max(values) - min(values))
    return "".join(blocks[1 + (value - least) * (len(blocks) - 2) // span] for value in values)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
