"""Runs the whole cart against a simulated world.

    cart bench                                  play: the screen and the bench page, in a browser
    cart bench --headless --trip demo           one trip in real time, its timeline and its receipt
    cart bench --scenario FILE... -o json       text scenarios (docs/PROTOCOL.md), much faster than real time
    cart bench weigh --report FILE.html         the weight against the truth, on simulated carts (docs/WEIGHING.md)
    cart bench vision --report FILE.html        codes and things recognised, beside other readers, and what it costs

Exits 1 when a scenario fails, or when a trip's charge is not receipted or is not what the shopper really took. `weigh`
measures and does not judge: ./tools/bars holds its figures against the bars.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from cart.arguments import MILLION, whole
from cart.commands import bench_vision
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `cart bench` takes."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scenario", nargs="+", metavar="FILE", help="play text scenarios in simulated time")
    what.add_argument("--trip", metavar="NAME", help="a trip of cart/sim/data, or a file: demo")
    parser.add_argument("--headless", action="store_true", help="let the simulated shopper do the trip, and end")
    parser.add_argument("--swap-labels", action="store_true", help="swap photos and codes behind the cart's back")
    parser.add_argument("--seed", type=int, default=7, help="of everything random in the world (default 7)")
    parser.add_argument("--state", type=Path, metavar="DIR", help="for state and logs (default: a new folder)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")
    verbs = parser.add_subparsers(dest="sub_verb", metavar="weigh|vision")
    _add_weigh(verbs)
    text, raw = bench_vision.__doc__ or "", argparse.RawDescriptionHelpFormatter
    bench_vision.add_arguments(
        verbs.add_parser("vision", help=text.splitlines()[0], description=text, formatter_class=raw)
    )


def _add_weigh(verbs: argparse._SubParsersAction) -> None:
    count = whole(0, MILLION)
    weigh = verbs.add_parser("weigh", help="measure the weight on simulated carts: found, delay, error, false, cost")
    weigh.add_argument("--seed", type=int, default=1, help="of everything random in the world (default 1)")
    weigh.add_argument("--scenes", type=count, metavar="N", help="with nine changes, in each class of motion")
    weigh.add_argument("--quiet-s", type=count, metavar="N", help="seconds without a change, in each class of motion")
    weigh.add_argument("--cases", type=count, metavar="N", help="how often each other case is played")
    weigh.add_argument("--landings", type=count, metavar="N", help="scenes on four cells: where things land")
    weigh.add_argument("--motion", nargs="+", metavar="NAME", help="only these: standing, strolling, tiles")
    weigh.add_argument(
        "--no-accelerometer", action="store_true", help="carts without one; cases, places and cost are left out"
    )
    weigh.add_argument(
        "--rolled-s", type=count, metavar="N", help="seconds for which each cart of a scene rolled before (default 0)"
    )
    weigh.add_argument("--quick", action="store_true", help="a minute's worth instead of five")
    weigh.add_argument("--world", type=Path, metavar="FILE", help="parameters of another world (TOML)")
    weigh.add_argument("--print-world", action="store_true", help="print the world as such a file, and end")
    weigh.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with traces")
    weigh.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")


def run(args: argparse.Namespace) -> int:
    """Run scenarios, a trip, a bench that measures, or the bench to play with; return the exit code."""
    if args.sub_verb == "weigh":
        from cart.sim.weighing.command import run as run_weigh

        return run_weigh(args)
    if args.sub_verb == "vision":
        return bench_vision.run(args)
    if args.scenario:
        return _scenarios(args.scenario, args.output)
    if args.headless != bool(args.trip):
        print("cart bench: --headless and --trip NAME go together", file=sys.stderr)
        return EXIT_USAGE
    from cart.edge.crashes import lock
    from cart.sim import bench

    # A second bench on the same folder would write over the first one's configuration while it runs.
    with lock(args.state / "bench") if args.state else nullcontext():
        if args.headless:
            return bench.run_trip(args.trip, args.state, args.seed, args.swap_labels, args.output == "json")
        return bench.play(args.state, args.seed)


def _scenarios(files: list[str], output: str) -> int:
    from cart.sim.play import Result, play

    failed = 0
    for file in files:
        try:
            result = play(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            result = Result(False, (), (), (), "", str(error))
        failed += not result.passed
        if output == "json":
            print(json.dumps({"file": file, **result.as_dict()}), flush=True)
        else:
            print(f"{'ok  ' if result.passed else 'FAIL'} {file}" + f": {result.failure}" * bool(result.failure))
    return EXIT_FAILED if failed else EXIT_OK
