"""How long the pure part takes for a conversion: prints nanoseconds, and how many rounds of a plain loop that is.

The rounds are what can be carried over to another chip: `x = (x + i) & 0xFFFF` in a `for`. An indication only; this is
no RP2040.

micropython rate.py FIRMWARE_DIR CHANNELS CONVERSIONS
"""

import sys
import time

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

from chips import Board, World
from loadcell import settings
from loadcell.cell import Cell
from loadcell.hx711 import Hx711
from loadcell.ticks import TICKS_MASK


class Words:
    """A clocked line that has a reading whenever it is asked: nothing of it is the firmware's time."""

    def __init__(self, world, channels):
        self._world = world
        self._ready = False
        self._words = bytes(range(12)) + bytes([(1 << channels) - 1, 0, 0, 0])

    def start(self, pulses):
        self._ready = True

    def stop(self, high):
        self._ready = False

    def ready(self):
        self._ready = True

    def take(self, into):
        if not self._ready:
            return None
        self._ready = False
        into[:] = self._words
        return self._world.us & TICKS_MASK


class Taker:
    """A host that takes everything."""

    def __init__(self):
        self.count = 0

    def read(self):
        return b""

    def write(self, data):
        self.count += 1
        return len(data)


def main(channels, conversions):
    world, taker = World(), Taker()
    words = Words(world, channels)
    cell = Cell(
        Hx711(words, 128, 80, channels),
        taker,
        Board(world.ticks_us),
        settings.loaded(settings.rendered({})),
        "E6614103E7452D2F",
    )
    for _ in range(8):
        world.us += 12_500
        cell.turn()
    best_ns = min([conversion_ns(world, words, cell, conversions) for _ in range(5)])
    assert taker.count > 5 * conversions
    loop_ns = min([round_ns(2_000_000) for _ in range(5)])
    print(best_ns, best_ns // loop_ns)


def conversion_ns(world, words, cell, conversions):
    """Return what one conversion takes of the processor, which others use as well."""
    began_s = time.clock()
    for _ in range(conversions):
        world.us += 12_500
        words.ready()
        cell.turn()
    return int((time.clock() - began_s) * 1e9) // conversions


def round_ns(rounds):
    """Return what one round of a plain loop takes."""
    began_s = time.clock()
    x = 0
    for i in range(rounds):
        x = (x + i) & 0xFFFF
    return int((time.clock() - began_s) * 1e9) // rounds


main(int(sys.argv[2]), int(sys.argv[3]))
