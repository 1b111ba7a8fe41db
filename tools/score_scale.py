"""Score how well changes of load are found, on the simulated platform, against what really happened.

    .venv/bin/python -m tools.score_scale --ground standing [--scenes N] [--quiet-s N] [-o json]

SIMULATED: the platform's physics and its noise are cart/sim/physics.py; nothing here was measured on a load cell.
"""

import argparse
import json
import sys

from cart.sim.weigh_scenes import GROUNDS, false_events, score

# What is put in and taken out, in turn; errors are judged up to 1 kg, delays over all.
MASSES_MG = (10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
ERROR_MASS_MG_MAX = 1_000_000


def main() -> int:
    """Print the score; 0 always: ./tools/bars holds it against the bars."""
    args = _arguments()
    figures = scored(args.ground, args.scenes, args.quiet_s, args.seed)
    if args.output == "json":
        print(json.dumps(figures))
    else:
        print("SIMULATED; assumed: cart/sim/physics.py; measured: nothing on a load cell")
        for name, value in figures.items():
            print(f"  {name:<20}{value}")
    return 0


def scored(ground: str, scenes: int, quiet_s: int, seed: int) -> dict[str, int]:
    """Return delays over all masses, errors up to 1 kg, changes that were missed, and events without a change."""
    small = tuple(mass for mass in MASSES_MG if mass <= ERROR_MASS_MG_MAX)
    every = score(GROUNDS[ground], MASSES_MG, scenes, seed=seed).summary()
    light = score(GROUNDS[ground], small, scenes, seed=seed + 1).summary()
    quiet = false_events(GROUNDS[ground], quiet_s, seed=seed)
    return {
        "changes": every["changes"] + light["changes"],
        "missed": every["changes"] - every["found"] + light["changes"] - light["found"],
        "delay_ms_median": every["delay_ms_median"],
        "delay_ms_p95": every["delay_ms_p95"],
        "error_mg_median": light["error_mg_median"],
        "error_mg_p95": light["error_mg_p95"],
        "quiet_s": quiet_s,
        "false_events": every["false"] + light["false"] + len(quiet),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground", choices=sorted(GROUNDS), default="standing", help="what the cart does")
    parser.add_argument("--scenes", type=int, default=12, help="how many, of six changes each (default 12)")
    parser.add_argument("--quiet-s", type=int, default=600, help="seconds in which nothing changes (default 600)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
