"""Measures the project's bars; run by `./tools/bars`.

A row is one function in tools/bar_rows.py with the decorator `@bar`: it measures and returns the figure. No figure is
ever typed in. To add a bar, add a function.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict

from tools import (
    bar_rows,
    barcode_bars,
    card_bars,
    codec_bars,
    image_bars,
    landing_bars,
    legal_bars,
    loop_bars,
    measuring,
    scale_bars,
    vision_bars,
    weigh_bars,
)
from tools.measuring import BARS, MISS, NOT_MEASURED, PASS, Row, measured

ROW_MODULES = (
    bar_rows,
    barcode_bars,
    card_bars,
    codec_bars,
    image_bars,
    landing_bars,
    legal_bars,
    loop_bars,
    scale_bars,
    vision_bars,
    weigh_bars,
)
"""Imported for the rows that they add to BARS."""

COLOURS = {PASS: "32", MISS: "31", NOT_MEASURED: "33"}


def main(argv: list[str] | None = None) -> int:
    """Measure what was asked for; 1 when a bar is missed, 2 for an unknown name."""
    args = _arguments(argv)
    if args.list:
        print("\n".join(f"{b.name:<24}{b.what}{'  (--full)' if b.full else ''}" for b in BARS))
        return 0
    unknown = set(args.names) - {b.name for b in BARS}
    if unknown:
        print(f"bars: no such bar: {', '.join(sorted(unknown))}; --list shows them", file=sys.stderr)
        return 2
    measuring.scope.full = args.full
    rows = []
    for b in BARS:
        if not args.names or b.name in args.names:
            print(f"measuring {b.name} ...", file=sys.stderr, flush=True)
            rows.append(measured(b, wanted=bool(args.names)))
    if args.output == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(table(rows, coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return 1 if any(row.verdict == MISS for row in rows) else 0


def table(rows: list[Row], *, coloured: bool = False) -> str:
    """Return two lines a row: verdict, name, figure, bar and what was measured; then reason and command."""
    name_width = max(len(row.name) for row in rows)
    bar_width = max(len(row.bar) for row in rows)
    lines = []
    for row in rows:
        verdict = f"{row.verdict:<12}"
        if coloured:
            verdict = f"\033[{COLOURS[row.verdict]}m{verdict}\033[0m"
        figure = "-" if row.figure is None else f"{row.figure:.4g}"
        lines.append(f"{verdict}  {row.name:<{name_width}}  {figure:>8}  {row.bar:<{bar_width}}  {row.what}")
        lines.append(f"{'':14}{row.reason + '; ' if row.reason else ''}by: {row.command}")
    counts = [f"{sum(row.verdict == verdict for row in rows)} {verdict}" for verdict in COLOURS]
    return "\n".join([*lines, ", ".join(counts)])


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./tools/bars", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="measure only these")
    parser.add_argument("--full", action="store_true", help="also the long rows, and all samples of the others")
    parser.add_argument("--list", action="store_true", help="name the bars and stop")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
