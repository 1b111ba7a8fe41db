"""How fast conversions come: which were missed, and whether the rate strap is what the configuration says.

The interval alone tells a missed conversion (twice the period, once) from a wrong strap (eight times the period, every
time): an interval that is off the period is a gap until eight in a row agree, and then it is the period.
"""

from loadcell.ticks import elapsed_us

AGREE = 8
"""Intervals in a row that are off in the same way, before the strap is blamed."""


class Pace:
    """Judges the moments of conversions.

    mismatch    conversions come at another rate than configured
    hurried     the last conversion came too soon after the one before: its moment is wrong
    period_us   what lies between two conversions, as far as known
    """

    def __init__(self, samples_per_s):
        """Expect the configured rate."""
        self.mismatch = self.hurried = False
        self.period_us = 1_000_000 // samples_per_s
        self._last_us = None
        self._odd_us, self._odd = 0, 0

    def missed(self, t_us):
        """Return how many conversions are missing between the last one and this one at `t_us`; 0 for the first."""
        last_us, self._last_us = self._last_us, t_us
        self.hurried = False
        if last_us is None:
            return 0
        interval_us, period_us = elapsed_us(t_us, last_us), self.period_us
        if 2 * period_us <= 3 * interval_us and 2 * interval_us <= 3 * period_us:
            self._odd = 0
            return 0
        self._blame(interval_us)
        self.hurried = 3 * interval_us < 2 * self.period_us
        return max(0, (interval_us + self.period_us // 2) // self.period_us - 1)

    def _blame(self, interval_us):
        """Count intervals that are off alike, and take them as the period when there are enough."""
        alike = 8 * abs(interval_us - self._odd_us) <= interval_us
        self._odd = self._odd + 1 if alike else 1
        self._odd_us = interval_us
        if self._odd >= AGREE:
            self.period_us, self.mismatch, self._odd = max(1, interval_us), True, 0
