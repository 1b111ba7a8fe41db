"""Every number of the simulated basket: name, unit, limits, source. `cart bench weigh --print-world` shows them all.

Names carry units. `Params()` is the default world; `cart.sim.physics.world_file` replaces parameters from a file.
Sources: "assumed" was chosen by us, and the first hour recorded on a real cart must replace it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

G = 9.80665

ASSUMED = "assumed"
CELL_DATA = "data sheets of C3 single-point cells (combined error 0.02 % of span)"
HX711 = "HX711 data sheet"
OPENSCALE = "SparkFun OpenScale guide: 50 nV at 10/s, 90 nV at 80/s"
R60 = "OIML R 60, class C3: creep at most 0.7 mpe in 30 min"


def _number(default: float, unit: str, lo: float, hi: float, source: str, meaning: str) -> Any:
    """Describe one parameter; a whole-number default makes a whole-number parameter."""
    assert lo <= default <= hi
    return field(default=default, metadata={"unit": unit, "lo": lo, "hi": hi, "source": source, "meaning": meaning})


@dataclass(frozen=True)
class PlatformParams:
    """The basket as a mass on springs."""

    platform_g: float = _number(8_000.0, "g", 500, 100_000, ASSUMED, "sprung mass without goods")
    resonance_hz: float = _number(15.0, "Hz", 3, 100, ASSUMED, "resonance of the empty platform")
    damping: float = _number(0.25, "ratio", 0.005, 2, ASSUMED, "damping of the empty platform, 1 = critical")
    cable_drag_mn: float = _number(3.0, "mN", 0, 50_000, ASSUMED, "dry friction of cable and skirt at the platform")
    cable_drag_um: float = _number(20.0, "um", 0.1, 10_000, ASSUMED, "travel before that friction slips")


@dataclass(frozen=True)
class CellParams:
    """Four gauges and their faults. Defaults: 4 x 20 kg, 2 mV/V at 5 V."""

    cells: int = _number(1, "channels", 1, 4, HX711, "channels on the line: 1 (cells in parallel) or 4")
    counts_per_kg: int = _number(52_429, "counts/kg", -(10**7), 10**7, HX711 + ", gain 128", "of the sum")
    zero_counts: int = _number(335_432, "counts", -(2**23), 2**23 - 1, ASSUMED, "empty, level and at rest; of the sum")
    span_kg: float = _number(80.0, "kg", 1, 1_000, "4 x 20 kg", "nominal range of all cells")
    calibrated_kg: float = _number(15.0, "kg", 0.1, 1_000, ASSUMED, "load at which the calibration is exact")
    nonlinearity_ppm: float = _number(100.0, "ppm", 0, 10_000, CELL_DATA, "bow at half span, of the span")
    hysteresis_ppm: float = _number(100.0, "ppm", 0, 10_000, CELL_DATA, "width of a full loop, of the span")
    corner_1_ppm: float = _number(300.0, "ppm", -50_000, 50_000, ASSUMED, "error of the front left corner")
    corner_2_ppm: float = _number(-200.0, "ppm", -50_000, 50_000, ASSUMED, "error of the front right corner")
    corner_3_ppm: float = _number(-300.0, "ppm", -50_000, 50_000, ASSUMED, "error of the rear left corner")
    corner_4_ppm: float = _number(200.0, "ppm", -50_000, 50_000, ASSUMED, "error of the rear right corner")
    creep_fast_ppm: float = _number(200.0, "ppm", -5_000, 5_000, R60, "share of the load that comes late")
    creep_fast_s: float = _number(20.0, "s", 0.5, 100_000, ASSUMED, "its time constant")
    creep_slow_ppm: float = _number(150.0, "ppm", -5_000, 5_000, R60, "share of the load that comes very late")
    creep_slow_s: float = _number(300.0, "s", 0.5, 100_000, ASSUMED, "its time constant")
    zero_drift_g_k: float = _number(2.0, "g/K", -100, 100, ASSUMED + "; cheap cells: TI SBAA532A 2 %/K", "zero point")
    span_drift_ppm_k: float = _number(20.0, "ppm/K", -2_000, 2_000, CELL_DATA, "slope")
    walk_g: float = _number(0.02, "g/sqrt(s)", 0, 10, ASSUMED, "random walk of the zero point")
    sideways_share: float = _number(0.004, "ratio", -0.2, 0.2, ASSUMED, "fore-and-aft force that reaches the gauges")
    temperature_c: float = _number(21.5, "C", -40, 85, ASSUMED, "at the beginning, when the calibration is exact")


@dataclass(frozen=True)
class ConverterParams:
    """The analogue-to-digital converter and the accelerometer beside it."""

    samples_per_s: int = _number(80, "1/s", 10, 640, HX711, "conversions; must divide 1600")
    noise_counts_rms: float = _number(38.0, "counts", 0, 100_000, OPENSCALE, "of each channel, at this rate")
    accelerometer_noise_ug: float = _number(100.0, "ug/sqrt(Hz)", 0, 100_000, "MEMS data sheets", "white noise")
    accelerometer_gain: float = _number(1.01, "ratio", 0.5, 2, "MEMS data sheets", "error of scale")
    accelerometer_late_ms: float = _number(1.0, "ms", 0, 10, ASSUMED, "how late it is against the weight")


@dataclass(frozen=True)
class GroundParams:
    """What the cart rolls on, and how it is pushed. Indoor wheelchairs show frame peaks of this order near 8 Hz."""

    hum_m_s2: float = _number(0.003, "m/s2", 0, 10, ASSUMED, "1 to 30 Hz, always there")
    smooth_roughness: float = _number(0.3, "m/s2 per m/s", 0, 20, ASSUMED, "smooth floor, 5 to 30 Hz rms")
    tiles_roughness: float = _number(1.0, "m/s2 per m/s", 0, 20, ASSUMED, "tiles")
    rough_low_hz: float = _number(5.0, "Hz", 0.1, 200, ASSUMED, "band of the roughness, from")
    rough_high_hz: float = _number(30.0, "Hz", 1, 700, ASSUMED, "to")
    bumps_per_m: float = _number(0.5, "1/m", 0, 100, ASSUMED, "joints and kerbs, where there are any")
    bump_m_s2: float = _number(6.0, "m/s2", 0, 500, ASSUMED, "middle strength of one")
    bump_ms_min: float = _number(20.0, "ms", 1, 500, ASSUMED, "half a bump, shortest")
    bump_ms_max: float = _number(50.0, "ms", 1, 500, ASSUMED, "half a bump, longest")
    wheel_mm: float = _number(125.0, "mm", 20, 1_000, "trolley castors", "diameter")
    wheel_once: float = _number(0.35, "ratio", 0, 10, ASSUMED, "flat spot: once a turn, of the roughness")
    wheel_twice: float = _number(0.2, "ratio", 0, 10, ASSUMED, "twice a turn")
    fore_m_s2: float = _number(0.15, "m/s2", 0, 10, ASSUMED, "unsteady pushing, 0.5 to 3 Hz rms")
    slope_deg: float = _number(0.4, "deg", 0, 20, ASSUMED, "unevenness of the floor, rms at walking speed")


@dataclass(frozen=True)
class HandParams:
    """How things get in and out."""

    place_s_min: float = _number(0.1, "s", 0.01, 5, ASSUMED, "putting down, shortest")
    place_s_max: float = _number(0.4, "s", 0.01, 5, ASSUMED, "putting down, longest")
    lift_s_min: float = _number(0.08, "s", 0.01, 5, ASSUMED, "taking out, shortest")
    lift_s_max: float = _number(0.3, "s", 0.01, 5, ASSUMED, "taking out, longest")
    push_share: float = _number(0.25, "ratio", 0, 10, ASSUMED, "the hand's push, at most, of the item's weight")
    push_kg: float = _number(0.15, "kg", 0, 50, ASSUMED, "and at most so much more")
    drop_cm_min: float = _number(1.0, "cm", 0, 200, ASSUMED, "height of a fall, least")
    drop_cm_max: float = _number(10.0, "cm", 0, 200, ASSUMED, "most")
    drop_ms_min: float = _number(12.0, "ms", 2, 500, ASSUMED, "length of the blow, shortest")
    drop_ms_max: float = _number(30.0, "ms", 2, 500, ASSUMED, "longest")
    drop_bounce: float = _number(1.2, "ratio", 1, 2, ASSUMED, "impulse over that of a dead stop")
    spread: float = _number(0.8, "ratio", 0, 1, ASSUMED, "part of the platform on which things land")


@dataclass(frozen=True)
class Params(PlatformParams, CellParams, ConverterParams, GroundParams, HandParams):
    """One world: all parameters by their names."""

    def __post_init__(self) -> None:
        """Refuse what no file may say either."""
        assert 1_600 % self.samples_per_s == 0
        assert self.cells in (1, 4)
        assert self.counts_per_kg != 0

    @property
    def creep(self) -> tuple[tuple[float, float], ...]:
        """(share of the load, time constant in s) of each late part."""
        return ((self.creep_fast_ppm / 1e6, self.creep_fast_s), (self.creep_slow_ppm / 1e6, self.creep_slow_s))

    @property
    def hand_ms_max(self) -> int:
        """The longest that a hand is at what it puts in or takes out, in ms."""
        return round(1e3 * max(self.place_s_max, self.lift_s_max))

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Errors of the four corners as shares: front left, front right, rear left, rear right."""
        return (self.corner_1_ppm / 1e6, self.corner_2_ppm / 1e6, self.corner_3_ppm / 1e6, self.corner_4_ppm / 1e6)


SECTIONS = {
    "platform": PlatformParams,
    "cell": CellParams,
    "converter": ConverterParams,
    "ground": GroundParams,
    "hand": HandParams,
}
