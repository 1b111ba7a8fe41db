"""The clocked line on the RP2040: a state machine clocks, an interrupt takes its words, the loop takes the readings."""

import time

import rp2
from machine import Pin

from loadcell.pio_program import CLOCK_HZ, program, reading_us
from loadcell.ring import Ring
from loadcell.ticks import TICKS_MASK

WORDS = 4


class PioWords:
    """The seam of seam.py over pins.

    data_pin   GPIO of DOUT; of several chips the first, the others follow it
    clock_pin  GPIO of PD_SCK or SCLK
    """

    def __init__(self, data_pin, clock_pin, channels):
        """Hold the clock low; the data lines are pulled up, so a chip that is not there is never ready."""
        self._clock = Pin(clock_pin, Pin.OUT, value=0)
        self._data = [Pin(data_pin + n, Pin.IN, Pin.PULL_UP) for n in range(channels)]
        self._channels = channels
        self._ring = Ring(WORDS)
        self._machine = None
        self._program = None
        self._reading_us = 0
        # Made once: an interrupt handler must not ask for memory, and a bound method is memory.
        self._handler = self._taken

    def start(self, pulses):
        """Listen; every reading is so many pulses."""
        self.stop(False)
        self._ring.clear()
        self._reading_us = reading_us(pulses)
        options = {
            "sideset_init": rp2.PIO.OUT_LOW,
            "in_shiftdir": rp2.PIO.SHIFT_LEFT,
            "autopush": True,
            "push_thresh": 8 * self._channels,
            "fifo_join": rp2.PIO.JOIN_RX,
        }
        self._program = program(rp2.asm_pio, options, self._channels, pulses)
        self._machine = rp2.StateMachine(
            0, self._program, freq=CLOCK_HZ, in_base=self._data[0], sideset_base=self._clock
        )
        self._machine.irq(self._handler, hard=True)
        self._machine.active(1)

    def stop(self, high):
        """Stop, with the clock low or high."""
        if self._machine is not None:
            self._machine.active(0)
            self._machine.irq(None)
            rp2.PIO(0).remove_program(self._program)
            self._machine = None
        self._clock.init(Pin.OUT, value=1 if high else 0)

    def take(self, into):
        """Return the ticks of the oldest reading's data-ready edge and fill in its words, or None."""
        ticks = self._ring.take(into)
        return None if ticks is None else (ticks - self._reading_us) & TICKS_MASK

    def _taken(self, machine):
        """Take the four words of each reading; runs in the interrupt.

        Two may be there when interrupts were held up for longer than a period; they get the same moment, and pace.py
        finds that.
        """
        ticks = time.ticks_us()
        while machine.rx_fifo() >= WORDS:
            machine.get(self._ring.slot())
            self._ring.put(ticks)
