"""The rows of `./tools/bars` for the load cell's port: the real driver on a pseudo-terminal, in real time."""

import subprocess
from functools import cache

from tools.measuring import bar, field, scope, tool

MEASURE = "python -m tools.measure_port -o json"


@cache
def measured_once() -> subprocess.CompletedProcess:
    """Run the measurement once for all rows: 5 repluggings, with --full 40."""
    rounds = ("--rounds", "40") if scope.full else ()
    return tool("measure_port", "-o", "json", *rounds, timeout_s=900)


@bar("port-unnamed", "faults of the port (silence, wrong baud, second writer, ...), of 13: without a name", "=", 0,
     "faults", MEASURE)  # fmt: skip
def port_unnamed() -> float:
    """Faults that no state named."""
    return field(measured_once(), "faults_unnamed")


@bar("port-named", "the same: from the fault to its name, the slowest", "<=", 1_000, "ms", MEASURE)
def port_named() -> float:
    """The slowest of them."""
    return field(measured_once(), "named_ms_max")


@bar("port-weighed", "the same: that told a change of load, or showed a weight", "=", 0, "faults", MEASURE)
def port_weighed() -> float:
    """Faults that something was weighed in."""
    return field(measured_once(), "faults_weighed")


@bar("port-replug", "replugged within a line, under another number: until readings are usable, the slowest", "<=",
     2_000, "ms", MEASURE)  # fmt: skip
def port_replug() -> float:
    """The slowest of the repluggings."""
    return field(measured_once(), "replug_readings_ms_max")


@bar("port-replug-stands", "the same: until the weight stands again, the slowest", "<=", 2_000, "ms", MEASURE)
def port_replug_stands() -> float:
    """The slowest of the repluggings."""
    return field(measured_once(), "replug_stood_ms_max")


@bar("port-replug-changes", "the same, with nothing moved meanwhile: changes told", "=", 0, "changes", MEASURE)
def port_replug_changes() -> float:
    """Repluggings after which a change was told."""
    return field(measured_once(), "replug_changes")


@bar("port-fuzz", "1,000,000 damaged bytes: readings that were never sent", "=", 0, "readings", MEASURE)
def port_fuzz() -> float:
    """False readings; an exception ends the measurement, and then nothing is measured."""
    return field(measured_once(), "fuzz_false")
