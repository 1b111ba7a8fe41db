"""How far a long step is, on standard error: a bar with rate and time left, plain lines, or nothing.

A bar needs a terminal and the package rich; without one of them a line is printed every few seconds.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

Advance = Callable[[int], None]
"""Called with the bytes done since the last call."""

LINE_EVERY_S = 5.0


class Progress:
    """Shows steps one after another."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet` shows nothing: with -o json standard error is for errors."""
        self._step = _silent if quiet else _bars if _bars_possible() else _lines

    @contextmanager
    def step(self, name: str, total_bytes: int) -> Iterator[Advance]:
        """Show a step of `total_bytes`; the body calls what it is given as it goes on."""
        with self._step(name, total_bytes) as advance:
            yield advance

    def say(self, line: str) -> None:
        """Print one line about what comes next."""
        if self._step is not _silent:
            _show(line)


def nothing(_bytes: int) -> None:
    """Show nothing."""


@contextmanager
def _silent(_name: str, _total_bytes: int) -> Iterator[Advance]:
    yield nothing


@contextmanager
def _bars(name: str, total_bytes: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description:<12}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=cast(IO[str], _Unheard()))) as shown:
        task = shown.add_task(name, total=total_bytes)
        yield lambda done_bytes: shown.advance(task, done_bytes)


class _Unheard:
    """Standard error, for a terminal that may be closed while a card is written: that is no fault of the card."""

    def __init__(self) -> None:
        """Keep the stream of now: while a bar is shown, rich puts one of its own in its place."""
        self._stream = sys.stderr

    def write(self, text: str) -> int:
        """Print as much as still can be printed."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Print what waits."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Return True: bars are shown on a terminal only."""
        return True

    def fileno(self) -> int:
        """Return the number of the terminal, whose width is asked."""
        return self._stream.fileno()


@contextmanager
def _lines(name: str, total_bytes: int) -> Iterator[Advance]:
    started_s = last_s = time.monotonic()
    done_bytes = 0

    def advance(more_bytes: int) -> None:
        nonlocal done_bytes, last_s
        done_bytes += more_bytes
        now_s = time.monotonic()
        if now_s - last_s >= LINE_EVERY_S:
            last_s = now_s
            _show(line(name, done_bytes, total_bytes, now_s - started_s))

    yield advance
    _show(line(name, done_bytes, total_bytes, time.monotonic() - started_s))


def _show(text: str) -> None:
    """Print a line. Nobody may be looking any more, and a card is not left half written for that."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def line(name: str, done_bytes: int, total_bytes: int, elapsed_s: float) -> str:
    """Return one plain line: share, size, rate and the time that is left at this rate."""
    rate = done_bytes / elapsed_s if elapsed_s > 0 else 0.0
    left = f"{(total_bytes - done_bytes) / rate:.0f} s left" if rate and done_bytes < total_bytes else ""
    share = 100 * done_bytes // total_bytes if total_bytes else 100
    sizes = f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB"
    return f"{name:<12} {share:>3} %  {sizes}  {rate / 1e6:.0f} MB/s  {left}".rstrip()


def _bars_possible() -> bool:
    if not sys.stderr.isatty():
        return False
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True
