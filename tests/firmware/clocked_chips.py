"""HX711 and ADS1232 at their pins, from the data sheets; what they do not allow is an assertion."""

HIGH_US = (1, 50)  # HX711: T3 is 0.2 to 50 us
POWER_DOWN_US = 60
LOW_US_MIN = 1  # T4 is at least 0.2 us, ADS1232 0.1 us; the state machine's cycle is 1 us


class ClockedChip:
    """One chip on the clock: DOUT falls when a conversion is ready, and shifts on rising edges.

    values       conversions, in order
    ready_us     when each is ready
    pulses       how many pulses a reading must have
    stuck        DOUT is held at this level
    skips        loses so many of the next pulses, as an interference would make it
    """

    def __init__(self, values, ready_us, pulses=range(25, 28), stuck=None, skips=0):
        self.readings = []
        self._waiting = list(zip(ready_us, values, strict=True))
        self._pulses, self._stuck, self._skips = pulses, stuck, skips
        self._value, self._count = None, 0
        self._level, self._edge_us = 0, 0

    def clock(self, level, t_us):
        if level == self._level:
            assert not (level and t_us - self._edge_us > HIGH_US[1]), "the clock stays high: the chip powers down"
            return
        width_us = t_us - self._edge_us
        assert width_us >= (HIGH_US[0] if self._level else LOW_US_MIN)
        self._level, self._edge_us = level, t_us
        if level:
            self._rise(t_us)

    def _rise(self, t_us):
        if self._skips:
            self._skips -= 1
            return
        assert self._value is not None, "a pulse without a conversion"
        self._count += 1
        assert self._count <= max(self._pulses), "more pulses than the data sheet allows"

    def data(self, t_us):
        self._advance(t_us)
        if self._stuck is not None:
            return self._stuck
        if self._value is None:
            return 1
        if self._count == 0:
            return 0
        return self._value >> 24 - self._count & 1 if self._count <= 24 else 1

    def _advance(self, t_us):
        if self._waiting and self._waiting[0][0] <= t_us:
            if self._value is not None:
                self.readings.append(self._count)
            self._value, self._count = self._waiting.pop(0)[1] & 0xFFFFFF, 0
            # The line is high for a moment before a new conversion, read or not.


class Chips:
    """Chips that share a clock."""

    def __init__(self, *chips):
        self._chips = chips

    def clock(self, level, t_us):
        for chip in self._chips:
            chip.clock(level, t_us)

    def data(self, t_us):
        return sum(chip.data(t_us) << n for n, chip in enumerate(self._chips))
