"""The guided calibration of the load cell: zero, masses up and down, four corners, a check. About 5 minutes.

  cart scale calibrate                                    with the scale of cart.toml, masses of 1, 2 and 5 kg
  cart scale calibrate --masses 2000,5000,10000 --latitude 48.1
  cart scale calibrate --resume                           goes on after Ctrl-C or a power cut
  cart scale calibrate --device simulated                 practise: a simulated cell, whose masses obey

At each task have in the basket what is asked for, and nothing else, then press Enter and keep off while it reads: 5 s
at rest. `b` goes one point back, `q` stops; what was taken is kept. Where the input is no terminal, lines do the same:
an empty one, `back`, `quit`; -o json prints a JSON line for each thing that happens. Practising, `x` (`wrong`) puts a
tenth less than what is asked, to see it refused.

The record is appended to [scale] calibration, chained to the one before. It is valid for 12 months unless
--valid-months or --valid-until says otherwise; `cart doctor` tells when it expires. A running cart has the port: stop
it first.
"""

from __future__ import annotations

import argparse
import getpass
import os
import queue
from datetime import UTC, date, datetime
from math import radians, sin
from pathlib import Path
from typing import TYPE_CHECKING

from cart.clock import SystemClock
from cart.commands.doctor import state_home
from cart.commands.scale_watch import device_in_use, log_unheard
from cart.core import calibrating, calibration_plan
from cart.core.calibration_plan import Plan, Procedure
from cart.core.calibration_rest import Mean
from cart.core.events import Event
from cart.core.legal import CLOCK_MIN_MS
from cart.edge import operator as people
from cart.edge.calibration_desk import WAIT_S, Desk
from cart.edge.calibration_file import Journal, append_calibration, read_records
from cart.edge.operator import Operator
from cart.faults import EXIT_OK, Fault
from cart.wire.calibration import LEVEL_UG_MAX, CalibrationRecord, Converter, Point
from cart.wire.calibration_journal import Head

if TYPE_CHECKING:
    from cart import config

MASSES_G = "1000,2000,5000"
MASS_G_MAX = 500_000
E_G = (1, 2, 5, 10, 20, 50, 100)
MONTHS = 12
G_M_S2 = (9.76, 9.84)
ALTITUDE_M = (-500, 6_000)
"""From the shore of the Dead Sea to the highest towns."""

OTHERWISE_PERMILLE = 10
"""A cell's slope keeps to a thousandth for years; by so much it changes with other masses, cells or gains only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `cart scale calibrate` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument("--device", metavar="D", help="serial:PORT or simulated, instead of cart.toml's")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="the record, instead of cart.toml's")
    parser.add_argument("--masses", default=MASSES_G, metavar="G,G,G", help=f"in grams (default {MASSES_G})")
    parser.add_argument("--corner-mass", type=int, metavar="G", help="default: the least from a third of the range on")
    parser.add_argument("--max-kg", type=int, metavar="KG", help="range (default and most: twice the largest mass)")
    parser.add_argument("--e-g", type=int, default=5, choices=E_G, help="verification interval in grams (default 5)")
    parser.add_argument("--operator-id", default="", metavar="ID", help="who does it (default: the user's name)")
    parser.add_argument("--gravity", type=float, metavar="M/S2", help="where the cart is, for the record")
    parser.add_argument("--latitude", type=float, metavar="DEG", help="the same, from the place")
    parser.add_argument("--altitude", type=float, default=0.0, metavar="M", help="with --latitude (default 0)")
    valid = parser.add_mutually_exclusive_group()
    valid.add_argument("--valid-months", type=int, default=MONTHS, metavar="N", help=f"1 to 60 (default {MONTHS})")
    valid.add_argument("--valid-until", type=date.fromisoformat, metavar="YYYY-MM-DD")
    journal = parser.add_mutually_exclusive_group()
    journal.add_argument("--resume", action="store_true", help="go on with the calibration that was stopped")
    journal.add_argument("--restart", action="store_true", help="forget it and begin anew")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for scripts")
    parser.set_defaults(error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Calibrate; the record is appended only when every point passed."""
    _check(args)
    clock = SystemClock()
    settings, source, cell = device_in_use(args, clock)
    if settings.scale.device.startswith("file:"):
        raise Fault("SCALE-DEVICE", "a file cannot be calibrated")
    if clock.wall_ms() < CLOCK_MIN_MS:
        raise Fault("CLOCK-UNSET", f"it says {datetime.fromtimestamp(clock.wall_ms() / 1_000, UTC):%Y-%m-%d}")
    _expires_ms(args, clock.wall_ms())
    path = _record_path(args, settings, practice=cell is not None)
    if path.exists():
        read_records(path)  # one that was tampered with is named before anybody lifts a mass
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    source.start(events.put)
    try:
        with log_unheard(), people.operator(as_json=args.output == "json") as who:
            calibrate(args, settings, path, Desk(events, clock, cell), who)
        return EXIT_OK
    finally:
        source.stop()


def calibrate(args: argparse.Namespace, settings: config.Config, path: Path, desk: Desk, who: Operator) -> None:
    """Lead the operator through all of it and append the record at `path`; a Fault where it stops before."""
    journal, finished = Journal(path), False
    try:
        head = _head(args, settings, desk)
        _level_ug(desk)
        at = _begin(args, who, journal, head)
        head = journal_head(journal)
        at = desk.guide(who, journal, at)
        before = read_records(path)[-1] if path.exists() else None
        sealed = _append(path, before, _record(args, head, at, desk, desk.clock.wall_ms()))
        finished = True
        _tell_done(who, path, sealed, practice=desk.cell is not None)
        _tell_otherwise(who, before, sealed)
    except KeyboardInterrupt:
        raise Fault("CALIBRATION-STOPPED", str(journal.path)) from None
    finally:
        journal.close(finished=finished)


# -- what was asked for -----------------------------------------------------------------


def _check(args: argparse.Namespace) -> None:
    """End with the usage where an option makes no sense, before anything is touched."""
    _plan(args, platform_mg=0, samples_per_s=1)
    if not 1 <= args.valid_months <= 60:
        args.error("--valid-months: 1 to 60")
    if args.gravity is not None and not G_M_S2[0] <= args.gravity <= G_M_S2[1]:
        args.error(f"--gravity: {G_M_S2[0]} to {G_M_S2[1]} m/s2 on this planet")
    if args.latitude is not None and (args.gravity is not None or not -90 <= args.latitude <= 90):
        args.error("--latitude: -90 to 90, and not with --gravity")
    if not ALTITUDE_M[0] <= args.altitude <= ALTITUDE_M[1]:
        args.error(f"--altitude: {ALTITUDE_M[0]} to {ALTITUDE_M[1]} m")
    if len(args.operator_id) > 64 or not (args.operator_id or "x").isprintable():
        args.error("--operator-id: at most 64 printable characters")


def _masses_mg(args: argparse.Namespace) -> tuple[int, ...]:
    try:
        grams = sorted({int(mass) for mass in args.masses.split(",")})
    except ValueError:
        args.error(f"--masses: {args.masses!r} is not a list of grams like {MASSES_G}")
    if len(grams) < calibration_plan.MASSES_MIN or grams[0] <= 0 or grams[-1] > MASS_G_MAX:
        args.error(f"--masses: at least {calibration_plan.MASSES_MIN} different ones, 1 to {MASS_G_MAX} g")
    return tuple(mass * 1_000 for mass in grams)


def _plan(args: argparse.Namespace, platform_mg: int, samples_per_s: int) -> Plan:
    masses_mg = _masses_mg(args)
    max_mg = args.max_kg * 1_000_000 if args.max_kg else 2 * masses_mg[-1]
    e_mg = args.e_g * 1_000
    if not masses_mg[-1] <= max_mg <= 2 * masses_mg[-1]:
        args.error("--max-kg: the largest mass must be half of the range at least, and within it")
    if not (500 if args.e_g >= 5 else 100) <= max_mg // e_mg <= 10_000:
        args.error(f"--e-g: {max_mg // e_mg} divisions; class III has 500 (below 5 g: 100) to 10,000")
    third = next((mass for mass in masses_mg if 3 * mass >= max_mg), masses_mg[-1])
    corner_mg = args.corner_mass * 1_000 if args.corner_mass else third
    if not masses_mg[0] <= corner_mg <= max_mg:
        args.error("--corner-mass: from the smallest mass to the range")
    return Plan(masses_mg, corner_mg, max_mg, e_mg, platform_mg, samples_per_s)


def _record_path(args: argparse.Namespace, settings: config.Config, *, practice: bool) -> Path:
    """Return where the record goes; that of a practice cell never into a cart's own."""
    if args.calibration:
        return Path(args.calibration)
    if not practice:
        return Path(settings.scale.calibration)
    folder = state_home()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "practice-calibration.jsonl"


def _head(args: argparse.Namespace, settings: config.Config, desk: Desk) -> Head:
    who = desk.identified()
    return Head(
        cart=settings.cart.id,
        operator=args.operator_id or _user(),
        wall_ms=desk.clock.wall_ms(),
        converter=Converter(who.serial, who.chip, who.gain, who.samples_per_s),
        plan=_plan(args, settings.weight.platform_mg, who.samples_per_s),
    )


def _user() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unnamed"


def _begin(args: argparse.Namespace, who: Operator, journal: Journal, head: Head) -> Procedure:
    """Return the procedure to go on with: what was kept where that is wanted, else a new one."""
    kept = None if args.restart else journal.kept()
    if kept is None or not (kept[1] or args.resume):
        journal.begin(head)
        return calibrating.begin(head.plan)
    old, points = kept
    total = len(calibration_plan.tasks(old.plan))
    text = f"{len(points)} of {total} points of {_day(old.wall_ms)} by {old.operator} are kept"
    if not args.resume:
        who.say("kept", f"{text}: Enter goes on with them, q leaves them", points=len(points), of=total)
        if _answer(who) != people.READY:
            raise Fault("CALIBRATION-JOURNAL", f"{text}: --resume or --restart")
    if old.converter != head.converter:
        raise Fault("CALIBRATION-JOURNAL", f"begun with {old.converter.serial}, this is {head.converter.serial}")
    who.say("resumed", text, points=len(points), of=total)
    return calibrating.begin(old.plan, points)


def _answer(who: Operator) -> str:
    while not (word := who.word(WAIT_S)):
        continue
    return word


def journal_head(journal: Journal) -> Head:
    """Return what the journal says is being calibrated."""
    kept = journal.kept()
    assert kept is not None
    return kept[0]


# -- the record -------------------------------------------------------------------------------


def _record(args: argparse.Namespace, head: Head, at: Procedure, desk: Desk, wall_ms: int) -> CalibrationRecord:
    found = calibration_plan.result(at)
    return CalibrationRecord(
        cart=head.cart,
        operator=head.operator,
        wall_ms=wall_ms,
        converter=head.converter,
        points=tuple(_point(mass_mg, mean) for mass_mg, mean in found.points),
        counts_per_kg=found.line.counts_per_kg,
        zero_counts=found.line.zero_counts,
        residual_max_mg=found.residual_max_mg,
        max_mg=head.plan.max_mg,
        e_mg=head.plan.e_mg,
        corners_mg=found.corners_mg,
        temperature_centi_c=desk.centi_c,
        gravity_um_s2=_gravity_um_s2(args),
        expires_ms=_expires_ms(args, wall_ms),
        trims_ppm=found.line.trims_ppm,
        corner_mass_mg=head.plan.corner_mg,
        level_ug=_level_ug(desk),
    )


def _level_ug(desk: Desk) -> tuple[int, ...]:
    """Return what the accelerometer reads; Fault where that is no offset of its own: on a slope masses weigh less."""
    level_ug = desk.level_ug()
    if max(map(abs, level_ug), default=0) > LEVEL_UG_MAX:
        lean = " and ".join(f"{part // 1_000}/1000" for part in level_ug)
        raise Fault("CALIBRATION-STOPPED", f"the cart leans by {lean}: stand it on a level floor, then with --restart")
    return level_ug


def _point(mass_mg: int, mean: Mean) -> Point:
    return Point(mass_mg, mean.counts, mean.sd_milli, mean.readings)


def _append(path: Path, last: CalibrationRecord | None, record: CalibrationRecord) -> CalibrationRecord:
    """Append the record, unless a power cut came between appending and forgetting the journal: then it is there."""
    if last and (last.points, last.corners_mg, last.converter) == (record.points, record.corners_mg, record.converter):
        return last
    return append_calibration(path, record)


def _gravity_um_s2(args: argparse.Namespace) -> int | None:
    """Return the acceleration of free fall that was named, or that of the place. Source: WELMEC 2, GRS80."""
    if args.gravity is not None:
        return round(args.gravity * 1e6)
    if args.latitude is None:
        return None
    phi = radians(args.latitude)
    at_sea = 9.780318 * (1 + 0.0053024 * sin(phi) ** 2 - 0.0000058 * sin(2 * phi) ** 2)
    return round((at_sea - 3.085e-6 * args.altitude) * 1e6)


def _expires_ms(args: argparse.Namespace, wall_ms: int) -> int:
    if args.valid_until:
        end = args.valid_until
    else:
        made = datetime.fromtimestamp(wall_ms / 1_000, UTC).date()
        months = made.month - 1 + args.valid_months
        first = date(made.year + months // 12, months % 12 + 1, 1)
        # The same day of that month, or its last one.
        end = date.fromordinal(min(first.toordinal() + made.day - 1, _next_month(first).toordinal() - 1))
    expires_ms = int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()) * 1_000
    if expires_ms <= wall_ms:
        args.error(f"--valid-until: {end} is past")
    return expires_ms


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _tell_done(who: Operator, path: Path, sealed: CalibrationRecord, *, practice: bool) -> None:
    corners = ", ".join(f"{people.grams(mass)}" for mass in sealed.corners_mg)
    text = "\n".join(
        [
            f"calibrated: {sealed.counts_per_kg} counts per kg, zero {sealed.zero_counts}, off by"
            f" {people.grams(sealed.residual_max_mg)} at most",
            f"corners:    {corners}",
            f"range:      {people.grams(sealed.max_mg)} in steps of {people.grams(sealed.e_mg)}",
            f"record:     number {sealed.event_counter} of {path}, valid until {_day(sealed.expires_at_ms())}",
            "            " + ("a practice cell's: no cart uses it" if practice else "in force at the next: cart run"),
        ]
    )
    facts = {"record": str(path), "number": sealed.event_counter, "sha256": sealed.sha256}
    known = {"counts_per_kg": sealed.counts_per_kg, "zero_counts": sealed.zero_counts}
    checked = {"residual_max_mg": sealed.residual_max_mg, "corners_mg": sealed.corners_mg}
    who.say("done", text, **facts, **known, **checked, expires_ms=sealed.expires_at_ms(), trims_ppm=sealed.trims_ppm)


def _tell_otherwise(who: Operator, before: CalibrationRecord | None, sealed: CalibrationRecord) -> None:
    """Say that the same converter had another slope: masses that are all wrong by one factor fit each other."""
    if before is None or before.converter.serial != sealed.converter.serial:
        return
    permille = (sealed.counts_per_kg - before.counts_per_kg) * 1_000 // before.counts_per_kg
    if abs(permille) > OTHERWISE_PERMILLE:
        text = (
            f"look again: the slope is {permille / 10:+.1f} % off the calibration before; were these the right masses?"
        )
        who.say("otherwise", text, permille=permille)


def _day(wall_ms: int) -> str:
    return f"{datetime.fromtimestamp(wall_ms / 1_000, UTC):%Y-%m-%d}"
