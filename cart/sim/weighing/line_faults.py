"""What goes wrong between converter and daemon: a fault turns the lines of a conversion into what arrives.

The faults are those of an HX711 on a microcontroller: read out of step, at the end of its range, starved, frozen, with
the wrong strap, with noise on the line, or unplugged.
"""

from __future__ import annotations

from random import Random

from cart.sim.physics import Sample
from cart.sim.physics.adc import FULL_SCALE, SEQ_MODULUS, T_US_MODULUS
from cart.sim.weighing.feed import Spoil
from cart.wire.loadcell import (
    FLAG_DESYNC,
    FLAG_FIRST,
    FLAG_POWER_LOW,
    FLAG_SATURATED,
    WeightLine,
    encode,
    encode_acceleration,
)


def silent(sample: Sample, lines: bytes) -> bytes:
    """Nothing comes: a broken wire, a dead converter, an unplugged cable."""
    return b""


def desync(sample: Sample, lines: bytes) -> bytes:
    """The clock slipped by a pulse: every bit one place to the left, and the extra pulses are not 1."""
    shifted = ((sample.counts << 1 | 1) + FULL_SCALE + 1) % (2 * FULL_SCALE + 2) - FULL_SCALE - 1
    return _line(sample, shifted, FLAG_DESYNC)


def saturated(sample: Sample, lines: bytes) -> bytes:
    """A broken bridge: the converter sits at the end of its range."""
    return _line(sample, FULL_SCALE * max(1, len(sample.channels)), FLAG_SATURATED)


def starved(sample: Sample, lines: bytes) -> bytes:
    """The supply is below its limit, and the firmware says so; the counts look well."""
    return _line(sample, sample.counts, FLAG_POWER_LOW)


def frozen() -> Spoil:
    """Return a converter that answers, but always the same."""
    first: list[int] = []

    def spoil(sample: Sample, lines: bytes) -> bytes:
        if not first:
            first.append(sample.counts)
        return _line(sample, first[0], 0) + _felt(sample)

    return spoil


def slow() -> Spoil:
    """Return a converter whose rate strap fell off: 10 conversions a second, all in sequence."""
    seen: list[int] = []

    def spoil(sample: Sample, lines: bytes) -> bytes:
        seen.append(sample.seq)
        number, part = divmod(len(seen) - 1, 8)
        if part:
            return b""
        return encode(WeightLine((seen[0] + number) % SEQ_MODULUS, sample.t_us, sample.counts, 0, sample.channels))

    return spoil


def garbage(random: Random) -> Spoil:
    """Return a line on which only noise comes, as at a wrong speed: as many bytes as were sent."""

    def spoil(sample: Sample, lines: bytes) -> bytes:
        return random.randbytes(len(lines))

    return spoil


def flipped(random: Random, share: float) -> Spoil:
    """Return a line on which a bit is wrong in this share of the conversions."""

    def spoil(sample: Sample, lines: bytes) -> bytes:
        if random.random() >= share:
            return lines
        at = random.randrange(len(lines))
        return lines[:at] + bytes([lines[at] ^ 1 << random.randrange(8)]) + lines[at + 1 :]

    return spoil


def gaps(random: Random, share: float) -> Spoil:
    """Return a line that loses this share of the conversions, one by one."""

    def spoil(sample: Sample, lines: bytes) -> bytes:
        return b"" if random.random() < share else lines

    return spoil


def restarted() -> Spoil:
    """Return a converter that was powered anew: sequence and clock begin at 0, the first conversion says so."""
    begin: list[Sample] = []

    def spoil(sample: Sample, lines: bytes) -> bytes:
        if not begin:
            begin.append(sample)
        seq = (sample.seq - begin[0].seq) % SEQ_MODULUS
        t_us = (sample.t_us - begin[0].t_us) % T_US_MODULUS
        flags = FLAG_FIRST if sample is begin[0] else 0
        felt = encode_acceleration(seq, t_us, sample.ax_ug, sample.ay_ug, sample.az_ug)
        return encode(WeightLine(seq, t_us, sample.counts, flags, sample.channels)) + felt

    return spoil


def _line(sample: Sample, counts: int, flags: int) -> bytes:
    """Return the $W line with other counts, shared out where there are four cells."""
    cells = max(1, len(sample.channels))
    each = tuple((counts + n) // cells for n in range(cells))
    return encode(WeightLine(sample.seq, sample.t_us, counts, flags, each if sample.channels else ()))


def _felt(sample: Sample) -> bytes:
    return encode_acceleration(sample.seq, sample.t_us, sample.ax_ug, sample.ay_ug, sample.az_ug)
