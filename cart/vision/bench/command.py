"""`cart bench vision` as a command: which sections, progress on stderr, tables or JSON on stdout, a page."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import cv2

from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from cart.sim.weighing.command import Progress, can_be_written
from cart.vision.bench import page, tables
from cart.vision.bench.sections import SECTIONS, NotThere, Plan, Result, Section

EXIT_STOPPED = 130
"""As a shell counts Ctrl-C."""

STOPPED = "stopped"
BESIDE_CHECKOUT = Path(__file__).resolve().parents[3].parent / "shared"


def run(args: argparse.Namespace) -> int:
    """Measure and print; 130 when it was stopped, which then prints what was measured until then.

    Else 1 when a section that was named could not be measured, 2 for a page that cannot be written.
    """
    # Before minutes of work, not after them.
    if args.report and not can_be_written(args.report, "cart bench vision"):
        return EXIT_USAGE
    cv2.setNumThreads(1)
    plan = Plan(data_folder(args.data), args.seed, args.quick, args.frames, args.ours)
    results, missing, stopped = measured([s for s in SECTIONS if not args.only or s.name in args.only], plan)
    for name, reason in missing.items():
        print(f"cart bench vision: {name} not measured: {reason}", file=sys.stderr)
    if args.report:
        args.report.write_text(page.html(plan, results, missing), encoding="utf-8")
        print(f"the page is {args.report}", file=sys.stderr)
    if args.output == "json":
        figures = {name: result.figures for name, result in results.items()}
        print(json.dumps({**figures, "not_measured": missing}, allow_nan=False))
    else:
        print(tables.text(plan, results))
    if stopped:
        return EXIT_STOPPED
    return EXIT_FAILED if args.only and missing else EXIT_OK


def measured(sections: list[Section], plan: Plan) -> tuple[dict[str, Result], dict[str, str], bool]:
    """Return the results by name of section, why others could not be measured, and whether Ctrl-C ended it."""
    progress = Progress(terminal=sys.stderr.isatty())
    results: dict[str, Result] = {}
    missing: dict[str, str] = {}
    stopped = False
    for section in sections:
        if stopped:
            missing[section.name] = STOPPED
            continue
        progress(section.what)
        try:
            results[section.name] = section.measure(plan, progress)
        except NotThere as error:
            missing[section.name] = str(error)
        except KeyboardInterrupt:
            # What took minutes until now is not thrown away.
            missing[section.name], stopped = STOPPED, True
    progress.end()
    return results, missing, stopped


def data_folder(named: Path | None) -> Path | None:
    """Return the folder with the shared data: as named, else $CART_SHARED/data, else beside the checkout; else None."""
    if named is not None:
        return named
    shared = os.environ.get("CART_SHARED")
    data = (Path(shared) if shared else BESIDE_CHECKOUT) / "data"
    return data if data.is_dir() else None
