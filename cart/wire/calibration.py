"""The calibration record: JSON lines, one a calibration, only ever appended, each chained to the one before.

    sha256 = SHA-256 of the record's canonical JSON (sorted keys, no blanks) without the field sha256 itself
    prev_sha256 = sha256 of the line before, 64 zeros in the first;  event_counter rises by 1 from 1

So no line can be changed, left out or exchanged without breaking the chain; the last line is the one in force.
Masses in mg, counts as the converter gives them. What the fields mean to a person: docs/OPERATING.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from cart.core.calibration_fit import mass_mg
from cart.core.weight_values import Calibration

SCHEMA = 1
NO_SHA256 = "0" * 64
LINE_BYTES_MAX = 65_536
RECORDS_MAX = 10_000
POINTS_MIN = 4  # zero, two masses up, one down
LEVEL_UG_MAX = 40_000
"""A chip's own offset and its mounting; more is a cart that did not stand level."""

VALID_MS = 365 * 86_400_000
"""How long a calibration holds that says nothing else: a year, as for a shop's scale."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mass put on: what the converter read over `readings` conversions."""

    mass_mg: int
    counts_mean: int
    counts_sd_milli: int
    readings: int


class Converter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The converter that the record holds for: another one makes it void."""

    serial: str
    chip: str
    gain: int
    samples_per_s: int


class CalibrationRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One calibration.

    wall_ms          when, Unix time
    counts_per_kg    slope, signed, not 0;  zero_counts: what the empty basket read
    residual_max_mg  largest distance of a point from the line
    corners_mg       what the same mass read at front left, front right, rear left, rear right
    max_mg, e_mg     range and verification interval that the masses support
    gravity_um_s2    acceleration of free fall where it was made
    expires_ms       Unix time from which it should be made anew; None: VALID_MS after wall_ms
    trims_ppm        of four cells, in millionths: counts, here and in points, are the trimmed sum
    level_ug         what the accelerometer's parts fore and left read on a level floor, micro-g; empty without one
    corner_mass_mg   what lay on the corners; 0 where an older record does not say
    """

    cart: str
    operator: str
    wall_ms: int
    converter: Converter
    points: tuple[Point, ...]
    counts_per_kg: int
    zero_counts: int
    residual_max_mg: int
    max_mg: int
    e_mg: int
    corners_mg: tuple[int, ...] = ()
    temperature_centi_c: int | None = None
    gravity_um_s2: int | None = None
    expires_ms: int | None = None
    trims_ppm: tuple[int, ...] = ()
    level_ug: tuple[int, ...] = ()
    corner_mass_mg: int = 0
    event_counter: int = 1
    prev_sha256: str = NO_SHA256
    sha256: str = ""
    schema: int = 0

    def calibration(self) -> Calibration:
        """Return what the weight needs of it."""
        return Calibration(self.counts_per_kg, self.zero_counts, self.trims_ppm)

    def corner_load_mg(self) -> int:
        """Return the mass that lay on the corners; an older record's is the point nearest to what they read."""
        assert self.corners_mg
        read_mg = sum(self.corners_mg) // len(self.corners_mg)
        return self.corner_mass_mg or min((point.mass_mg for point in self.points), key=lambda mg: abs(mg - read_mg))

    def error_mg(self, point: Point) -> int:
        """Return how far a point lies from the line."""
        return mass_mg(point.counts_mean, self.zero_counts, self.counts_per_kg) - point.mass_mg

    def expires_at_ms(self) -> int:
        """Return the Unix time from which the calibration should be made anew."""
        return self.wall_ms + VALID_MS if self.expires_ms is None else self.expires_ms


class BadRecordError(ValueError):
    """A calibration file that must not be used.

    line  number of the first line at fault, from 1; 0 for the file as a whole
    """

    def __init__(self, line: int, why: str) -> None:
        """Keep where and why."""
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line


def chained(record: CalibrationRecord, before: CalibrationRecord | None) -> CalibrationRecord:
    """Return the record as it follows `before` (None: as the first): counter, link and hash set.

    Raises BadRecordError for a record that would be refused when it is read.
    """
    linked = msgspec.structs.replace(
        record,
        schema=SCHEMA,
        event_counter=before.event_counter + 1 if before else 1,
        prev_sha256=before.sha256 if before else NO_SHA256,
    )
    sealed = msgspec.structs.replace(linked, sha256=_sha256(linked))
    _check(sealed, before, line=0)
    return sealed


def encode(record: CalibrationRecord) -> bytes:
    """Return the record's line with its newline; the record must come from `chained`."""
    assert record.sha256 == _sha256(record)
    return _canonical(msgspec.to_builtins(record)) + b"\n"


def decode(data: bytes) -> tuple[CalibrationRecord, ...]:
    """Return the records of a file, oldest first, after checking every link of the chain.

    Raises BadRecordError for an empty file, a torn or foreign line, an edited record or a broken chain.
    """
    if not data.endswith(b"\n"):
        raise BadRecordError(data.count(b"\n") + 1, "the last line is torn" if data else "the file is empty")
    lines = data[:-1].split(b"\n")
    if len(lines) > RECORDS_MAX:
        raise BadRecordError(0, f"more than {RECORDS_MAX} records")
    records: list[CalibrationRecord] = []
    for number, line in enumerate(lines, 1):
        record = _record(line, number)
        _check(record, records[-1] if records else None, number)
        records.append(record)
    return tuple(records)


def _record(line: bytes, number: int) -> CalibrationRecord:
    if len(line) > LINE_BYTES_MAX:
        raise BadRecordError(number, "the line is too long")
    try:
        return msgspec.json.decode(line, type=CalibrationRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecordError(number, str(error)) from None


def _check(record: CalibrationRecord, before: CalibrationRecord | None, line: int) -> None:
    for wrong, why in _faults(record, before):
        if wrong:
            raise BadRecordError(line, why)


def _faults(record: CalibrationRecord, before: CalibrationRecord | None) -> Iterable[tuple[bool, str]]:
    yield record.schema != SCHEMA, f"schema {record.schema} is not {SCHEMA}"
    yield record.sha256 != _sha256(record), "sha256 does not fit the record: it was edited"
    counter = before.event_counter + 1 if before else 1
    yield record.event_counter != counter, f"event_counter is {record.event_counter}, not {counter}"
    expected = before.sha256 if before else NO_SHA256
    yield record.prev_sha256 != expected, "prev_sha256 does not name the record before: one is missing"
    yield record.counts_per_kg == 0, "counts_per_kg is 0"
    yield len(record.points) < POINTS_MIN, f"fewer than {POINTS_MIN} points"
    yield len(record.corners_mg) not in (0, 4), "corners_mg does not hold four corners"
    yield len(record.trims_ppm) not in (0, 4), "trims_ppm does not hold four trims"
    yield len(record.level_ug) not in (0, 2), "level_ug does not hold two parts"
    yield max(map(abs, record.level_ug), default=0) > LEVEL_UG_MAX, f"level_ug is beyond {LEVEL_UG_MAX}"
    yield record.corner_mass_mg < 0, "corner_mass_mg is below 0"
    yield not 0 < record.e_mg <= record.max_mg, "e_mg is not between 1 and max_mg"


def _sha256(record: CalibrationRecord) -> str:
    fields = msgspec.to_builtins(record)
    fields.pop("sha256", None)
    return hashlib.sha256(_canonical(fields)).hexdigest()


def _canonical(fields: object) -> bytes:
    return msgspec.json.encode(fields, order="sorted")
