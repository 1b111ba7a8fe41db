"""What weighing costs: the share of one processor core for a number of load-cell lines a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cart.core.events import CellAccelerated, LoadSampled
from cart.core.weight import Calibration, Limits, accelerated, initial, sampled
from cart.sim.physics import Params, Platform
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import encode_acceleration, encode_weight

if TYPE_CHECKING:
    from cart.clock import SystemClock

PIECE_US = 50_000
"""What the reader thread has at a time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time per line in ns, and the share of a core at this rate in tenths of a percent."""

    lines_per_s: int
    ns_per_line: int
    permille: int


def cost(samples_per_s: int, clock: SystemClock, *, with_imu: bool = False, seconds: int = 30) -> Cost:
    """Return the cost of bytes to changes of load, with a change every 5 s.

    with_imu  each $W line has an $I line with it, and the cart strolls, so that both are used
    """
    params = Params(samples_per_s=samples_per_s)
    pieces = _pieces(params, with_imu, seconds)
    events = CellEvents(hold_ns=0)
    weight = initial(Calibration(params.counts_per_kg, params.zero_counts), Limits(samples_per_s=samples_per_s))
    begin_ns = clock.cpu_ns()
    for piece in pieces:
        for event in events.feed(piece, 0):
            if isinstance(event, LoadSampled):
                weight, _ = sampled(weight, event)
            elif isinstance(event, CellAccelerated):
                weight, _ = accelerated(weight, event)
    spent_ns = clock.cpu_ns() - begin_ns
    lines_per_s = samples_per_s * (1 + with_imu)
    return Cost(lines_per_s, spent_ns // (seconds * lines_per_s), spent_ns // (seconds * 1_000_000))


def _pieces(params: Params, with_imu: bool, seconds: int) -> list[bytes]:
    platform = Platform(1, params, 5_000_000)
    if with_imu:
        platform.ground(params.smooth_roughness)
        platform.push_to(500)
    pieces = []
    for number in range(seconds * 1_000_000 // PIECE_US):
        if number % 100 == 60:
            platform.add(250_000, "drop")
        lines = []
        for s in platform.advance(PIECE_US):
            lines.append(encode_weight(s.seq, s.t_us, s.counts, s.flags))
            if with_imu:
                lines.append(encode_acceleration(s.seq, s.t_us, s.ax_ug, s.ay_ug, s.az_ug))
        pieces.append(b"".join(lines))
    return pieces
