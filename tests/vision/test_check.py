"""The check between a read and a charge: the picture has to bear the number out."""

import cv2
import numpy as np
import pytest

from cart.vision import check, overlap, reader
from cart.wire import bars
from cart.wire.gtin import check_digit, has_valid_check_digit
from tests import labels

CODES = [("EAN13", "9506000134352"), ("UPCA", "023942431015"), ("EAN8", "96385074"), ("UPCE", "04252614")]


def one_digit_off(symbology, text):
    """Return valid codes of the same kind that differ in one digit and so in the check digit."""
    for place in range(1, len(text) - 1):
        for digit in "0123456789":
            changed = text[:place] + digit + text[place + 1 :]
            yield changed[:-1] + check_digit(changed[:-1])


@pytest.mark.parametrize(("symbology", "text"), CODES)
def test_the_drawn_code_fits_and_no_exchange_fits_better(symbology, text):
    picture = labels.label(symbology, text)
    fit = check.fit_of(labels.noisy(picture), labels.corners_of(picture), symbology, text)
    assert fit.score > 0.95
    assert fit.margin > 0.01


@pytest.mark.parametrize(("symbology", "text"), [code for code in CODES if code[0] != "UPCE"])
def test_a_code_that_differs_in_one_digit_is_refused(symbology, text):
    picture = labels.label(symbology, text)
    seen, corners = labels.noisy(picture), labels.corners_of(picture)
    others = [other for other in one_digit_off(symbology, text) if other != text]
    fits = [check.fit_of(seen, corners, symbology, other).margin for other in others[::5]]
    assert max(fits) < -0.01


def test_ones_and_sevens_are_told_apart_under_ink_spread_and_blur():
    """The systematic misread of a real package: 023942431015 was read as 9074932437075, three photos, both engines."""
    picture = labels.label("UPCA", "023942431015", module_px=6)
    spread = cv2.erode(picture, np.ones((1, 5), np.uint8))
    seen = cv2.GaussianBlur(spread, (0, 0), 4.0)
    corners = labels.corners_of(picture, module_px=6)
    right = check.fit_of(seen, corners, "UPCA", "023942431015")
    assert right.score > 0.96
    assert right.margin > 0
    assert has_valid_check_digit("9074932437075")
    assert check.fit_of(seen, corners, "EAN13", "9074932437075").margin < -0.01


@pytest.mark.parametrize("angle_deg", [0, 20, 45, 130, 200])
def test_coarse_corners_of_a_tilted_code_are_mended(angle_deg):
    picture = labels.label("EAN13", "9506000134352")
    seen = labels.turned(picture, angle_deg)
    middle = np.array([360.0, 360.0])
    across = np.array([np.cos(np.radians(angle_deg)), -np.sin(np.radians(angle_deg))])
    down = np.array([-across[1], across[0]])
    # Upright box of half the code only, as zbar gives it, reading the right way.
    half = [middle + across * a * 71 + down * b * 10 for a, b in ((-2, -1), (0, -1), (0, 1), (-2, 1))]
    fit = check.fit_of(seen, tuple(map(tuple, half)), "EAN13", "9506000134352")
    assert fit.score > 0.9
    assert fit.margin > 0


def test_a_shadow_and_a_bent_label_do_not_matter():
    picture = labels.label("EAN13", "9506000134352").astype(np.float32)
    height, width = picture.shape
    angle = np.radians(50)
    places = (np.arcsin(np.linspace(-1, 1, width) * np.sin(angle)) / angle + 1) / 2 * (width - 1)
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    bent = cv2.remap(picture, np.repeat(places.astype(np.float32)[None, :], height, axis=0), rows, cv2.INTER_LINEAR)
    shaded = (bent * np.linspace(1.0, 0.35, width)).astype(np.uint8)
    fit = check.fit_of(shaded, labels.corners_of(picture), "EAN13", "9506000134352")
    assert fit.score > 0.8
    assert fit.margin > 0


def test_a_plain_surface_bears_nothing_out():
    raw = overlap.RawRead("EAN13", "9506000134352", ((10, 10), (200, 10), (200, 60), (10, 60)), "zxing")
    noise = np.random.default_rng(3).integers(0, 255, (80, 240)).astype(np.uint8)
    for plain in (np.full((80, 240), 128, np.uint8), noise):
        assert reader.verdict(plain, raw) is reader.Verdict.REFUSED


def test_a_short_code_inside_a_long_one_does_not_stand_alone():
    """Met at 45 degrees: a row that enters a long code at its side and leaves it at the top reads a perfect UPC-E."""
    long = labels.label("EAN13", "9506000134352")
    inner = np.array(labels.corners_of(long), float)
    inner[[1, 2], 0] = inner[0, 0] + 51 * 3
    assert not check.stands_alone(long, inner, "UPCE")
    short = labels.label("UPCE", "04252614")
    assert check.stands_alone(short, np.array(labels.corners_of(short), float), "UPCE")


def test_short_codes_that_engines_find_in_tilted_long_ones_are_refused():
    engines = reader.available_engines(thorough=False)
    if not engines or engines[0].name != "zxing":
        pytest.skip("the phantoms of this test are zxing's")
    phantoms = []
    for text in ("6311200666298", "6124843314705", "9262536287497"):
        long = labels.label("EAN13", text, height_px=100)
        for angle_deg in range(0, 360, 3):
            seen = labels.turned(long, angle_deg)
            phantoms += [(seen, raw) for raw in engines[0].read(seen, frozenset({"UPCE"}))]
    assert len(phantoms) >= 3
    assert all(reader.verdict(seen, raw) is reader.Verdict.REFUSED for seen, raw in phantoms)


@pytest.mark.parametrize(("symbology", "text"), CODES)
def test_the_picture_of_the_parts_is_the_picture_of_the_whole(symbology, text):
    """The linear model against a picture that is drawn finely and blurred: without ink spread they are the same."""
    from cart.vision import drawn

    lens = drawn.LENSES.index((0.6, 0.0))
    modelled = drawn.templates_of(drawn.parts_of([bars.modules(symbology, text)])[0])[lens]
    fine = np.repeat([0.0 if bit == "1" else 1.0 for bit in bars.modules(symbology, text)], 40)
    fine = np.pad(fine, drawn.QUIET_MODULES * 40, constant_values=1.0).astype(np.float32)
    blurred = cv2.GaussianBlur(fine[None, :], (0, 0), 0.6 * 40, borderType=cv2.BORDER_REPLICATE)[0]
    sampled = blurred.reshape(-1, 10)[:, 4:6].mean(axis=1)
    assert modelled @ drawn.unit_rows(sampled[None, :])[0] > 0.9999
