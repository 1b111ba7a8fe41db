"""HX711, one or four on a shared clock: words of the clocked line -> conversions.

Data sheet (Avia): DOUT low says that a conversion is ready; 24 pulses shift it out, MSB first, two's complement; the
25th pulls DOUT high again, and 25, 26 or 27 pulses choose gain 128, 32 (channel B) or 64 for the next one. A clock that
stays high for more than 60 us powers the chip down; low again, it resets. What the last pulses read must therefore be
1: anything else means that chip and reader do not agree where the number began. The idea to check it is Klipper's. Its
limit: one pulse lost on the way shows the number's last bit instead, so it is seen when that is 0, half of the time.
"""

from array import array

from loadcell.line import COUNTS_MAX, COUNTS_MIN, FLAG_DESYNC, FLAG_SATURATED, micropython, signed24

PULSES = {128: 25, 32: 26, 64: 27}
"""Pulses for each gain."""

WORDS_BYTES = 16
"""Four words of 32 bits, the lowest byte first: bytes, because a number beyond 30 bits is slow in MicroPython."""

POWER_DOWN_US = 200
"""More than the 60 us of the data sheet."""


class Hx711:
    """A converter as seam.py has it.

    line           the clocked line
    gain           128, 64, or 32 (input B)
    samples_per_s  10 or 80, by the RATE pin
    channels       how many chips share the clock, 1 or 4
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
        self._words = bytearray(WORDS_BYTES)

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

    words  4 words, lowest byte first: 3 of 8 pulses and 1 of the `extra` pulses after them, the channels' bits side by
           side; channels is 1 or 4
    """
    counts = [_alone(words)] if channels == 1 else _apart(words)
    flags = FLAG_DESYNC if words[12] | words[13] << 8 != (1 << (extra * channels)) - 1 else 0
    if max(counts) == COUNTS_MAX or min(counts) == COUNTS_MIN:
        flags |= FLAG_SATURATED
    return counts, flags


def _alone(words):
    """Return the number of one channel."""
    return signed24((words[0] << 16) | (words[4] << 8) | words[8])


def _pairs_table():
    """Return for each byte, the bits of four channels at two pulses, the two bits of each channel in a digit of 4."""
    table = array("H")
    for byte in range(256):
        digits = 0
        for channel in range(4):
            digits |= ((byte >> (4 + channel) & 1) << 1 | (byte >> channel & 1)) << 4 * channel
        table.append(digits)
    return table


_PAIRS = _pairs_table()
_BYTES = ((3, 2), (1, 0), (7, 6), (5, 4), (11, 10), (9, 8))
"""Where the bits of each four pulses are, the first ones first."""


@micropython.native
def _apart(words):
    """Return the numbers of four channels out of words in which their bits alternate."""
    pairs = _PAIRS
    a = b = c = d = 0
    for first, second in _BYTES:
        digits = pairs[words[first]] << 2 | pairs[words[second]]
        a = a << 4 | digits & 15
        b = b << 4 | digits >> 4 & 15
        c = c << 4 | digits >> 8 & 15
        d = d << 4 | digits >> 12
    return [signed24(a), signed24(b), signed24(c), signed24(d)]
