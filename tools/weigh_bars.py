"""The rows of `./tools/bars` for weighing: changes found, false ones, faults named, spoilt bytes, processor, memory.

The quick form plays three scenes in each class of motion; --full plays 40, with 10 h of standing and 4 h of each other
motion in which nothing changes. The seed is none of those that the thresholds were set with.
"""

import subprocess
from functools import cache

from tools.measuring import bar, cart, field, scope, tool

SEED = "90417"
BENCH = f"cart bench weigh --quick --seed {SEED} -o json"
BEAR = "python -m tools.measure_scale -o json"
HOUR_S = 3_600
FULL_TIMEOUT_S = 4 * HOUR_S


@cache
def standing() -> subprocess.CompletedProcess:
    """Run the bench once for all rows about standing, the cases and the processor."""
    if not scope.full:
        return cart(*BENCH.split()[1:], timeout_s=900)
    return _full("--motion", "standing", "--quiet-s", str(10 * HOUR_S), "--cases", "10")


@cache
def moving() -> subprocess.CompletedProcess:
    """Run the bench once for all rows about motion; the quick form is the same run as `standing`."""
    if not scope.full:
        return standing()
    return _full("--motion", "strolling", "tiles", "--quiet-s", str(4 * HOUR_S), "--cases", "0")


def _full(*words: str) -> subprocess.CompletedProcess:
    return cart("bench", "weigh", "--seed", SEED, "--scenes", "40", *words, "-o", "json", timeout_s=FULL_TIMEOUT_S)


@cache
def borne() -> subprocess.CompletedProcess:
    """Measure what the path bears, once for its rows."""
    return tool("measure_scale", "-o", "json", "--memory-s", "1200" if scope.full else "120", timeout_s=1_800)


# -- standing ---------------------------------------------------------------------------------


@bar("weigh-stand-missed", "simulated, standing, 10 g to 5 kg: changes not found", "=", 0, "changes", BENCH)
def stand_missed() -> float:
    """Changes that were never told, or late."""
    return field(standing(), "summary.standing.missed")


@bar("weigh-stand-delay", "the same: hand off to told, median", "<=", 500, "ms", BENCH)
def stand_delay() -> float:
    """Delay of the middle change."""
    return field(standing(), "summary.standing.delay_ms_median")


@bar("weigh-stand-delay-p95", "the same, p95", "<=", 800, "ms", BENCH)
def stand_delay_p95() -> float:
    """Delay of a slow change."""
    return field(standing(), "summary.standing.delay_ms_p95")


@bar("weigh-stand-error", "the same, up to 1 kg: error of the final mass, median", "<=", 1, "g", BENCH)
def stand_error() -> float:
    """Error of the middle change."""
    return field(standing(), "summary.standing.error_mg_median") / 1_000


@bar("weigh-stand-error-p95", "the same, p95", "<=", 3, "g", BENCH)
def stand_error_p95() -> float:
    """Error of a bad change."""
    return field(standing(), "summary.standing.error_mg_p95") / 1_000


@bar("weigh-stand-false", "simulated, standing: changes told that never were (5 min without any; 10 h with --full)",
     "=", 0, "events", BENCH)  # fmt: skip
def stand_false() -> float:
    """Events without a true change, beside true ones and in quiet."""
    return field(standing(), "summary.standing.false")


# -- in motion ---------------------------------------------------------------------------------


@bar("weigh-stroll-missed", "simulated, 0.5 m/s, 50 g and up: changes not found in motion", "=", 0, "changes", BENCH)
def stroll_missed() -> float:
    """Changes that were never told, or only at a standstill."""
    return field(moving(), "summary.strolling.missed")


@bar("weigh-stroll-delay", "the same: hand off to told, median", "<=", 1_000, "ms", BENCH)
def stroll_delay() -> float:
    """Delay of the middle change."""
    return field(moving(), "summary.strolling.delay_ms_median")


@bar("weigh-stroll-error", "the same, up to 1 kg: error of the final mass, median", "<=", 2, "g", BENCH)
def stroll_error() -> float:
    """Error of the middle change."""
    return field(moving(), "summary.strolling.error_mg_median") / 1_000


@bar("weigh-stroll-false", "simulated, 0.5 m/s: changes told that never were", "<=", 1, "an hour", BENCH)
def stroll_false() -> float:
    """Events without a true change."""
    return field(moving(), "summary.strolling.false_per_hour")


@bar("weigh-tiles-missed", "simulated, 1 m/s, tiles, bumps, stop and go, 250 g and up: changes not found in motion",
     "=", 0, "changes", BENCH)  # fmt: skip
def tiles_missed() -> float:
    """Changes that were never told, or only at a standstill."""
    return field(moving(), "summary.tiles.missed")


@bar("weigh-tiles-confirmed", "the same, 10 to 100 g: told neither alone nor with another, in motion or at a"
     " standstill", "=", 0, "changes", BENCH)  # fmt: skip
def tiles_confirmed() -> float:
    """Smaller changes that no event told."""
    return field(moving(), "summary.tiles.unconfirmed")


@bar("weigh-tiles-delay", "the same: hand off to told, median", "<=", 1_000, "ms", BENCH)
def tiles_delay() -> float:
    """Delay of the middle change."""
    return field(moving(), "summary.tiles.delay_ms_median")


@bar("weigh-tiles-false", "the same: changes told that never were", "<=", 6, "an hour", BENCH)
def tiles_false() -> float:
    """Events without a true change."""
    return field(moving(), "summary.tiles.false_per_hour")


@bar("weigh-tiles-kept", "of those, not taken back by their final", "=", 0, "events", BENCH)
def tiles_kept() -> float:
    """False events that reach the basket."""
    return field(moving(), "summary.tiles.false_in_basket")


@bar("weigh-conserved", "simulated, all motions: standstills at which what was told is not what happened, within 3"
     " sigma and 12 g of drift", "=", 0, "standstills", BENCH)  # fmt: skip
def conserved() -> float:
    """Standstills that do not add up within 3 of the weight's own sigmas and the drift's bound."""
    ran = [(standing(), "standing"), (moving(), "strolling"), (moving(), "tiles")]
    return sum(field(result, f"summary.{motion}.unaccounted") for result, motion in ran)


# -- cases and faults ---------------------------------------------------------------------------


@bar("weigh-cases", "simulated: kicks, leaning, child, ramp, freezer, pour, ...: told as items that they are not", "=",
     0, "scenes", BENCH)  # fmt: skip
def cases() -> float:
    """Scenes with a wrong verdict, those of the line aside."""
    return field(standing(), "faults.others_wrong")


@bar("weigh-faults", "silence, garbage, wrong rate, stuck, ...: not named, a weight meanwhile, or not back in 2 s", "=",
     0, "scenes", BENCH)  # fmt: skip
def faults() -> float:
    """Faults of the line with a wrong verdict."""
    return field(standing(), "faults.wrong")


@bar("weigh-faults-named", "the same: beginning of the fault to its name, longest", "<=", 1_000, "ms", BENCH)
def faults_named() -> float:
    """The longest time in which a fault had no name."""
    return field(standing(), "faults.named_ms_max")


@bar("weigh-fuzz", "1,000,000 bytes, every 4th line spoilt: exceptions, false readings, false changes", "=", 0, "",
     BEAR)  # fmt: skip
def fuzz() -> float:
    """Whatever spoilt bytes brought about."""
    return sum(field(borne(), name) for name in ("exceptions", "readings_false", "changes_false"))


@bar("weigh-memory", "growth of decoder and weight over a minute (10 min with --full), with changes and noise", "<=",
     16, "kB", BEAR)  # fmt: skip
def memory() -> float:
    """Memory that was not there at the half."""
    return field(borne(), "memory_growth_bytes") / 1_000


# -- processor -----------------------------------------------------------------------------------


@bar("weigh-cpu-80", "80 lines/s: decoded, filtered, detected; part of one core", "<=", 3, "%", BENCH)
def cpu_80() -> float:
    """Processor share at 80 lines a second."""
    return field(standing(), "cpu_percent.80")


@bar("weigh-cpu-320", "320 lines/s: the same", "<=", 10, "%", BENCH)
def cpu_320() -> float:
    """Processor share at 320 lines a second."""
    return field(standing(), "cpu_percent.320")


@bar("weigh-cpu-imu", "80 lines/s with 80 lines/s of the accelerometer, strolling: the same", "<=", 3, "%", BENCH)
def cpu_imu() -> float:
    """Processor share with an accelerometer, where all of it is used."""
    return field(standing(), "cpu_percent.160")
