"""A recording of frames as a folder: what `tools/record_frames.py` writes and the folder player plays.

    recording.json   which camera, its settings, what passed; written first
    frames.jsonl     a line for each frame: {"file":"000001.jpg","t_ns":123}, in the order of time
    000001.jpg ...   the frames

A frame is there before its line, so a recording that was cut off plays up to its last whole line. Times are monotonic
nanoseconds of the recording machine: only their differences mean anything elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

ABOUT, INDEX = "recording.json", "frames.jsonl"
LINES_MAX = 1_000_000


class Recorded(NamedTuple):
    """One frame of a recording."""

    file: Path
    t_ns: int


def is_recording(folder: Path) -> bool:
    """Return True for the folder of a recording."""
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> list[Recorded]:
    """Return the frames of a recording in their order; OSError where it cannot be read or has none.

    A torn last line is passed over. A name that leads out of the folder, or a time that goes back, is an error.
    """
    with (folder / INDEX).open(encoding="utf-8") as file:
        lines = [line for _, line in zip(range(LINES_MAX), file, strict=False)]
    frames: list[Recorded] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            name, t_ns = str(entry["file"]), int(entry["t_ns"])
        except (ValueError, KeyError, TypeError):
            if number == len(lines) and not line.endswith("\n"):
                break
            raise OSError(f"{folder / INDEX}:{number}: not a frame's line") from None
        if name != Path(name).name or (frames and t_ns < frames[-1].t_ns):
            raise OSError(f"{folder / INDEX}:{number}: a name outside the folder, or a time that goes back")
        frames.append(Recorded(folder / name, t_ns))
    if not frames:
        raise OSError(f"{folder} holds no frame")
    return frames


def line_of(name: str, t_ns: int) -> str:
    """Return the line of a frame, with its end."""
    return json.dumps({"file": name, "t_ns": t_ns}, separators=(",", ":")) + "\n"
