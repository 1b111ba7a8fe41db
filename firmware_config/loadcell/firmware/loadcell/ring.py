"""Readings between an interrupt handler and the loop, without memory of its own and without a lock.

The handler alone moves `head`, the loop alone moves `tail`. 64 readings are 0.8 s at 80 a second: longer than the
longest time for which MicroPython's USB may hold up the loop (0.5 s, when a host has the port open and stops reading).
"""

from array import array

from loadcell.ticks import ticks_diff

SIZE = 64
_MASK = SIZE - 1


class Ring:
    """SIZE - 1 readings at most; a newer one is left out when there is no room.

    words   numbers a reading has besides its moment
    """

    def __init__(self, words=0):
        """Take all the memory now."""
        self._head = self._tail = 0
        self._ticks = array("i", [0] * SIZE)
        self._words = [array("I", [0] * words) for _ in range(SIZE)]

    def slot(self):
        """Return the array that the next reading goes into; it is free also when there is no room for one more."""
        return self._words[self._head]

    def put(self, ticks):
        """Complete the reading whose words are in slot()."""
        after = (self._head + 1) & _MASK
        if after != self._tail:
            self._ticks[self._head] = ticks
            self._head = after

    def take(self, into=None):
        """Return the ticks of the oldest reading and copy its words, as bytes, or None when there is none."""
        tail = self._tail
        if tail == self._head:
            return None
        if into is not None:
            into[:] = bytes(self._words[tail])
        ticks = self._ticks[tail]
        self._tail = (tail + 1) & _MASK
        return ticks

    def waiting(self):
        """Return whether a reading waits."""
        return self._tail != self._head

    def clear(self):
        """Forget what waits; only while nothing puts."""
        self._tail = self._head


class Edges:
    """Moments at which a data-ready line rose.

    level     function that returns whether the line is high now
    ticks_us  function that returns the ticks of now
    stale_us  a line that is high for so long without an edge lost it: chip and handler met in the same moment

    The handler of the interrupt calls rose().
    """

    def __init__(self, level, ticks_us, stale_us=30_000):
        """Begin without an edge."""
        self._level = level
        self._ticks_us = ticks_us
        self._stale_us = stale_us
        self._ring = Ring()
        self._last = ticks_us()

    def rose(self, _pin=None):
        """Note an edge; called by the interrupt."""
        self._ring.put(self._ticks_us())

    def take(self):
        """Return the ticks of the oldest edge, or of now where one was lost; None when there is none."""
        ticks = self._ring.take()
        if ticks is None:
            now = self._ticks_us()
            if ticks_diff(now, self._last) < self._stale_us or not self._level():
                return None
            ticks = now
        self._last = ticks
        return ticks

    def waiting(self):
        """Return whether an edge waits."""
        return self._ring.waiting()
