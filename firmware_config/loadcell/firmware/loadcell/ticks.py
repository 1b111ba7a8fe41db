"""Time of the microcontroller: 30-bit ticks of MicroPython -> the 32-bit microseconds of a line.

MicroPython's `time.ticks_us()` is a number that needs no memory, which an interrupt handler must not ask for; on a
32-bit chip it therefore wraps at 2**30, every 18 minutes. The lines carry uint32.
"""

TICKS_MASK = (1 << 30) - 1
_HALF = 1 << 29
T_US_MASK = 0xFFFFFFFF


def ticks_diff(later, earlier):
    """Return how many microseconds one tick value is after another, -2**29 to 2**29 - 1."""
    return ((later - earlier + _HALF) & TICKS_MASK) - _HALF


def elapsed_us(later_us, earlier_us):
    """Return the microseconds between two uint32 times, 0 to 2**32 - 1."""
    return (later_us - earlier_us) & T_US_MASK


def is_before(t_us, other_us):
    """Return whether a uint32 time is before another one, which is less than 35 minutes away."""
    return (t_us - other_us) & T_US_MASK > 0x7FFFFFFF


class Clock32:
    """uint32 microseconds from ticks; `now_us` is to be called at least every 4 minutes.

    ticks_us   function that returns the ticks of now, 30 bits
    start_us   what the time is at first
    """

    def __init__(self, ticks_us, start_us=0):
        """Begin now."""
        self._ticks_us = ticks_us
        self._ticks = ticks_us() & TICKS_MASK
        self._t_us = start_us & T_US_MASK

    def now_us(self):
        """Return the time, uint32."""
        ticks = self._ticks_us() & TICKS_MASK
        self._t_us = (self._t_us + ticks_diff(ticks, self._ticks)) & T_US_MASK
        self._ticks = ticks
        return self._t_us

    def at_us(self, ticks):
        """Return the time, uint32, of ticks that were taken less than 8 minutes before or after the last now_us()."""
        return (self._t_us + ticks_diff(ticks, self._ticks)) & T_US_MASK


class Every:
    """Says when something is due that happens every so many microseconds, the first time at once."""

    def __init__(self, period_us):
        """Be due at the first question."""
        self._period_us = period_us
        self._last_us = None

    def due(self, now_us):
        """Return whether it is due, and count it as done."""
        if self._last_us is not None and elapsed_us(now_us, self._last_us) < self._period_us:
            return False
        self._last_us = now_us
        return True
