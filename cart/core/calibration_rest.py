"""Whether the load is at rest, from raw readings alone: what a calibration point is taken from.

The last 5 s are cut into blocks of 1 s. They are one point when their means stay together: a step, a hand, or creep
moves them apart, the swing of the platform does not. Raw readings swing by grams on any shop's floor, so what counts is
how far the means of a whole second scatter, for a weight is never made of less.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isqrt

from cart.core.events import LoadSampled
from cart.core.scale_health import COUNTS_MAX, COUNTS_MIN, FLAG_SATURATED, FLAGS_UNUSABLE

BLOCK_US = 1_000_000
BLOCKS = 5
GAP_US = 150_000
"""A longer hole between two readings begins anew; a converter of 10/s reads every 100 ms."""

T_US_MODULUS = 1 << 32
RATE_PERCENT = 2
FLOOR_COUNTS = 16
"""Two millionths of full scale: means closer than this are together, however quiet the converter."""

SATURATED, UNUSABLE, STUCK, WRONG_RATE = "saturated", "unusable", "stuck", "wrong_rate"
SETTLING, DRIFTING, NOISY = "settling", "drifting", "noisy"
AT_REST = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Sums over the readings of 1 s: of counts, of their squares, and of each cell's counts where there are four."""

    readings: int = 0
    counts: int = 0
    squares: int = 0
    cells: tuple[int, ...] = ()

    @property
    def mean_milli(self) -> int:
        """The mean in thousandths of a count."""
        return self.counts * 1_000 // self.readings

    @property
    def sd_milli(self) -> int:
        """The readings' standard deviation in thousandths of a count."""
        n = self.readings
        return isqrt(max(0, n * self.squares - self.counts * self.counts) * 1_000_000) // n


@dataclass(frozen=True, slots=True)
class Mean:
    """A load at rest.

    counts      mean of the summed cells;  sd_milli: of single readings, in thousandths of a count
    noise_milli standard deviation of the means of one second, in thousandths of a count
    cells       mean of each cell where there are four, else empty
    """

    counts: int
    sd_milli: int
    noise_milli: int
    readings: int
    cells: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rest:
    """The last readings. why: AT_REST, or what keeps them from being a point."""

    wire_us: int | None = None
    block_us: int = 0
    block: Block = field(default_factory=Block)
    blocks: tuple[Block, ...] = ()
    why: str = SETTLING

    def mean(self) -> Mean:
        """Return the point; only while `why` is AT_REST."""
        assert self.why == AT_REST
        readings = sum(block.readings for block in self.blocks)
        return Mean(
            counts=_rounded(sum(block.counts for block in self.blocks), readings),
            sd_milli=_median(tuple(block.sd_milli for block in self.blocks)),
            noise_milli=_noise_milli(self.blocks),
            readings=readings,
            cells=tuple(_rounded(total, readings) for total in _cells(self.blocks)),
        )


def sampled(rest: Rest, event: LoadSampled, samples_per_s: int, e_milli: int | None) -> Rest:
    """Return the rest after a batch of readings.

    e_milli  the verification interval in thousandths of a count, where the slope is known already
    """
    if event.dropped:
        rest = Rest(wire_us=rest.wire_us, why=UNUSABLE)
    cells = event.channels or ((),) * len(event.counts)
    for t_us, counts, flags, channels in zip(event.t_us, event.counts, event.flags, cells, strict=True):
        rest = _read(rest, t_us, counts, flags, channels, samples_per_s, e_milli)
    return rest


def _read(
    rest: Rest, t_us: int, counts: int, flags: int, cells: tuple[int, ...], samples_per_s: int, e_milli: int | None
) -> Rest:
    elapsed_us = 0 if rest.wire_us is None else (t_us - rest.wire_us) % T_US_MODULUS
    if reason := _unusable(counts, flags, cells):
        return Rest(wire_us=t_us, why=reason)
    if elapsed_us > GAP_US:
        return Rest(wire_us=t_us, block=_added(Block(), counts, cells), why=UNUSABLE if rest.blocks else rest.why)
    block_us, block = rest.block_us + elapsed_us, rest.block
    if block_us < BLOCK_US or not block.readings:
        return replace(rest, wire_us=t_us, block_us=block_us, block=_added(block, counts, cells))
    blocks = (*rest.blocks, block)[-BLOCKS:]
    why = _judged(blocks, samples_per_s, e_milli)
    return Rest(t_us, block_us - BLOCK_US, _added(Block(), counts, cells), blocks, why)


def _unusable(counts: int, flags: int, cells: tuple[int, ...]) -> str:
    if flags & FLAG_SATURATED or not all(COUNTS_MIN < count < COUNTS_MAX for count in cells or (counts,)):
        return SATURATED
    return UNUSABLE if flags & FLAGS_UNUSABLE else ""


def _added(block: Block, counts: int, cells: tuple[int, ...]) -> Block:
    before = block.cells or (0,) * len(cells)
    summed = tuple(a + b for a, b in zip(before, cells, strict=True)) if len(before) == len(cells) else cells
    return Block(block.readings + 1, block.counts + counts, block.squares + counts * counts, summed)


def _judged(blocks: tuple[Block, ...], samples_per_s: int, e_milli: int | None) -> str:
    """Return AT_REST, or the first reason why not."""
    if len(blocks) < BLOCKS:
        return SETTLING
    readings = sum(block.readings for block in blocks)
    if abs(readings - BLOCKS * samples_per_s) * 100 > RATE_PERCENT * BLOCKS * samples_per_s + 100:
        return WRONG_RATE
    swing_milli = _median(tuple(block.sd_milli for block in blocks))
    if swing_milli == 0:
        return STUCK
    means = [block.mean_milli for block in blocks]
    drift_milli = abs(means[-1] + means[-2] - means[0] - means[1]) // 2
    allowed_milli = max(swing_milli // 2, FLOOR_COUNTS * 1_000) if e_milli is None else e_milli // 5
    if drift_milli > allowed_milli:
        return DRIFTING
    if e_milli is None:
        return AT_REST if max(means) - min(means) <= max(swing_milli, FLOOR_COUNTS * 1_000) else SETTLING
    return NOISY if too_noisy(_noise_milli(blocks), e_milli) else AT_REST


def too_noisy(noise_milli: int, e_milli: int) -> bool:
    """Return True where six standard deviations of a second's mean reach the verification interval."""
    return 6 * noise_milli >= e_milli


def _noise_milli(blocks: tuple[Block, ...]) -> int:
    means = [block.mean_milli for block in blocks]
    total = sum(means)
    return isqrt(sum((len(means) * mean - total) ** 2 for mean in means) // (len(means) ** 2 * (len(means) - 1)))


def _cells(blocks: tuple[Block, ...]) -> tuple[int, ...]:
    return tuple(sum(cell) for cell in zip(*(block.cells for block in blocks), strict=True))


def _median(values: tuple[int, ...]) -> int:
    return sorted(values)[len(values) // 2]


def _rounded(total: int, parts: int) -> int:
    return (2 * total + parts) // (2 * parts)
