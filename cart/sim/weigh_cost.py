"""What weighing costs: the share of one processor core for a number of load-cell lines a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cart.core.events import LoadSampled
from cart.core.weight import Calibration, Limits, initial, sampled
from cart.sim.physics import Params, Platform
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import encode_weight

if TYPE_CHECKING:
    from cart.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time per line in ns, and the share of a core at this rate in tenths of a percent."""

    lines: int
    ns_per_line: int
    permille: int


def cost(samples_per_s: int, clock: SystemClock, seconds: int = 30) -> Cost:
    """Return the cost of bytes to changes of load, with a change every 5 s, in batches of 50 ms as the reader makes."""
    params = Params(samples_per_s=samples_per_s)
    platform = Platform(1, params, 5_000_000)
    pieces = []
    for tenth in range(seconds * 20):
        if tenth % 100 == 60:
            platform.add(250_000, "drop")
        pieces.append(b"".join(encode_weight(s.seq, s.t_us, s.counts, s.flags) for s in platform.advance(50_000)))
    events = CellEvents(hold_ns=0)
    weight = initial(Calibration(params.counts_per_kg, params.zero_counts), Limits(samples_per_s=samples_per_s))
    begin_ns = clock.cpu_ns()
    for piece in pieces:
        for event in events.feed(piece, 0):
            assert isinstance(event, LoadSampled)
            weight, _ = sampled(weight, event)
    lines = seconds * samples_per_s
    spent_ns = clock.cpu_ns() - begin_ns
    return Cost(lines, spent_ns // lines, spent_ns // (seconds * 1_000_000))
