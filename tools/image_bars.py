"""The rows of `./tools/bars` for images."""

import subprocess
from functools import cache

from tools.imaging import programs
from tools.measuring import NotMeasured, bar, field, scope, tool

MEASURE = "python -m tools.measure_images -o json"
QUICK = ("--rounds", "1", "--size-mb", "500")


@cache
def measured_once() -> subprocess.CompletedProcess:
    """Run the measurement once for all its rows: an image of 3 GB with --full, else of 500 MB."""
    if programs.missing():
        raise NotMeasured(f"needs {' '.join(programs.missing())}")
    return tool("measure_images", "-o", "json", *(() if scope.full else QUICK), timeout_s=1_800)


@bar("image-builds", "two builds of an image from the same input: differing", "=", 0, "images", MEASURE)
def image_builds() -> float:
    """1 when they differ."""
    return field(measured_once(), "builds_differ")


@bar("image-stamps", "two stamps of the same cart: differing", "=", 0, "images", MEASURE)
def image_stamps() -> float:
    """1 when they differ."""
    return field(measured_once(), "stamps_differ")


@bar("image-stamp-time", "stamping a sparse image (3 GB with --full) / cp and sha256sum of it, same run",
     "<=", 2, "times", MEASURE)  # fmt: skip
def image_stamp_time() -> float:
    """Ratio of the medians."""
    return field(measured_once(), "stamp_ratio")


@bar("image-stamp-memory", "the same, resident memory", "<=", 150, "MB", MEASURE)
def image_stamp_memory() -> float:
    """The most that was resident at once."""
    return field(measured_once(), "stamp_rss_mb")


@bar("image-flips", "single wrong bytes in an image whose offset is not named, of 20", "=", 0, "bytes", MEASURE)
def image_flips() -> float:
    """Bytes that were missed."""
    return field(measured_once(), "flips_missed")
