"""Conversions -> bodies of $W lines: sequence, time, flags; and the chip started again when it fails.

seq counts conversions, also those that were missed or failed, so that a host sees a gap for what it is. It goes on
when the chip is started again, and begins at 0 when the microcontroller does.
"""

from loadcell import line
from loadcell.pace import Pace
from loadcell.seam import ChipFault
from loadcell.ticks import T_US_MASK, elapsed_us, is_before

SEQ_MASK = 0xFFFF
READINGS_A_TURN = 8
"""More would let the cable wait for them."""

SILENT_US_MIN, SILENT_PERIODS = 1_500_000, 20
"""A chip that gave nothing for so long is started again. Longer than any chip needs to start."""

RETRY_US, RETRY_US_MAX = 100_000, 800_000
"""Between a failure and the next start, doubling until a reading is right: a broken chip must not fill the cable."""


class Acquisition:
    """Drives a converter.

    converter  as seam.py has it
    clock      Clock32
    say        function that sends a body
    """

    def __init__(self, converter, clock, say):
        """Begin with the first turn."""
        self.seq = SEQ_MASK
        self._converter, self._clock, self._say = converter, clock, say
        self._now_us = self._heard_us = self._resume_us = clock.now_us()
        self._retry_us = RETRY_US
        self.restart()

    def restart(self, after_us=0):
        """Start the chip again, so many microseconds from now."""
        self._starting = self._converter.start()
        self._resume_us = (self._now_us + after_us) & T_US_MASK
        self._pace = Pace(self._converter.samples_per_s)
        self._first = True
        self._heard_us = self._resume_us

    def turn(self, now_us, flags):
        """Do what is due: go on starting, or send what was converted. flags: what holds for every reading now."""
        self._now_us = now_us
        try:
            if self._starting is not None:
                self._go_on()
            else:
                self._send(flags)
                self._watch()
        except ChipFault as fault:
            self._say(line.fault(fault.code, fault.text))
            self.restart(self._retry_us)
            self._retry_us = min(2 * self._retry_us, RETRY_US_MAX)

    def _go_on(self):
        """Resume the start when its wait is over."""
        if is_before(self._now_us, self._resume_us):
            return
        wait_us = next(self._starting, None)
        if wait_us is None:
            self._starting, self._heard_us = None, self._now_us
        else:
            self._resume_us = (self._now_us + wait_us) & T_US_MASK

    def _send(self, flags):
        for _ in range(READINGS_A_TURN):
            reading = self._converter.read()
            if reading is None:
                return
            self._heard_us = self._now_us
            self._weigh(self._clock.at_us(reading[0]), reading[1], flags | reading[2])
            if not reading[2] & line.FLAG_DESYNC:
                self._retry_us = RETRY_US
            else:
                raise ChipFault("ADC-DESYNC", "chip and reader disagreed where a number began: the chip is reset")

    def _weigh(self, t_us, counts, flags):
        """Say one conversion, with what its moment tells."""
        flags |= self._told_by_pace(t_us)
        if self._first:
            flags |= line.FLAG_FIRST
            self._first = False
        self._say(line.weight(self.seq, t_us, counts, flags))

    def _told_by_pace(self, t_us):
        """Count this conversion and those missing before it; return the flags that its moment makes."""
        pace, was = self._pace, self._pace.mismatch
        missed = pace.missed(t_us)
        self.seq = (self.seq + 1 + missed) & SEQ_MASK
        if pace.mismatch and not was:
            self._say(line.fault("ADC-RATE", f"a conversion every {pace.period_us} us: is the rate pin right"))
        flags = line.FLAG_CONFIG if pace.mismatch else 0
        return flags | line.FLAG_OVERRUN if missed or pace.hurried else flags

    def _watch(self):
        """Raise ChipFault when the chip is silent."""
        silent_us = max(SILENT_US_MIN, SILENT_PERIODS * self._pace.period_us)
        quiet_us = elapsed_us(self._now_us, self._heard_us)
        if quiet_us > silent_us:
            raise ChipFault("ADC-SILENT", f"no conversion for {quiet_us // 1000} ms")
