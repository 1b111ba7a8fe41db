"""The wiring of the program on an RP2040: settings -> chips -> cell -> for ever."""

import sys

from loadcell import ads1232, board, hx711, lsm6dso, nau7802, settings
from loadcell.cell import Cell
from loadcell.pio_words import PioWords
from loadcell.port import StreamPort

SETTINGS_FILE = "loadcell.cfg"


def run():
    """Weigh until the supply goes; returns to MicroPython's prompt only when it was asked to."""
    if board.held():
        return
    board.prepare()
    force = read_settings()
    machine = board.Board(force.supply_min_mv > 0)
    port = StreamPort(sys.stdin.buffer, sys.stdout.buffer, sys.stdin, sys.stdout)
    bus = board.bus(force["pins.sda"], force["pins.scl"]) if needs_bus(force) else None
    cell = Cell(converter(force, bus), port, machine, force, board.serial_number(), motion_sensor(force, bus))
    while True:
        cell.turn()


def read_settings():
    """Return the settings of the file, or the defaults."""
    try:
        with open(SETTINGS_FILE) as file:
            return settings.loaded(file.read())
    except OSError:
        return settings.defaults(f"there is no {SETTINGS_FILE}")


def needs_bus(force):
    """Return whether any chip is on I2C."""
    return force["adc.chip"] == "NAU7802" or force["motion.chip"] != "none"


def converter(force, bus):
    """Return the driver of the converter."""
    chip, gain, rate = force["adc.chip"], force["adc.gain"], force["adc.samples_per_s"]
    if chip == "NAU7802":
        registers = board.Registers(bus, nau7802.ADDRESS, "ADC-MISSING")
        ready = board.edges(force["pins.data"])
        return nau7802.Nau7802(registers, ready, gain, rate, force["adc.excitation_mv"])
    line = PioWords(force["pins.data"], force["pins.clock"], force["adc.channels"])
    set_rate_pin = board.output(force["pins.rate"])
    if chip == "ADS1232":
        return ads1232.Ads1232(line, gain, rate, board.output(force["pins.power"]), set_rate_pin)
    return hx711.Hx711(line, gain, rate, force["adc.channels"], set_rate_pin)


def motion_sensor(force, bus):
    """Return the driver of the motion sensor, or None."""
    if force["motion.chip"] == "none":
        return None
    registers = board.Registers(bus, lsm6dso.ADDRESS, "IMU-MISSING")
    return lsm6dso.Lsm6dso(registers, board.edges(force["pins.motion"]), force["motion.axes"])
