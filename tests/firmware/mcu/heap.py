"""Ten simulated minutes: prints the free heap after each. micropython -X heapsize=192K heap.py FIRMWARE_DIR MINUTES."""

import gc
import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

from chips import Board, ClockedChips, MotionSensor, World
from loadcell import settings
from loadcell.cell import Cell
from loadcell.hx711 import Hx711

TURN_US = 5_000


class Nobody:
    """A host that reads most of the time, and for some seconds of each minute does not."""

    def __init__(self, world):
        self._world = world

    def read(self):
        return b"$Q,ID*CBFC\r\n" if self._world.us % 1_000_000 == 0 else b"noise \n"

    def write(self, data):
        return 0 if self._world.us % 60_000_000 > 55_000_000 else len(data)


def main(minutes):
    world = World()
    chips = ClockedChips(world, 80, 4, [["desync", 30_000_000, 31_000_000], ["unplugged", 100_000_000, 110_000_000]])
    cell = Cell(
        Hx711(chips, 128, 80, 4),
        Nobody(world),
        Board(world.ticks_us, 5_000),
        settings.loaded(settings.rendered({"temperature": {"source": "motion"}})),
        "E6614103E7452D2F",
        MotionSensor(world),
    )
    for _ in range(minutes):
        for _ in range(60_000_000 // TURN_US):
            world.us += TURN_US
            cell.turn()
        gc.collect()
        print(gc.mem_free())


main(int(sys.argv[2]))
