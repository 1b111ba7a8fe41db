"""The wiring of the firmware: start.py as it is, on MicroPython, with our two modules that touch pins replaced."""

import subprocess

import pytest
from loadcell import settings

from cart.wire.loadcell import CellError, Identity, WeightLine, decode_line
from tests.firmware.unix_port import command


def started(text, folder):
    """Run start.py for three seconds of its world; return what it said, and what pins and chips it asked for.

    text  of the settings file, or None where there is none
    """
    if text is not None:
        (folder / "loadcell.cfg").write_text(text)
    done = subprocess.run(
        command("run_start.py", folder), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()[-500:]
    *lines, asked = done.stdout.split(b"\n")[:-1]
    values = [decode_line(line) for line in lines]
    assert None not in values
    return values, asked.decode()


def test_as_delivered_it_is_one_hx711_and_nothing_else(tmp_path):
    values, asked = started(settings.rendered({}), tmp_path)
    assert asked == "# [('line', 2, 3, 1)]"
    assert [value.chip for value in values if isinstance(value, Identity)] == ["HX711"]
    assert not [value for value in values if isinstance(value, CellError)]
    assert len([value for value in values if isinstance(value, WeightLine)]) > 200


def test_four_chips_are_asked_for_by_the_first_of_their_pins(tmp_path):
    values, asked = started(settings.rendered({"adc": {"channels": 4}, "pins": {"data": 8}}), tmp_path)
    assert "('line', 8, 3, 4)" in asked
    assert len(next(value for value in values if isinstance(value, WeightLine)).channels) == 4


def test_an_ads1232_weighs(tmp_path):
    values, _ = started(settings.rendered({"adc": {"chip": "ADS1232"}}), tmp_path)
    assert values[0].chip == "ADS1232"
    assert len([value for value in values if isinstance(value, WeightLine)]) > 100


def test_a_nau7802_that_is_not_there_is_named(tmp_path):
    values, asked = started(settings.rendered({"adc": {"chip": "NAU7802"}}), tmp_path)
    assert "('bus', 4, 5)" in asked
    assert "('registers', 42)" in asked
    faults = [value.code for value in values if isinstance(value, CellError)]
    assert set(faults) == {"ADC-MISSING"}
    assert len(faults) <= 7  # in three seconds


def test_a_motion_sensor_that_is_not_there_costs_no_reading(tmp_path):
    values, asked = started(settings.rendered({"motion": {"chip": "LSM6DSO"}}), tmp_path)
    assert "('registers', 106)" in asked
    assert "('edges', 7)" in asked
    assert [value.code for value in values if isinstance(value, CellError)] == ["IMU-MISSING"]
    assert len([value for value in values if isinstance(value, WeightLine)]) > 200


@pytest.mark.parametrize("text", [None, "", "0000\n{}\n"])
def test_without_right_settings_it_says_so_and_flags_every_reading(tmp_path, text):
    values, _ = started(text, tmp_path)
    assert "CONFIG-BAD" in {value.code for value in values if isinstance(value, CellError)}
    assert all(value.flags & 0x40 for value in values if isinstance(value, WeightLine))
