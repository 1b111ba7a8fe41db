"""The rows of `./tools/bars` on cards: speed against dd, refusals, flipped bytes, interruptions."""

import os
import re
import subprocess
from functools import cache

from tools.measuring import PYTHON, NotMeasured, bar, field, finished, tool

SPEED = "sudo .venv/bin/python -m tools.time_card"
TESTS = "tests/tools/imaging"


@cache
def card_speed() -> subprocess.CompletedProcess:
    """Time ours and dd by turns, five times each."""
    _needs_root()
    return tool("time_card", "-o", "json", timeout_s=600)


@bar("card-write", "writing a card, of the rate of dd oflag=direct conv=fsync by turns on a loop device", ">=", 90, "%",
     SPEED)  # fmt: skip
def card_write() -> float:
    """Median of five, in percent of dd's."""
    return field(card_speed(), "write_percent")


@bar("card-read-back", "reading a card back with its sha256, of the rate of dd iflag=direct", ">=", 90, "%", SPEED)
def card_read_back() -> float:
    """Median of five, in percent of dd's."""
    return field(card_speed(), "read_percent")


@bar("card-refusals", "wrong targets and images that are written to, of those in the tests", "=", 0, "cases",
     f"python -m pytest {TESTS}/test_refusal.py {TESTS}/test_cli_write.py")  # fmt: skip
def card_refusals() -> float:
    """Failed cases: rules on recorded facts, and loop devices whose bytes are compared."""
    return _failed("test_refusal.py", "test_cli_write.py")


@bar("card-flips", "flipped bytes on a card that are not found at their offset (20 places)", "=", 0, "cases",
     f"python -m pytest {TESTS}/test_card_write.py")  # fmt: skip
def card_flips() -> float:
    """Failed cases; the same run cuts the power at every operation."""
    return _failed("test_card_write.py")


@bar("card-kills", "kill -9 at 20 random points: cards that boot half written or are wrong after the next run", "=", 0,
     "cases", f"python -m pytest {TESTS}/test_card_killed.py")  # fmt: skip
def card_kills() -> float:
    """Failed cases."""
    return _failed("test_card_killed.py")


def _failed(*files: str) -> float:
    _needs_root()
    paths = [f"{TESTS}/{file}" for file in files]
    done = finished([str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths], 900)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|skipped)", done.stdout)}
    if not counts.get("passed") or counts.get("skipped"):
        raise NotMeasured(f"not all of it ran: {done.stdout.strip().splitlines()[-1:]}")
    return counts.get("failed", 0) + counts.get("error", 0)


def _needs_root() -> None:
    if os.geteuid() != 0:
        raise NotMeasured("loop devices take root")
