"""Runs the firmware with simulated chips on stdin and stdout: micropython run_cell.py FIRMWARE_DIR SCENARIO.json."""

import json
import select
import sys
import time

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])

from chips import Board, ClockedChips, MotionSensor, World
from loadcell import line, settings
from loadcell.ads1232 import Ads1232
from loadcell.cell import Cell
from loadcell.hx711 import Hx711
from loadcell.port import StreamPort


class CutPort:
    """A port whose microcontroller loses its power after so many bytes."""

    def __init__(self, port, bytes_max):
        self._port, self._left = port, bytes_max

    def read(self):
        return self._port.read()

    def write(self, data):
        taken = self._port.write(data[: self._left])
        self._left -= taken
        if self._left <= 0:
            sys.exit(0)
        return taken


def made(scenario):
    world = World()
    rate, channels = scenario.get("samples_per_s", 80), scenario.get("channels", 1)
    chips = ClockedChips(world, rate, channels, scenario.get("faults", []))
    if scenario.get("chip") == "ADS1232":
        converter = Ads1232(chips, 128, rate, lambda high: None, lambda high: None)
    else:
        converter = Hx711(chips, 128, rate, channels, lambda high: None)
    port = StreamPort(sys.stdin.buffer, sys.stdout.buffer, sys.stdin, sys.stdout)
    if "bytes_max" in scenario:
        port = CutPort(port, scenario["bytes_max"])
    board = Board(world.ticks_us, scenario.get("supply_mv"), scenario.get("centi_c"), scenario.get("reset"))
    text = scenario.get("settings") or settings.rendered(scenario.get("sections", {}))
    sensor = MotionSensor(world) if scenario.get("motion") else None
    cell = Cell(converter, port, board, settings.loaded(text), "E6614103E7452D2F", sensor, scenario.get("start_us", 0))
    return world, board, cell


def drained(cell):
    """Wait until the other end has taken everything: the world's time stands still meanwhile."""
    poll = select.poll()
    poll.register(sys.stdout, select.POLLOUT)
    while not cell.outbox.flush():
        poll.poll(100)


def run(scenario):
    world, board, cell = made(scenario)
    end_us = scenario["ms"] * 1000
    real = scenario.get("real", False)
    began_us = time.ticks_us()
    while world.us < end_us and board.left is None:
        if real:
            world.us = time.ticks_diff(time.ticks_us(), began_us)
            time.sleep_us(300)
        else:
            world.us += scenario.get("turn_us", 1_000)
        cell.turn()
        if not real:
            drained(cell)
    cell.say(line.fault("END", board.left or "time is over"))
    drained(cell)


with open(sys.argv[2]) as file:
    run(json.load(file))
