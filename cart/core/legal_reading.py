"""From raw readings to a load that may be shown: conversion, filter, and whether the load is in equilibrium.

The legal part reads the converter by itself: nothing here knows of steps, sightings or baskets. Readings are averaged
to tenths of a second, ten of which under a triangle make a value; the values of the last half second must lie within
half an e. Whatever breaks the row of readings (a gap, a fault, a jump of the converter's clock) empties the window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import isqrt

from cart.core.events import CellAccelerated, LoadSampled

WEIGHTS = (1, 2, 3, 4, 5, 5, 4, 3, 2, 1)
"""The triangle over the latest tenths of a second: its smooth ends keep wheels and hands out."""

PARTS_PER_S = 10
FLAG_FIRST = 0x08
FLAG_SUPPLY = 0x10
FLAGS_FAULTY = 0x4F
"""Saturated, desynchronised, late, first after a reset, wrong configuration; 0x20 only says: a temperature is there."""

COUNTS_MIN, COUNTS_MAX = -0x800000, 0x7FFFFF
GAP_PERIODS_MAX = 2
T_US_MODULUS = 1 << 32
SEQ_MODULUS = 1 << 16
SILENT_NS = 300_000_000
TILT_PARTS = 80


@dataclass(frozen=True, slots=True)
class Scale:
    """How counts become mass, as the calibration record in force says; counts_per_kg is not 0.

    trims_ppm  of four cells, in millionths; empty for one channel
    """

    counts_per_kg: int
    zero_counts: int
    samples_per_s: int = 80
    trims_ppm: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Readings:
    """What the window holds.

    heard_ns   host time of the last batch;  since_ns: of the first since the converter was last away
    gathered   sum and number of the readings of the unfinished tenth of a second
    parts_mg   loads over the latest tenths of a second, before zero and tare, oldest first
    tilts      (ax, ay) of the latest accelerations, micro-g
    fault      "" or why there is no load: "fault", "supply_low"
    """

    heard_ns: int | None = None
    since_ns: int | None = None
    seq: int | None = None
    t_us: int | None = None
    gathered: tuple[int, int] = (0, 0)
    parts_mg: tuple[int, ...] = ()
    tilts: tuple[tuple[int, int], ...] = ()
    tilted_ns: int | None = None
    fault: str = ""


def sampled(readings: Readings, event: LoadSampled, scale: Scale) -> tuple[Readings, tuple[int, ...]]:
    """Return the window after a batch, and the values in mg that it completed (one for each tenth of a second)."""
    fault = _fault(readings, event, scale)
    if fault:
        cold = any(flags & (FLAG_FIRST | FLAG_SUPPLY) for flags in event.flags)
        return replace(_broken(readings, fault, cold=cold), heard_ns=event.t_ns), ()
    if readings.since_ns is None:
        readings = replace(readings, since_ns=event.t_ns)
    size = max(1, scale.samples_per_s // PARTS_PER_S)
    total, number = readings.gathered
    parts, values = list(readings.parts_mg), []
    for counts in _summed(event, scale):
        total, number = total + counts - scale.zero_counts, number + 1
        if number == size:
            parts.append(total * 1_000_000 // (size * scale.counts_per_kg))
            total, number = 0, 0
            if len(parts) >= len(WEIGHTS):
                parts = parts[-len(WEIGHTS) :]
                values.append(sum(w * x for w, x in zip(WEIGHTS, parts, strict=True)) // sum(WEIGHTS))
    return replace(
        readings,
        heard_ns=event.t_ns,
        seq=event.seq,
        t_us=event.t_us[-1],
        gathered=(total, number),
        parts_mg=tuple(parts),
        fault="",
    ), tuple(values)


def accelerated(readings: Readings, event: CellAccelerated) -> Readings:
    """Return the window with the platform's accelerations."""
    tilts = (*readings.tilts, *zip(event.ax_ug, event.ay_ug, strict=True))
    return replace(readings, tilts=tilts[-TILT_PARTS:], tilted_ns=event.t_ns)


def tilt_ug(readings: Readings, t_ns: int) -> tuple[int, int] | None:
    """Return the platform's lean as the two level parts of g, in micro-g; None without a sensor that spoke of late."""
    if readings.tilted_ns is None or t_ns - readings.tilted_ns > SILENT_NS or not readings.tilts:
        return None
    number = len(readings.tilts)
    return sum(x for x, _ in readings.tilts) // number, sum(y for _, y in readings.tilts) // number


def lean_permille(tilt: tuple[int, int], other: tuple[int, int] = (0, 0)) -> int:
    """Return how far two leans (or a lean and level) are apart, in per mille of g."""
    x, y = tilt[0] - other[0], tilt[1] - other[1]
    return isqrt(x * x + y * y) // 1_000


def ticked(readings: Readings, t_ns: int) -> Readings:
    """Return the window at `t_ns`: silence is a fault, never the last weight."""
    heard_ns = readings.heard_ns
    if readings.fault or (heard_ns is not None and t_ns - heard_ns <= SILENT_NS):
        return readings
    return _broken(readings, "fault", cold=True)


def broken(readings: Readings) -> Readings:
    """Return the window after a fault that the converter or its port told of."""
    return _broken(readings, "fault", cold=True)


def _fault(readings: Readings, event: LoadSampled, scale: Scale) -> str:
    flags = 0
    for value in event.flags:
        flags |= value
    if flags & FLAG_SUPPLY:
        return "supply_low"
    # Of four cells each: the sum of one at the end of its range and three that are not looks well.
    cells = event.channels or (event.counts,)
    saturated = not all(COUNTS_MIN < counts < COUNTS_MAX for each in cells for counts in each)
    untrimmed = bool(scale.trims_ppm) and any(len(x) != len(scale.trims_ppm) for x in event.channels or ((),))
    if flags & FLAGS_FAULTY or event.dropped or saturated or untrimmed:
        return "fault"
    if readings.t_us is None or readings.seq is None or readings.fault:
        return ""
    missing = (event.seq - readings.seq) % SEQ_MODULUS != len(event.counts)
    limit_us = GAP_PERIODS_MAX * 1_000_000 // scale.samples_per_s
    times = (readings.t_us, *event.t_us)
    gap = any((b - a) % T_US_MODULUS > limit_us for a, b in pairwise(times))
    return "fault" if missing or gap else ""


def _summed(event: LoadSampled, scale: Scale) -> tuple[int, ...]:
    """Return the counts of each reading, with each cell trimmed where the calibration says so."""
    if not scale.trims_ppm:
        return event.counts
    trims = scale.trims_ppm
    return tuple(sum(c * t for c, t in zip(cells, trims, strict=True)) // 1_000_000 for cells in event.channels)


def _broken(readings: Readings, fault: str, *, cold: bool) -> Readings:
    since_ns = None if cold else readings.since_ns
    return replace(readings, since_ns=since_ns, seq=None, t_us=None, gathered=(0, 0), parts_mg=(), fault=fault)
