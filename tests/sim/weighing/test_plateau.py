"""The baseline is a fair shop scale: it finds steps on a still signal, and is never stable on a shaking one."""

from math import pi, sin, sqrt

import pytest

from cart.sim.weighing.plateau import Plateau


def told(masses_mg):
    plateau = Plateau(80)
    return [step for n, mass in enumerate(masses_mg) if (step := plateau.take(mass, n * 1_000 // 80))]


def test_a_step_is_told_once_with_its_mass_after_half_a_second_of_rest():
    steps = told([5_000_000] * 160 + [5_250_000] * 240)
    (step,) = steps
    # It is stable within 15 g while the low-pass still swings.
    assert abs(step.delta_mg - 250_000) < 7_500
    assert 2_500 < step.t_ms < 2_950


@pytest.mark.parametrize("delta_mg", [5_000, -5_000])
def test_a_step_below_its_limit_is_taken_for_drift(delta_mg):
    assert told([5_000_000] * 160 + [5_000_000 + delta_mg] * 400) == []


def test_drift_is_followed():
    assert told([5_000_000 + 20 * n for n in range(4_000)]) == []


def test_a_shaking_load_is_never_stable():
    shaking = [5_000_000 + round(300_000 * sin(2 * pi * 1.2 * n / 80)) for n in range(800)]
    assert told(shaking + [mass + 1_000_000 for mass in shaking]) == []


def test_wild_readings_one_by_one_hide_no_step():
    masses = [5_000_000] * 200 + [5_250_000] * 200
    masses[::20] = [9_000_000] * 20
    assert len(told(masses)) == 1


def test_the_low_pass_is_at_two_hertz():
    """A sine at the cut-off comes out 3 dB smaller, and a constant unchanged."""
    plateau = Plateau(80)
    wave = [plateau._filtered(round(1_000_000 * sin(2 * pi * 2 * n / 80))) for n in range(800)]
    assert max(wave[400:]) == pytest.approx(1_000_000 / sqrt(2), rel=0.01)
    still = Plateau(80)
    assert [still._filtered(123_456) for _ in range(50)] == pytest.approx([123_456] * 50)
