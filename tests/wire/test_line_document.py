"""docs/PROTOCOL.md says what the code does: flags, states and lines of the load cell, taps, catalogue columns."""

import re

import pytest

from cart.core import taps, weight_values
from cart.edge import link
from cart.wire import calibration, catalog, kiosk, loadcell


@pytest.fixture(scope="module")
def document(repository):
    return (repository / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(document, title):
    return document.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_flag_is_named_with_its_bit(document):
    rows = re.findall(r"^\| ([0-9]{2}) \| (\w+) \|", section(document, "The load cell's line"), re.MULTILINE)
    flags = {name[5:].lower(): value for name, value in vars(loadcell).items() if name.startswith("FLAG_")}
    assert {name: int(bit, 16) for bit, name in rows} == flags


def test_every_state_without_a_weight_is_named(document):
    text = section(document, "The load cell's line")
    states_text, _, cases_text = text.partition("| state | cause |")[2].partition("| case | what it was |")
    states = {value for name, value in vars(weight_values).items() if name.isupper() and isinstance(value, str)}
    motions = {weight_values.STANDING, weight_values.ROLLING, weight_values.ROUGH}
    ways = {weight_values.UP, weight_values.DOWN}
    passing = {weight_values.BUMP, weight_values.LEAN, weight_values.CHILD, weight_values.TILT}
    cases = {*passing, weight_values.JAM, weight_values.RIM}
    assert first_words(states_text) == states - motions - cases - ways - {weight_values.OK}
    assert first_words(cases_text) == cases


def first_words(table):
    return set(re.findall(r"^\| (\w+) \| [a-z0-9]", table, re.MULTILINE))


def test_the_lines_length_limit_is_the_codes(document):
    assert f"at most {loadcell.LINE_BYTES_MAX} bytes" in section(document, "The load cell's line")


def test_every_field_of_the_calibration_record_is_named(document):
    text = section(document, "Calibration record")
    for struct in (calibration.CalibrationRecord, calibration.Converter, calibration.Point):
        assert [field for field in struct.__struct_fields__ if field not in text] == []


def test_the_cameras_sockets_and_limits_are_the_codes(document):
    text = section(document, "The camera process")
    assert link.EVENTS_SOCKET in text
    assert link.KEEP_SOCKET in text
    assert f"{link.DATAGRAM_BYTES_MAX // 1024} KiB" in text


def test_every_tap_is_named(document):
    text = section(document, "The shopper's page")
    named = re.search(r"The actions are ([a-z, ]+) \(", text)[1].split(", ")
    assert set(named) == taps.ACTIONS
    assert f"{kiosk.BYTES_MAX // 1024} KiB" in text


def test_every_column_of_the_catalogue_is_named(document):
    text = section(document, "The catalogue file")
    assert [column for column in (*catalog.REQUIRED, *catalog.OPTIONAL) if column not in text] == []
