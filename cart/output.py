"""Standard output that ends a command in one way when it takes nothing more.

Printing into a full disk raises in the middle of a verb, or only when the interpreter ends; a reader that goes away
(`cart outbox | head`) does the same. With `guarded` around a verb both are `OutputLost`, which no verb takes for an
error of its own files: it is no OSError.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class OutputLost(Exception):
    """Standard output takes nothing more.

    reader_left  somebody has read enough: no error
    """

    def __init__(self, error: OSError) -> None:
        """Keep the system's word for it."""
        super().__init__(error.strerror or str(error))
        self.reader_left = error.errno == errno.EPIPE


class _Output:
    """A text stream whose failures are `OutputLost`; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost(error) from None

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputLost(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Raise OutputLost, here or in the body, when what is printed in the body does not get through."""
    stream = sys.stdout
    output = _Output(stream)
    sys.stdout = output  # type: ignore[assignment]
    try:
        try:
            yield
        finally:
            output.flush()
    except OutputLost:
        _drop(stream)
        raise
    finally:
        sys.stdout = stream


def _drop(stream: TextIO) -> None:
    """Let what is left in the stream's buffer go nowhere: the interpreter would complain about it when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
