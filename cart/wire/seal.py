"""What was verified together, as a file: software, calibration, ranges. With the jumper closed it must all be so.

The file alone seals nothing, and neither does anything in cart.toml: the jumper does, under a cover with the officer's
mark. Open, the build is not for trade, whatever the file says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from cart.core.legal import Legal, is_dated
from cart.core.legal_checks import corner_complaints
from cart.core.legal_profile import HB44, R76, SINGLE, Instrument, Range, complaints, mpe_mg, with_drift
from cart.wire.calibration import CalibrationRecord

FORMAT = 1
PROFILES = {rules.name: rules for rules in (R76, HB44)}


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One verification.

    by, wall_ms         who and when
    software            the legal hash;  calibration: sha256 of the calibration record
    profile, ranges_mg  "R76" or "HB44", and (Max, e) of each range
    pixel_pitch_um      of the screen: how high weight, unit price and price are drawn hangs on it
    drift_mg_per_5k     how far the empty scale's zero was measured to wander over 5 K
    """

    cart: str
    by: str
    wall_ms: int
    software: str
    calibration: str
    profile: str
    ranges_mg: tuple[tuple[int, int], ...]
    pixel_pitch_um: int
    drift_mg_per_5k: int = 0
    format: int = FORMAT

    def instrument(self) -> Instrument:
        """Return the instrument that was verified; ValueError where there can be none."""
        if self.profile not in PROFILES:
            raise ValueError(f"unknown profile {self.profile!r}")
        instrument = Instrument(PROFILES[self.profile], tuple(Range(*part) for part in self.ranges_mg))
        faults = complaints(instrument)
        if faults:
            raise ValueError("; ".join(faults))
        return instrument


def encode_seal(seal: Seal) -> bytes:
    """Return the file's bytes."""
    return msgspec.json.format(msgspec.json.encode(seal), indent=1) + b"\n"


def decode_seal(data: bytes) -> Seal:
    """Return the seal in a file; ValueError says what is wrong with it."""
    seal = msgspec.json.decode(data, type=Seal)
    if seal.format != FORMAT:
        raise ValueError(f"format {seal.format} is not {FORMAT}")
    seal.instrument()
    return seal


def mismatch(seal: Seal, cart: str, software: str, record: CalibrationRecord, pixel_pitch_um: int) -> str:
    """Return what is not as it was verified, "" when all is."""
    if seal.cart != cart:
        return f"it is of {seal.cart}, and this is {cart}"
    if seal.software != software:
        return f"the legal hash is {software[:16] or 'unknown'}, verified was {seal.software[:16]}"
    if seal.calibration != record.sha256:
        return "the scale was calibrated after it was verified"
    if seal.ranges_mg[-1][0] > record.max_mg:
        return f"the calibration supports {record.max_mg // 1_000} g, verified was {seal.ranges_mg[-1][0] // 1_000} g"
    if seal.pixel_pitch_um != pixel_pitch_um:
        return f"[kiosk] pixel_pitch_um is {pixel_pitch_um}, verified was {seal.pixel_pitch_um}"
    return ""


def unfit(seal: Seal, record: CalibrationRecord, now_ms: int) -> tuple[str, ...]:
    """Return why a scale with this calibration cannot be put forward for verification, nothing when it can."""
    try:
        instrument = seal.instrument()
    except ValueError as error:
        return (str(error),)
    wider = with_drift(instrument, seal.drift_mg_per_5k)
    found = [
        "the calibration names no converter" if not record.converter.serial else "",
        "the calibration names no gravity" if record.gravity_um_s2 is None else "",
        "the clock was never set, or is before the calibration" if not is_dated(now_ms, record.wall_ms) else "",
        "the calibration has expired" if now_ms >= record.expires_at_ms() else "",
        "the calibration does not say what the tilt sensor reads on a level floor" if not record.level_ug else "",
        "the corners were not weighed" if not record.corners_mg else "",
        f"the zero drifts too far: e must be {wider.e_mg // 1_000} g" if wider != instrument else "",
        *_points_off(instrument, record),
    ]
    if record.corners_mg:
        found += corner_complaints(instrument, record.corner_load_mg(), record.corners_mg)
    return tuple(fault for fault in found if fault)


def _points_off(instrument: Instrument, record: CalibrationRecord) -> Iterator[str]:
    """Yield the points that lie too far from the line, each by the MPE of its own load.

    On the way up half of it is allowed, as the calibration demands; on the way down, where hysteresis and creep are in
    it, all of it.
    """
    top = max(range(len(record.points)), key=lambda number: record.points[number].mass_mg)
    for number, point in enumerate(record.points):
        parts = 2 if number <= top else 1
        error_mg = record.error_mg(point)
        if parts * abs(error_mg) > mpe_mg(instrument, point.mass_mg):
            share = "half of the MPE" if parts == 2 else "the MPE"
            yield f"the point of {point.mass_mg // 1_000} g is off by {error_mg} mg, more than {share}"


def instrument_of(record: CalibrationRecord) -> Instrument:
    """Return what an unsealed cart shows weights as: the record's Max and e where they may be claimed."""
    instrument = Instrument(R76, (Range(record.max_mg, record.e_mg),), mobile=False)
    return instrument if not complaints(instrument) else Instrument(R76, SINGLE.ranges, mobile=False)


def legal_of(record: CalibrationRecord, software: str, seal: Seal | None) -> Legal:
    """Return what trade weighing is set up with; `parameters` changes with all that prices rest on."""
    instrument = seal.instrument() if seal else instrument_of(record)
    rests_on = msgspec.json.encode((software, record.sha256, instrument, seal))
    return Legal(
        instrument=instrument,
        software=software,
        parameters=hashlib.sha256(rests_on).hexdigest(),
        converter=record.converter.serial if seal else "",
        samples_per_s=record.converter.samples_per_s if seal else 0,
        gain=record.converter.gain if seal else 0,
        level_ug=(record.level_ug[0], record.level_ug[1]) if record.level_ug else (0, 0),
        expires_ms=record.expires_at_ms(),
        made_ms=record.wall_ms,
    )
