"""Processor time of each stage of reading codes, on whole frames of 1280x720, beside zxing-cpp with 13 formats.

The frames are generated: a package with a code at some angle among clutter that looks like bars here and there. The
live path is what a pass gets as long as it is unread, over the whole frame: the worst case, since on a cart only the
box around the moving thing is read. A region for the ladder holds bars that nothing reads, so that it is climbed to
its end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from statistics import median, quantiles

import numpy as np

from cart.clock import NS_PER_MS, SystemClock
from cart.vision import check, ladder, live, locate, pace
from cart.vision.bench.near_limit import random_code
from cart.vision.bench.readers import Code, installed_engines
from cart.vision.bench.render import HEIGHT_PX, WIDTH_PX, Hardship, frame
from cart.vision.bench.sections import NotThere, Plan, Progress, Result, Table
from cart.vision.motion import Box
from cart.vision.reader import available_engines, read_unread
from cart.wire.gs1 import SYMBOLOGIES

FRAMES, FRAMES_QUICK = 60, 16
WHOLE = Box(0, 0, 1_280, 720)
ROUNDS = 3
"""The least of so many counts: other work on the machine only adds."""

UNREADABLE = Hardship(module_px=1.8, smear_modules=5.0, defocus_modules=1.2)

STAGES = {
    "13 formats": "zxing-cpp, 13 formats, all its options, whole frame",
    "live": "live path: 1-D codes, strips, matrix codes in turn",
    "live engine": "of that: 1-D codes of the whole frame",
    "regions": "of that: the region finder",
    "check": "the check of a retail code, once for each new one",
    "ladder": "the full ladder on a region that nothing reads",
}


def measure(plan: Plan, progress: Progress) -> Result:
    """Return CPU times by stage; NotThere without zxing-cpp, which the live path is compared with."""
    if installed_engines()[0].name != "zxing":
        raise NotThere("zxing-cpp is not installed")
    spent: dict[str, list[int]] = defaultdict(list)
    thorough, quick = installed_engines()[0], available_engines(thorough=False)
    check.warm_up()
    turns = cycle(_turns())
    for number in range(FRAMES_QUICK if plan.quick else FRAMES):
        progress(f"processor time, frame {number + 1}")
        rng = np.random.default_rng((plan.seed, number))
        code = random_code(rng)
        grey, region = frame_of(code, rng), region_of(code, rng)
        tasks = next(turns)
        stages: dict[str, Callable[[], object]] = {
            "13 formats": lambda grey=grey: thorough.read(grey, SYMBOLOGIES),
            "live": lambda grey=grey, tasks=tasks: live.read_frame(grey, WHOLE, quick[0], tasks),
            "live engine": lambda grey=grey: quick[0].read(grey, ladder.LINEAR),
            "regions": lambda grey=grey: locate.find_regions(grey, live.REGIONS_A_FRAME),
            "ladder": lambda region=region: read_unread(region, 0.0, quick),
        }
        raws = [raw for raw in quick[0].read(grey, ladder.LINEAR) if raw.symbology == code.symbology][:1]
        for raw in raws:
            stages["check"] = lambda grey=grey, raw=raw: check.fit_of(grey, raw.corners, raw.symbology, raw.text)
        for name, work in stages.items():
            spent[name].append(_least_ns(work))
    return _result(spent)


def frame_of(code: Code, rng: np.random.Generator) -> np.ndarray:
    """Return a uint8 (720, 1280) frame with one code on one of six packages."""
    packages = [frame(code, Hardship(module_px=0.05, noise=4.0), rng) for _ in range(5)]
    packages.insert(
        int(rng.integers(6)), frame(code, Hardship(float(rng.uniform(1.5, 3)), float(rng.uniform(0, 360))), rng)
    )
    rows = [np.concatenate(packages[:3], axis=1), np.concatenate(packages[3:], axis=1)]
    tiled = np.concatenate(rows, axis=0)
    assert tiled.shape == (2 * HEIGHT_PX, 3 * WIDTH_PX)
    return np.ascontiguousarray(tiled[: WHOLE.bottom, : WHOLE.right])


def region_of(code: Code, rng: np.random.Generator) -> np.ndarray:
    """Return a region as a pass would keep it, with bars that are too blurred for anything."""
    grey = frame(code, UNREADABLE, rng)
    side_px = round(130 * UNREADABLE.module_px)
    top, left = (HEIGHT_PX - side_px // 2) // 2, (WIDTH_PX - side_px) // 2
    return np.ascontiguousarray(grey[top : top + side_px // 2, left : left + side_px])


def _turns() -> list[pace.Tasks]:
    """Return what the frames of an unread pass get in turn, on a machine that keeps up."""
    steady = pace.of_camera(15)
    turns = []
    for _ in range(pace.MATRIX_EVERY):
        turns.append(pace.tasks(steady, 0, read=False))
        steady = pace.spent(steady, 0, in_pass=True)
    return turns


def _least_ns(work: Callable[[], object]) -> int:
    clock, counts = SystemClock(), []
    for _ in range(ROUNDS):
        begin_ns = clock.cpu_ns()
        work()
        counts.append(clock.cpu_ns() - begin_ns)
    return min(counts)


def _result(spent: dict[str, list[int]]) -> Result:
    figures: dict[str, object] = {}
    rows = []
    for name, what in STAGES.items():
        times = [ns / NS_PER_MS for ns in spent.get(name, [])]
        if len(times) < 2:
            continue
        mean, p95 = sum(times) / len(times), quantiles(times, n=20)[-1]
        figures[name] = {"n": len(times), "ms_mean": mean, "ms_median": median(times), "ms_p95": p95}
        rows.append((what, str(len(times)), f"{mean:.1f}", f"{median(times):.1f}", f"{p95:.1f}"))
    # The mean, since what a frame gets differs from turn to turn.
    ratio = sum(spent["live"]) / sum(spent["13 formats"])
    figures["live_to_13_formats"] = ratio
    note = f"The live path takes {ratio:.2f} of zxing-cpp with 13 formats."
    table = Table("Processor time in ms, on one core", ("stage", "n", "mean", "median", "p95"), tuple(rows), (note,))
    return Result((table,), figures)
