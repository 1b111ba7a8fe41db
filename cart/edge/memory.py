"""What the C library keeps of memory that was freed.

glibc takes each large block from the system by itself and gives it back when it is freed, until the first one is: from
then on blocks of that size come from the heap, where a small one above them keeps all that is below. Frames and the
pictures made of them, 1 to 3 MB each, leave such holes. With a fixed limit they do not.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

LARGE_BYTES = 256 * 1_024
"""Blocks of at least so many bytes are given back; below it the calls would cost more than they save."""

_M_MMAP_THRESHOLD = -3
"""Of malloc.h: naming a limit also ends its growing."""


def give_back_large_blocks() -> None:
    """Let every large block go back to the system when it is freed; call it first of all, before blocks are taken.

    Nothing happens with another C library than glibc.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
