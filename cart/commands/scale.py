"""The load cell on the command line.

  cart scale calibrate              the guided calibration, with masses that you put on
  cart scale watch                  weight, noise, rate, flags and events, live
  cart scale detect FILE|-          read load-cell lines and print every change of load as one JSON line
  cart scale read --protocol P DEV  print what a shop scale says
  cart scale simulate --protocol P  be a shop scale, to try the line above

A change is printed when it is believed ("final": false) and again under the same id when it is known. Times are ms
since the first valid line. Without a weight a state is printed: no_data, stuck, saturated, garbage, wrong_rate,
over_range, and "ok" when it is back. What moved the reading and is no item has a case: bump, lean, child, tilt, jam,
rim.
With four cells a final has its "place" in mm: x_mm towards the front, y_mm to the left, from the middle between them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from cart.commands import scale_calibrate, scale_read, scale_simulate, scale_watch
from cart.core.weight import Calibration, Limits, LoadState, Standstill
from cart.core.weight_values import GARBAGE, NO_DATA, Alarm, Told
from cart.edge.calibration_file import read_calibration
from cart.faults import EXIT_FAILED, EXIT_OK, Fault
from cart.wire.weighing_stream import WeighingStream

SUB_VERBS = {"calibrate": scale_calibrate, "watch": scale_watch, "read": scale_read, "simulate": scale_simulate}
"""Sub-verbs that have a module of their own."""

CHUNK = 512
"""Bytes taken at a time: small enough that garbage between two right lines is seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(dest="sub_verb", metavar="calibrate|watch|detect|read|simulate", required=True)
    detect = verbs.add_parser("detect", help="print the changes of load in a file or stream of load-cell lines")
    detect.add_argument("file", metavar="FILE", help="load-cell lines ($W, $I, ...); - reads standard input")
    detect.add_argument("--counts-per-kg", type=int, metavar="N", help="slope of the load cell, signed")
    detect.add_argument("--zero", type=int, metavar="N", help="counts of the empty basket")
    detect.add_argument("--calibration", type=Path, metavar="FILE", help="calibration record, instead of the two above")
    detect.add_argument(
        "--cells", nargs=2, type=int, metavar=("FORE", "LEFT"), help="mm between four cells, for places (600 400)"
    )
    detect.set_defaults(error=detect.error)
    for name, module in SUB_VERBS.items():
        text, raw = module.__doc__ or "", argparse.RawDescriptionHelpFormatter
        module.add_arguments(verbs.add_parser(name, help=text.splitlines()[0], description=text, formatter_class=raw))


def run(args: argparse.Namespace) -> int:
    """Run the sub-verb; 1 when no valid line came at all."""
    if args.sub_verb in SUB_VERBS:
        return SUB_VERBS[args.sub_verb].run(args)
    calibration = _calibration(args)
    stream = WeighingStream(calibration, _limits(args))
    for chunk in _chunks(args.file):
        _print(stream.feed(chunk))
    if stream.heard:
        return EXIT_OK
    if not stream.named:
        _print([LoadState(GARBAGE if stream.bytes_read else NO_DATA, 0)])
    return EXIT_FAILED


def _calibration(args: argparse.Namespace) -> Calibration:
    by_hand = args.counts_per_kg is not None or args.zero is not None
    if (args.calibration is not None) == by_hand:
        args.error("give --counts-per-kg and --zero, or --calibration")
    if args.calibration is not None:
        return read_calibration(args.calibration).calibration()
    if args.counts_per_kg is None or args.zero is None:
        args.error("--counts-per-kg and --zero belong together")
    if args.counts_per_kg == 0:
        args.error("--counts-per-kg must not be 0")
    return Calibration(args.counts_per_kg, args.zero)


def _limits(args: argparse.Namespace) -> Limits:
    if args.cells is None:
        return Limits()
    if min(args.cells) <= 0:
        args.error("--cells must be more than 0 mm")
    return Limits(cells_fore_mm=args.cells[0], cells_left_mm=args.cells[1])


def _chunks(name: str) -> Iterator[bytes]:
    """Yield the bytes as they come; a stream is not waited on for more than it has."""
    if name == "-":
        yield from _pieces(sys.stdin.buffer)
        return
    try:
        with open(name, "rb") as file:
            yield from _pieces(file)
    except OSError as error:
        raise Fault("SCALE-FILE-UNREADABLE", f"{name}: {error.strerror}") from None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read1(CHUNK):  # type: ignore[attr-defined]
        yield piece


def _print(told: list[Told]) -> None:
    for event in told:
        if not isinstance(event, Standstill | Alarm):
            print(json.dumps({name: value for name, value in asdict(event).items() if value is not None}), flush=True)
