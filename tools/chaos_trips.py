"""A shopper's trip under fire: `cart bench --headless`, with daemon, vision or broker killed at random points of it.

The bench is run as a person would run it, and starts again what dies, as systemd does. Killed are only its own
children, found in /proc by what they run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools.chaos_charges import failure_rate_max

VICTIMS = {"daemon": ("cart", "run"), "vision": ("cart", "vision"), "broker": ("mosquitto", "-c")}
"""Words that follow each other in the command line of each victim."""

FIRST_KILL_S = 3.0
TRIP_S = 50.0
"""About how long a trip takes: points are drawn up to here, and those after its end are not reached."""

TRIP_TIMEOUT_S = 400.0
POLL_S = 0.05

Say = Callable[[str], None]


def run(folder: Path, who: str, trips: int, kills: int, seed: int, trip: str, say: Say) -> dict[str, Any]:
    """Return what became of the charges of `trips` trips with `kills` kills of `who` spread over them."""
    rng = random.Random(f"{seed}/{who}")
    result: dict[str, Any] = {"trips": trips, "kills": 0, "wrong": 0, "failures": []}
    for number in range(trips):
        share = kills * (number + 1) // trips - kills * number // trips
        points = sorted(round(rng.uniform(FIRST_KILL_S, TRIP_S), 2) for _ in range(share))
        say(f"{who}: trip {number + 1} of {trips}, kill points in s: {points}")
        killed, failure = _one_trip(folder / f"{who}-{number + 1}", who, points, seed + number, trip, say)
        result["kills"] += killed
        if failure:
            say(f"{who}: trip {number + 1} FAILED: {failure}")
            result["wrong"] += 1
            result["failures"].append(failure)
    return result | {"failure_rate_max": failure_rate_max(trips, result["wrong"])}


def _one_trip(folder: Path, who: str, points: list[float], seed: int, trip: str, say: Say) -> tuple[int, str]:
    """Return how often `who` was killed, and why the trip's charge was not right, or ""."""
    command = [sys.executable, "-m", "cart", "bench", "--headless", "--trip", trip, "-o", "json"]
    command += ["--seed", str(seed), "--state", str(folder)]
    folder.mkdir(parents=True)
    output, errors = folder / "trip.json", folder / "trip.log"
    with output.open("wb") as out, errors.open("wb") as err:
        bench = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        try:
            killed = _kill_at(bench, who, points, say)
            bench.wait(TRIP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return len(points), f"not over in {TRIP_TIMEOUT_S:g} s"
        finally:
            if bench.poll() is None:
                bench.send_signal(signal.SIGINT)
                bench.wait(30)
    return killed, _fault_of(output.read_text(), errors.read_text(), bench.returncode)


def _kill_at(bench: subprocess.Popen, who: str, points: list[float], say: Say) -> int:
    """Kill at each point; the time counts from the moment that everything runs. Return how many were reached."""
    while not all(_children(bench.pid, words) for words in VICTIMS.values()):
        if bench.poll() is not None:
            return 0
        time.sleep(POLL_S)
    begun, killed = time.monotonic(), 0
    for point_s in points:
        # A victim that was killed a moment ago may not be back yet: then it is killed as soon as it is.
        while not (victims := _children(bench.pid, VICTIMS[who])) or time.monotonic() - begun < point_s:
            if bench.poll() is not None:
                return killed
            time.sleep(POLL_S)
        for pid in victims[:1]:
            say(f"  {time.monotonic() - begun:6.2f} s: kill -9 {who} ({pid})")
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def _children(parent: int, words: tuple[str, str]) -> list[int]:
    """Return the children of `parent` whose command line holds `words`, one after the other."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            # The name in brackets may hold anything, so fields are counted from its end: state, parent, ...
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        names = [os.path.basename(word.decode(errors="replace")) for word in line]
        if int(fields[1]) == parent and fields[0] != "Z" and words in pairwise(names):
            found.append(int(entry.name))
    return found


def _fault_of(output: str, errors: str, returncode: int) -> str:
    try:
        result = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return f"the bench ended with {returncode}: {errors.strip()[-300:]}"
    if result.get("passed") is True and returncode == 0:
        return ""
    keys = ("truth_minor", "charged_minor", "wrong", "unmet", "restarts")
    return json.dumps({key: result.get(key) for key in keys} | {"receipt": result.get("receipt", {}).get("state")})
