"""The PIO program, cycle by cycle, against chips that know their data sheets."""

import struct

import pytest
from loadcell import hx711, pio_program
from loadcell.line import FLAG_DESYNC, FLAG_SATURATED

from tests.firmware.clocked_chips import Chips, ClockedChip
from tests.firmware.pio import StateMachine, asm_pio

PERIOD_US = 1_000
VALUES = (0, 1, -1, 8_388_606, -8_388_607, 1_234_567, -1_234_567, 0x5A5A5A, -0x5A5A5B)


def machine(chips, pulses=25):
    channels = len(chips._chips)
    options = {"autopush": True, "push_thresh": 8 * channels, "in_shiftdir": "left"}
    return StateMachine(pio_program.program(asm_pio, options, channels, pulses), chips)


def run(machine, until_us):
    while machine.t_us < until_us:
        machine.cycle()


def readings(machine, until_us, pulses=25, channels=1):
    """Run, taking the words at each interrupt like the handler, and return (t_us, counts, flags)."""
    found = []
    while machine.t_us < until_us:
        machine.cycle()
        if machine.interrupts:
            machine.interrupts = 0
            words = struct.pack("<4I", *[machine.fifo.popleft() for _ in range(4)])
            found.append((machine.t_us, *hx711.decoded(words, pulses - 24, channels)))
    return found


def moments(count, first_us=100):
    return [first_us + n * PERIOD_US for n in range(count)]


@pytest.mark.parametrize("pulses", [25, 26, 27])
def test_every_conversion_is_read_once_with_the_pulses_of_its_gain(pulses):
    chip = ClockedChip(VALUES, moments(len(VALUES)), pulses=[pulses])
    found = readings(machine(Chips(chip), pulses), moments(len(VALUES) + 1)[-1], pulses)
    assert [counts for _, counts, _ in found] == [[value] for value in VALUES]
    assert all(flags == 0 for _, _, flags in found)
    assert chip.readings == [pulses] * (len(VALUES) - 1)


@pytest.mark.parametrize("pulses", [25, 26, 27])
def test_the_interrupt_comes_as_long_after_the_edge_as_the_program_says(pulses):
    ready = moments(5, 1_000)
    found = readings(machine(Chips(ClockedChip(VALUES[:5], ready)), pulses), ready[-1] + PERIOD_US, pulses)
    late = {t_us - at_us - pio_program.reading_us(pulses) for (t_us, _, _), at_us in zip(found, ready, strict=True)}
    assert max(map(abs, late)) <= 3


def test_four_chips_on_one_clock_are_read_together_when_the_last_is_ready():
    values = [[100 * n + chip for n in range(3)] for chip in range(4)]
    chips = [ClockedChip(values[n], moments(3, 100 + 70 * n)) for n in range(4)]
    found = readings(machine(Chips(*chips), 25), moments(4)[-1], 25, 4)
    assert [counts for _, counts, _ in found] == [[0, 1, 2, 3], [100, 101, 102, 103], [200, 201, 202, 203]]
    assert [flags for _, _, flags in found] == [0, 0, 0]


def test_a_chip_that_lost_a_pulse_is_a_desync():
    chip = ClockedChip([0x555554, 0x555554], moments(2), skips=1)
    (_, _, flags), *_ = readings(machine(Chips(chip)), moments(1)[0] + 200)
    assert flags & FLAG_DESYNC


def test_an_odd_number_hides_one_lost_pulse():
    """The limit of the check, as hx711.py states it."""
    for pulses in (25, 26, 27):
        chip = ClockedChip([0x555555], moments(1), skips=1)
        (_, _, flags), *_ = readings(machine(Chips(chip), pulses), moments(1)[0] + 200, pulses)
        assert flags == 0


def test_three_lost_pulses_are_seen_where_more_than_one_checks():
    for pulses in (26, 27):
        chip = ClockedChip([0x555555], moments(1), skips=3)
        (_, _, flags), *_ = readings(machine(Chips(chip), pulses), moments(1)[0] + 200, pulses)
        assert flags & FLAG_DESYNC


def test_one_of_four_chips_that_lost_a_pulse_is_a_desync():
    chips = [ClockedChip([0x555554], moments(1), skips=n == 2) for n in range(4)]
    (_, _, flags), *_ = readings(machine(Chips(*chips)), 1_000, 25, 4)
    assert flags & FLAG_DESYNC


@pytest.mark.parametrize("value", [0x7FFFFF, -0x800000])
def test_the_ends_of_the_range_are_saturated(value):
    found = readings(machine(Chips(ClockedChip([value], moments(1)))), 1_000)
    assert found[0][1:] == ([value], FLAG_SATURATED)


def test_a_line_that_is_held_low_is_read_once_and_not_for_ever():
    chip = ClockedChip([0, 0, 0], moments(3, 0), stuck=0)
    found = readings(machine(Chips(chip)), 10_000)
    assert [flags for _, _, flags in found] == [FLAG_DESYNC]


def test_a_line_that_is_held_high_gives_nothing_and_no_pulse():
    assert readings(machine(Chips(ClockedChip([], [], stuck=1))), 50_000) == []


def test_words_that_nobody_takes_leave_the_clock_low():
    """A clock that stayed high would power the chip down; the chip asserts that."""
    tested = machine(Chips(ClockedChip([5] * 6, moments(6), pulses=range(24, 28))))
    run(tested, moments(3)[-1] - 1)
    assert len(tested.fifo) == 8
    run(tested, moments(4)[-1] - 1)
    assert len(tested.fifo) == 8
