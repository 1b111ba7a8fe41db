"""Units of systemd, as its own tools judge them without running any."""

import re
import shutil
import subprocess
from pathlib import Path


def systemd_analyze() -> str | None:
    """Return the program's path, or None: it comes with the package `systemd`, which a container may lack."""
    return shutil.which("systemd-analyze")


def exposure(unit: Path) -> float:
    """Return how exposed the unit file leaves the system: 0.0 nothing, 10.0 everything.

    Raises RuntimeError with the program's words where it gives no figure.
    """
    # A file below its own folder, and not the unit of that name which this machine may have installed.
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if not found:
        raise RuntimeError(f"systemd-analyze gives no figure for {unit.name}: {done.stderr.strip()[-200:]}")
    return float(found[1])


def directives(text: str) -> dict[str, list[str]]:
    """Return each directive of a unit file with its values in order; continued lines are joined."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";", "[")):
            found.setdefault(key.strip(), []).append(value.strip())
    return found
