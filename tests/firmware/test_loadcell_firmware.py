"""The microcontroller's program on MicroPython, over a pseudo-terminal, into the daemon's reader."""

from itertools import pairwise

import pytest

from cart.core.events import CellAccelerated, CellFault, CellIdentified, CellTemperature, LoadSampled
from cart.wire.loadcell import (
    FLAG_CONFIG,
    FLAG_DESYNC,
    FLAG_FIRST,
    FLAG_OVERRUN,
    FLAG_POWER_LOW,
    FLAG_SATURATED,
    FLAG_TEMPERATURE,
    Acceleration,
    Answer,
    CellError,
    Identity,
    Temperature,
    WeightLine,
    decode_line,
)
from tests.firmware.said import FOLDER
from tests.firmware.unix_port import FIRMWARE, Plugged, said

PERIOD_US = 12_500


@pytest.fixture
def cell(tmp_path):
    plugged = Plugged(tmp_path)
    yield plugged
    plugged.unplug()


def of(kind, values):
    return [value for value in values if isinstance(value, kind)]


def steps(lines):
    """Return the differences of neighbouring sequence numbers and times."""
    pairs = list(pairwise(lines))
    return {(b.seq - a.seq) % 65_536 for a, b in pairs}, {(b.t_us - a.t_us) % 2**32 for a, b in pairs}


# -- the plain case -------------------------------------------------------------


def test_every_conversion_reaches_the_core_once_in_order(cell):
    cell.power(ms=20_000)
    events = cell.to_the_end()
    batches = of(LoadSampled, events)
    lines = of(WeightLine, cell.values())
    assert len(lines) == 1_596  # 20 s at 80 a second, less the settling of 4 periods
    assert [c for batch in batches for c in batch.counts] == [line.counts for line in lines]
    assert [t for batch in batches for t in batch.t_us] == [line.t_us for line in lines]
    assert sum(batch.dropped for batch in batches) == 0
    assert steps(lines) == ({1}, {PERIOD_US})
    assert lines[0].seq == 0
    assert {line.flags for line in lines[1:]} == {0}
    assert lines[0].flags == FLAG_FIRST


def test_the_counts_are_those_of_the_chip(cell):
    from chips import counts_at

    cell.power(ms=3_000)
    cell.to_the_end()
    lines = of(WeightLine, cell.values())
    assert [line.counts for line in lines] == [counts_at(n) for n in range(len(lines))]


def test_it_says_who_it_is_at_the_start_and_every_five_seconds(cell):
    cell.power(ms=16_000)
    events = cell.to_the_end()
    known = of(CellIdentified, events)
    assert len(known) == 4
    assert isinstance(cell.values()[0], Identity)
    one = known[0]
    assert (one.protocol, one.serial, one.chip) == (1, "E6614103E7452D2F", "HX711")
    assert (one.gain, one.samples_per_s) == (128, 80)
    assert len(one.config_crc) == 4
    assert one.config_crc != "0000"


def test_four_cells_come_apart_and_their_sum_is_the_weight(cell):
    from chips import counts_at

    cell.power(ms=2_000, channels=4)
    batch = of(LoadSampled, cell.to_the_end())[3]
    assert all(len(channels) == 4 for channels in batch.channels)
    assert [sum(channels) for channels in batch.channels] == list(batch.counts)
    first = of(WeightLine, cell.values())[0]
    assert first.channels == tuple(counts_at(0, channel) for channel in range(4))


def test_time_wraps_at_32_bits(cell):
    cell.power(ms=4_000, start_us=2**32 - 2_000_000)
    cell.to_the_end()
    lines = of(WeightLine, cell.values())
    assert steps(lines) == ({1}, {PERIOD_US})
    assert lines[0].t_us > 2**31 > lines[-1].t_us


def test_time_goes_on_where_the_ticks_of_micropython_wrap(cell):
    """2**30 us are 18 minutes; turns a quarter of a second apart get there quickly."""
    cell.power(ms=1_100_000, turn_us=5_000, samples_per_s=10)
    cell.to_the_end()
    lines = of(WeightLine, cell.values())
    assert steps(lines) == ({1}, {100_000})
    assert lines[-1].t_us > 2**30


@pytest.mark.slow
def test_the_sequence_wraps_at_16_bits(cell):
    cell.power(ms=830_000, turn_us=6_000)
    events = cell.to_the_end()
    lines = of(WeightLine, cell.values())
    assert len(lines) > 65_536
    assert steps(lines) == ({1}, {PERIOD_US})
    assert sum(batch.dropped for batch in of(LoadSampled, events)) == 0


# -- the motion sensor, temperature, supply ------------------------------------------


def test_accelerations_carry_the_same_clock(cell):
    cell.power(ms=3_000, motion=True)
    events = cell.to_the_end()
    moved = of(Acceleration, cell.values())
    assert 300 < len(moved) < 315  # 104 a second
    assert {(a.ax_ug, a.ay_ug, a.az_ug) for a in moved} == {(1_000, -2_000, 1_000_000)}
    assert steps(moved)[1] == {9_615}
    weighed = {line.seq: line.t_us for line in of(WeightLine, cell.values())}
    late = [a.t_us - weighed[a.seq] for a in moved if a.seq in weighed]
    assert len(late) > 290
    # A turn of the test is 1 ms long, and both may fall into it.
    assert all(-1_000 <= late_us <= PERIOD_US for late_us in late)
    assert of(CellAccelerated, events)


def test_temperature_comes_once_a_second_and_says_so_in_the_flags(cell):
    cell.power(ms=5_000, motion=True, sections={"temperature": {"source": "motion"}})
    events = cell.to_the_end()
    assert [event.centi_c for event in of(CellTemperature, events)] == [2_137] * 4
    flags = [line.flags for line in of(WeightLine, cell.values())]
    assert flags[-1] == FLAG_TEMPERATURE
    assert of(Temperature, cell.values())[0].seq < 100


def test_the_board_itself_may_give_the_temperature(cell):
    cell.power(ms=2_500, centi_c=-1_250, sections={"temperature": {"source": "board"}})
    assert [event.centi_c for event in of(CellTemperature, cell.to_the_end())] == [-1_250] * 3


@pytest.mark.parametrize(("supply_mv", "flags"), [(4_199, FLAG_POWER_LOW), (4_200, 0), (None, 0)])
def test_a_low_supply_is_flagged(cell, supply_mv, flags):
    cell.power(ms=1_000, supply_mv=supply_mv)
    cell.to_the_end()
    assert {line.flags for line in of(WeightLine, cell.values())[1:]} == {flags}


# -- faults of the chip -----------------------------------------------------------------


def test_saturation_is_flagged_as_long_as_it_lasts(cell):
    cell.power(ms=2_000, faults=[["saturated", 1_000_000, 1_100_000]])
    cell.to_the_end()
    lines = of(WeightLine, cell.values())
    flagged = [line for line in lines if line.flags & FLAG_SATURATED]
    assert {line.counts for line in flagged} == {0x7FFFFF}
    assert len(flagged) == 8
    assert all(1_000_000 <= line.t_us <= 1_112_500 for line in flagged)


def test_one_saturated_cell_of_four_flags_the_reading(cell):
    cell.power(ms=1_000, channels=4, faults=[["saturated", 500_000, 520_000]])
    cell.to_the_end()
    flagged = [line for line in of(WeightLine, cell.values()) if line.flags & FLAG_SATURATED]
    assert flagged
    assert all(line.channels[3] == 0x7FFFFF and abs(line.channels[0]) < 0x7FFFFF for line in flagged)


def test_a_desync_is_flagged_told_and_mended_by_a_reset(cell):
    cell.power(ms=3_000, faults=[["desync", 1_000_000, 1_012_000]])
    events = cell.to_the_end()
    lines = of(WeightLine, cell.values())
    at = next(n for n, line in enumerate(lines) if line.flags & FLAG_DESYNC)
    assert lines[at + 1].flags == FLAG_FIRST
    assert lines[at + 1].seq == lines[at].seq + 1
    assert 100_000 < lines[at + 1].t_us - lines[at].t_us < 200_000
    assert {line.flags for line in lines[at + 2 :]} == {0}
    assert [event.code for event in of(CellFault, events)] == ["ADC-DESYNC"]


def test_a_chip_that_stays_out_of_step_does_not_fill_the_cable(cell):
    cell.power(ms=5_000, faults=[["desync", 1_000_000, 5_000_000]])
    cell.to_the_end()
    assert len([line for line in of(WeightLine, cell.values()) if line.t_us > 1_000_000]) < 10


def test_missed_conversions_are_counted_in_the_sequence_and_flagged(cell):
    cell.power(ms=3_000, faults=[["asleep", 1_000_000, 1_062_500]])
    events = cell.to_the_end()
    lines = of(WeightLine, cell.values())
    late = [(a, b) for a, b in pairwise(lines) if b.seq - a.seq != 1]
    assert len(late) == 1
    before, after = late[0]
    assert after.seq - before.seq == 6
    assert after.t_us - before.t_us == 6 * PERIOD_US
    assert after.flags == FLAG_OVERRUN
    assert sum(batch.dropped for batch in of(LoadSampled, events)) == 5


def test_a_chip_that_is_unplugged_is_named_and_taken_back(cell):
    cell.power(ms=12_000, faults=[["unplugged", 2_000_000, 8_000_000]])
    events = cell.to_the_end()
    codes = [event.code for event in of(CellFault, events)]
    assert set(codes) == {"ADC-SILENT"}
    assert 3 <= len(codes) <= 5
    lines = of(WeightLine, cell.values())
    back = next(line for line in lines if line.t_us > 2_100_000)
    assert back.flags == FLAG_FIRST
    assert back.t_us < 8_000_000 + 1_800_000
    assert of(WeightLine, cell.values())[-1].flags == 0


def test_a_wrong_rate_strap_is_found_and_flagged(cell):
    """10 a second instead of 80, from the start."""
    cell.power(ms=5_000, faults=[["slow", 0, 5_000_000]])
    events = cell.to_the_end()
    lines = of(WeightLine, cell.values())
    assert lines[-1].flags == FLAG_CONFIG
    assert lines[-1].seq - lines[-2].seq == 1
    assert [event.code for event in of(CellFault, events)] == ["ADC-RATE"]


def test_an_ads1232_calibrates_its_offset_and_then_weighs(cell):
    cell.power(ms=3_000, chip="ADS1232", sections={"adc": {"chip": "ADS1232"}})
    events = cell.to_the_end()
    assert of(CellIdentified, events)[0].chip == "ADS1232"
    lines = of(WeightLine, cell.values())
    assert len(lines) > 200
    assert steps(lines) == ({1}, {PERIOD_US})


# -- the cable -----------------------------------------------------------------------------


@pytest.mark.parametrize("bytes_max", [1_000, 1_017, 1_031])
def test_a_power_cut_in_the_middle_of_a_line_costs_that_line(cell, bytes_max):
    cell.power(ms=60_000, bytes_max=bytes_max)
    cell.gone()
    cell.power(ms=2_000)
    events = cell.to_the_end()
    wrong = [line for line in cell.lines() if decode_line(line) is None]
    assert len(wrong) <= 1
    batches = of(LoadSampled, events)
    assert sum(FLAG_FIRST in map(FLAG_FIRST.__and__, batch.flags) for batch in batches) == 2
    # The sequence began anew: nothing of that counts as lost.
    assert sum(batch.dropped for batch in batches) == 0
    assert len(of(CellIdentified, events)) == 2


def test_nothing_but_right_lines_comes_out_of_it(cell):
    cell.power(
        ms=8_000,
        motion=True,
        channels=4,
        sections={"temperature": {"source": "motion"}},
        faults=[
            ["desync", 1_000_000, 1_500_000],
            ["saturated", 2_000_000, 2_500_000],
            ["unplugged", 4_000_000, 6_500_000],
        ],
    )
    cell.to_the_end()
    assert all(line.startswith(b"$") and line.endswith(b"\r") for line in cell.lines())
    assert {type(value) for value in cell.values()} == {WeightLine, Acceleration, Temperature, Identity, CellError}


# -- commands of the host ---------------------------------------------------------------------


def answers(cell):
    return [(answer.taken, answer.text) for answer in of(Answer, cell.values())]


def test_it_answers_who_it_is_when_asked(cell):
    cell.power(ms=60_000, real=True)
    cell.until(lambda event: isinstance(event, LoadSampled))
    cell.command("Q,ID")
    cell.until(lambda event: isinstance(event, CellIdentified))
    assert answers(cell) == [(True, "ID")]


def test_it_takes_a_rate_that_the_chip_has_and_refuses_others(cell):
    cell.power(ms=60_000, real=True)
    cell.until(lambda event: isinstance(event, LoadSampled))
    for body in ("C,sps,81", "C,sps,-1", "C,sps,", "C,sps,80"):
        cell.command(body)
    cell.until(lambda event: isinstance(event, CellIdentified))
    assert answers(cell) == [
        (False, "sps 81 is not offered"),
        (False, "sps -1 is not offered"),
        (False, "sps  is not offered"),
        (True, "sps 80"),
    ]
    cell.until(lambda event: isinstance(event, LoadSampled) and FLAG_FIRST in event.flags)


def test_garbage_from_the_host_is_ignored_and_the_next_command_is_heard(cell):
    cell.power(ms=60_000, real=True)
    cell.until(lambda event: isinstance(event, LoadSampled))
    cell.send(b"\x00\xff\x03\x04AT+GCAP\r\n$Q,ID*0000\r\n$Q,ID\r\n" + b"$" * 500 + b"\r\n")
    cell.send(bytes(range(256)) + b"\n")
    cell.command("Z")
    cell.command("Q,ID")
    cell.until(lambda event: isinstance(event, CellIdentified))
    assert answers(cell) == [(False, "unknown command"), (True, "ID")]


@pytest.mark.parametrize(("body", "into"), [("B", "boot loader"), ("B,REPL", "prompt")])
def test_it_answers_before_it_leaves(cell, body, into):
    cell.power(ms=60_000, real=True)
    cell.until(lambda event: isinstance(event, LoadSampled))
    cell.command(body)
    end = cell.until(lambda event: isinstance(event, CellFault))[-1]
    assert end.text == into
    assert answers(cell) == [(True, into)]


# -- settings, vectors -----------------------------------------------------------------------------


def test_a_damaged_settings_file_is_named_and_flags_every_reading(cell):
    cell.power(ms=6_000, settings='1234\n{"adc.gain":64}\n')
    events = cell.to_the_end()
    assert {event.code for event in of(CellFault, events)} == {"CONFIG-BAD"}
    assert of(CellIdentified, events)[0].config_crc == "0000"
    assert all(line.flags & FLAG_CONFIG for line in of(WeightLine, cell.values()))


def test_a_start_by_the_watchdog_is_told_once(cell):
    cell.power(ms=6_000, reset="watchdog")
    assert [(event.code, event.text) for event in of(CellFault, cell.to_the_end())] == [("RESET", "watchdog")]


def test_the_vectors_are_those_of_the_firmware():
    printed = said("vectors.py", FOLDER / "loadcell" / "vectors.txt")
    assert printed.startswith("checked "), printed
    assert int(printed.split()[1]) >= 36


def test_every_module_parses_under_micropython():
    names = sorted(path.name for path in (FIRMWARE / "loadcell").glob("*.py"))
    assert said("parse.py", *names).split() == ["parsed", str(len(names))]
