"""How long a turn takes with a conversion and without: prints nanoseconds, and both again in rounds of a plain loop.

The rounds are what can be carried over to another chip: `x = (x + i) & 0xFFFF` in a `for`. An indication only; this is
no RP2040.

micropython rate.py FIRMWARE_DIR CHANNELS TURNS
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


def main(channels, turns):
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
    busy_ns = min([turn_ns(world, words, cell, turns, True) for _ in range(5)])
    idle_ns = min([turn_ns(world, words, cell, turns, False) for _ in range(5)])
    assert taker.count > 5 * turns
    loop_ns = min([round_ns(100 * turns) for _ in range(5)])
    print(busy_ns, idle_ns, busy_ns // loop_ns, idle_ns // loop_ns)


def turn_ns(world, words, cell, turns, busy):
    """Return what one turn takes of the processor, which others use as well."""
    began_s = time.clock()
    for _ in range(turns):
        world.us += 12_500
        if busy:
            words.ready()
        cell.turn()
    return int((time.clock() - began_s) * 1e9) // turns


def round_ns(rounds):
    """Return what one round of a plain loop takes."""
    began_s = time.clock()
    x = 0
    for i in range(rounds):
        x = (x + i) & 0xFFFF
    return int((time.clock() - began_s) * 1e9) // rounds


main(int(sys.argv[2]), int(sys.argv[3]))
