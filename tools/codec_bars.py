"""The rows of `./tools/bars` for shop-scale protocols."""

import subprocess
from functools import cache

from tools.measuring import bar, field, tool

SCORE = "python -m tools.score_codecs -o json"


@cache
def scored_once() -> subprocess.CompletedProcess:
    """Run the scoring once for all its rows."""
    return tool("score_codecs", "-o", "json", timeout_s=300)


@bar("scale-protocols", "documented frames of all shop-scale protocols that are misread", "=", 0, "frames", SCORE)
def scale_protocols() -> float:
    """Rows of the conformance table that fail."""
    return field(scored_once(), "wrong")


@bar("scale-protocols-random", "weights found in 1,000,000 random bytes for each protocol", "=", 0, "weights", SCORE)
def scale_protocols_random() -> float:
    """Numbers where there are none; an exception would leave the row without a figure."""
    return field(scored_once(), "numbers")
