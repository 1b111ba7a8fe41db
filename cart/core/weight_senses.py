"""The load as it may be looked at: bare, and with the shaking taken out, each with its own noise.

Standing, the accelerometer's own noise does more harm than good, and the bare reading is looked at; in motion it takes
the shaking out. Without an accelerometer there is only the bare one.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core import weight_inertia as inertial
from cart.core import weight_noise as noise
from cart.core import weight_sway
from cart.core.weight_inertia import Corrected, Inertia, forgotten
from cart.core.weight_noise import BLOCK, LONGEST, Smoothing, Track
from cart.core.weight_sight import Sight
from cart.core.weight_trail import UNIT_PERMILLE
from cart.core.weight_values import STANDING

QUIETER = 4
"""Standing, the shaking is taken out where that leaves so many times less swing: what is left has more slow parts."""


RESTLESS_MG, RESTLESS_TIMES = 10_000, 4
"""No load on its own swings so far for long, nor so many times what was learned at rest (as variances)."""

TREMBLE_BOX, TREMBLE_READINGS, TREMBLE_MG = 8, 13, 30_000
"""Half a period of a hand that trembles, and how far it moves the load: further than what rings or rolls about."""

TILT_UG = 300
"""A smaller change of the acceleration at rest, 1.4 degrees from level, is the sensor's own."""

REST_READINGS = 1_600
"""The acceleration of rest is a mean over so many readings at rest, 20 s: a sensor's own drift is slower."""

REST_LATE = 48
"""Readings, 0.6 s, by which that mean is late: a cart that is set going is known to be by then."""


class Senses:
    """Two tracks with new readings behind them, while one call lasts.

    index  of the newest reading that was taken
    """

    def __init__(
        self,
        tracks: tuple[Track, Track],
        inertia: Inertia,
        readings: list[int],
        felt: list[tuple[int, int, int]] | None,
        counts_per_kg: int,
        platform_mg: int,
        gross_mg: int | None,
    ) -> None:
        self.raw, self.corrected = tracks
        self.inertia, self.configured_mg = inertia, platform_mg
        self.raw_means = Smoothing(self.raw, readings, counts_per_kg)
        self.corrected_means: Corrected | None = None
        if felt:
            up, fore = [one[0] for one in felt], [one[1] for one in felt]
            self.corrected_means = Corrected(self.corrected, self.raw_means, inertia, up, platform_mg, fore)
        self.at = self.raw_means.first - 1
        self._relearn(gross_mg)

    def kept(self) -> tuple[Track, Track, Inertia]:
        """Return what the next call begins with."""
        raw = self.raw_means.kept(self.raw)
        if self.corrected_means is None:
            return raw, Track(), forgotten(self.inertia)
        return raw, self.corrected_means.kept(self.corrected), self.corrected_means.felt_kept(self.inertia)

    def take(self, gross_mg: int | None) -> None:
        """Go on to the next reading; the load rests at `gross_mg` by now."""
        self.at += 1
        if gross_mg != self._gross_mg:
            self._relearn(gross_mg)
        if self.corrected_means:
            self.corrected_means.note(self.at)

    def look(self, motion: str, *, settled: bool) -> Sight | None:
        """Return what the windows show now; None before any noise was learned.

        Settled at a standstill that is the track that is quieter now; else the one without the shaking.
        """
        if not self.raw.learned:
            return None
        bare = Sight(self.raw_means, self.raw, self.at, motion)
        still = self.look_still(motion)
        if still is None:
            return bare
        return still if motion != STANDING or not settled or QUIETER * still.swing < bare.swing else bare

    def look_still(self, motion: str) -> Sight | None:
        """Return what the windows show without the shaking; None where nothing tells it."""
        if not self.corrected_means or not self.corrected.learned or self.inertia.rest_ug is None:
            return None
        return Sight(self.corrected_means, self.corrected, self.at, motion, corrected=True)

    def restless(self, motion: str) -> bool:
        """Whether the load swings far more than at rest and no shaking explains it: a hand or a body is on it."""
        if not self.raw.learned:
            return False
        if motion == STANDING and self._trembles():
            return True
        swing = self.raw_means.swing_mg2(self.at)
        if swing < max(RESTLESS_MG**2, RESTLESS_TIMES * self.raw.swing):
            return False
        if self.corrected_means is None:
            return motion == STANDING
        return self.corrected_means.swing_mg2(self.at) * 4 > swing

    def _trembles(self) -> bool:
        """Whether the load has moved since a sixth of a second ago: a hand or a body on it is slower than its swing."""
        means, box, rank = self.raw_means, TREMBLE_BOX, noise.BOXES.index(TREMBLE_BOX)
        if not means.has(box, self.at - TREMBLE_READINGS):
            return False
        moved_mg = means.mean_mg(box, self.at) - means.mean_mg(box, self.at - TREMBLE_READINGS)
        return moved_mg * moved_mg > max(TREMBLE_MG**2, 2 * RESTLESS_TIMES**2 * self.raw.learned[rank])

    def end_block(self, *, calm: bool) -> None:
        """Note the noise of the block that ends now, and learn from it where the load rested."""
        if not self.raw_means.has(16, self.at):
            return
        self.raw = noise.with_block(self.raw, self.raw_means, self.at, calm=calm)
        if self.corrected_means and self.corrected_means.has(16, self.at):
            self.corrected = noise.with_block(self.corrected, self.corrected_means, self.at, calm=calm, white=True)

    def learn_inertia(self, gross_mg: int | None) -> None:
        """Learn the moving mass from the block two seconds ago; nobody touched the load around it."""
        means, block_at = self.corrected_means, self.at - inertial.LEARN_LATE
        if means is None or gross_mg is None or not means.block_fits(block_at):
            return
        prior_mg = max(0, gross_mg) + self.configured_mg
        was, self.inertia = self.inertia, inertial.learned(self.inertia, means.block(block_at), prior_mg)
        self._relearn(gross_mg)
        if was.blocks < self.inertia.blocks <= inertial.TRUSTED_BLOCKS:
            self._restart_corrected()

    def learn_sway(self, position: int, gross_mg: int, unit_mg2: int) -> None:
        """Learn what pushing and braking make the load read; as far as is known, nothing came within these windows.

        position  of the reading of now
        unit_mg2  variance of a short window's mean as marks have it
        """
        means, blocks = self.corrected_means, self.corrected.blocks
        box, around = weight_sway.BOX, weight_sway.AROUND_BOX
        late = 3 * (around - box) // 2
        # Blocks of the short window, by their age: a swing is that of readings before its block.
        first, last = late // BLOCK + 2, late // BLOCK - 1
        if means is None or not means.has(around, self.at) or not self.corrected.learned or len(blocks) <= first:
            return
        middle, swing = self.at - late, sum(blocks[-first - 1 : -last]) // (first + 1 - last)
        pull_mg = means.pull_mg(box, middle) - means.pull_mg(around, self.at)
        load_mg = means.pulled_mean_mg(box, middle) - means.pulled_mean_mg(around, self.at)
        sway = self.inertia.sway
        if abs(pull_mg) > means.moving_mg // weight_sway.HARDEST:
            self.inertia = replace(self.inertia, sway=weight_sway.wild(sway, position))
            return
        if sway.wild is not None and position - sway.wild <= 3 * around:
            return
        # Short windows a block apart share readings, as marks do.
        mg2 = noise.variance_mg2(self.corrected, noise.BOXES.index(box), swing) * UNIT_PERMILLE // 1_000
        pulled = weight_sway.Pulled(position, pull_mg, load_mg, max(mg2, unit_mg2))
        self.inertia = replace(self.inertia, sway=weight_sway.noted(sway, pulled))
        self._relearn(gross_mg)

    def settle_sway(self, before: int, gross_mg: int) -> None:
        """Learn from all that waits and ended before that position; something came then."""
        self.inertia = replace(self.inertia, sway=weight_sway.settled(self.inertia.sway, before))
        self._relearn(gross_mg)

    def even_at(self, fore_ug: int, gross_mg: int | None) -> None:
        """Take what is felt along the cart for that of a load that nobody pulls at."""
        self.inertia = replace(self.inertia, sway=replace(self.inertia.sway, even_ug=fore_ug))
        self._relearn(gross_mg)

    def load_changed(self, by_mg: int, gross_mg: int) -> None:
        """Carry what was learned over to a new load."""
        if self.inertia.moving_mg:
            self.inertia = inertial.loaded(self.inertia, by_mg)
        self._relearn(gross_mg)

    def guessed_rest(self, *, standing: bool) -> tuple[int, int] | None:
        """Return which acceleration must be that of rest, and over how many blocks that is a mean; None for no news.

        In motion it is the mean of all, as no cart gains height for long; it ends where rest was seen standing.
        """
        inertia = self.inertia
        if inertia.rest_sure:
            return None
        felt_ug = self.felt_ug(32 if inertia.rest_ug is None else LONGEST)
        if felt_ug is None:
            return None
        if inertia.rest_ug is None:
            return felt_ug, 0
        blocks = inertia.rest_blocks + 1
        return None if standing else (inertia.rest_ug + (felt_ug - inertia.rest_ug) // blocks, blocks)

    def felt_ug(self, box: int) -> int | None:
        """Return the mean acceleration over the window of `box` that ends now; None while it is not full."""
        means = self.corrected_means
        return means.felt_ug(box, self.at) if means and means.felt_has(box, self.at) else None

    def follow_rest(self, gross_mg: int, *, level: bool, long: bool) -> None:
        """At rest, follow slowly what the accelerometer reads, on level ground and over long windows only."""
        rest_ug, felt_ug = self.inertia.rest_ug, self.felt_ug(LONGEST)
        if not (level and long) or rest_ug is None or felt_ug is None or abs(felt_ug - rest_ug) > TILT_UG:
            return
        means, (total, readings) = self.corrected_means, self.inertia.rest_sums
        assert means is not None
        newest = self.at - REST_LATE
        if not readings:
            first = self.at + 1 - (3 * LONGEST - 2)
            total, readings = sum(means.felt_reading_ug(at) for at in range(first, newest + 1)), newest + 1 - first
        else:
            if readings >= REST_READINGS:
                total, readings = total - total // readings, readings - 1
            total, readings = total + means.felt_reading_ug(newest), readings + 1
        self.inertia = replace(self.inertia, rest_sums=(total, readings))
        if total // readings != rest_ug:
            self.rest_at(total // readings, gross_mg, sure=True, blocks=0)

    def rest_at(self, rest_ug: int, gross_mg: int | None, *, sure: bool, blocks: int) -> None:
        """Take an acceleration as that of rest."""
        self.inertia = inertial.rested(self.inertia, rest_ug, sure=sure, blocks=blocks)
        self._relearn(gross_mg)

    def restart_raw(self) -> None:
        """Forget the bare noise that was learned: the road's says nothing about standing."""
        self.raw = noise.restarted(self.raw, noise.lately_mg2(self.raw))

    def _restart_corrected(self) -> None:
        """Forget the noise that shaking leaves over."""
        if self.corrected.blocks:
            self.corrected = noise.restarted(self.corrected, noise.usually_mg2(self.corrected), white=True)

    def platform_mg(self) -> int:
        """Return the platform's mass as the shaking shows it."""
        return self.corrected_means.platform_mg if self.corrected_means else self.configured_mg

    def _relearn(self, gross_mg: int | None) -> None:
        self._gross_mg = gross_mg
        if self.corrected_means:
            platform_mg = inertial.platform_mg(self.inertia, gross_mg or 0, self.configured_mg)
            self.corrected_means.learn(self.inertia, platform_mg, max(0, gross_mg or 0))
