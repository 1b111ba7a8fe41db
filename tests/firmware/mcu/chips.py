"""Simulated chips for the seams below the firmware's drivers, and a board. Runs on MicroPython and on CPython.

Faults are (kind, from_us, to_us) on the clock of the world: saturated, desync, unplugged, asleep (the reader misses
conversions), slow (the rate strap at 10 a second).
"""

from array import array

from loadcell.ticks import TICKS_MASK

SETTLING_PERIODS = 4


class World:
    """Time that the test moves."""

    def __init__(self):
        self.us = 0

    def ticks_us(self):
        return self.us & TICKS_MASK


class Board:
    """What main.py takes from the RP2040."""

    def __init__(self, ticks_us, supply_mv=None, centi_c=None, reset=None):
        self.ticks_us = ticks_us
        self.fed = 0
        self.left = None
        self._supply_mv, self._centi_c, self._reset = supply_mv, centi_c, reset

    def feed(self):
        self.fed += 1

    def restart(self, into):
        self.left = into

    def supply_mv(self):
        return self._supply_mv

    def centi_c(self):
        return self._centi_c

    def reset_reason(self):
        return self._reset


def counts_at(index, channel=0):
    """What the simulated cell weighs: never twice the same, both signs."""
    return (index * 37 + channel * 1_000) % 200_000 - 100_000


class ClockedChips:
    """HX711 chips on one clock, or an ADS1232, behind the seam of PioWords."""

    def __init__(self, world, samples_per_s=80, channels=1, faults=()):
        self.world, self.channels = world, channels
        self.period_us = 1_000_000 // samples_per_s
        self.faults = faults
        self.starts = []
        self.converted = 0
        self._pulses = 0
        self._next_us = 0

    def start(self, pulses):
        assert 25 <= pulses <= 27, "the data sheet allows 25 to 27"
        self.starts.append(pulses)
        self._pulses = pulses
        self._next_us = self.world.us + SETTLING_PERIODS * self.period_us

    def stop(self, high):
        self._pulses = 0

    def take(self, into):
        while self._pulses and self._next_us <= self.world.us:
            at_us = self._next_us
            self._next_us += self.period_us * (8 if self._has("slow", at_us) else 1)
            if self._has("unplugged", at_us):
                continue
            index = self.converted
            self.converted += 1
            if self._has("asleep", at_us):
                continue
            self._fill(into, index, at_us)
            return at_us & TICKS_MASK
        return None

    def _has(self, kind, at_us):
        return any([fault[0] == kind and fault[1] <= at_us < fault[2] for fault in self.faults])

    def _fill(self, into, index, at_us):
        values = [counts_at(index, channel) & 0xFFFFFF for channel in range(self.channels)]
        if self._has("saturated", at_us):
            values[-1] = 0x7FFFFF
        words = []
        for third in range(3):
            word = 0
            for bit in range(23 - 8 * third, 15 - 8 * third, -1):
                for channel in reversed(range(self.channels)):
                    word = word << 1 | (values[channel] >> bit & 1)
            words.append(word)
        words.append(0 if self._has("desync", at_us) else (1 << ((self._pulses - 24) * self.channels)) - 1)
        into[:] = bytes(array("I", words))


class MotionSensor:
    """A sensor of its own pace behind seam.py: at rest, z up."""

    def __init__(self, world, faults=()):
        self.world, self.faults = world, faults
        self._next_us = 0

    def start(self):
        yield 1_000
        self._next_us = self.world.us

    def read(self):
        if self._next_us > self.world.us:
            return None
        at_us, self._next_us = self._next_us, self._next_us + 9_615
        return at_us & TICKS_MASK, 1_000, -2_000, 1_000_000

    def centi_c(self):
        return 2_137
