"""What the detection of changes keeps between two calls: values only. The rules are in `weight_steps.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

from cart.core.weight_held import Held
from cart.core.weight_inertia import Inertia, forgotten
from cart.core.weight_noise import BOXES, Track
from cart.core.weight_slope import Slope
from cart.core.weight_trail import Trail, Usual
from cart.core.weight_values import STANDING, Step

_EMPTY = Track()


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is believed and not yet final. Positions count readings since the first.

    moved      middle of its last part
    base_ug    level before it;  base_mg2: the variance of that
    delta_mg   as first told
    restless   readings in which the load did not come to rest
    leant      there were many: a hand or a child is on it;  peak_mg: most that it was
    known_mg2  least variance with which the level after it was known
    away       last position at which the load was away from that level, as under a hand
    stood      that level was seen standing, before the cart went on
    """

    id: int
    t_start_ms: int
    t_accept_ms: int
    moved: int
    base_ug: int
    base_mg2: int
    delta_mg: int
    motion: str
    restless: int = 0
    leant: bool = False
    peak_mg: int = 0
    known_mg2: int = 0
    away: int = 0
    stood: bool = False

    def told(self, delta_mg: int, variance_mg2: int, *, final: bool) -> Step:
        """Return the change in words; `variance_mg2` is that of the level after it."""
        sigma_mg = isqrt(variance_mg2 + self.base_mg2)
        return Step(self.id, self.t_start_ms, self.t_accept_ms, delta_mg, sigma_mg, self.motion, final)


@dataclass(frozen=True, slots=True)
class Detector:
    """All that detection keeps between two calls. Positions count readings since the first.

    position   of the newest reading
    clear      first position that windows may reach back to
    landed     last position at which a change was believed to be; windows that end before it end in another load
    pulled     last position of standing at which the cart was felt being set going, which pulls at the gauges sideways
    stirred    last position at which the load was away from its level: the noise is not learned from there
    level_ug   what the load rests at, None before the first rest;  level_mg2: its variance
    followed   position at which a level in motion was taken or followed last
    runs       for how many readings each window has seen a change
    anchored   the level was seen at this standstill; before that it does not drift, and larger steps are asked for
    settled    at this standstill it is known what the accelerometer reads at rest
    tilt_mg    what the cart's tilt at this standstill adds to its weight
    held       what was too small to be told in motion, oldest first; it lies in the level
    trail      what the load showed in motion since its level was taken
    usual      noise in motion
    uneasy     readings since the load was last near its level in which it trembled, before any change is believed
    shocked    position of a shock that is not judged yet, 0 for none
    jammed     the moving mass disagrees with the static one
    rested     the standstill was told
    drifted_ug sum of all drift that the level followed, for the ledger;  stood_ug: the same at the last standstill told
    """

    raw: Track = _EMPTY
    corrected: Track = _EMPTY
    inertia: Inertia = Inertia()  # noqa: RUF009 (a frozen value)
    slope: Slope = Slope()  # noqa: RUF009 (a frozen value)
    position: int = -1
    clear: int = 0
    landed: int = 0
    pulled: int = -1
    stirred: int = 0
    level_ug: int | None = None
    level_mg2: int = 0
    followed: int = 0
    runs: tuple[int, ...] = (0,) * len(BOXES)
    motion: str = STANDING
    motion_since: int = 0
    moved_s: int = 0
    moved_as: str = STANDING
    anchored: bool = True
    settled: bool = True
    tilt_mg: int = 0
    held: tuple[Held, ...] = ()
    trail: Trail | None = None
    usual: Usual = Usual()  # noqa: RUF009 (a frozen value)
    uneasy: int = 0
    shocked: int = 0
    jammed: bool = False
    rested: bool = False
    change: Change | None = None
    next_id: int = 1
    drifted_ug: int = 0
    stood_ug: int = 0


def interrupted(detector: Detector) -> Detector:
    """Return the detector after a gap: no reading of the time before is used again.

    The level stays, what is held stays to be told, and so does what was learned of the noise and of the moving mass.
    """
    gone = replace(detector.raw, history=(), squares=(), blocks=())
    gone_corrected = replace(detector.corrected, history=(), squares=(), blocks=())
    return replace(
        detector,
        raw=gone,
        corrected=gone_corrected,
        inertia=forgotten(detector.inertia),
        slope=replace(detector.slope, running=(0, 0, 0), blocks=()),
        clear=detector.position + 1,
        landed=detector.position + 1,
        runs=(0,) * len(BOXES),
        anchored=False,
        settled=False,
        rested=False,
        uneasy=0,
        trail=None,
    )
