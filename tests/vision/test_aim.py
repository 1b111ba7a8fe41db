"""The printed target tells how large a pixel is, how sharp the picture, and how light."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cart import config
from cart.commands.camera_test import findings
from cart.findings import BAD, OK, WARN
from cart.sim.aim import drawn
from cart.vision import aim
from cart.vision.reader import available_engines
from cart.wire import target

CAMERA = config.default().camera
pytestmark = pytest.mark.skipif(not available_engines(thorough=False), reason="no barcode engine is installed")
NS = "{http://www.w3.org/2000/svg}"


def seen(pixel_um=218, blur_px=0.45, light=1.0, frames_per_s=15):
    noise = np.random.default_rng(3).standard_normal((720, 1280), np.float32) * 3
    grey = np.clip(drawn(1280, 720, pixel_um, blur_px) * light + noise, 0, 255).astype(np.uint8)
    return aim.figures([grey], [round(n * 1e9 / frames_per_s) for n in range(20)])


def states(figures, camera=CAMERA):
    return {finding.name: finding.state for finding in findings(figures, camera)}


def test_the_reference_camera_passes():
    assert set(states(seen()).values()) == {OK}


@pytest.mark.parametrize("pixel_um", [140, 180, 218, 260])
def test_the_size_of_a_pixel_is_measured_to_a_hundredth(pixel_um):
    assert seen(pixel_um).pixel_um == pytest.approx(pixel_um, rel=0.01)


def test_the_blur_is_measured_beside_that_of_the_pixels_themselves():
    sharp, soft, softer = (seen(150, blur_px).blur_um / 150 for blur_px in (0.3, 0.8, 1.6))
    assert sharp < 0.6
    assert soft == pytest.approx(0.85, abs=0.12)
    assert softer == pytest.approx(1.63, abs=0.12)


def test_a_camera_that_is_too_far_away_is_told_to_come_nearer():
    assert states(seen(235))["fineness"] == WARN
    assert states(seen(260))["fineness"] == BAD


def test_a_lens_out_of_focus_is_told_to_be_turned():
    assert states(seen(blur_px=0.75))["sharpness"] == WARN
    assert states(seen(blur_px=1.1))["sharpness"] == BAD


def test_too_little_and_too_much_light_are_told():
    assert states(seen(light=0.5))["light"] == WARN
    assert states(seen(light=0.28))["light"] == BAD
    assert states(seen(light=1.3))["light"] == WARN


def test_a_slow_camera_and_another_size_are_told():
    assert states(seen(frames_per_s=10))["rate"] == BAD
    small = config.changed(config.default(), camera={"width_px": 640, "height_px": 480}).camera
    assert states(seen(), small)["size"] == WARN


@pytest.mark.parametrize(("exposure_us", "state"), [(0, WARN), (330, OK), (1_000, BAD)])
def test_an_exposure_that_smears_is_told(exposure_us, state):
    camera = config.changed(config.default(), camera={"exposure_us": exposure_us}).camera
    assert states(seen(), camera)["exposure"] == state


def test_without_the_target_only_rate_and_size_are_judged():
    blank = np.full((720, 1280), 90, np.uint8)
    figures = aim.figures([blank], [0, 66_666_667])
    assert figures.pixel_um is None
    assert states(figures) == {"rate": OK, "size": OK, "target": BAD}


def test_every_finding_that_is_not_well_says_what_to_do():
    for figures in (seen(260), seen(blur_px=1.1), seen(light=0.28), seen(frames_per_s=5)):
        assert all(finding.mend for finding in findings(figures, CAMERA) if finding.state != OK)


def test_the_printed_card_is_the_one_that_is_measured():
    root = ET.fromstring(target.svg())
    assert (root.get("width"), root.get("height")) == ("150mm", "100mm")
    printed = {(rect.get("x"), rect.get("width")) for rect in root.iter(f"{NS}rect") if rect.get("x")}
    for label in target.LABELS:
        bars = target.bars_of(label)
        assert {(str(left), str(width)) for left, width in bars} <= printed
        assert len(bars) == 30
        assert bars[0] == (label.left_um, label.module_um)
        assert bars[-1][0] + bars[-1][1] == label.left_um + 95 * label.module_um
        # Quiet zones lie on the card, and no two labels in each other's.
        assert label.left_um - 11 * label.module_um >= 0
        assert bars[-1][0] + bars[-1][1] + 7 * label.module_um <= target.CARD_UM[0]
    assert target.module_um_of(target.LABELS[0].text) == 660
    assert target.module_um_of("9506000134352") is None
