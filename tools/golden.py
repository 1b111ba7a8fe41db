"""Record scenarios as golden recordings, for `cart replay` to compare on every machine and Python.

A golden recording is made once. When the core changes on purpose, `cart replay --bless tests/recordings/*.rec.gz`
rewrites its effects and keeps its events; it is only made anew when the scenario or the world changed.

    python -m tools.golden [NAME...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cart.replay import SERVICE, write
from cart.sim import play, virtual
from cart.wire import recording

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS, RECORDINGS = ROOT / "tests" / "scenarios", ROOT / "tests" / "recordings"

GOLDEN = ("whole_trip", "wrong_label_taken_out", "unscanned_is_flagged_and_cleared_by_scanning", "broker_dead")
"""Scenarios that together use most of the core; none with a restart, which would be two runs."""


USAGE = 2


def main(argv: list[str]) -> int:
    """Record the scenarios named, all of GOLDEN without a name; 1 where one does not pass, 2 where there is none."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.golden", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of tests/scenarios; default: {', '.join(GOLDEN)}")
    names = parser.parse_args(argv).names or GOLDEN
    unknown = [name for name in names if not (SCENARIOS / f"{name}.cart").is_file()]
    if unknown:
        parser.exit(
            USAGE, f"{parser.prog}: no scenario {', '.join(unknown)} in tests/scenarios; nothing was recorded\n"
        )
    failed = 0
    for name in names:
        text = (SCENARIOS / f"{name}.cart").read_text(encoding="utf-8")
        with recorded() as lines:
            result = play.play(text)
        failed += not result.passed
        path = RECORDINGS / f"{name}.rec.gz"
        path.parent.mkdir(exist_ok=True)
        write(path, b"".join(lines))
        print(f"{path.relative_to(ROOT)}: {len(lines)} lines{': ' + result.failure if result.failure else ''}")
    return 1 if failed else 0


@contextmanager
def recorded() -> Iterator[list[bytes]]:
    """Give the list that holds, after the block, the lines of the one run that was played in it."""
    lines: list[bytes] = []
    number = 0
    initial, step = virtual.initial, virtual.step

    def begin(setup: Any) -> Any:
        assert not lines, "one recording is one run"
        told = recording.setup_to_dict(setup)
        lines.append(recording.head_line(recording.Head("golden", 1, 1, 0, 0, "", "", SERVICE, "", "", told)))
        return initial(setup)

    def fold(state: Any, event: Any) -> Any:
        nonlocal number
        number += 1
        state, effects = step(state, event)
        lines.append(recording.event_line(number, event))
        lines.extend(recording.effect_line(number, effect) for effect in effects)
        return state, effects

    virtual.initial, virtual.step = begin, fold  # the one arrow into the core, and so the place to record
    try:
        yield lines
    finally:
        virtual.initial, virtual.step = initial, step
    lines.append(recording.end_line(number, "stopped"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
