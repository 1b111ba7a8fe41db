"""Load-cell bytes in, weight out: decoder and weight in one, for a file, a pipe or a virtual run.

Only converter time is known here. The daemon has its own loop around the same two parts.
"""

from __future__ import annotations

from cart.core.events import BATCH_MAX, CellAccelerated, CellFault, LoadSampled
from cart.core.weight import Calibration, Limits, LoadState, accelerated, faulted, initial, sampled
from cart.core.weight_values import Told
from cart.wire.loadcell import Acceleration, Decoder, Identity, Value, WeightLine

GARBAGE_BYTES = 2_000
"""So many bytes without a right line, 0.7 s at 80 lines a second, are garbage."""

BATCH = 4
RATES = (80, 160, 320, 640)


def load_sampled(lines: list[WeightLine], t_ns: int) -> LoadSampled:
    """Return the event of one batch of lines, oldest first, 1 to BATCH_MAX of them."""
    assert 1 <= len(lines) <= BATCH_MAX
    channels = tuple(line.channels for line in lines) if all(line.channels for line in lines) else ()
    return LoadSampled(
        t_ns,
        lines[-1].seq,
        tuple(line.t_us for line in lines),
        tuple(line.counts for line in lines),
        tuple(line.flags for line in lines),
        sum(line.dropped for line in lines),
        channels,
    )


def cell_accelerated(lines: list[Acceleration], t_ns: int) -> CellAccelerated:
    """Return the event of one batch of accelerations, oldest first, 1 to BATCH_MAX of them."""
    assert 1 <= len(lines) <= BATCH_MAX
    return CellAccelerated(
        t_ns,
        tuple(line.t_us for line in lines),
        tuple(line.ax_ug for line in lines),
        tuple(line.ay_ug for line in lines),
        tuple(line.az_ug for line in lines),
    )


class WeighingStream:
    """The weight of one stream of bytes.

    heard       a valid reading came
    named       a state was told
    bytes_read  so far
    """

    def __init__(self, calibration: Calibration) -> None:
        """Begin before the first byte; the converter runs at 80/s unless it says otherwise before its first reading."""
        self.heard = self.named = False
        self.bytes_read = 0
        self._decoder = Decoder()
        self._calibration = calibration
        self._weight = initial(calibration)

    def feed(self, data: bytes) -> list[Told]:
        """Return what these bytes tell."""
        self.bytes_read += len(data)
        told: list[Told] = []
        loads: list[WeightLine] = []
        motions: list[Acceleration] = []
        for value in self._decoder.feed(data):
            if isinstance(value, WeightLine):
                loads.append(value)
            elif isinstance(value, Acceleration):
                motions.append(value)
            else:
                self._note(value)
            if max(len(loads), len(motions)) >= BATCH:
                told += self._take(loads, motions)
                loads, motions = [], []
        told += self._take(loads, motions)
        if self._decoder.bytes_since_valid > GARBAGE_BYTES:
            self._weight, news = faulted(self._weight, CellFault(0, "GARBAGE"))
            told += news
        self.named = self.named or any(isinstance(event, LoadState) for event in told)
        return told

    def _take(self, loads: list[WeightLine], motions: list[Acceleration]) -> list[Told]:
        told: list[Told] = []
        if loads:
            self.heard = True
            self._weight, news = sampled(self._weight, load_sampled(loads, 0))
            told += news
        if motions:
            self._weight, news = accelerated(self._weight, cell_accelerated(motions, 0))
            told += news
        return told

    def _note(self, value: Value) -> None:
        """Take the rate from the converter's own word, before the first reading; later the rate is only judged."""
        if isinstance(value, Identity) and not self.heard and value.samples_per_s in RATES:
            self._weight = initial(self._calibration, Limits(samples_per_s=value.samples_per_s))
