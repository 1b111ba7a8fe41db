"""A recording of frames as a folder: what `tools/record_frames.py` writes and the folder player plays.

    recording.json   which camera, its settings, what passed; written first
    frames.jsonl     a line for each frame: {"file":"000001.jpg","t_ns":123}, in the order of time
    000001.jpg ...   the frames

A frame is there before its line, so a recording that was cut off plays up to its last whole line. Times are monotonic
nanoseconds of the recording machine: only their differences mean anything elsewhere.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

ABOUT, INDEX = "recording.json", "frames.jsonl"
LINES_MAX, LINE_BYTES_MAX = 1_000_000, 4_096
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""What a frame's file may be called: it leads nowhere else, and every library can be given it."""


class Recorded(NamedTuple):
    """One frame of a recording."""

    file: Path
    t_ns: int


def is_recording(folder: Path) -> bool:
    """Return True for the folder of a recording."""
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> list[Recorded]:
    """Return the frames of a recording in their order; OSError where it cannot be read or has none.

    A torn last line is passed over. A name that is none of `line_of`, or a time that goes back, is an error.
    """
    with (folder / INDEX).open("rb") as file:
        read = iter(lambda: file.readline(LINE_BYTES_MAX), b"")
        lines = list(itertools.islice(read, LINES_MAX))
    frames: list[Recorded] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            name, t_ns = str(entry["file"]), int(entry["t_ns"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise OSError(f"{folder / INDEX}:{number}: not a frame's line") from None
        if not _NAME.fullmatch(name) or (frames and t_ns < frames[-1].t_ns):
            raise OSError(f"{folder / INDEX}:{number}: not a frame's name, or a time that goes back")
        frames.append(Recorded(folder / name, t_ns))
    if not frames:
        raise OSError(f"{folder} holds no frame")
    return frames


def line_of(name: str, t_ns: int) -> str:
    """Return the line of a frame, with its end."""
    return json.dumps({"file": name, "t_ns": t_ns}, separators=(",", ":")) + "\n"
