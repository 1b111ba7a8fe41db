"""Memory that was freed goes back to the system."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each block is freed before the next is taken, with small ones between that stay: as pictures of growing size do.
GROWING = """
import sys
from pathlib import Path
from cart.edge.memory import give_back_large_blocks
if sys.argv[1] == "given":
    give_back_large_blocks()
kept = []
for megabytes in (2, 4, 8, 16, 30, 30, 30):
    block = bytearray(megabytes * 1_000_000)
    kept += [bytearray(2_000) for _ in range(200)]
    del block
print(Path("/proc/self/status").read_text())
"""


def held_mb(how):
    command = [sys.executable, "-c", GROWING, how]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    return int(re.search(r"RssAnon:\s+(\d+)", found.stdout)[1]) / 1_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_large_blocks_that_were_freed_are_not_kept():
    assert held_mb("given") < held_mb("kept") - 10
