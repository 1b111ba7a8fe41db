"""The rows of `./tools/bars` for the vision loop: frames a second, processor and memory of the process; wrong passes.

The process rows play things through a simulated camera in real time: 20 s of them, 60 s with --full. The seed of the
passes is none of those that the loop was built with.
"""

import subprocess
from functools import cache

from tools.measuring import bar, cart, field, scope

SEED = "60318"
PROCESS = "cart bench vision --only process -o json"
PASSES = f"cart bench vision --only passes --quick --seed {SEED} -o json"


@cache
def process() -> subprocess.CompletedProcess:
    """Run the vision process once for its rows."""
    return cart(*PROCESS.split()[1:], *([] if scope.full else ["--quick"]), timeout_s=300)


@cache
def passes() -> subprocess.CompletedProcess:
    """Carry things through the view once for the rows of the passes."""
    words = [word for word in PASSES.split()[1:] if not (scope.full and word == "--quick")]
    return cart(*words, timeout_s=3_600)


@bar("loop-rate", "vision process, 1280x720 at 15 frames/s, things passing: frames taken", ">=", 14.8, "a second",
     PROCESS)  # fmt: skip
def loop_rate() -> float:
    """Frames that were seen."""
    return field(process(), "process.busy.frames_per_s")


@bar("loop-cpu", "the same: processor", "<=", 40, "% of a core", PROCESS)
def loop_cpu() -> float:
    """Share of one core while things pass."""
    return field(process(), "process.busy.cpu_percent")


@bar("loop-cpu-rest", "the same, nothing moves: processor, near zero", "<=", 4, "% of a core", PROCESS)
def loop_cpu_rest() -> float:
    """Share of one core at rest."""
    return field(process(), "process.rest.cpu_percent")


@bar("loop-memory", "vision process: resident, at most", "<=", 180, "MB", PROCESS)
def loop_memory() -> float:
    """Peak of the resident set."""
    return field(process(), "process.rss_mb")


@bar("loop-wrong", "things carried through the view at 0.3 to 1.5 m/s: passes with a wrong code told", "=", 0, "passes",
     PASSES)  # fmt: skip
def loop_wrong() -> float:
    """Over all speeds, here and on a machine five times slower."""
    machines, speeds = ("x1", "x5"), ("0_3", "0_6", "1_0", "1_5")
    return sum(field(passes(), f"passes.{machine}.{speed}.wrong") for machine in machines for speed in speeds)
