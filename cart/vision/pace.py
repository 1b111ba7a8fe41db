"""What may be tried on a frame of a pass, so that the loop keeps up with the camera on any machine.

Each frame has a budget, a share of the time between two frames. What a frame spends beyond it is a debt that the next
ones pay off: while there is any, they get the least that every frame gets, and turned strips and matrix codes only at
their slow turn, so that nothing is starved on a machine that is always behind. Pure values; time comes with the calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

BUDGET_PERCENT = 60
"""Of the time between two frames. The rest is the camera's, the daemon's and the system's."""

DEBT_BUDGETS_MAX = 4
"""A single frame that took very long (a first classification, a swap) is forgotten after so many frames."""

STRIPS_EVERY, STRIPS_SELDOM = 2, 4
MATRIX_EVERY, MATRIX_SELDOM = 4, 8
LOOK_NS, LOOK_SELDOM_NS = 200_000_000, 600_000_000
"""The classifier sees a frame at most that often: within the budget, and behind it."""


class Tasks(NamedTuple):
    """What is tried on one frame, besides the upright 1-D codes that every frame gets."""

    strips: bool
    matrix: bool
    look: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """Where the loop stands.

    budget_ns  of one frame
    number     of the next frame in its pass, from 0
    debt_ns    spent beyond the budget and not yet paid off
    looked_ns  when the classifier last saw a frame of this pass
    """

    budget_ns: int
    number: int = 0
    debt_ns: int = 0
    looked_ns: int = 0

    @property
    def behind(self) -> bool:
        """True while there is a debt."""
        return self.debt_ns > 0


def of_camera(frames_per_s: int) -> Pace:
    """Return the pace for a camera of this rate."""
    return Pace(1_000_000_000 * BUDGET_PERCENT // (100 * frames_per_s))


def begun(pace: Pace) -> Pace:
    """Return the pace at the begin of a pass; a debt stays."""
    return replace(pace, number=0, looked_ns=0)


def tasks(pace: Pace, t_ns: int, *, read: bool) -> Tasks:
    """Return what the next frame of the pass, exposed at t_ns, gets.

    read  the pass has a product's number already: then strips wait for their turn
    """
    strips_every = STRIPS_SELDOM if pace.behind else STRIPS_EVERY if read else 1
    matrix_every = MATRIX_SELDOM if pace.behind else MATRIX_EVERY
    wait_ns = LOOK_SELDOM_NS if pace.behind else LOOK_NS
    return Tasks(
        strips=pace.number % strips_every == strips_every - 1,
        matrix=pace.number % matrix_every == 0,
        look=t_ns - pace.looked_ns >= wait_ns,
    )


def spent(pace: Pace, cost_ns: int, *, in_pass: bool) -> Pace:
    """Return the pace after a frame that took cost_ns."""
    debt_ns = min(max(0, pace.debt_ns + cost_ns - pace.budget_ns), DEBT_BUDGETS_MAX * pace.budget_ns)
    return replace(pace, debt_ns=debt_ns, number=pace.number + in_pass)


def looked(pace: Pace, t_ns: int) -> Pace:
    """Return the pace after the classifier saw the frame exposed at t_ns."""
    return replace(pace, looked_ns=t_ns)
