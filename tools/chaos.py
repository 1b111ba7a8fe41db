"""Kills the real processes at random points and checks the money; run by `./tools/chaos`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from cart.sim.bench import trip_text
from tools import chaos_charges, chaos_simulated, chaos_trips
from tools.processes import find_mosquitto

QUICK_KILLS, FULL_KILLS = 10, 60
"""Kills while small carts sell."""

TRIPS, TRIP_KILLS = 3, 20
"""Trips of the whole cart, for each of daemon, vision and broker, and the kills spread over them."""

SIMULATED_TRIPS, SIMULATED_KILLS = 60, 4
"""Trips in simulated time, and the kills of the daemon in each of them."""


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; 1 when an invariant broke, 2 without a broker."""
    args = _arguments(argv)
    if args.what != "simulated" and find_mosquitto() is None:
        print("chaos: there is no mosquitto here: apt install mosquitto", file=sys.stderr)
        return 2
    results: dict[str, Any] = {"seed": args.seed}
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        if args.what in ("all", "charges"):
            kills = _or(args.kills, FULL_KILLS if args.full else QUICK_KILLS)
            results["charges"] = chaos_charges.run(Path(folder) / "charges", kills, args.seed, _say)
        if args.what in ("all", "trips"):
            for who in args.victims or chaos_trips.VICTIMS:
                kills, state = _or(args.kills, TRIP_KILLS), args.keep or Path(folder)
                trips = _or(args.trips, TRIPS)
                results[who] = chaos_trips.run(state, who, trips, kills, args.seed, args.trip, _say)
        if args.what == "simulated":
            kills, trips = _or(args.kills, SIMULATED_KILLS), _or(args.trips, SIMULATED_TRIPS)
            results["simulated"] = chaos_simulated.run(trip_text(args.trip), trips, kills, args.seed, _say)
    if args.output == "json":
        print(json.dumps(results))
    else:
        _print_text(results)
    return 1 if any(result["wrong"] for result in results.values() if isinstance(result, dict)) else 0


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


def _print_text(results: dict[str, Any]) -> None:
    for name, result in results.items():
        if not isinstance(result, dict):
            continue
        print(f"{name}: {'FAILED' if result['wrong'] else 'ok'}")
        for key, value in result.items():
            print(f"  {key:<22} {value}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--only", choices=("kill",), default="kill", help="the kind of fault; kill is what there is")
    parser.add_argument(
        "--what",
        choices=("all", "charges", "trips", "simulated"),
        default="all",
        help="small carts that only sell, whole trips, or whole trips in simulated time (not part of all)",
    )
    parser.add_argument(
        "--kills", type=int, help=f"how many (default {QUICK_KILLS} while selling, with --full {FULL_KILLS};"
        f" {TRIP_KILLS} for each victim of trips; {SIMULATED_KILLS} for each simulated trip)",
    )  # fmt: skip
    parser.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument(
        "--trips", type=int, help=f"whole trips for each victim (default {TRIPS}; {SIMULATED_TRIPS} simulated ones)"
    )
    parser.add_argument("--trip", default="demo", help="which trip (default %(default)s)")
    parser.add_argument("--victims", nargs="+", choices=sorted(chaos_trips.VICTIMS), help="of trips (default: each)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep state and logs of the trips here")
    parser.add_argument("--seed", type=int, default=1, help="plans the points (default 1)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
