"""What the accelerometer explains: the gauges feel mass times (g + acceleration), so most shaking can be taken out.

On the sprung platform (mass P) with goods (mass G) the gauges read, in units of mass,

    reading = (G + P) * (1 + j) - P,    j = acceleration / g

exactly, whatever the springs do. So over any window G = (mean reading + P) / (1 + mean j) - P. Two things spoil it: the
accelerometer's scale is off by a percent, and it is a millisecond late or its filter differs from the converter's.
(1 ms at 10 Hz leaves 6 %.) Both are seen in the shaking itself: the fast part of the reading, fitted to the
acceleration a at one reading, to its slope and to its bend,

    fast reading = c0 * a + c1 * (a[+1] - a[-1]) / 2 + c2 * (a[+1] - 2 a + a[-1])

gives c0, the moving mass, and the shape c1 / c0, c2 / c0, which belongs to the sensors and is kept for ever. The fit is
by least squares over the last seconds of motion, in whole numbers.

Taken out like this, walking over tiles leaves no more than the accelerometer's own noise: 5 g in 0.3 s where the bare
reading has 300 g (simulated, docs/ROADMAP.md says what is assumed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core.weight_noise import BLOCK, FAST_BOX, SWING_BOX, SWING_CENTRE, SWING_SPAN, Smoothing, Track
from cart.core.weight_sway import UNFELT, Sway

ONE_G_UG = 1_000_000

LEARN_LATE = 160
"""Readings, 2 s, by which learning is late: long enough to know of a change that would spoil the fit."""

CHANGE_BEFORE, CHANGE_AFTER = 48, 40  # readings around a change in which a hand may be at work
SHAKEN_UG = 4_000  # weaker shaking is mostly the sensor's own noise
MEMORY_BLOCKS = 64  # 6 s of motion
PRIOR_UG2 = 16 * 3_000**2  # the configured platform, worth so much shaking
TRUSTED_BLOCKS = 10  # 1 s of motion before the moving mass says anything


@dataclass(frozen=True, slots=True)
class Inertia:
    """What is known of the accelerometer and of the mass that moves.

    history   vertical accelerations in micro-g, one a reading, oldest first; () without an accelerometer
    rest_ug   what it reads at rest: 1 g and its own error; None before the first reading
    rest_sure rest_ug was seen standing;  rest_blocks: blocks it is a mean over, until then
    rest_sums sum of the readings at rest that it is a mean of, and their number; (0, 0) before the first
    sums      of products: six of the three accelerations, three of them with the reading
    blocks    learned from so far, at most MEMORY_BLOCKS
    moving_mg mass that moves, platform and goods: c0;  0 before the first
    slope_ppm c1 / c0;  bend_ppm: c2 / c0
    sway      what is felt along the cart, and what the load reads of it
    """

    history: tuple[int, ...] = ()
    rest_ug: int | None = None
    rest_sure: bool = False
    rest_blocks: int = 0
    rest_sums: tuple[int, int] = (0, 0)
    sums: tuple[int, ...] = (0,) * 9
    blocks: int = 0
    moving_mg: int = 0
    slope_ppm: int = 0
    bend_ppm: int = 0
    sway: Sway = Sway()  # noqa: RUF009 (a frozen value)


class Corrected:
    """The windows of a load without its shaking; speaks like Smoothing, one reading late.

    The slope of the acceleration at a reading needs the one after it. Lives within one call only.
    """

    __slots__ = (
        "_bend",
        "_felt",
        "_fore",
        "_load",
        "_offset",
        "_rest",
        "_slope",
        "_squares",
        "_sway",
        "count",
        "first",
        "moving_mg",
        "platform_mg",
    )

    def __init__(
        self,
        track: Track,
        load: Smoothing,
        inertia: Inertia,
        vertical: list[int],
        platform_mg: int,
        fore: list[int],
    ) -> None:
        """Join the windows of the load with the accelerations of its new readings, `vertical` and along the cart."""
        self._load, self._felt = load, Smoothing(Track(inertia.history), vertical, ONE_G_UG)
        self._fore = Smoothing(Track(inertia.sway.history), fore, ONE_G_UG)
        # All end with the newest reading.
        self._offset = load.count - self._felt.count
        self.count, self.first = load.count, load.first
        self._rest, self.platform_mg = inertia.rest_ug or vertical[0], platform_mg
        self.moving_mg = platform_mg
        self._slope, self._bend, self._sway = inertia.slope_ppm, inertia.bend_ppm, inertia.sway
        self._squares = list(track.squares)

    def learn(self, inertia: Inertia, platform_mg: int, gross_mg: int) -> None:
        """Go on with what was learned since."""
        self._rest, self.platform_mg = inertia.rest_ug or self._rest, platform_mg
        self.moving_mg = platform_mg + gross_mg
        self._slope, self._bend, self._sway = inertia.slope_ppm, inertia.bend_ppm, inertia.sway

    def has(self, box: int, at: int) -> bool:
        """Whether the window of `box` that ends one reading before `at` is kept, with its neighbours."""
        return self._felt.has(box, at - self._offset - 2) and self._load.has(box, at - 1)

    def mean_mg(self, box: int, at: int) -> int:
        """Return the load's mean over the window that ends one reading before `at`."""
        mean_mg = self.pulled_mean_mg(box, at)
        return mean_mg - self._sway.share_ppm * self.pull_mg(box, at) // 1_000_000 if self._sway.share_ppm else mean_mg

    def pulled_mean_mg(self, box: int, at: int) -> int:
        """Return the same with what pushing and braking make of it."""
        platform, j_ug = self.platform_mg, self._j_ug(box, at)
        # Over a window j is small; the limit is for the shortest ones under a hard bump.
        return (self._load.mean_mg(box, at - 1) + platform) * ONE_G_UG // max(ONE_G_UG // 4, ONE_G_UG + j_ug) - platform

    def pull_mg(self, box: int, at: int) -> int:
        """Return the force along the cart over that window, as a mass; 0 before it is known what is even."""
        if self._sway.even_ug is None:
            return 0
        return self.moving_mg * (self._fore.mean_mg(box, at - 1 - self._offset) - self._sway.even_ug) // ONE_G_UG

    def pulled_mg2(self, box: int, at: int) -> int:
        """Return the variance that pushing and braking add to the mean: their share is known so well and no better."""
        sway = self._sway
        if sway.even_ug is None:
            return (self.moving_mg // UNFELT) ** 2
        return sway.unknown_mg2(self.pull_mg(box, at))

    def felt_ug(self, box: int, at: int) -> int:
        """Return the mean acceleration over the window that ends with `at`."""
        return self._felt.mean_mg(box, at - self._offset)

    def felt_reading_ug(self, at: int) -> int:
        """Return the acceleration at one reading."""
        return self._felt.reading(at - self._offset)

    def felt_has(self, box: int, at: int) -> bool:
        """Whether the window of accelerations lies within what is kept."""
        return self._felt.has(box, at - self._offset)

    def equal_run(self, at: int, length: int) -> bool:
        """Whether the `length` readings up to `at` are all equal."""
        return self._load.equal_run(at, length)

    def note(self, at: int) -> None:
        """Note what the short window leaves over at the reading `at`; to be called once for each new reading."""
        left_over = 0
        if self.has(SWING_BOX, at):
            middle = at - 1 - SWING_CENTRE
            felt = [self._felt.reading(middle + n - self._offset) for n in (-1, 0, 1)]
            # A single reading in free fall would divide by nothing: here the mass is taken as known.
            fast_ug = self._shaped_ug(*felt) - self._j_ug(SWING_BOX, at)
            left_over = self._load.reading_mg(middle) - self._load.mean_mg(SWING_BOX, at - 1)
            left_over -= self.moving_mg * fast_ug // ONE_G_UG
        self._squares.append(left_over * left_over)

    def swing_mg2(self, at: int, readings: int = SWING_SPAN) -> int:
        """Return the swing's variance in mg2 over the readings up to `at`, the last one noted."""
        span = self._squares[-readings:]
        return sum(span) // len(span)

    def kept(self, track: Track) -> Track:
        """Return `track` with the newest left-overs; the readings themselves are the raw track's."""
        return replace(track, squares=tuple(self._squares[-SWING_SPAN:]))

    def felt_kept(self, inertia: Inertia) -> Inertia:
        """Return `inertia` with the newest accelerations."""
        sway = replace(inertia.sway, history=self._fore.kept(Track()).history)
        return replace(inertia, history=self._felt.kept(Track()).history, sway=sway)

    def block(self, at: int) -> tuple[int, ...]:
        """Return the sums of products of a block's fast parts, as Inertia keeps them; its last reading is `at`."""
        sums = [0] * 9
        for here in range(at + 1 - BLOCK, at + 1):
            y = self._load.fast_mg(here)
            before, a, after = (self._felt.fast_mg(here + n - self._offset) for n in (-1, 0, 1))
            slope, bend = (after - before) // 2, after - 2 * a + before
            products = (
                a * a,
                a * slope,
                a * bend,
                slope * slope,
                slope * bend,
                bend * bend,
                a * y,
                slope * y,
                bend * y,
            )
            sums = [total + product for total, product in zip(sums, products, strict=True)]
        return tuple(sums)

    def block_fits(self, at: int) -> bool:
        """Whether `block` has all it needs."""
        return at - BLOCK - FAST_BOX - self._offset > 0

    def _j_ug(self, box: int, at: int) -> int:
        felt, end = self._felt, at - 1 - self._offset
        return self._shaped_ug(felt.mean_mg(box, end - 1), felt.mean_mg(box, end), felt.mean_mg(box, end + 1))

    def _shaped_ug(self, before: int, here: int, after: int) -> int:
        shape = self._slope * (after - before) // 2 + self._bend * (after - 2 * here + before)
        return here - self._rest + shape // 1_000_000


def learned(inertia: Inertia, block: tuple[int, ...], prior_mg: int) -> Inertia:
    """Return what is known after one more block of motion; the same when it was too quiet to say anything.

    prior_mg  platform and goods as configured and weighed
    """
    if block[0] < BLOCK * SHAKEN_UG**2:
        return inertia
    sums = tuple(old - old // MEMORY_BLOCKS + new for old, new in zip(inertia.sums, block, strict=True))
    s00, s01, s02, s11, s12, s22, y0, y1, y2 = sums
    s00, s11, s22 = s00 + PRIOR_UG2, s11 + PRIOR_UG2, s22 + PRIOR_UG2
    y0 += PRIOR_UG2 * prior_mg // ONE_G_UG
    # Cramer's rule; the prior keeps the determinant above 0.
    m00, m01, m02 = s11 * s22 - s12 * s12, s12 * s02 - s01 * s22, s01 * s12 - s11 * s02
    determinant = s00 * m00 + s01 * m01 + s02 * m02
    c0 = y0 * m00 + y1 * m01 + y2 * m02
    c1 = y0 * m01 + y1 * (s00 * s22 - s02 * s02) + y2 * (s01 * s02 - s00 * s12)
    c2 = y0 * m02 + y1 * (s01 * s02 - s00 * s12) + y2 * (s00 * s11 - s01 * s01)
    blocks = min(inertia.blocks + 1, MEMORY_BLOCKS)
    if c0 <= 0:
        return replace(inertia, sums=sums, blocks=blocks, moving_mg=1)
    return replace(
        inertia,
        sums=sums,
        blocks=blocks,
        moving_mg=max(1, c0 * ONE_G_UG // determinant),
        slope_ppm=c1 * 1_000_000 // c0,
        bend_ppm=c2 * 1_000_000 // c0,
    )


def loaded(inertia: Inertia, by_mg: int) -> Inertia:
    """Return what is known after the goods became heavier by so much: all that was learned is carried over."""
    was = inertia.moving_mg
    now = was + by_mg
    if was <= 0 or now <= 0:
        return replace(inertia, sums=(0,) * 9, blocks=0, moving_mg=0)
    sums = (*inertia.sums[:6], *(total * now // was for total in inertia.sums[6:]))
    return replace(inertia, sums=sums, moving_mg=now)


def platform_mg(inertia: Inertia, gross_mg: int, configured_mg: int) -> int:
    """Return the platform's mass as the shaking shows it; the configured one while that is not to be believed."""
    seen = inertia.moving_mg - gross_mg
    return seen if abs(seen - configured_mg) <= (configured_mg + max(0, gross_mg)) // 2 else configured_mg


def rested(inertia: Inertia, rest_ug: int, *, sure: bool, blocks: int) -> Inertia:
    """Return what is known with the acceleration of rest; `blocks` it is a mean over, `sure` when seen standing."""
    return replace(inertia, rest_ug=rest_ug, rest_sure=sure, rest_blocks=blocks)


def forgotten(inertia: Inertia) -> Inertia:
    """Return what is known after a gap: the readings are gone, and what was learned stays."""
    return replace(inertia, history=(), sway=replace(inertia.sway, history=(), waiting=()))
