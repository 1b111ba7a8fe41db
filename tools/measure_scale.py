"""Measure what the weighing path bears: spoilt bytes, and hours.

    .venv/bin/python -m tools.measure_scale [--fuzz-bytes N] [--memory-s N] [-o json]

SIMULATED: the readings come from cart/sim/physics; the faults of the line are made up.
"""

import argparse
import json
import sys
from dataclasses import asdict

from cart.sim.weighing.hardship import fuzzed, memory_growth_bytes


def main() -> int:
    """Print the figures; 0 always: ./tools/bars holds them against the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fuzz-bytes", type=int, default=1_000_000, help="spoilt bytes to feed (default 1000000)")
    parser.add_argument("--memory-s", type=int, default=120, help="simulated seconds of readings (default 120)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    args = parser.parse_args()
    figures = asdict(fuzzed(args.fuzz_bytes, args.seed))
    figures["memory_growth_bytes"] = memory_growth_bytes(max(40, args.memory_s), args.seed)
    if args.output == "json":
        print(json.dumps(figures))
    else:
        print("SIMULATED: readings from cart/sim/physics, faults made up")
        for name, value in figures.items():
            print(f"  {name:<22}{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
