"""Codes of photos: the overlap rule, turned regions, and no wrong number."""

import csv

import cv2
import numpy as np
import pytest

from cart.ports import RawRead
from cart.vision import locate, overlap, reader
from cart.wire.gs1 import RETAIL, canonical_gtin
from tests import labels

ENGINES = reader.available_engines(thorough=True)
UPCE_MODULES = 51


class Scripted:
    """An engine that says what it is told to, whatever the picture."""

    name = "scripted"

    def __init__(self, *reads):
        self.reads = list(reads)

    def read(self, grey, symbologies):
        return [read for read in self.reads if read.symbology in symbologies]


def raw(symbology, text, left, top, width, height, engine="zxing", rows=0):
    corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    return RawRead(symbology, text, corners, engine, rows=rows)


def test_of_two_reads_in_one_place_the_one_with_more_rows_stays():
    right, sliver = raw("EAN13", "1", 100, 50, 280, 228), raw("EAN13", "2", 102, 200, 280, 16)
    assert overlap.surviving([sliver, right]) == [right]


def test_a_sliver_below_the_rows_that_were_read_well_goes_too():
    right, sliver = raw("EAN13", "1", 100, 50, 280, 228), raw("EAN13", "2", 102, 290, 280, 16)
    assert overlap.surviving([sliver, right]) == [right]


def test_two_codes_one_above_the_other_both_stay():
    upper, lower = raw("EAN13", "1", 100, 50, 280, 100), raw("EAN13", "2", 100, 160, 280, 90)
    assert set(overlap.surviving([upper, lower])) == {upper, lower}


def test_a_short_format_yields_to_a_longer_code_even_with_more_rows():
    long, short = raw("UPCA", "1", 100, 50, 280, 20), raw("UPCE", "2", 150, 40, 120, 60)
    assert overlap.surviving([short, long]) == [long]


def test_zbars_count_of_rows_limits_its_span():
    hull_of_two_rows = raw("EAN13", "2", 100, 50, 280, 200, engine="zbar", rows=2)
    right = raw("EAN13", "1", 100, 50, 280, 60)
    assert overlap.surviving([hull_of_two_rows, right]) == [right]


def test_what_the_engines_say_is_not_believed_unless_the_picture_shows_it():
    picture = labels.label("EAN13", "9506000134352")
    left, top, right, bottom = 43, 30, picture.shape[1] - 43, picture.shape[0] - 30
    truth = raw("EAN13", "9506000134352", left, top, right - left, bottom - top)
    lie = raw("EAN13", labels.with_check_digit("950600073435"), left, top, right - left, bottom - top)
    assert [read.text for read in reader.read_photo(picture, [Scripted(truth)])] == ["9506000134352"]
    assert reader.read_photo(picture, [Scripted(lie)]) == []


def test_the_left_half_of_an_ean13_is_no_upce():
    """Its parities are those of a UPC-E of number system 1 with the EAN's first digit as check digit: a valid one."""
    picture = labels.label("EAN13", "3498386109528")
    left = labels.corners_of(picture)[0][0]
    picture[:, left + 3 * UPCE_MODULES :] = 230
    assert any(found.symbology == "UPCE" for engine in ENGINES for found in engine.read(picture, RETAIL))
    assert reader.read_photo(picture, ENGINES) == []


def test_a_scrap_of_code_128_is_refused():
    scrap, whole = raw("CODE128", "E", 10, 10, 60, 40), raw("CODE128", "1PEF224A4", 10, 10, 200, 40)
    picture = np.full((100, 300), 200, np.uint8)
    assert reader.read_photo(picture, [Scripted(scrap)]) == []
    assert [read.text for read in reader.read_photo(picture, [Scripted(whole)])] == ["1PEF224A4"]


@pytest.mark.parametrize("angle_deg", range(0, 360, 15))
def test_a_label_is_read_at_every_angle(angle_deg):
    if not ENGINES:
        pytest.skip("no barcode engine is installed")
    picture = labels.noisy(labels.turned(labels.label("EAN13", "9506000134352"), angle_deg))
    assert [(r.symbology, r.gtin) for r in reader.read_photo(picture, ENGINES)] == [("EAN13", "09506000134352")]


@pytest.mark.parametrize("angle_deg", [0, 30, 45, 77, 90, 120, 170])
def test_a_turned_region_leads_back_to_the_frame(angle_deg):
    picture = labels.turned(labels.label("EAN13", "9506000134352"), angle_deg)
    region = locate.find_regions(picture)[0]
    difference = (region.angle_deg + angle_deg) % 180
    assert min(difference, 180 - difference) < 4
    crop = locate.turned_upright(picture, region, 2.0)
    height, width = crop.pixels.shape
    ((x, y),) = locate.in_frame(((width / 2, height / 2),), crop.to_frame)
    assert abs(x - (region.left + region.right) / 2) <= 1
    assert abs(y - (region.top + region.bottom) / 2) <= 1


def test_an_empty_picture_has_no_region():
    assert locate.find_regions(np.full((480, 640), 128, np.uint8)) == []
    assert locate.find_regions(np.full((20, 20), 128, np.uint8)) == []


def number(symbology, text):
    """Return the GTIN-14 of a label of the manifest, which writes some UPC-E in full and some codes with add-ons."""
    digits = text.split(" ")[0]
    return canonical_gtin("UPCE", digits) if symbology == "UPCE" and len(digits) == 8 else digits.zfill(14)


@pytest.mark.slow
def test_no_photo_of_the_shared_half_gives_a_wrong_retail_number(shared_data):
    """0 wrong numbers; and no less than 17 in 20 of the photos' retail codes are read."""
    if {engine.name for engine in ENGINES} != {"zxing", "zbar"}:
        pytest.skip("the bar is for both engines together")
    with (shared_data / "barcodes" / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wrong, read, photos = [], 0, 0
    for row in rows:
        grey = cv2.imread(str(shared_data / "barcodes" / row["file"]), cv2.IMREAD_GRAYSCALE)
        found = reader.read_photo(grey, ENGINES)
        allowed = [(row["symbology"], row["expected"])]
        allowed += [tuple(code.split(":", 1)) for code in row["also_present"].split(";") if code]
        gtins = {number(symbology, text) for symbology, text in allowed if symbology in RETAIL | {"DATABAR"}}
        wrong += [(row["file"], r.text) for r in found if r.symbology in RETAIL and r.gtin not in gtins]
        if row["kind"] == "photo" and row["symbology"] in RETAIL:
            photos += 1
            read += bool(gtins & {r.gtin for r in found})
    assert wrong == []
    assert read >= 0.85 * photos
