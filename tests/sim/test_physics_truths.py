"""The simulated basket against what physics books say: its sensitivity, swing, tilt, corners, creep, hysteresis."""

from dataclasses import replace
from math import exp, pi, sqrt

import numpy as np
import pytest

from cart.sim.physics import Params, Platform
from cart.sim.physics.cell import Cell, corner_shares
from cart.sim.physics.ground import BandNoise
from cart.sim.physics.suspension import Suspension
from cart.sim.physics.timeline import STEPS_PER_S
from cart.sim.wire_out import Converter
from cart.wire.loadcell import Acceleration, Decoder, Temperature, WeightLine

SECOND = 1_000_000
G = 9.80665

QUIET = Params(
    noise_counts_rms=0,
    hum_m_s2=0,
    walk_g=0,
    accelerometer_noise_ug=0,
    accelerometer_gain=1.0,
    creep_fast_ppm=0,
    creep_slow_ppm=0,
    nonlinearity_ppm=0,
    hysteresis_ppm=0,
    corner_1_ppm=0,
    corner_2_ppm=0,
    corner_3_ppm=0,
    corner_4_ppm=0,
    cable_drag_mn=0,
)
"""A world without any fault: what is left are mass, spring, damper and filter."""


def grams(sample, params=QUIET):
    return (sample.counts - params.zero_counts) * 1e3 / params.counts_per_kg


def read_at_rest(platform, params=QUIET, settle_s=6):
    """Return what is read at the end of some seconds, in g."""
    return grams(platform.advance(settle_s * SECOND)[-1], params)


def creepless(params, load_g):
    """Return what is read beside the goods after a load came at once."""
    cell = Cell(np.random.default_rng(1), params, 0.0)
    return cell.faults(np.full(1, float(load_g)))[-1]


@pytest.mark.parametrize("load_g", [0, 100, 15_000, 45_000])
def test_without_faults_the_counts_are_the_mass_times_the_slope(load_g):
    sample = Platform(1, QUIET, load_g * 1_000).advance(SECOND)[-1]
    assert sample.counts == QUIET.zero_counts + round(load_g * QUIET.counts_per_kg / 1_000)
    assert (sample.ax_ug, sample.ay_ug, sample.az_ug) == (0, 0, 1_000_000)


@pytest.mark.parametrize("load_kg", [0.0, 5.0, 20.0])
def test_the_basket_swings_at_its_frequency_and_dies_out_with_its_damping(load_kg):
    """f = f0 sqrt(mp / M), damping ratio the same way; seen in the free swing after a push."""
    params = replace(QUIET, damping=0.02)
    mass = 8 + load_kg
    suspension = Suspension(params, load_kg)
    push = [50.0] * 8 + [0.0] * (2 * STEPS_PER_S)
    force, _ = suspension.swing([mass] * len(push), [mass * G + extra for extra in push])
    swing = force[8:] - mass * G
    tops = [n for n in range(1, len(swing) - 1) if swing[n - 1] < swing[n] >= swing[n + 1] and swing[n] > 0.05]
    period_s = (tops[6] - tops[0]) / 6 / STEPS_PER_S
    natural_hz = 15.0 * sqrt(8 / mass)
    assert 1 / period_s == pytest.approx(natural_hz, rel=0.02)
    decrement = np.log(swing[tops[0]] / swing[tops[6]]) / 6
    assert decrement / (2 * pi) == pytest.approx(0.02 * sqrt(8 / mass), rel=0.15)


def test_a_tilted_basket_reads_the_cosine():
    params = replace(QUIET, sideways_share=0.0)
    platform = Platform(1, params, 12_000_000)
    platform.tilt_to(100)
    # The platform's own 8 kg lose their part too, which the zero point does not know.
    assert read_at_rest(platform, params) == pytest.approx(20_000 / sqrt(1.01) - 8_000, abs=0.05)
    sample = platform.advance(SECOND)[-1]
    assert sample.ax_ug == pytest.approx(1e6 * 0.1 / sqrt(1.01), abs=20)
    assert sample.az_ug == pytest.approx(1e6 / sqrt(1.01), abs=20)


@pytest.mark.parametrize("where", [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0), (0.3, -0.6)])
def test_the_four_corners_add_up_and_say_where_it_lies(where):
    params = replace(QUIET, cells=4)
    platform = Platform(1, params)
    released_us = platform.add(1_000_000, "place", where=where)
    platform.advance_to(released_us)
    sample = platform.advance(3 * SECOND)[-1]
    assert sum(sample.channels) == sample.counts
    assert grams(sample, params) == pytest.approx(1_000, abs=0.1)
    each = [(c - params.zero_counts / 4) * 1e3 / params.counts_per_kg for c in sample.channels]
    assert each == pytest.approx(list(1_000 * corner_shares(*where)), abs=0.1)


def test_a_corner_reads_its_own_error_and_the_middle_the_mean():
    params = replace(QUIET, corner_1_ppm=2_000.0, corner_2_ppm=-2_000.0)
    read = {}
    for where in ((1.0, 1.0), (1.0, -1.0), (0.0, 0.0)):
        platform = Platform(1, params)
        platform.add(5_000_000, "drop", where=where)
        read[where] = read_at_rest(platform, params)
    assert read[1.0, 1.0] == pytest.approx(5_010, abs=0.1)
    assert read[1.0, -1.0] == pytest.approx(4_990, abs=0.1)
    assert read[0.0, 0.0] == pytest.approx(5_000, abs=0.1)


@pytest.mark.parametrize("cells", [1, 4])
def test_an_empty_basket_reads_zero_whatever_its_corners_are(cells):
    params = replace(QUIET, corner_1_ppm=20_000.0, cells=cells)
    sample = Platform(1, params).advance(SECOND)[-1]
    assert sample.counts == params.zero_counts


def test_the_accelerometer_is_late_by_its_time():
    """A push is felt later by as many samples as it should be."""
    felt = {}
    for late_ms in (0.0, 10.0):
        platform = Platform(1, replace(QUIET, samples_per_s=400, accelerometer_late_ms=late_ms), 5_000_000)
        platform.lean(100_000, 200_000, 20_000)
        felt[late_ms] = [s.az_ug for s in platform.advance(SECOND)]
    assert felt[10.0][4:] == felt[0.0][:-4]
    assert felt[10.0] != felt[0.0]


def test_creep_comes_as_an_exponential_and_ends_at_its_share():
    params = replace(QUIET, creep_fast_ppm=1_000.0, creep_fast_s=10.0)
    cell = Cell(np.random.default_rng(1), params, 0.0)
    path = cell.faults(np.full(100 * STEPS_PER_S, 10_000.0))
    assert path[10 * STEPS_PER_S] == pytest.approx(10 * (1 - exp(-1)), rel=0.01)
    assert path[-1] == pytest.approx(10, rel=0.001)


def test_hysteresis_is_a_loop_as_wide_as_told():
    params = replace(QUIET, hysteresis_ppm=200.0, span_kg=80.0)

    def width_g(top_g):
        cell = Cell(np.random.default_rng(1), params, 0.0)
        up = cell.faults(np.linspace(0, top_g, 401))
        down = cell.faults(np.linspace(top_g, 0, 401))
        return float(down[200] - up[200])

    assert width_g(80_000) == pytest.approx(16, rel=0.001)
    assert width_g(8_000) == pytest.approx(1.6, rel=0.2)
    cell = Cell(np.random.default_rng(1), params, 0.0)
    cell.faults(np.linspace(0, 80_000, 401))
    returned = cell.faults(np.linspace(80_000, 15_000, 401))[-1]
    assert returned > creepless(params, 15_000)


def test_the_calibrated_load_is_exact_and_the_bow_is_as_told():
    params = replace(QUIET, nonlinearity_ppm=500.0, hysteresis_ppm=200.0, calibrated_kg=40.0)
    assert creepless(params, 40_000) == pytest.approx(0, abs=0.01)
    bow = replace(params, hysteresis_ppm=0.0, calibrated_kg=80.0)
    assert creepless(bow, 40_000) == pytest.approx(40, abs=0.01)
    assert creepless(bow, 0) == 0


def test_warmth_moves_zero_and_slope():
    params = replace(QUIET, zero_drift_g_k=2.0, span_drift_ppm_k=100.0)
    platform = Platform(1, params, 10_000_000)
    platform.kelvin_per_s = 0.1
    platform.advance(100 * SECOND)
    platform.kelvin_per_s = 0.0
    # 10 K: 20 g of zero, and 1/1000 of the 18 kg that hang on the cells.
    assert read_at_rest(platform, params) == pytest.approx(10_000 + 20 + 18, abs=0.1)
    assert platform.centi_c == 3_150


def test_a_rim_that_touches_takes_its_share_of_what_comes_later():
    platform = Platform(1, QUIET, 5_000_000)
    platform.advance(SECOND)
    platform.touch_rim(0.4)
    assert read_at_rest(platform) == pytest.approx(5_000, abs=0.1)
    platform.add(1_000_000, "drop", where=(0.0, 0.0))
    assert read_at_rest(platform) == pytest.approx(5_600, abs=0.2)
    platform.touch_rim(0.0)
    assert read_at_rest(platform) == pytest.approx(6_000, abs=0.1)


def test_dry_friction_hides_its_force_until_it_slips():
    params = replace(QUIET, cable_drag_mn=50.0, cable_drag_um=5.0)
    platform = Platform(1, params, 5_000_000)
    platform.pour(1_000_000, 20 * SECOND)
    platform.advance(20 * SECOND)
    up = read_at_rest(platform, params)
    assert 6_000 - up == pytest.approx(50 / G, abs=0.3)
    platform.pour(-500_000, 10 * SECOND)
    platform.advance(10 * SECOND)
    down = read_at_rest(platform, params)
    assert down - 5_500 == pytest.approx(50 / G, abs=0.3)


def test_a_rolling_bottle_shakes_and_changes_nothing():
    platform = Platform(1, QUIET, 5_000_000)
    platform.advance(SECOND)
    platform.roll(1_500_000)
    read = [grams(s) for s in platform.advance(8 * SECOND)]
    assert max(read) - min(read) > 100
    assert read[-1] == pytest.approx(5_000, abs=0.1)


def test_a_fidgeting_child_pushes_as_hard_as_told_and_stops():
    platform = Platform(1, QUIET, 5_000_000)
    platform.fidget(20_000, 20 * SECOND)
    read = np.array([grams(s) for s in platform.advance(20 * SECOND)])
    assert np.std(read) == pytest.approx(20_000 / G, rel=0.25)
    assert read_at_rest(platform) == pytest.approx(5_000, abs=0.5)


@pytest.mark.parametrize("cells", [1, 4])
def test_the_wire_carries_what_the_converter_read(cells):
    platform = Platform(3, replace(Params(), cells=cells), 5_000_000)
    platform.kelvin_per_s = 0.05
    data, samples = Converter(platform).advance_to(3 * SECOND)
    values = Decoder().feed(data)
    lines = [value for value in values if isinstance(value, WeightLine)]
    felt = [value for value in values if isinstance(value, Acceleration)]
    assert [(w.seq, w.t_us, w.counts, w.channels) for w in lines] == [
        (s.seq, s.t_us, s.counts, s.channels) for s in samples
    ]
    assert [(a.ax_ug, a.ay_ug, a.az_ug) for a in felt] == [(s.ax_ug, s.ay_ug, s.az_ug) for s in samples]
    assert {value.centi_c for value in values if isinstance(value, Temperature)} <= set(range(2_150, 2_166))
    assert len({len(s.channels) for s in samples}) == 1


def test_four_converters_have_noise_of_their_own():
    params = replace(QUIET, cells=4, noise_counts_rms=38.0)
    channels = np.array([s.channels for s in Platform(1, params, 4_000_000).advance(20 * SECOND)])
    assert channels.std(axis=0) == pytest.approx([38.0] * 4, rel=0.1)
    assert abs(np.corrcoef(channels.T)[0, 1]) < 0.1


@pytest.mark.parametrize(("low_hz", "high_hz"), [(5.0, 30.0), (0.5, 3.0), (1.0, 30.0)])
def test_the_floor_shakes_within_its_band_and_nowhere_else(low_hz, high_hz):
    shaking = BandNoise(np.random.default_rng(1), low_hz, high_hz, STEPS_PER_S).take(100 * STEPS_PER_S)
    power = np.abs(np.fft.rfft(shaking * np.hanning(len(shaking)))) ** 2
    frequencies = np.fft.rfftfreq(len(shaking), 1 / STEPS_PER_S)
    outside = power[(frequencies < 0.8 * low_hz) | (frequencies > 1.2 * high_hz)].sum() / power.sum()
    assert shaking.std() == pytest.approx(1, abs=0.1)
    assert outside < 1e-4


def test_a_band_too_narrow_for_a_block_keeps_its_nearest_line_and_no_constant():
    swaying = BandNoise(np.random.default_rng(1), 0.01, 0.02, STEPS_PER_S).take(400 * STEPS_PER_S)
    power = np.abs(np.fft.rfft(swaying * np.hanning(len(swaying)))) ** 2
    assert np.fft.rfftfreq(len(swaying), 1 / STEPS_PER_S)[power.argmax()] == pytest.approx(0.098, abs=0.05)


def gained_m_s(speed_mm_s, pitch_mrad, then):
    """Return the speed upwards that an accelerometer feels after `then` in 4 s, less g, on a floor of that pitch."""
    platform = Platform(1, replace(QUIET, slope_deg=0, fore_m_s2=0), 10_000_000)
    platform.tilt_to(pitch_mrad)
    platform.push_to(speed_mm_s)
    platform.advance(3 * SECOND)
    then(platform)
    return sum(sample.az_ug - 1_000_000 for sample in platform.advance(4 * SECOND)) / 1e6 * G / 80


def test_a_floor_that_begins_to_rise_lifts_a_rolling_cart():
    def comes_to_a_ramp(platform):
        platform.tilt_to(30)

    gained = gained_m_s(1_000, 0, comes_to_a_ramp) - gained_m_s(0, 0, comes_to_a_ramp)
    assert gained == pytest.approx(0.03, rel=0.03)


def test_a_cart_that_is_set_going_on_a_ramp_feels_that_along_the_floor_alone():
    still = gained_m_s(0, 60, lambda platform: None)
    assert gained_m_s(0, 60, lambda platform: platform.push_to(1_000)) == pytest.approx(still, abs=1e-3)
