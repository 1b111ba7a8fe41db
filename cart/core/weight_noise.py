"""Smooth means of the load and how far each may be trusted: exact integers, learned from the load itself.

A window is three box means of `box` readings in a row: bell-shaped, 3 * box - 2 readings long. Its ends are soft, so
the swing of the basket and the shaking of the floor, which have no mean, cancel in it. Three running sums over the
kept readings give any window at any reading with four look-ups, exactly.

Noise is judged at three places:
* `swing`: mean square of what a short window leaves over, in the last 0.3 s. It follows the moment.
* the learned variance of each window's mean, taken as its square distance from the longest window around the same
  moment, over some seconds. It knows the noise's colour: a wheel turning once in 0.8 s is white to nobody.
* the variance believed now is the learned one times how much the swing has grown since it was learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

BOXES = (4, 8, 12, 16, 24, 32, 64)
"""Box lengths of the windows, in readings at 80 a second: 0.12, 0.28, 0.42, 0.58, 0.88, 1.2 and 2.4 s long."""

LONGEST = BOXES[-1]
HISTORY = 5 * LONGEST
"""Kept readings, 4 s: the longest window, and room to look back for the moment at which a change began."""

SWING_BOX = 7
SWING_CENTRE = 9  # readings from the end of a window of SWING_BOX to its middle
SWING_SPAN = 24  # readings over which the swing is a mean: 0.3 s
BLOCK = 8  # readings to an entry of the noise's own history: 0.1 s
BLOCKS = 24
BLOCKS_LATE = 3 * LONGEST // 2 // BLOCK  # the longest window's middle lies this many blocks back

FAST_BOX = 9
"""What differs from the mean over so many readings is fast: above 4 Hz, where no hand puts goods."""

PRIOR_PERCENT = {4: 50, 8: 25, 12: 18, 16: 14, 24: 11, 32: 8, 64: 6}
"""Standard deviation of a window's mean over the swing's, before anything was learned (standing, 15 Hz basket)."""

PRIOR_WHITE = {4: 45, 8: 32, 12: 26, 16: 22, 24: 18, 32: 16, 64: 11}
"""The same where the shaking was taken out: what is left is the accelerometer's own noise, which has no colour."""

SHOWN_WHITE_PERCENT = {4: 90, 8: 79, 12: 68, 16: 58, 24: 40, 32: 25}
"""Share of a window's variance that its distance from the longest around it shows where the noise is white: the two
share readings. Sum of the squared differences of their weights, over that of the window's own."""

PRIOR_WEIGHT = 3  # blocks that the prior counts for
LEARN_MAX = 40  # blocks over which the learned variance is a mean: 4 s
QUIET_BLOCKS = 9  # whose middle one says how much the load usually swings: 0.9 s
SURPRISE_MAX = 6  # no single block counts for more than so many times what was learned: a hand may be in it
FLOOR_MG = 150  # no mean is ever trusted further: creep and the walk of the cells

_CUBES = tuple(box**3 for box in range(LONGEST + 1))


@dataclass(frozen=True, slots=True)
class Track:
    """What is kept of one series of readings between two calls.

    history  the last readings in counts above zero, oldest first, evenly spaced
    squares  square of what the short window left over, in mg2, one a reading, the last SWING_SPAN
    blocks   the swing's variance in mg2 over each BLOCK of readings, oldest first
    learned  variance in mg2 of each window's mean, in the order of BOXES; empty before the first
    swing    the swing's variance in mg2 at the time of learning
    weight   blocks learned from so far, at most LEARN_MAX
    """

    history: tuple[int, ...] = ()
    squares: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    learned: tuple[int, ...] = ()
    swing: int = 0
    weight: int = 0


class Windows(Protocol):
    """Means over windows of a load: bare or corrected."""

    def has(self, box: int, at: int) -> bool:
        """Whether the window lies within what is kept."""
        ...

    def mean_mg(self, box: int, at: int) -> int:
        """Return the window's mean in mg."""
        ...

    def pull_mg(self, box: int, at: int) -> int:
        """Return the force along the cart over the window, as a mass; 0 where it is not known."""
        ...

    def pulled_mg2(self, box: int, at: int) -> int:
        """Return the variance that the pushing of the cart adds to the window's mean."""
        ...

    def equal_run(self, at: int, length: int) -> bool:
        """Whether the last readings are all equal."""
        ...

    def swing_mg2(self, at: int, readings: int = SWING_SPAN) -> int:
        """Return the swing's variance in mg2 over the readings up to `at`."""
        ...


class Smoothing:
    """A track with new readings behind it: windows at any reading. Lives within one call only."""

    __slots__ = ("_counts_per_kg", "_readings", "_squares", "_sums", "count", "first")

    def __init__(self, track: Track, new: list[int], counts_per_kg: int) -> None:
        """Lay the new readings behind the kept ones; positions count from the oldest kept one."""
        self._readings = [*track.history, *new]
        self._counts_per_kg = counts_per_kg
        self.count = len(self._readings)
        self.first = len(track.history)
        # One zero in front: the sum before the first reading.
        self._sums = [0, *accumulate(accumulate(accumulate(self._readings)))]
        # The squares end with the newest reading, as the readings do.
        self._squares = [*track.squares, *map(self._square, range(self.first, self.count))]

    def has(self, box: int, at: int) -> bool:
        """Whether the window of `box` that ends with the reading `at` lies within what is kept."""
        return at + 1 >= 3 * box

    def mean_mg(self, box: int, at: int) -> int:
        """Return the window's mean in mg, the window ending with the reading `at`."""
        sums = self._sums
        end = at + 1
        total = sums[end] - 3 * sums[end - box] + 3 * sums[end - 2 * box] - sums[end - 3 * box]
        return total * 1_000_000 // (_CUBES[box] * self._counts_per_kg)

    def pull_mg(self, box: int, at: int) -> int:
        """Return no force: no accelerometer feels it here."""
        return 0

    def pulled_mg2(self, box: int, at: int) -> int:
        """Return no variance: nobody knows the pull where no accelerometer feels it."""
        return 0

    def reading(self, at: int) -> int:
        """Return one reading as it came."""
        return self._readings[at]

    def reading_mg(self, at: int) -> int:
        """Return one reading in mg."""
        return self._readings[at] * 1_000_000 // self._counts_per_kg

    def fast_mg(self, at: int) -> int:
        """Return by how much a reading differs from the mean of the FAST_BOX readings around it, in mg."""
        around = self._readings[at - FAST_BOX // 2 : at + FAST_BOX // 2 + 1]
        return (FAST_BOX * self._readings[at] - sum(around)) * 1_000_000 // (FAST_BOX * self._counts_per_kg)

    def equal_run(self, at: int, length: int) -> bool:
        """Whether the `length` readings up to `at` are all equal."""
        last = self._readings[max(0, at + 1 - length) : at + 1]
        return len(last) == length and min(last) == max(last)

    def swing_mg2(self, at: int, readings: int = SWING_SPAN) -> int:
        """Return the swing's variance in mg2 over the readings up to `at`, one of the new ones."""
        end = len(self._squares) - (self.count - 1 - at)
        span = self._squares[max(0, end - readings) : end]
        return sum(span) // len(span)

    def kept(self, track: Track) -> Track:
        """Return `track` with the newest readings behind it."""
        return replace(track, history=tuple(self._readings[-HISTORY:]), squares=tuple(self._squares[-SWING_SPAN:]))

    def _square(self, at: int) -> int:
        if not self.has(SWING_BOX, at):
            return 0
        middle_mg = self._readings[at - SWING_CENTRE] * 1_000_000 // self._counts_per_kg
        left_over = middle_mg - self.mean_mg(SWING_BOX, at)
        return left_over * left_over


def with_block(track: Track, smoothing: Windows, at: int, *, calm: bool, white: bool = False) -> Track:
    """Return the track a block later: the swing noted, and learned from where the load rested all the while.

    at     position of the block's last reading
    calm   no change of load within the longest window
    white  the shaking was taken out: the noise has no colour
    """
    swing = smoothing.swing_mg2(at, BLOCK)
    track = replace(track, blocks=(*track.blocks[1 - BLOCKS :], swing))
    if not track.learned:
        return restarted(track, smoothing.swing_mg2(at), white=white)
    if not calm or not smoothing.has(LONGEST, at):
        # What was begun in the swing of goods that had just landed is no noise of the place: the first quiet tells.
        quieter = (
            track.weight == PRIOR_WEIGHT and len(track.blocks) >= QUIET_BLOCKS and 2 * usually_mg2(track) < track.swing
        )
        return restarted(track, usually_mg2(track), white=white) if quieter else track
    weight = min(track.weight + 1, LEARN_MAX)
    learned = tuple(
        old + (min(_deviation_mg2(smoothing, box, at, white=white), SURPRISE_MAX * old + 1) - old) // weight
        for box, old in zip(BOXES, track.learned, strict=True)
    )
    past = track.blocks[-1 - BLOCKS_LATE] if len(track.blocks) > BLOCKS_LATE else swing
    swing_learned = track.swing + (min(past, SURPRISE_MAX * track.swing) - track.swing) // weight
    return replace(track, learned=learned, swing=swing_learned, weight=weight)


def restarted(track: Track, swing_mg2: int, *, white: bool = False) -> Track:
    """Return the track with its learned variances replaced by what is usual at this swing."""
    swing, percent = max(swing_mg2, 1), PRIOR_WHITE if white else PRIOR_PERCENT
    learned = tuple(swing * percent[box] ** 2 // 10_000 for box in BOXES)
    return replace(track, learned=learned, swing=swing, weight=PRIOR_WEIGHT)


def variance_mg2(track: Track, rank: int, swing_mg2: int) -> int:
    """Return the variance believed now of the mean of window number `rank` of BOXES, in mg2.

    A swing that is small by chance is not believed: at least half the learned variance stays.
    """
    swing = max(track.swing, 1)
    return track.learned[rank] * max(2 * swing_mg2, swing) // (2 * swing) + FLOOR_MG * FLOOR_MG


def lately_mg2(track: Track) -> int:
    """Return the swing's variance over the last blocks of a track that has some."""
    last = track.blocks[-4:]
    return sum(last) // len(last)


def usually_mg2(track: Track) -> int:
    """Return the swing's variance in the middle one of the last blocks: a bump among them does not count."""
    last = sorted(track.blocks[-QUIET_BLOCKS:])
    return last[len(last) // 2]


def _deviation_mg2(smoothing: Windows, box: int, at: int, *, white: bool) -> int:
    """Return the variance of a window's mean that its square distance from the longest around the same moment shows.

    For the longest itself nothing longer is at hand: it is taken to be three quarters as noisy as the next one, or to
    have half its variance where the noise is white.
    """
    measured = min(box, BOXES[-2])
    deviation = smoothing.mean_mg(measured, at - 3 * (LONGEST - measured) // 2) - smoothing.mean_mg(LONGEST, at)
    square = deviation * deviation
    if white:
        square = square * 100 // SHOWN_WHITE_PERCENT[measured]
        return square if measured == box else square // 2
    return square if measured == box else square * 9 // 16
