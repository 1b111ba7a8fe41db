"""The simulated converter's voice: physics samples -> the very bytes that the microcontroller would send."""

from __future__ import annotations

from cart.sim.physics import Platform, Sample
from cart.wire.loadcell import (
    FLAG_FIRST,
    Identity,
    Temperature,
    WeightLine,
    encode,
    encode_acceleration,
    encode_weight,
)

IDENTITY_EVERY = 5
"""Seconds between two identity lines."""


class Converter:
    """Takes conversions from the platform and puts them into lines.

    platform  whose time this advances
    """

    def __init__(self, platform: Platform, serial: str = "SIM-0001") -> None:
        self.platform = platform
        p = platform.params
        self._identity = Identity(1, "sim-1", serial, "HX711", 128, p.samples_per_s, "0000")
        self._sent = 0
        self._rebooted = True

    def reboot(self) -> None:
        """Say hello again and mark the next conversion as the first after a reset."""
        self._rebooted = True

    def advance_to(self, t_us: int) -> tuple[bytes, list[Sample]]:
        """Let the world's time pass until t_us and return the bytes of what was converted, and the samples."""
        spoken = self.spoken_until(t_us)
        return b"".join(lines for _, lines in spoken), [sample for sample, _ in spoken]

    def spoken_until(self, t_us: int) -> list[tuple[Sample, bytes]]:
        """Let the world's time pass until t_us and return each conversion with the lines it was told in."""
        return [(sample, self._lines(sample)) for sample in self.platform.advance_to(t_us)]

    def _lines(self, sample: Sample) -> bytes:
        per_s = self.platform.params.samples_per_s
        lines = []
        if self._rebooted or self._sent % (IDENTITY_EVERY * per_s) == 0:
            lines.append(encode(self._identity))
        if self._sent % per_s == 0:
            lines.append(encode(Temperature(sample.seq, self.platform.centi_c)))
        flags = sample.flags | (FLAG_FIRST if self._rebooted else 0)
        if sample.channels:
            lines.append(encode(WeightLine(sample.seq, sample.t_us, sample.counts, flags, sample.channels)))
        else:
            lines.append(encode_weight(sample.seq, sample.t_us, sample.counts, flags))
        lines.append(encode_acceleration(sample.seq, sample.t_us, sample.ax_ug, sample.ay_ug, sample.az_ug))
        self._rebooted = False
        self._sent += 1
        return b"".join(lines)
