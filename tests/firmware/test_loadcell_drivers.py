"""The firmware's drivers against chips that know their data sheets."""

import struct

import pytest
from chips import World
from loadcell import ads1232, lsm6dso, nau7802, pio_program
from loadcell.ads1232 import Ads1232
from loadcell.hx711 import Hx711
from loadcell.line import FLAG_OVERRUN, FLAG_SATURATED
from loadcell.lsm6dso import Lsm6dso
from loadcell.nau7802 import Nau7802
from loadcell.seam import ChipFault

from tests.firmware.clocked_chips import Chips, ClockedChip
from tests.firmware.pio import StateMachine, asm_pio
from tests.firmware.register_chips import Lsm6dsoChip, Nau7802Chip


def driven(world, steps, step=lambda: None):
    """Run a start to its end, waiting as long as it says."""
    for wait_us in steps:
        world.us += wait_us
        step()


# -- NAU7802 -------------------------------------------------------------------


def nau(world, samples_per_s=80, gain=128, excitation_mv=3_000, **chip):
    chip = Nau7802Chip(world, **chip)
    return chip, Nau7802(chip, chip.edges, gain, samples_per_s, excitation_mv)


def test_the_nau7802_is_set_as_configured():
    world = World()
    chip, driver = nau(world, samples_per_s=320, gain=64, excitation_mv=4_500)
    driven(world, driver.start())
    assert chip.registers[nau7802.CTRL1] == 0 << 3 | 6
    assert chip.registers[nau7802.CTRL2] >> 4 == 7
    assert chip.registers[nau7802.PU_CTRL] == 0x96  # AVDDS, CS, PUA, PUD
    assert chip.registers[nau7802.ADC] & 0x30 == 0x30
    assert chip.registers[nau7802.PGA_PWR] & 0x80


@pytest.mark.parametrize(("excitation_mv", "vldo"), [(4_500, 0), (3_300, 4), (3_000, 5), (2_400, 7)])
def test_the_nau7802_s_regulator_is_that_of_the_data_sheet(excitation_mv, vldo):
    world = World()
    chip, driver = nau(world, excitation_mv=excitation_mv)
    driven(world, driver.start())
    assert chip.registers[nau7802.CTRL1] >> 3 & 7 == vldo


def test_the_nau7802_gives_each_conversion_with_the_moment_of_its_edge():
    world = World()
    values = [1, -1, 0x7FFFFF, -0x800000, 1_234_567]
    chip, driver = nau(world, values=values)
    driven(world, driver.start())
    found = []
    for _ in range(5):
        world.us += 12_500
        edge_us = world.us
        chip.convert()
        world.us += 300  # until the loop comes round
        found.append((*driver.read(), edge_us))
        assert driver.read() is None
    assert [reading[1] for reading in found] == [[value] for value in values]
    assert [reading[2] for reading in found] == [0, 0, FLAG_SATURATED, FLAG_SATURATED, 0]
    assert all(reading[0] == reading[3] for reading in found)


def test_an_edge_while_the_nau7802_is_read_makes_the_number_doubtful():
    world = World()
    chip, driver = nau(world)
    driven(world, driver.start())
    world.us += 12_500
    chip.convert()
    read = chip.read

    def read_late(register, count):
        data = read(register, count)
        world.us += 12_500
        chip.convert()
        return data

    chip.read = read_late
    assert driver.read()[2] == FLAG_OVERRUN


def test_a_nau7802_whose_edge_was_lost_is_read_all_the_same():
    world = World()
    chip, driver = nau(world)
    driven(world, driver.start())
    chip.ready, chip._conversion = True, 5
    world.us += 40_000
    assert driver.read()[1] == [5]
    chip.ready, chip._conversion = True, 6
    assert driver.read() is None, "the line may be high because its edge is on the way"
    world.us += 40_000
    assert driver.read()[1] == [6]


@pytest.mark.parametrize(
    ("chip", "code"),
    [
        ({"powers_up": False}, "ADC-MISSING"),
        ({"revision": 0}, "ADC-MISSING"),
        ({"calibrates": False}, "ADC-CALIBRATION"),
        ({"cal_error": True}, "ADC-CALIBRATION"),
    ],
)
def test_a_nau7802_that_does_not_start_has_a_named_fault(chip, code):
    world = World()
    _, driver = nau(world, **chip)
    with pytest.raises(ChipFault) as caught:
        driven(world, driver.start())
    assert caught.value.code == code


def test_the_nau7802_offers_its_five_rates_and_no_other():
    _, driver = nau(World())
    assert [rate for rate in range(400) if driver.set_rate(rate)] == [10, 20, 40, 80, 320]
    assert driver.samples_per_s == 320


# -- LSM6DSO ---------------------------------------------------------------------


def imu(world, axes="+x+y+z", **chip):
    chip = Lsm6dsoChip(world, **chip)
    return chip, Lsm6dso(chip, chip.edges, axes)


def test_one_g_is_a_million_to_a_thousandth():
    world = World()
    chip, driver = imu(world)
    driven(world, driver.start())
    world.us += 9_615
    chip.convert()
    edge_us = world.us
    world.us += 500
    ticks, x, y, z = driver.read()
    assert (ticks, x, y) == (edge_us, 0, 0)
    assert abs(z - 1_000_000) < 1_000
    assert driver.read() is None


@pytest.mark.parametrize(
    ("axes", "turned"),
    [("+x+y+z", (1, 2, 3)), ("-y+x+z", (-2, 1, 3)), ("+z-y+x", (3, -2, 1)), ("-x+y-z", (-1, 2, -3))],
)
def test_axes_are_turned_as_the_sensor_is_mounted(axes, turned):
    world = World()
    chip, driver = imu(world, axes, sample=(1_000, 2_000, 3_000))
    driven(world, driver.start())
    chip.convert()
    assert driver.read()[1:] == tuple(61_000 * value for value in turned)


@pytest.mark.parametrize(("celsius", "centi_c"), [(25, 2_500), (21.5, 2_150), (-20, -2_000), (60, 6_000)])
def test_the_sensor_s_temperature_has_its_zero_at_25_degrees(celsius, centi_c):
    world = World()
    _, driver = imu(world, celsius=celsius)
    driven(world, driver.start())
    assert driver.centi_c() == centi_c


def test_another_chip_at_the_sensor_s_address_is_named():
    world = World()
    _, driver = imu(world, who=0x6B)
    with pytest.raises(ChipFault, match="IMU-MISSING"):
        driven(world, driver.start())


def test_every_sensor_register_that_is_written_is_one_of_the_data_sheet():
    world = World()
    chip, driver = imu(world)
    driven(world, driver.start())
    assert chip.registers == {
        lsm6dso.CTRL3_C: lsm6dso.BDU | lsm6dso.IF_INC,
        lsm6dso.INT1_CTRL: 1,
        lsm6dso.CTRL1_XL: 0x40,
    }


# -- HX711, ADS1232: the driver, the PIO program and the chip's pins together --------------


class PinWords:
    """The seam of pio_words.py over simulated pins."""

    def __init__(self, world, pins, channels=1):
        self._world, self._pins, self._channels = world, pins, channels
        self._machine, self._found, self.stopped_high = None, [], []
        self.pulses = 0

    def start(self, pulses):
        options = {"autopush": True, "push_thresh": 8 * self._channels, "in_shiftdir": "left"}
        self.pulses = pulses
        self._machine = StateMachine(pio_program.program(asm_pio, options, self._channels, pulses), self._pins)
        self._machine.t_us = self._world.us
        self._found = []

    def stop(self, high):
        self.stopped_high.append(high)
        self._machine = None

    def take(self, into):
        if self._machine:
            self._run()
        if not self._found:
            return None
        ticks, into[:] = self._found.pop(0)
        return ticks

    def _run(self):
        while self._machine.t_us < self._world.us:
            self._machine.cycle()
            if self._machine.interrupts:
                self._machine.interrupts = 0
                words = struct.pack("<4I", *[self._machine.fifo.popleft() for _ in range(4)])
                self._found.append((self._machine.t_us - pio_program.reading_us(self.pulses), words))


def test_an_hx711_is_powered_down_and_up_and_then_read():
    world = World()
    chip = ClockedChip([7, 8, 9], [60_000, 72_500, 85_000])
    line = PinWords(world, Chips(chip))
    driver = Hx711(line, 64, 80)
    waits = list(driver.start())
    assert line.stopped_high == [True]
    assert waits == [200]
    assert line.pulses == 27
    world.us = 90_000
    readings = [driver.read() for _ in range(4)]
    assert [reading[1] for reading in readings[:3]] == [[7], [8], [9]]
    assert [abs(reading[0] - at) <= 3 for reading, at in zip(readings, (60_000, 72_500, 85_000), strict=False)]
    assert readings[3] is None


class Ads1232Chip(ClockedChip):
    """The 26th pulse starts a calibration, which takes the line up for 101 ms and shows in what comes after."""

    CALIBRATION_US = 101_000
    PERIOD_US = 12_500

    def __init__(self, offset=1_000):
        super().__init__([], [], pulses=[25, 26])
        self.calibrations = 0
        self.power_log = []
        self._offset, self._due_us, self._number = offset, None, 0

    def power(self, world):
        def set_power(high):
            self.power_log.append((world.us, high))
            self._value, self._due_us = None, world.us + 50_000 if high else None

        return set_power

    def _rise(self, t_us):
        super()._rise(t_us)
        if self._count == 26:
            self.calibrations += 1
            self._offset, self._value, self._count = 0, None, 26
            self._due_us = t_us + self.CALIBRATION_US

    def _advance(self, t_us):
        if self._due_us is not None and t_us >= self._due_us:
            self._number += 1
            self._value, self._count = self._number + self._offset, 0
            self._due_us += self.PERIOD_US


def test_an_ads1232_is_reset_by_two_pulses_of_its_power_pin_and_calibrated_once():
    world = World()
    chip = Ads1232Chip()
    line = PinWords(world, Chips(chip))
    driver = Ads1232(line, 128, 80, chip.power(world))
    driven(world, driver.start())
    (_, low), (at_us, high), (off_us, low_again), (on_us, last) = chip.power_log
    assert (low, high, low_again, last) == (False, True, False, True)
    assert at_us - chip.power_log[0][0] >= 10
    assert on_us - off_us >= 26
    assert chip.calibrations == 1
    assert line.pulses == ads1232.READ_PULSES
    world.us += 200_000
    readings = [driver.read() for _ in range(12)]
    assert all(reading[2] == 0 for reading in readings)
    assert all(reading[1][0] < 1_000 for reading in readings), "the offset is gone"
    assert chip.calibrations == 1


class Silent:
    """A clocked line whose chip is never ready."""

    def start(self, pulses):
        """Hear nothing."""

    def stop(self, high):
        """Hear nothing."""

    def take(self, into):
        return None


def test_an_ads1232_that_is_not_there_has_a_named_fault():
    world = World()
    driver = Ads1232(Silent(), 128, 80, lambda high: None)
    with pytest.raises(ChipFault, match="ADC-CALIBRATION"):
        driven(world, driver.start())
    assert world.us < 2_500_000


@pytest.mark.parametrize("driver_of", [Hx711, lambda *args: Ads1232(args[0], args[1], args[2], None, args[4])])
def test_a_rate_is_offered_where_a_pin_can_set_it(driver_of):
    assert driver_of(None, 128, 80, 1, None).rates == (80,)
    driver = driver_of(None, 128, 80, 1, lambda high: None)
    assert [rate for rate in range(100) if driver.set_rate(rate)] == [10, 80]
