"""What the page is told of the scale: what it is, and how high its digits must be."""

from dataclasses import replace

import pytest

from cart.core.catalog import Catalog
from cart.core.legal import Legal
from cart.core.legal_profile import MULTI
from cart.core.setup import Setup
from cart.core.weight_values import Calibration
from cart.wire.kiosk import about_scale

SETUP = Setup(Calibration(1, 0), Catalog("v", "EUR", ()), legal=Legal(MULTI, software="ab"))


def test_the_page_is_told_what_the_scale_is():
    about = about_scale(SETUP, 180)
    assert about == {
        "software": "ab",
        "sealed": False,
        "profile": "R76",
        "min_mg": 100_000,
        "ranges_mg": [[15_000_000, 5_000], [30_000_000, 10_000]],
        "digit_px": 53,
    }
    assert about_scale(replace(SETUP, not_for_trade=False), 180)["sealed"] is True


@pytest.mark.parametrize(("pitch_um", "digit_px"), [(180, 53), (190, 50), (95, 100), (265, 36)])
def test_digits_are_at_least_nine_and_a_half_millimetres_high(pitch_um, digit_px):
    assert about_scale(SETUP, pitch_um)["digit_px"] == digit_px
    assert digit_px * pitch_um >= 9_500 > (digit_px - 1) * pitch_um
