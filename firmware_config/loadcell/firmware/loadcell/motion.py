"""Accelerations -> bodies of $I lines. A motion sensor that fails costs its lines, never the weight's."""

from loadcell import line
from loadcell.seam import ChipFault
from loadcell.ticks import T_US_MASK, elapsed_us, is_before

SILENT_US = 1_000_000
RETRY_US = 10_000_000
"""Between two attempts to start a sensor that is not there."""


class Motion:
    """Drives a motion sensor.

    sensor  as seam.py has it
    clock   Clock32
    say     function that sends a body
    alive   whether samples come
    """

    def __init__(self, sensor, clock, say):
        """Begin with the first turn."""
        self.alive = False
        self._sensor, self._clock, self._say = sensor, clock, say
        self._begin(clock.now_us(), 0)

    def _begin(self, now_us, after_us):
        self.alive = False
        self._starting = self._sensor.start()
        self._heard_us = self._resume_us = (now_us + after_us) & T_US_MASK

    def turn(self, now_us, seq):
        """Do what is due; seq is that of the last conversion."""
        try:
            if self._starting is not None:
                self._go_on(now_us)
                return
            sample = self._sensor.read()
            if sample is not None:
                self._heard_us, self.alive = now_us, True
                self._say(line.acceleration(seq, self._clock.at_us(sample[0]), sample[1], sample[2], sample[3]))
            elif elapsed_us(now_us, self._heard_us) > SILENT_US:
                raise ChipFault("IMU-SILENT", "no acceleration for a second")
        except ChipFault as fault:
            self._say(line.fault(fault.code, fault.text))
            self._begin(now_us, RETRY_US)

    def centi_c(self):
        """Return the sensor's temperature, or None."""
        try:
            return self._sensor.centi_c() if self.alive else None
        except ChipFault:
            return None

    def _go_on(self, now_us):
        """Resume the start when its wait is over."""
        if is_before(now_us, self._resume_us):
            return
        wait_us = next(self._starting, None)
        if wait_us is None:
            self._starting, self._heard_us = None, now_us
        else:
            self._resume_us = (now_us + wait_us) & T_US_MASK
