"""ADS1232: the same clocked line as an HX711, with pins for power, speed and gain, and a calibration by pulses.

Data sheet (TI SBAS350): DRDY/DOUT low says that a conversion is ready; 24 pulses shift it out; the 25th forces it high
until the next one. A 26th starts an offset calibration, after which the line falls with the first settled conversion
(about 101 ms later at 80 a second, 801 ms at 10). PDWN is held low for 10 us after the supplies are there, goes high,
low for at least 26 us, and high again; without that second pulse some chips start with a wrong offset.

Gain (GAIN1, GAIN0) and input (A0, TEMP) are strapped: 128, input 1, no temperature. Reading the chip's own diode takes
TEMP high and a gain of 1 or 2, five conversions there and five back: a tenth of a second without a weight, for the
temperature of the chip and not of the cell.
"""

from loadcell.hx711 import WORDS_BYTES, decoded
from loadcell.seam import ChipFault

READ_PULSES, CALIBRATE_PULSES = 25, 26
SUPPLY_US, PULSE_US = 20, 50
"""Longer than the 10 us and 26 us of the data sheet."""

WAIT_US = 10_000
CALIBRATION_WAITS = 200
"""2 s for a calibration that takes 0.5 s and 0.8 s at the slower rate."""


class Ads1232:
    """A converter as seam.py has it.

    line           the clocked line
    set_power      function that sets PDWN high or low
    set_rate_pin   function that sets SPEED high or low; None where it is strapped
    """

    chip = "ADS1232"

    def __init__(self, line, gain, samples_per_s, set_power, set_rate_pin=None):
        """Do nothing yet."""
        self.gain = gain
        self.samples_per_s = samples_per_s
        self.rates = (10, 80) if set_rate_pin else (samples_per_s,)
        self._line = line
        self._set_power = set_power
        self._set_rate_pin = set_rate_pin
        self._words = bytearray(WORDS_BYTES)

    def set_rate(self, samples_per_s):
        """Return whether the chip can; takes effect with the next start()."""
        if samples_per_s not in self.rates:
            return False
        self.samples_per_s = samples_per_s
        return True

    def start(self):
        """Reset the chip and let it calibrate its offset; ChipFault ADC-CALIBRATION when that does not end."""
        self._line.stop(False)
        if self._set_rate_pin:
            self._set_rate_pin(self.samples_per_s == 80)
        for high, wait_us in ((False, SUPPLY_US), (True, PULSE_US), (False, PULSE_US)):
            self._set_power(high)
            yield wait_us
        self._set_power(True)
        self._line.start(CALIBRATE_PULSES)
        yield from self._one_reading()
        # The 26th pulse has begun a calibration. 25 from here on, or every reading would begin another.
        self._line.stop(False)
        self._line.start(READ_PULSES)
        yield from self._one_reading()

    def _one_reading(self):
        """Wait for one conversion and drop it."""
        for _ in range(CALIBRATION_WAITS):
            if self._line.take(self._words) is not None:
                return
            yield WAIT_US
        raise ChipFault("ADC-CALIBRATION", "the converter did not answer when it was to calibrate its offset")

    def read(self):
        """Return (ticks, counts, flags) of the oldest conversion, or None."""
        ticks = self._line.take(self._words)
        if ticks is None:
            return None
        counts, flags = decoded(self._words, READ_PULSES - 24, 1)
        return ticks, counts, flags
