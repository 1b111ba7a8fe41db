"""HX711, one or four on a shared clock: words of the clocked line -> conversions.

Data sheet (Avia): DOUT low says that a conversion is ready; 24 pulses shift it out, MSB first, two's complement; the
25th pulls DOUT high again, and 25, 26 or 27 pulses choose gain 128, 32 (channel B) or 64 for the next one. A clock that
stays high for more than 60 us powers the chip down; low again, it resets. What the last pulses read must therefore be
1: anything else means that chip and reader do not agree where the number began. The idea to check it is Klipper's. Its
limit: one pulse lost on the way shows the number's last bit instead, so it is seen when that is 0, half of the time.
"""

from loadcell.line import COUNTS_MAX, COUNTS_MIN, FLAG_DESYNC, FLAG_SATURATED, signed24

PULSES = {128: 25, 32: 26, 64: 27}
"""Pulses for each gain."""

POWER_DOWN_US = 200
"""More than the 60 us of the data sheet."""


class Hx711:
    """A converter as seam.py has it.

    line           the clocked line
    gain           128, 64, or 32 (input B)
    samples_per_s  10 or 80, by the RATE pin
    channels       how many chips share the clock, 1 to 4
    set_rate_pin   function that sets RATE high or low; None where it is strapped
    """

    chip = "HX711"

    def __init__(self, line, gain, samples_per_s, channels=1, set_rate_pin=None):
        """Do nothing yet."""
        self.gain = gain
        self.samples_per_s = samples_per_s
        self.rates = (10, 80) if set_rate_pin else (samples_per_s,)
        self._line = line
        self._channels = channels
        self._set_rate_pin = set_rate_pin
        self._words = [0, 0, 0, 0]

    def set_rate(self, samples_per_s):
        """Return whether the chip can; takes effect with the next start()."""
        if samples_per_s not in self.rates:
            return False
        self.samples_per_s = samples_per_s
        return True

    def start(self):
        """Power the chips down and up, which puts them in step; the first conversion comes when it has settled."""
        if self._set_rate_pin:
            self._set_rate_pin(self.samples_per_s == 80)
        self._line.stop(True)
        yield POWER_DOWN_US
        self._line.start(PULSES[self.gain])

    def read(self):
        """Return (ticks, counts, flags) of the oldest conversion, or None."""
        ticks = self._line.take(self._words)
        if ticks is None:
            return None
        counts, flags = decoded(self._words, PULSES[self.gain] - 24, self._channels)
        return ticks, counts, flags


def decoded(words, extra, channels):
    """Return the counts of each channel, and the flags that they make.

    words  3 words of 8 pulses and 1 of the `extra` pulses after them, the channels' bits side by side
    """
    flags = 0
    if words[3] != (1 << (extra * channels)) - 1:
        flags = FLAG_DESYNC
    if channels == 1:
        counts = [signed24((words[0] << 16) | (words[1] << 8) | words[2])]
    else:
        counts = _apart(words, channels)
    for value in counts:
        if value in (COUNTS_MAX, COUNTS_MIN):
            flags |= FLAG_SATURATED
    return counts, flags


def _apart(words, channels):
    """Return the number of each channel out of words in which their bits alternate."""
    values = [0] * channels
    for index in range(3):
        word = words[index]
        shift = 8 * channels
        for _ in range(8):
            shift -= channels
            bits = word >> shift
            for channel in range(channels):
                values[channel] = (values[channel] << 1) | ((bits >> channel) & 1)
    return [signed24(value) for value in values]
