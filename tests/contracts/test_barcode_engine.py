"""What every barcode engine keeps to, whichever of them is installed."""

import csv

import cv2
import numpy as np
import pytest

from cart.ports import RawRead
from cart.vision.reader import available_engines
from cart.wire.gs1 import RETAIL, SYMBOLOGIES
from tests import labels

ENGINES = {engine.name: engine for engine in available_engines(thorough=True)}

CODES = [("EAN13", "9506000134352"), ("UPCA", "036000291452"), ("EAN8", "96385074"), ("UPCE", "04252614")]


@pytest.fixture(params=["zxing", "zbar"])
def engine(request):
    if request.param not in ENGINES:
        pytest.skip(f"{request.param} is not installed")
    return ENGINES[request.param]


@pytest.mark.parametrize(("symbology", "text"), CODES)
def test_a_clear_label_is_read_in_the_carts_words(engine, symbology, text):
    picture = labels.noisy(labels.label(symbology, text))
    reads = [read for read in engine.read(picture, SYMBOLOGIES) if (read.symbology, read.text) == (symbology, text)]
    assert len(reads) == 1
    assert isinstance(reads[0], RawRead)
    assert reads[0].engine == engine.name


@pytest.mark.parametrize("angle_deg", [0, 90, 180, 270])
def test_corners_are_named_in_reading_order(engine, angle_deg):
    picture = labels.turned(labels.label("EAN13", "9506000134352"), angle_deg)
    (read,) = engine.read(picture, frozenset({"EAN13"}))
    assert len(read.corners) == 4
    corners = np.array(read.corners, float)
    assert corners.min() >= 0
    assert corners.max() <= 720
    reading = corners[1] + corners[2] - corners[0] - corners[3]
    # OpenCV turns against the clock, in a picture whose y goes down.
    expected = (np.cos(np.radians(angle_deg)), -np.sin(np.radians(angle_deg)))
    assert reading @ expected / np.linalg.norm(reading) > 0.95
    assert 0.9 < np.linalg.norm(reading) / 2 / (95 * 3) < 1.1


def test_only_what_was_asked_for_is_reported(engine):
    ean, upc = labels.label("EAN13", "9506000134352"), labels.label("UPCA", "036000291452")
    picture = np.vstack([ean, upc])
    for wanted in ("EAN13", "UPCA"):
        assert {read.symbology for read in engine.read(picture, frozenset({wanted}))} == {wanted}
    assert engine.read(picture, frozenset({"EAN8"})) == []


def test_nothing_is_found_where_nothing_is(engine):
    assert engine.read(np.full((200, 300), 128, np.uint8), SYMBOLOGIES) == []
    assert engine.read(np.random.default_rng(1).integers(0, 255, (240, 320)).astype(np.uint8), SYMBOLOGIES) == []


def test_a_part_of_a_larger_frame_is_read_as_it_is(engine):
    frame = np.full((400, 900), 230, np.uint8)
    picture = labels.label("EAN13", "9506000134352")
    frame[100 : 100 + picture.shape[0], 300 : 300 + picture.shape[1]] = picture
    part = frame[90:300, 290:700]
    assert not part.flags.c_contiguous
    assert [read.text for read in engine.read(part, RETAIL)] == ["9506000134352"]


def test_texts_are_written_as_in_the_manifest(engine, shared_data):
    """Ten photos of each symbology that the engine reads right must be read in exactly the manifest's words."""
    folder = shared_data / "barcodes"
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] != "negative" and row["expected"].isascii()]
    read_right = {}
    for symbology in SYMBOLOGIES:
        for row in [row for row in rows if row["symbology"] == symbology][:10]:
            grey = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
            expected = row["expected"].replace("<GS>", "\x1d")
            if symbology == "DATABAREXP":
                expected = expected.replace("(", "").replace(")", "")
            texts = [read.text.replace("\x1d", "") for read in engine.read(grey, frozenset({symbology}))]
            read_right[symbology] = read_right.get(symbology, 0) + (expected.replace("\x1d", "") in texts)
    from_this_engine = SYMBOLOGIES if engine.name == "zxing" else SYMBOLOGIES - {"DATABAR", "DATABAREXP", "DATAMATRIX"}
    assert {name: count for name, count in read_right.items() if count < 5 and name in from_this_engine} == {}
