"""Runs the firmware's own start.py, with our modules board and pio_words replaced.

    micropython run_start.py FIRMWARE_DIR FOLDER

FOLDER is where the board's files would be: the settings are there, or are not.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

import chips
from loadcell import seam

TURN_US = 1_000
"""What a turn takes of the world's time."""

world = chips.World()
asked = []


class Board(chips.Board):
    def __init__(self, judge_supply):
        super().__init__(world.ticks_us, 5_000 if judge_supply else None)

    def feed(self):
        world.us += TURN_US
        if world.us > 3_000_000:
            raise SystemExit


class PioWords(chips.ClockedChips):
    def __init__(self, data_pin, clock_pin, channels):
        asked.append(("line", data_pin, clock_pin, channels))
        super().__init__(world, 80, channels)


class Registers:
    """A chip that is not there."""

    def __init__(self, i2c, address, code):
        asked.append(("registers", address))
        self._code = code

    def read(self, register, count):
        raise seam.ChipFault(self._code, "I2C: no answer")

    def write(self, register, value):
        raise seam.ChipFault(self._code, "I2C: no answer")


class Namespace:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


def edges(pin):
    asked.append(("edges", pin))
    return chips.World()


def output(pin):
    return (lambda high: None) if pin >= 0 else None


sys.modules["loadcell.board"] = Namespace(
    Board=Board,
    Registers=Registers,
    edges=edges,
    output=output,
    bus=lambda sda, scl: asked.append(("bus", sda, scl)),
    prepare=lambda: None,
    held=lambda: False,
    serial_number=lambda: "E6614103E7452D2F",
)
sys.modules["loadcell.pio_words"] = Namespace(PioWords=PioWords)

from loadcell import start  # noqa: E402  after its neighbours were replaced

os.chdir(sys.argv[2])
try:
    start.run()
finally:
    sys.stdout.write("# " + repr(asked) + "\n")
