"""The reference camera shows bars as fine and sharp as the readers need them."""

import tomllib

from cart import config
from tests.firmware.said import FOLDER


def test_the_optics_show_bars_fine_enough_and_sharp_enough():
    optics = tomllib.loads((FOLDER / "camera" / "optics.toml").read_text(encoding="utf-8"))
    camera, lens, demands = optics["camera"], optics["lens"], optics["demands"]
    settings = config.default().camera
    assert settings.width_px * camera["sensor_height_px"] >= settings.height_px * camera["sensor_width_px"], (
        "the picture is cut at top and bottom, not at the sides"
    )
    # Thin lens: magnification is f / (distance - f); the whole width of the sensor makes the width of the picture.
    distance_um = optics["mounting"]["distance_um"] - lens["focal_length_um"]
    field_um = camera["sensor_width_px"] * camera["sensor_pixel_nm"] * distance_um // lens["focal_length_um"] // 1_000
    pixel_um = field_um * settings.crop_permille / 1_000 / settings.width_px
    assert pixel_um <= demands["object_pixel_um_max"]
    blur_um = demands["speed_um_per_s"] * settings.exposure_us / 1_000_000
    assert blur_um / pixel_um * 1_000 <= demands["blur_milli_px_max"]
    assert camera["focus"] == "fixed"
    assert settings.focus_mm == 0, "the process is told to move a lens that has no motor"
