"""What the weight says, and what it must be told: values only. The rules are in `weight.py` and beside it."""

from __future__ import annotations

from dataclasses import dataclass

STANDING, ROLLING, ROUGH = "standing", "rolling", "rough"

OK = "ok"
NO_DATA = "no_data"
STUCK = "stuck"
SATURATED = "saturated"
GARBAGE = "garbage"
WRONG_RATE = "wrong_rate"
OVER_RANGE = "over_range"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How counts become mass: mass_mg = (counts - zero_counts) * 1,000,000 / counts_per_kg.

    counts_per_kg  not 0; negative when the cells are wired the other way round
    zero_counts    what the empty basket reads
    trims_ppm      of four cells, in millionths; empty where they need none, or are one channel
    """

    counts_per_kg: int
    zero_counts: int
    trims_ppm: tuple[int, ...] = ()

    def summed(self, counts: int, cells: tuple[int, ...]) -> int:
        """Return the counts of one reading with each cell trimmed.

        counts  as they came, summed;  cells: of each cell, where the line names them
        """
        if len(cells) != len(self.trims_ppm) or not cells:
            return counts
        return sum(cell * trim for cell, trim in zip(cells, self.trims_ppm, strict=True)) // 1_000_000

    def mass_mg(self, counts: int) -> int:
        """Return the mass that one reading stands for, in mg."""
        return (counts - self.zero_counts) * 1_000_000 // self.counts_per_kg


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the weight. Every figure was set on the simulator, by `cart bench weigh`.

    samples_per_s    the converter's rate: 80, or 160, 320, ... of which means are taken
    step_mg          smallest change that is told while standing
    rolling_step_mg  smallest change that is told while rolling; smaller ones are held until the next standstill
    rough_step_mg    the same on tiles, over bumps, in stop and go
    over_range_mg    safe load: beyond it, either way, there is no weight
    platform_mg      sprung mass without goods, for the correction by the accelerometer
    cells_fore_mm    from the front cells to the rear ones, for the place of what lands;  cells_left_mm: across
    """

    samples_per_s: int = 80
    step_mg: int = 6_000
    rolling_step_mg: int = 40_000
    rough_step_mg: int = 200_000
    over_range_mg: int = 50_000_000
    platform_mg: int = 8_000_000
    cells_fore_mm: int = 600
    cells_left_mm: int = 400


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change of load was, from the middle between the four cells.

    x_mm      towards the front;  y_mm: to the left, seen by who pushes the cart
    sigma_mm  standard deviation of the less well known of the two
    outside   not between the cells, and so not on the basket's floor
    """

    x_mm: int
    y_mm: int
    sigma_mm: int
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of load: told when it is believed (provisional), and again under the same id when it is known (final).

    t_start_ms   middle of the change, ms since the first valid reading, converter time
    t_accept_ms  when it was believed, of both messages
    delta_mg     what came (positive) or went
    sigma_mg     standard deviation of delta_mg
    motion       "standing", "rolling" or "rough": how the cart moved when it happened
    place        where it was; None for a provisional, without four cells, or where that is not known well
    """

    id: int
    t_start_ms: int
    t_accept_ms: int
    delta_mg: int
    sigma_mg: int
    motion: str
    final: bool
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class LoadState:
    """Whether there is a weight at all; told when it changes.

    state  "ok", "no_data", "stuck", "saturated", "garbage", "wrong_rate" or "over_range"
    """

    state: str
    t_ms: int


@dataclass(frozen=True, slots=True)
class Standstill:
    """The load rests: gross mass, told once after each change, 2 a second at most.

    sigma_mg  with the drift that the level followed since the last one: by so much changes and gross may disagree
    """

    t_ms: int
    gross_mg: int
    sigma_mg: int


BUMP, LEAN, CHILD, TILT, JAM, RIM = "bump", "lean", "child", "tilt", "jam", "rim"


@dataclass(frozen=True, slots=True)
class Case:
    """Something that moved the reading and is no item.

    case  "bump": a shock that left nothing;  "lean", "child": a load that never came to rest and went again;
          "tilt": the cart is on a slope, which is taken off;  "jam": the platform does not move as its load would;
          "rim": a change that was outside the cells: something hangs over the rim, or holds it
    """

    t_ms: int
    case: str


UP, DOWN = "up", "down"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something happens to a load that stood; a change follows, or nothing. alarm: "up" or "down"."""

    t_ms: int
    alarm: str


Told = Step | LoadState | Standstill | Case | Alarm
