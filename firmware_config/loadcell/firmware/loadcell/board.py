"""What the program needs of an RP2040 board: time, watchdog, restart, supply, and I2C with faults that have a name."""

import os
import time
from binascii import hexlify

import machine
import micropython
from machine import ADC, I2C, Pin

from loadcell.ring import Edges
from loadcell.seam import ChipFault

WATCHDOG_MS = 3_000
"""Longer than the 0.5 s for which USB may hold up the loop, and than the 45 ms of a page of flash."""

LEAVE_MS = 100

HOLD_FILE = "hold"
"""While it is there the next start ends at MicroPython's prompt, once."""

HOLD_PIN = 15
"""Held to ground at the start it does the same, for a board whose program does not get as far as its commands."""

VSYS_PIN, VSYS_PARTS = 29, 3
"""A Pico measures its supply at ADC3 through a divider of three."""

REFERENCE_MV = 3_300
FULL_SCALE = 65_535
I2C_HZ = 400_000


class Board:
    """An RP2040 board wired like a Raspberry Pi Pico.

    judge_supply   whether the supply is measured
    """

    def __init__(self, judge_supply):
        """Arm the watchdog; from here on feed() must be called."""
        self.ticks_us = time.ticks_us
        self._reset = "watchdog" if machine.reset_cause() == machine.WDT_RESET else None
        self._supply = ADC(VSYS_PIN) if judge_supply else None
        self._diode = ADC(ADC.CORE_TEMP)
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed(self):
        """Say that the loop lives."""
        self._watchdog.feed()

    def supply_mv(self):
        """Return the board's supply, or None where it is not measured."""
        return self._supply.read_u16() * REFERENCE_MV * VSYS_PARTS // FULL_SCALE if self._supply else None

    def centi_c(self):
        """Return the microcontroller's temperature: 0.706 V at 27 degrees, 1.721 mV a degree less (RP2040, 4.9.5)."""
        microvolts = self._diode.read_u16() * REFERENCE_MV // FULL_SCALE * 1_000
        return 2_700 - (microvolts - 706_000) * 100 // 1_721

    def restart(self, into):
        """Restart into the boot loader or the prompt; does not return."""
        # What was written last is still on its way to the host.
        time.sleep_ms(LEAVE_MS)
        if into == "boot loader":
            machine.bootloader()
        with open(HOLD_FILE, "w") as file:
            file.write("1")
        machine.reset()

    def reset_reason(self):
        """Return why the board started, where it is not its supply or a command; else None."""
        return self._reset


def prepare():
    """Make the prompt's port the cell's: a byte of the host must not stop the program."""
    micropython.kbd_intr(-1)
    # An interrupt handler that fails has no memory to say so otherwise.
    micropython.alloc_emergency_exception_buf(100)


def held():
    """Return whether this start is to end at the prompt, and forget it."""
    if not Pin(HOLD_PIN, Pin.IN, Pin.PULL_UP).value():
        return True
    try:
        os.remove(HOLD_FILE)
    except OSError:
        return False
    return True


def serial_number():
    """Return the number of the board's flash chip, 16 hexadecimal digits."""
    return hexlify(machine.unique_id()).decode().upper()


def bus(sda_pin, scl_pin):
    """Return the I2C bus; the pins decide which of the two controllers has it."""
    return I2C(sda_pin // 2 % 2, sda=Pin(sda_pin), scl=Pin(scl_pin), freq=I2C_HZ)


def output(pin):
    """Return a function that sets a pin high or low, or None for pin -1."""
    return Pin(pin, Pin.OUT, value=0).value if pin >= 0 else None


def edges(pin):
    """Return the Edges of a data-ready line."""
    line = Pin(pin, Pin.IN, Pin.PULL_DOWN)
    found = Edges(line.value, time.ticks_us)
    handler = found.rose
    line.irq(handler, Pin.IRQ_RISING, hard=True)
    return found


class Registers:
    """The registers of one chip on I2C; ChipFault with `code` when it does not answer."""

    def __init__(self, i2c, address, code):
        """Ask nothing yet."""
        self._i2c, self._address, self._code = i2c, address, code

    def read(self, register, count):
        """Return so many bytes from a register on."""
        try:
            return self._i2c.readfrom_mem(self._address, register, count)
        except OSError as error:
            raise ChipFault(self._code, f"I2C {self._address:02X}: {error}")  # noqa: B904  MicroPython chains none

    def write(self, register, value):
        """Set one register."""
        try:
            self._i2c.writeto_mem(self._address, register, bytes([value]))
        except OSError as error:
            raise ChipFault(self._code, f"I2C {self._address:02X}: {error}")  # noqa: B904  MicroPython chains none
