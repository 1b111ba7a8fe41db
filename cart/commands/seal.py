"""Show or make the seal record: what was verified together on this cart, for a build that weighs for trade.

  cart seal show                        is this build sealed, and what would the record hold it to
  cart seal make --by NAME --drift MG   write the record; the jumper must be open
  cart seal log                         every record of trade weighing, as JSON lines, its chain and signatures checked

To seal: calibrate, make the record, let the scale be verified, close the jumper, close its cover. The file alone seals
nothing. This project claims readiness, never conformity: docs/LEGAL.md.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from cart import config
from cart.clock import SystemClock
from cart.commands.config import file_in_use
from cart.edge.calibration_file import read_calibration
from cart.edge.gpio import seal_jumper_closed
from cart.edge.keys import load_verifier
from cart.edge.seal import SEAL_NAME, read_seal, software
from cart.faults import EXIT_OK, Fault
from cart.wire.seal import PROFILES, Seal, encode_seal, mismatch, unfit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    verbs = parser.add_subparsers(dest="sub_verb", metavar="show|make|log", required=True)
    show = verbs.add_parser("show", help="is this build sealed")
    logged = verbs.add_parser("log", help="print the log of trade weighings, after checking its chain")
    make = verbs.add_parser("make", help="write what is to be verified together")
    for verb in (show, logged, make):  # it may stand behind the sub-verb too
        verb.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="as before the sub-verb")
    make.add_argument("--by", required=True, metavar="NAME", help="who verifies")
    make.add_argument("--profile", choices=sorted(PROFILES), default="R76", help="the rules (R76)")
    make.add_argument(
        "--drift",
        type=_drift,
        required=True,
        metavar="MG",
        help="how far the empty scale's zero was measured to wander over 5 K, in milligrams",
    )
    make.add_argument(
        "--range",
        action="append",
        type=_range,
        metavar="MAX:E",
        help="Max and e in grams, smallest first; default: those of the calibration",
    )


def run(args: argparse.Namespace) -> int:
    """Run the sub-verb; 3 where the build may not be sealed, or its log was touched."""
    settings = config.load(file_in_use(args.config))
    if args.sub_verb == "log":
        return _log(settings)
    record_path = Path(settings.scale.calibration)
    seal_path = record_path.with_name(SEAL_NAME)
    return _show(settings, seal_path) if args.sub_verb == "show" else _make(args, settings, seal_path)


def _log(settings: config.Config) -> int:
    from cart.edge.database import look_into

    database = look_into(config.database_path(settings), SystemClock())
    try:
        for record in database.legal_records(load_verifier(Path(settings.keys.dir) / "cart.pub")):
            print(json.dumps({"kind": type(record).__name__} | asdict(record)))
    finally:
        database.close()
    return EXIT_OK


def _show(settings: config.Config, seal_path: Path) -> int:
    here, closed = software(), seal_jumper_closed()
    print(f"legal hash  {here.sha256 or 'unknown'}{': changed: ' + ', '.join(here.changed) if here.changed else ''}")
    print(f"jumper      {'closed' if closed else 'open: not for trade'}")
    if not closed and not seal_path.exists():
        print("record      none")
        return EXIT_OK
    seal = read_seal(seal_path)
    ranges = ", ".join(f"Max {top // 1_000} g e = {e // 1_000} g" for top, e in seal.ranges_mg)
    print(f"record      {seal.profile}, {ranges}, by {seal.by}")
    record, pitch_um = read_calibration(Path(settings.scale.calibration)), settings.kiosk.pixel_pitch_um
    why = mismatch(seal, settings.cart.id, here.sha256, record, pitch_um)
    print(f"            {why or 'as verified'}")
    if closed and (why or here.changed):
        raise Fault("LEGAL-HASH-DIFFERS" if seal.software != here.sha256 or here.changed else "LEGAL-SEAL-BAD", why)
    return EXIT_OK


def _make(args: argparse.Namespace, settings: config.Config, seal_path: Path) -> int:
    if seal_jumper_closed():
        raise Fault("LEGAL-SEAL-BAD", "the jumper is closed: what is sealed is not written anew")
    here = software()
    if here.changed:
        raise Fault("LEGAL-HASH-DIFFERS", ", ".join(here.changed))
    record = read_calibration(Path(settings.scale.calibration))
    now_ms = SystemClock().wall_ms()
    seal = Seal(
        cart=settings.cart.id,
        by=args.by,
        wall_ms=now_ms,
        software=here.sha256,
        calibration=record.sha256,
        profile=args.profile,
        ranges_mg=tuple(args.range or [(record.max_mg, record.e_mg)]),
        pixel_pitch_um=settings.kiosk.pixel_pitch_um,
        drift_mg_per_5k=args.drift,
    )
    faults = (*unfit(seal, record, now_ms), mismatch(seal, settings.cart.id, here.sha256, record, seal.pixel_pitch_um))
    found = [fault for fault in faults if fault]
    if found:
        raise Fault("LEGAL-UNFIT", "; ".join(found))
    fresh = seal_path.with_name(f".{seal_path.name}.new")
    with fresh.open("wb") as file:
        file.write(encode_seal(seal))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(seal_path)
    print(f"{seal_path}: legal hash {here.sha256[:16]}; now close the jumper, and its cover")
    return EXIT_OK


def _range(text: str) -> tuple[int, int]:
    top, _, division = text.partition(":")
    if not (top.isdecimal() and division.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not MAX:E in whole grams, like 15000:5")
    return int(top) * 1_000, int(division) * 1_000


def _drift(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milligrams: how far, not which way")
    return int(text)
