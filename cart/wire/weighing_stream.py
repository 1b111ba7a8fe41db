"""Load-cell bytes in, weight out: decoder and weight in one, for a file or a pipe.

Only converter time is known here. The daemon has its own loop around the same parts.
"""

from __future__ import annotations

from dataclasses import replace

from cart.core.events import CellAccelerated, CellFault, CellIdentified, LoadSampled
from cart.core.weight import Calibration, Limits, LoadState, accelerated, faulted, initial, sampled
from cart.core.weight_values import Told
from cart.wire.cell_events import CellEvent, CellEvents

BATCH = 4
RATES = (80, 160, 320, 640)


class WeighingStream:
    """The weight of one stream of bytes.

    heard       a valid reading came
    named       a state was told
    bytes_read  so far
    """

    def __init__(self, calibration: Calibration, limits: Limits | None = None) -> None:
        """Begin before the first byte; the converter runs at 80/s unless it says otherwise before its first reading."""
        self.heard = self.named = False
        self.bytes_read = 0
        self._events = CellEvents(BATCH, hold_ns=0)
        self._calibration = calibration
        self._limits = limits or Limits()
        self._weight = initial(calibration, self._limits)

    def feed(self, data: bytes) -> list[Told]:
        """Return what these bytes tell."""
        self.bytes_read += len(data)
        told = [value for event in self._events.feed(data, 0) for value in self._take(event)]
        self.named = self.named or any(isinstance(value, LoadState) for value in told)
        return told

    def _take(self, event: CellEvent) -> tuple[Told, ...]:
        told: tuple[Told, ...] = ()
        match event:
            case LoadSampled():
                self.heard = True
                self._weight, told = sampled(self._weight, event)
            case CellAccelerated():
                self._weight, told = accelerated(self._weight, event)
            case CellFault():
                self._weight, told = faulted(self._weight, event)
            case CellIdentified(samples_per_s=rate) if not self.heard and rate in RATES:
                # The converter's own word sets the rate before the first reading; later the rate is only judged.
                self._weight = initial(self._calibration, replace(self._limits, samples_per_s=rate))
        return told
