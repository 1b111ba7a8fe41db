"""`cart bench weigh` as a command: arguments to a plan, progress on stderr, tables or JSON on stdout, a page."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from cart.clock import SystemClock
from cart.faults import EXIT_OK, EXIT_USAGE
from cart.sim.physics import Params
from cart.sim.physics.world_file import BadWorld, read_world, world_text
from cart.sim.weighing import page, tables
from cart.sim.weighing.bench import QUICK, USUAL, Plan
from cart.sim.weighing.bench import run as play
from cart.sim.weighing.items import MOTIONS


def run(args: argparse.Namespace) -> int:
    """Measure and print; 2 for a world, a motion or a page that cannot be used."""
    params, plan = _world(args.world), _plan(args)
    if params is None or plan is None:
        return EXIT_USAGE
    if args.print_world:
        print(world_text(params), end="")
        return EXIT_OK
    # Before minutes of work, not after them.
    if args.report and not can_be_written(args.report, "cart bench weigh"):
        return EXIT_USAGE
    progress = Progress(terminal=sys.stderr.isatty())
    report = play(plan, args.seed, params, SystemClock(), progress)
    progress.end()
    if args.report:
        args.report.write_text(page.html(report), encoding="utf-8")
        print(f"the page is {args.report}", file=sys.stderr)
    if args.output == "json":
        print(json.dumps(report.as_dict(), allow_nan=False))
    else:
        print(tables.text(report))
    return EXIT_OK


def _world(path: Path | None) -> Params | None:
    if path is None:
        return Params()
    try:
        return read_world(path)
    except BadWorld as error:
        complaints = str(error).splitlines()
    except OSError as error:
        complaints = [error.strerror or str(error)]
    for complaint in complaints:
        print(f"cart bench weigh: {path}: {complaint}", file=sys.stderr)
    return None


def _plan(args: argparse.Namespace) -> Plan | None:
    plan = QUICK if args.quick else USUAL
    unknown = set(args.motion or ()) - set(MOTIONS)
    if unknown:
        known = ", ".join(MOTIONS)
        print(f"cart bench weigh: no motion {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        return None
    wanted = {
        "scenes": args.scenes,
        "quiet_s": args.quiet_s,
        "case_rounds": args.cases,
        "landings": args.landings,
        "rolled_s": args.rolled_s,
    }
    plan = replace(plan, **{name: value for name, value in wanted.items() if value is not None})
    if args.no_accelerometer:
        plan = replace(plan, accelerometer=False, case_rounds=0, landings=0, costs=False)
    return replace(plan, motions=tuple(m for m in MOTIONS if m in args.motion)) if args.motion else plan


def can_be_written(path: Path, command: str) -> bool:
    """Return True if the page can be written, which makes it where it is not there; else `command` says why."""
    try:
        with path.open("a", encoding="utf-8"):
            return True
    except OSError as error:
        print(f"{command}: {path}: {error.strerror}", file=sys.stderr)
        return False


class Progress:
    """Shows on stderr what is being done: in one line of a terminal, and in a log one line for each part of it."""

    def __init__(self, *, terminal: bool) -> None:
        """Begin silent."""
        self._terminal, self._part = terminal, ""

    def __call__(self, words: str) -> None:
        """Say what begins now: its part, a comma, and how far it is."""
        part = words.partition(",")[0]
        if self._terminal:
            print(f"\r{words:<70}", end="", file=sys.stderr, flush=True)
        elif part != self._part:
            print(f"{part} ...", file=sys.stderr, flush=True)
        self._part = part

    def end(self) -> None:
        """Clear the line."""
        if self._terminal:
            print(f"\r{'':<70}\r", end="", file=sys.stderr, flush=True)
