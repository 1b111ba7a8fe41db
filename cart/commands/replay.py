"""Run recordings again and compare every effect for equality; exits with 1 on a difference.

FILE is a .rec or .rec.gz from [recording] dir. The parts of a long run are named in order.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from cart.edge.catalog_file import load_catalog
from cart.faults import EXIT_FAILED, EXIT_OK, Fault
from cart.replay import Outcome, Replay, describe
from cart.wire import recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart replay` takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a recording, or the parts of one in order")
    parser.add_argument(
        "--bless", action="store_true", help="rewrite the effects as they are now; say why in the commit"
    )
    parser.add_argument("--catalog", metavar="FILE", help="for a recording that holds only its catalogue's hash")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")


def run(args: argparse.Namespace) -> int:
    """Replay or bless each file; 0, or 1 where one differs or could not be compared to its end."""
    replay = Replay(None if args.catalog is None else load_catalog(args.catalog))
    if args.bless:
        return _bless(replay, args.files)
    passed = True
    for path in args.files:
        try:
            outcome = replay.compare(path)
        except Fault as fault:
            if args.output != "json":
                raise
            print(json.dumps({"file": str(path), "passed": False, "error": str(fault)}), flush=True)
            passed = False
            continue
        passed = passed and outcome.passed
        print(json.dumps(_as_dict(outcome)) if args.output == "json" else _words(outcome), flush=True)
    return EXIT_OK if passed else EXIT_FAILED


def _bless(replay: Replay, files: list[Path]) -> int:
    for path in files:
        changed = replay.bless(path)
        print(f"{path}: {changed} event{'' if changed == 1 else 's'} with other effects", flush=True)
    return EXIT_OK


def _as_dict(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "passed": outcome.passed}


def _words(outcome: Outcome) -> str:
    told = f"{outcome.file}: {outcome.events} events, {outcome.effects} effects"
    if outcome.difference:
        return "\n".join([f"{outcome.file}: differs", *(f"  {line}" for line in describe(outcome.difference))])
    if outcome.ending == recording.LOST:
        return f"{told}: the same up to there, but then records were lost: the rest cannot be compared"
    if outcome.ending == recording.DAMAGED:
        return f"{told}: the same up to there, but then a line is damaged: the rest cannot be compared"
    if outcome.ending == recording.TORN:
        return f"{told}: the same; the recording was cut off"
    return f"{told}: the same"
