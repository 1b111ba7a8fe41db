"""Load-cell bytes in, events of the core out: decoded, gathered into batches, with garbage named."""

from __future__ import annotations

from cart.core.events import (
    BATCH_MAX,
    CellAccelerated,
    CellFault,
    CellIdentified,
    CellTemperature,
    LoadSampled,
)
from cart.wire.loadcell import Acceleration, CellError, Decoder, Identity, Temperature, Value, WeightLine

GARBAGE_BYTES = 2_000
"""So many bytes without a right line, 0.7 s at 80 lines a second, are garbage."""

CellEvent = LoadSampled | CellAccelerated | CellIdentified | CellTemperature | CellFault


class CellEvents:
    """Gathers readings into events: a batch is told when it is full, or when its oldest reading is old enough.

    batch     readings in a batch at most, 1 to BATCH_MAX
    hold_ns   how long a reading may wait for others, >= 0
    decoder   with its counts of what was refused and lost
    """

    def __init__(self, batch: int = BATCH_MAX, hold_ns: int = 40_000_000) -> None:
        """Begin before the first byte."""
        assert 1 <= batch <= BATCH_MAX
        assert hold_ns >= 0
        self.decoder = Decoder()
        self._batch, self._hold_ns = batch, hold_ns
        self._loads: list[WeightLine] = []
        self._motions: list[Acceleration] = []
        self._oldest_ns = 0
        self._garbage = False

    def feed(self, data: bytes, t_ns: int) -> list[CellEvent]:
        """Return the events that these bytes complete, read at the host time `t_ns`; call it without bytes too."""
        events: list[CellEvent] = []
        for value in self.decoder.feed(data) if data else ():
            if not self._loads and not self._motions:
                self._oldest_ns = t_ns
            if isinstance(value, WeightLine):
                self._loads.append(value)
            elif isinstance(value, Acceleration):
                self._motions.append(value)
            else:
                events += _single(value, t_ns)
            if max(len(self._loads), len(self._motions)) >= self._batch:
                events += self._batches(t_ns)
        if t_ns - self._oldest_ns >= self._hold_ns:
            events += self._batches(t_ns)
        return [*events, *self._named_garbage(t_ns)]

    def _batches(self, t_ns: int) -> list[CellEvent]:
        events: list[CellEvent] = []
        # The accelerations first: a reading that finds its own need not wait in the core.
        if self._motions:
            events.append(cell_accelerated(self._motions, t_ns))
        if self._loads:
            events.append(load_sampled(self._loads, t_ns))
        self._loads, self._motions = [], []
        return events

    def _named_garbage(self, t_ns: int) -> list[CellEvent]:
        """Tell garbage once in each stretch of it."""
        was, self._garbage = self._garbage, self.decoder.bytes_since_valid > GARBAGE_BYTES
        return [CellFault(t_ns, "GARBAGE")] if self._garbage and not was else []


def load_sampled(lines: list[WeightLine], t_ns: int) -> LoadSampled:
    """Return the event of one batch of lines, oldest first, 1 to BATCH_MAX of them."""
    assert 1 <= len(lines) <= BATCH_MAX
    return LoadSampled(
        t_ns,
        lines[-1].seq,
        tuple(line.t_us for line in lines),
        tuple(line.counts for line in lines),
        tuple(line.flags for line in lines),
        sum(line.dropped for line in lines),
        tuple(line.channels for line in lines) if all(line.channels for line in lines) else (),
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


def _single(value: Value, t_ns: int) -> list[CellEvent]:
    match value:
        case Identity():
            return [
                CellIdentified(
                    t_ns,
                    value.protocol,
                    value.firmware,
                    value.serial,
                    value.chip,
                    value.gain,
                    value.samples_per_s,
                    value.config_crc,
                )
            ]
        case Temperature(centi_c=centi_c):
            return [CellTemperature(t_ns, centi_c)]
        case CellError(code=code, text=text):
            # The name of our own finding is not the converter's to use.
            return [CellFault(t_ns, "CELL-GARBAGE" if code == "GARBAGE" else code, text)]
    return []
