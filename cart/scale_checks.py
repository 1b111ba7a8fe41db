"""What `cart doctor` says of the scale: its record, and what its readings look like now.

A running cart has the port, so its readings are taken from the recording that it writes; else the port is opened for a
few seconds.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isqrt
from pathlib import Path

from cart import config
from cart.clock import SystemClock
from cart.core.calibration_fit import mpe_mg
from cart.core.events import CellIdentified, Event, LoadSampled, SourceLost
from cart.core.legal import is_dated
from cart.core.scale_health import FLAGS_UNUSABLE
from cart.edge.calibration_file import read_records
from cart.faults import EXIT_HARDWARE, FAULTS, Fault
from cart.findings import BAD, OK, SIMULATED, WARN, Finding, of_fault
from cart.wire import codec, recording
from cart.wire.calibration import CalibrationRecord

MS_PER_DAY = 86_400_000
SOON_DAYS = 30
NS_PER_S = 1_000_000_000
LISTEN_NS = 2 * NS_PER_S
HELLO_NS = 6 * NS_PER_S
"""The converter says who it is every 5 s; it is waited for that long, and the port is opened that long at most."""

FRESH_NS = 10 * NS_PER_S
TAIL_BYTES = 1 << 18
RATE_PERCENT = 2
NOISIER = 3
STEP_S = 0.1
READINGS_MIN = 16
T_US_MODULUS = 1 << 32


# -- the record ------------------------------------------------------------------------


def calibration(settings: config.Config) -> Iterator[Finding]:
    """The calibration record in force, its whole chain checked: slope, age, expiry, corners."""
    path = Path(settings.scale.calibration)
    if settings.scale.device == "simulated" and not path.exists():
        yield Finding(SIMULATED, "calibration", "a bench world brings its own")
        return
    records = read_records(path)
    record, now_ms = records[-1], SystemClock().wall_ms()
    age_days = (now_ms - record.wall_ms) // MS_PER_DAY
    text = (
        f"number {len(records)}, {age_days} days old, {record.counts_per_kg} counts per kg,"
        f" off by {record.residual_max_mg} mg at most"
    )
    if record.cart == settings.cart.id:
        yield Finding(OK, "calibration", text)
    else:
        yield Finding(WARN, "calibration", f"{text}; made on {record.cart}", "cart scale calibrate")
    yield _expiry(record, now_ms)
    yield _corners(record)


def _expiry(record: CalibrationRecord, now_ms: int) -> Finding:
    left_days = (record.expires_at_ms() - now_ms) // MS_PER_DAY
    until = f"{datetime.fromtimestamp(record.expires_at_ms() / 1_000, UTC):%Y-%m-%d}"
    if not is_dated(now_ms, record.wall_ms):
        row, made = FAULTS["CLOCK-UNSET"], f"{datetime.fromtimestamp(record.wall_ms / 1_000, UTC):%Y-%m-%d}"
        text = f"CLOCK-UNSET: {row.meaning}: made {made}, valid until {until} by its record"
        return Finding(BAD, "validity", text, row.next_step)
    if left_days < 0:
        row = FAULTS["CALIBRATION-EXPIRED"]
        return Finding(WARN, "validity", f"CALIBRATION-EXPIRED: {row.meaning}: valid until {until}", row.next_step)
    if left_days < SOON_DAYS:
        return Finding(WARN, "validity", f"until {until}, {left_days} days more", "plan: cart scale calibrate")
    return Finding(OK, "validity", f"until {until}")


def _corners(record: CalibrationRecord) -> Finding:
    if not record.corners_mg:
        return Finding(WARN, "corners", "were not tested", "cart scale calibrate")
    load_mg = record.corner_load_mg()
    off_mg = max(abs(corner_mg - load_mg) for corner_mg in record.corners_mg)
    limit_mg = mpe_mg(load_mg, record.e_mg)
    text = f"off by {off_mg} mg at most at {load_mg // 1_000} g" + (", trimmed" if record.trims_ppm else "")
    if off_mg <= limit_mg:
        return Finding(OK, "corners", text)
    return Finding(WARN, "corners", f"{text}; {limit_mg} mg is permitted", "cart scale calibrate")


# -- the readings -------------------------------------------------------------------------


@dataclass
class Heard:
    """Readings of some seconds. who: what the converter said that it is, None where it did not."""

    how: str
    counts: list[int] = field(default_factory=list)
    t_us: list[int] = field(default_factory=list)
    flags: int = 0
    dropped: int = 0
    who: CellIdentified | None = None

    def take(self, event: Event) -> None:
        """Note one event."""
        match event:
            case LoadSampled():
                self.counts += event.counts
                self.t_us += event.t_us
                self.dropped += event.dropped
                for flags in event.flags:
                    self.flags |= flags
            case CellIdentified():
                self.who = event

    def rate_milli(self) -> int:
        """Return conversions per 1,000 s by the converter's clock, those that were lost with them; 0 without."""
        span_us = (self.t_us[-1] - self.t_us[0]) % T_US_MODULUS if self.t_us else 0
        return (len(self.t_us) - 1 + self.dropped) * 1_000 * 1_000_000 // span_us if span_us else 0

    def sd_milli(self) -> int:
        """Return the standard deviation of single readings in thousandths of a count."""
        n = len(self.counts)
        return isqrt((n * sum(c * c for c in self.counts) - sum(self.counts) ** 2) * 1_000_000) // n


def readings(settings: config.Config) -> Iterator[Finding]:
    """Rate, noise and flags of what the scale says now, and whether it is the converter of the record."""
    heard = running(Path(settings.recording.dir))
    if heard is None and not settings.scale.device.startswith("serial:"):
        yield Finding(SIMULATED, "readings", "no cart runs here, and no load cell is on a port: cart scale watch")
        return
    try:
        heard = heard or _listened(settings)
    except Fault as fault:
        if fault.code != "SCALE-PORT-BUSY":
            return  # the check of the port says so
        raise
    if len(heard.counts) < READINGS_MIN:
        yield of_fault("readings", Fault("SCALE-SILENT", f"{len(heard.counts)} readings {heard.how}"))
        return
    record = _record(settings)
    yield _rate(heard, settings.weight.samples_per_s)
    yield _noise(heard, record)
    if heard.flags & FLAGS_UNUSABLE:
        text = f"flags {heard.flags & FLAGS_UNUSABLE:02X} make readings unusable"
        yield Finding(BAD, "flags", text, "cart scale watch names them", EXIT_HARDWARE)
    if record and heard.who and heard.who.serial != record.converter.serial:
        text = f"the record is of {record.converter.serial}, this is {heard.who.serial}"
        yield of_fault("converter", Fault("CALIBRATION-FOREIGN", text))


def running(folder: Path) -> Heard | None:
    """Return the last seconds of the recording that a running cart writes in this folder; None where none does."""
    newest = max(folder.glob("*.rec"), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return None
    events = [event for event in _last_events(newest) if isinstance(event, LoadSampled | CellIdentified)]
    if not events or SystemClock().monotonic_ns() - events[-1].t_ns > FRESH_NS:
        return None
    heard = Heard("of the running cart")
    for event in events:
        if events[-1].t_ns - event.t_ns <= LISTEN_NS or isinstance(event, CellIdentified):
            heard.take(event)
    return heard


def _last_events(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        for line in file.read(TAIL_BYTES).splitlines(keepends=True):
            try:
                letter, _, body = recording.split(line)
                event = codec.decode(body) if letter == "E" else None
            except ValueError:
                continue  # the first is cut, and the last may be in writing
            if event is not None:
                yield event


def _listened(settings: config.Config) -> Heard:
    """Open the port and listen for a while; the port's own fault where it cannot be opened."""
    from cart.edge.scale import ScaleReader, SerialLine

    place = settings.scale.device.partition(":")[2]
    SerialLine(place, settings.scale.baud).close()  # for its fault
    clock, heard = SystemClock(), Heard(f"in {HELLO_NS // NS_PER_S} s")
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    reader = ScaleReader(lambda: SerialLine(place, settings.scale.baud), clock)
    began_ns = clock.monotonic_ns()
    reader.start(events.put)
    try:
        while (passed_ns := clock.monotonic_ns() - began_ns) < HELLO_NS:
            if heard.who and len(heard.counts) >= READINGS_MIN and passed_ns > LISTEN_NS:
                break
            try:
                event = events.get(timeout=STEP_S)
            except queue.Empty:
                continue
            if isinstance(event, SourceLost):
                break
            heard.take(event)
    finally:
        reader.stop()
    return heard


def _record(settings: config.Config) -> CalibrationRecord | None:
    try:
        return read_records(Path(settings.scale.calibration))[-1]
    except Fault:
        return None  # the check of the record says so


def _rate(heard: Heard, samples_per_s: int) -> Finding:
    rate_milli = heard.rate_milli()
    text = f"{rate_milli / 1_000:.1f} readings a second {heard.how}, {heard.dropped} lost"
    if abs(rate_milli - samples_per_s * 1_000) * 100 > RATE_PERCENT * samples_per_s * 1_000:
        mend = "check the rate strap and loadcell.toml, or [weight] samples_per_s"
        return Finding(BAD, "rate", f"{text}; {samples_per_s} are configured", mend, EXIT_HARDWARE)
    return Finding(OK, "rate", text)


def _noise(heard: Heard, record: CalibrationRecord | None) -> Finding:
    """Judge the noise against that of the empty basket when it was calibrated; no other figure is known here."""
    sd_milli = heard.sd_milli()
    text = f"{sd_milli / 1_000:.0f} counts rms"
    if record:
        text += f", {sd_milli / abs(record.counts_per_kg):.1f} g"
    if sd_milli == 0:
        return Finding(BAD, "noise", "every reading is the same: stuck", "plug the converter in again", EXIT_HARDWARE)
    then_milli = record.points[0].counts_sd_milli if record else 0
    if then_milli and sd_milli > NOISIER * then_milli:
        mend = "if nobody moves or touches the cart: check the cell's shield, plugs and supply"
        return Finding(WARN, "noise", f"{text}; {then_milli / 1_000:.0f} counts when it was calibrated", mend)
    return Finding(OK, "noise", text)
