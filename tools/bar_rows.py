"""The rows of `./tools/bars`: each function measures one figure, or raises NotMeasured with the reason."""

import resource
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tools.measuring import PYTHON, ROOT, NotMeasured, bar, cart, field, finished, scope, tool
from tools.python_313 import environment
from tools.units import exposure, systemd_analyze

RECORDINGS = ROOT / "tests" / "recordings"
TRIP_TIMEOUT_S = 240

# -- the demo trip -----------------------------------------------------------------------

DEMO = "cart bench --headless --trip demo -o json"


@cache
def demo_trip() -> subprocess.CompletedProcess:
    """Run the demo trip once for all rows that look at it."""
    return cart(*DEMO.split()[1:], timeout_s=TRIP_TIMEOUT_S)


@bar("demo-receipted", "demo trip: exit code; 0 = receipted and equal to the truth", "=", 0, "", DEMO)
def demo_receipted() -> float:
    """Exit code of the demo trip."""
    return demo_trip().returncode


@bar("demo-verdict", "demo trip: drop to verdict when standing, p95", "<=", 1_200, "ms", DEMO)
def demo_verdict() -> float:
    """Verdict delay of the demo trip."""
    return field(demo_trip(), "verdict_ms_p95")


@bar("demo-screen", "demo trip: frame's timestamp to the screen's stream for a scan, p95", "<=", 100, "ms", DEMO)
def demo_screen() -> float:
    """Scan to screen delay of the demo trip."""
    return field(demo_trip(), "scan_to_screen_ms_p95")


@bar("memory", "daemon and vision together in the demo trip, resident", "<=", 250, "MB", DEMO)
def memory() -> float:
    """Resident memory of the demo trip's two processes."""
    return field(demo_trip(), "rss_mb")


@bar("fresh-clone", "a clone in an empty folder: exit code of ./tools/bench --headless --trip demo", "=", 0, "",
     "git clone . DIR && cd DIR && ./tools/bench --headless --trip demo", full=True)  # fmt: skip
def fresh_clone() -> float:
    """Exit code of the demo trip in a clone that sets itself up; committed files only."""
    with tempfile.TemporaryDirectory() as folder:
        cloned = finished(["git", "clone", "-q", str(ROOT), f"{folder}/clone"], 120)
        if cloned.returncode:
            raise NotMeasured("not a git checkout")
        return finished([f"{folder}/clone/tools/bench", "--headless", "--trip", "demo"], 1_800).returncode


# -- the kill tests ------------------------------------------------------------------------


KILLS = "./tools/chaos --only kill -o json"


@cache
def chaos() -> subprocess.CompletedProcess:
    """Run the kill tests once for all their rows."""
    return tool("chaos", "--only", "kill", "-o", "json", *(["--full"] if scope.full else []), timeout_s=3_600)


@bar("kill-charges", "kill -9 of cart, broker and store at random points: charges lost, doubled or wrong", "=", 0,
     "charges", KILLS)  # fmt: skip
def kill_charges() -> float:
    """Broken invariants of the stream of charges."""
    return field(chaos(), "charges.wrong")


@bar("kill-trips", "kill -9 of daemon, vision and broker during trips: charges that are wrong or not once", "=", 0,
     "trips", KILLS)  # fmt: skip
def kill_trips() -> float:
    """Broken invariants of whole trips."""
    return field(chaos(), "trips.wrong")


# -- the package ---------------------------------------------------------------------------


@bar("import-vendors", "vendor packages that `import cart` pulls in", "=", 0, "packages",
     "python -X importtime -c 'import cart, cart.__main__'")  # fmt: skip
def import_vendors() -> float:
    """Packages from site-packages that are loaded after the import."""
    code = (
        "import sys; before = set(sys.modules); import cart, cart.__main__\n"
        "places = {n.split('.')[0] for n in set(sys.modules) - before"
        " if 'site-packages' in (getattr(sys.modules[n], '__file__', None) or '')}\n"
        "print(len(places))"
    )
    return int(finished([str(PYTHON), "-c", code], 60).stdout)


@bar("help-cpu", "CPU time of `cart --help`, least of 5", "<=", 0.25, "s", "time cart --help")
def help_cpu() -> float:
    """CPU seconds; the least, since other work on the machine only adds."""
    costs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        finished([str(PYTHON), "-m", "cart", "--help"], 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(costs)


# -- replay --------------------------------------------------------------------------------------


@bar(
    "replay", "golden recordings that replay with a difference", "=", 0, "recordings", "cart replay tests/recordings/*"
)
def replay() -> float:
    """Recordings that differ, on the Python of the environment."""
    return _differences(PYTHON)


@bar("replay-3.13", "the same on Python 3.13", "=", 0, "recordings", "python3.13 -m cart replay tests/recordings/*")
def replay_313() -> float:
    """Recordings that differ on Python 3.13, in an environment made for it."""
    return _differences(environment("replay"))


def _differences(python: Path) -> int:
    recordings = sorted(path for path in RECORDINGS.glob("*") if not path.name.startswith((".", "README")))
    if not recordings:
        raise NotMeasured("there is no golden recording yet")
    if not (ROOT / "cart" / "commands" / "replay.py").exists():
        raise NotMeasured("`cart replay` does not exist yet")
    results = [finished([str(python), "-m", "cart", "replay", str(path)], 600) for path in recordings]
    return sum(result.returncode != 0 for result in results)


# -- the device ----------------------------------------------------------------------------------


@bar("exposure-cart", "cart.service: exposure that systemd sees, 0 nothing to 10 everything", "<=", 1.3, "",
     "systemd-analyze security --offline=true systemd/cart.service")  # fmt: skip
def exposure_cart() -> float:
    """Exposure of the daemon's unit."""
    return _exposure("cart.service")


@bar("exposure-vision", "cart-vision.service: the same", "<=", 1.0, "",
     "systemd-analyze security --offline=true systemd/cart-vision.service")  # fmt: skip
def exposure_vision() -> float:
    """Exposure of the camera's unit."""
    return _exposure("cart-vision.service")


def _exposure(unit: str) -> float:
    if systemd_analyze() is None:
        raise NotMeasured("no systemd-analyze here: apt install systemd")
    return exposure(ROOT / "systemd" / unit)
