"""The calibration record: whoever changes, drops or exchanges a line is found out."""

import json

import msgspec
import pytest

from cart.core.weight_values import Calibration
from cart.edge.calibration_file import append_calibration, read_calibration, read_records
from cart.faults import Fault
from cart.wire.calibration import (
    NO_SHA256,
    BadRecordError,
    CalibrationRecord,
    Converter,
    Point,
    chained,
    decode,
    encode,
)

RECORD = CalibrationRecord(
    cart="demo-1",
    operator="bench",
    wall_ms=1_767_225_600_000,
    converter=Converter("E66164084373532B", "HX711", 128, 80),
    points=tuple(Point(kg * 1_000_000, 335_432 + 52_429 * kg, 38_000, 160) for kg in (0, 5, 10, 15, 5)),
    counts_per_kg=52_429,
    zero_counts=335_432,
    residual_max_mg=400,
    max_mg=15_000_000,
    e_mg=5_000,
)


def two_records() -> list[bytes]:
    first = chained(RECORD, None)
    second = chained(msgspec.structs.replace(RECORD, zero_counts=335_500), first)
    return [encode(first), encode(second)]


def test_the_last_record_is_in_force_and_each_names_the_one_before():
    first, second = decode(b"".join(two_records()))
    assert first.prev_sha256 == NO_SHA256
    assert second.prev_sha256 == first.sha256
    assert (first.event_counter, second.event_counter) == (1, 2)
    assert second.calibration() == Calibration(52_429, 335_500)


def edited(value):
    match value:
        case int():
            return value + 1
        case str():
            return value[:-1]
        case list():
            return value[:-1]
        case dict():
            return {**value, "gain": 64}


def test_any_edited_field_breaks_the_record():
    first, second = two_records()
    fields = json.loads(second)
    assert len(fields) == 14
    for name, value in fields.items():
        changed = {**fields, name: edited(value)}
        with pytest.raises(BadRecordError):
            decode(first + json.dumps(changed).encode() + b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"null\n",
        b"[" * 60_000 + b"\n",
        two_records()[1],
        two_records()[0] + two_records()[0],
        two_records()[1] + two_records()[0],
        b"".join(two_records())[:-5],
        b"".join(two_records())[:-1],
    ],
)
def test_a_torn_foreign_or_reordered_file_is_refused(data):
    with pytest.raises(BadRecordError):
        decode(data)


def test_a_record_of_another_chain_is_refused():
    other = chained(msgspec.structs.replace(RECORD, operator="another"), None)
    foreign = chained(RECORD, other)
    with pytest.raises(BadRecordError, match="prev_sha256"):
        decode(two_records()[0] + encode(foreign))


def test_a_record_that_could_not_be_read_is_never_written():
    with pytest.raises(BadRecordError, match="counts_per_kg"):
        chained(msgspec.structs.replace(RECORD, counts_per_kg=0), None)


def test_records_are_appended_on_disk_and_none_is_rewritten(tmp_path):
    path = tmp_path / "calibration.jsonl"
    append_calibration(path, RECORD)
    before = path.read_bytes()
    append_calibration(path, msgspec.structs.replace(RECORD, zero_counts=1))
    assert path.read_bytes().startswith(before)
    assert [record.zero_counts for record in read_records(path)] == [335_432, 1]
    assert read_calibration(path).event_counter == 2


def test_a_damaged_file_is_neither_read_nor_appended_to(tmp_path):
    path = tmp_path / "calibration.jsonl"
    append_calibration(path, RECORD)
    path.write_bytes(path.read_bytes().replace(b"52429", b"52430", 1))
    with pytest.raises(Fault, match="CALIBRATION-BAD"):
        read_calibration(path)
    with pytest.raises(Fault, match="CALIBRATION-BAD"):
        append_calibration(path, RECORD)


def test_a_missing_file_has_its_own_name(tmp_path):
    with pytest.raises(Fault, match="CALIBRATION-MISSING"):
        read_calibration(tmp_path / "none.jsonl")
