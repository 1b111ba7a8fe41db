"""The ladder: what no engine reads as it is, read on a rung, in the right place, and only as much as can be checked."""

import cv2
import numpy as np
import pytest

from cart.ports import RawRead
from cart.vision import ladder, locate, overlap, reader
from cart.vision.curved import QUIET_PX, SIDE_PX, flattened, read_bent
from cart.vision.reader import Findings, Verdict, verdict
from cart.wire.gs1 import RETAIL
from tests import labels

ENGINES = reader.available_engines(thorough=True)
MILK = "9506000134352"


def needs_an_engine():
    if not ENGINES:
        pytest.skip("no barcode engine is installed")


def raw_of(picture, symbology, text, engine="zxing", inverted=False):
    return RawRead(symbology, text, labels.corners_of(picture), engine, inverted=inverted)


class Grows:
    """An engine that reads from a wide enough picture what stands in its middle third, whatever is there."""

    name = "grows"

    def __init__(self, text, width_min):
        self.text, self.width_min = text, width_min

    def read(self, grey, symbologies):
        height, width = grey.shape
        if width < self.width_min or "CODE128" not in symbologies:
            return []
        left, right, top, bottom = width // 3, 2 * width // 3, height // 3, 2 * height // 3
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return [RawRead("CODE128", self.text, corners, self.name)]


@pytest.mark.parametrize("rung", ladder.LINEAR_RUNGS, ids=lambda rung: rung.name)
def test_a_place_on_a_rung_leads_back_to_the_frame(rung):
    frame = labels.turned(labels.label("EAN13", MILK), 30)
    region = locate.find_regions(frame)[0]
    plain = locate.turned_upright(frame, region)
    pixels, to_frame = rung.crop(plain)
    for share in (0.1, 0.5, 0.9):
        at = tuple(share * side for side in plain.pixels.shape[::-1])
        there = tuple(share * side for side in pixels.shape[::-1])
        assert locate.in_frame((at,), plain.to_frame) == locate.in_frame((there,), to_frame)


def test_a_picture_is_enlarged_only_as_far_as_time_allows():
    assert ladder.enlarged(np.zeros((240, 240), np.uint8), 4, 4).shape == (960, 960)
    assert ladder.enlarged(np.zeros((720, 1_280), np.uint8), 4, 4).size <= ladder.ENLARGED_PX_MAX


def test_what_cannot_be_checked_is_taken_from_gentle_rungs_only():
    by_name = {rung.name: rung for rung in (*ladder.LINEAR_RUNGS, *ladder.WHOLE_RUNGS)}
    for name in ("lit, sharp", "refocused", "inverted"):
        assert by_name[name].symbologies <= RETAIL
    assert not any("DATABAR" in rung.symbologies for rung in ladder.WHOLE_RUNGS)


def test_the_ladder_ends_at_the_first_code_that_holds():
    picture = labels.turned(labels.label("EAN13", MILK), 0)
    seen = []

    class Watching(Grows):
        def read(self, grey, symbologies):
            seen.append(grey.shape)
            return super().read(grey, symbologies)

    width = locate.turned_upright(picture, locate.find_regions(picture)[0]).pixels.shape[1]
    reads = reader.read_unread(picture, 0.0, [Watching("PALLET-7", 2 * width)])
    assert [read.text for read in reads] == ["PALLET-7"]
    assert len(seen) < len(ladder.LINEAR_RUNGS)


def test_light_bars_on_a_dark_ground_are_read():
    needs_an_engine()
    can = cv2.bitwise_not(labels.label("UPCA", "049000042566"))
    assert [(r.symbology, r.text) for r in reader.read_photo(can, ENGINES)] == [("UPCA", "049000042566")]
    assert not [raw for engine in ENGINES for raw in engine.read(can, RETAIL)]


def test_a_code_too_soft_for_the_engines_is_read_on_a_rung_and_right():
    needs_an_engine()
    read_by_engines = read = 0
    for number in range(12):
        text = labels.with_check_digit(f"95060001{number:04d}")
        soft = cv2.GaussianBlur(labels.label("EAN13", text, module_px=2), (0, 0), 1.2)
        frame = labels.noisy(labels.turned(soft, 0, side_px=400), sigma=2.0, seed=number)
        read_by_engines += any(raw.text == text for engine in ENGINES for raw in engine.read(frame, RETAIL))
        found = [r.text for r in reader.read_photo(frame, ENGINES)]
        assert found in ([], [text])
        read += found == [text]
    assert read > read_by_engines


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("angle_deg", [0, 45, 100])
def test_either_engine_alone_reads_a_turned_code(engine, angle_deg):
    picture = labels.noisy(labels.turned(labels.label("EAN13", MILK), angle_deg))
    assert [r.gtin for r in reader.read_photo(picture, [engine])] == ["0" + MILK]


def test_a_low_read_needs_a_second_attempt_that_says_the_same(monkeypatch):
    picture = labels.label("EAN13", MILK)
    monkeypatch.setattr(reader, "verdict", lambda grey, raw: Verdict.LOW)
    findings = Findings(picture)
    findings.add([raw_of(picture, "EAN13", MILK)])
    assert findings.reads() == []
    findings.add([raw_of(picture, "EAN13", labels.with_check_digit("950600013436"), "zbar")])
    assert findings.reads() == []
    findings.add([raw_of(picture, "EAN13", MILK, "zbar")])
    assert [read.text for read in findings.reads()] == [MILK]


def test_a_refused_read_stays_refused_however_often_it_is_said():
    picture = labels.label("EAN13", MILK)
    lie = labels.with_check_digit("950600013436")
    findings = Findings(picture)
    for engine in ("zxing", "zbar", "zxing"):
        findings.add([raw_of(picture, "EAN13", lie, engine)])
    assert findings.reads() == []


def test_the_verdict_on_an_inverted_read_is_given_on_the_inverted_picture():
    can = cv2.bitwise_not(labels.label("UPCA", "049000042566"))
    assert verdict(can, raw_of(can, "UPCA", "049000042566", inverted=True)) is Verdict.SURE
    assert verdict(can, raw_of(can, "UPCA", "049000042566")) is Verdict.REFUSED


@pytest.mark.parametrize("arc_deg", [60, 100, 140])
def test_a_code_around_a_can_is_sure_and_its_twin_refused(arc_deg):
    from cart.vision.bench.render import bent

    can = bent(labels.label("EAN13", MILK).astype(np.float32), arc_deg).astype(np.uint8)
    height, width = can.shape
    lefts = [(10 + 33) / width, 1 - (10 + 33) / width]
    half = np.radians(arc_deg) / 2
    left, right = ((np.sin((2 * x - 1) * half) / np.sin(half) + 1) / 2 * width for x in lefts)
    corners = ((round(left), 30), (round(right), 30), (round(right), height - 30), (round(left), height - 30))
    assert verdict(can, RawRead("EAN13", MILK, corners, "zxing")) is Verdict.SURE
    lie = labels.with_check_digit("950600073435")
    assert verdict(can, RawRead("EAN13", lie, corners, "zxing")) is Verdict.REFUSED


def test_a_code_whose_thick_and_thin_bars_were_all_misread_is_refused():
    """Motion across the bars: 878 was read as 212, the same edges in other thicknesses, with a right check digit."""
    picture = labels.label("EAN8", "42678878")
    for smear_px in range(2, 9):
        moved = cv2.blur(picture, (smear_px, 1))
        if smear_px <= 5:  # 1.7 modules
            assert verdict(moved, raw_of(picture, "EAN8", "42678878")) is Verdict.SURE
        assert verdict(moved, raw_of(picture, "EAN8", "42678212")) is Verdict.REFUSED


def bent_qr(text, bend):
    """Return a QR code on something round, its columns pushed up and down by `bend` of its height."""
    flat = cv2.copyMakeBorder(cv2.QRCodeEncoder.create().encode(text), 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=255)
    side = flat.shape[0] * 8
    flat = cv2.resize(flat, (side, side), interpolation=cv2.INTER_NEAREST)
    columns, rows = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    wave = bend * side * np.sin(np.pi * columns / side).astype(np.float32)
    return cv2.remap(flat, columns, rows + wave, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class Sees:
    """An engine that sees a QR code in its corners and reads only pictures that look like `flat`."""

    name = "sees"

    def __init__(self, corners, flat):
        self.corners, self.flat, self.tries = corners, flat, 0

    def unread_qr(self, grey):
        return [((0, 0), (9, 0), (9, 9), (0, 9)), self.corners]

    def read(self, grey, symbologies):
        if symbologies != {"QR"} or grey.shape != self.flat.shape:
            return []
        self.tries += 1
        alike = float(np.corrcoef(grey.ravel(), self.flat.ravel())[0, 1]) > 0.97
        return [RawRead("QR", "flat", ((0, 0), (1, 0), (1, 1), (0, 1)), self.name)] if alike else []


def test_a_bent_qr_code_is_flattened_until_an_engine_can_read_it():
    link = "https://id.gs1.org/01/09506000134352"
    height, width = bent_qr(link, 0.0).shape
    corners = tuple((x, y) for x, y in ((32, 32), (width - 32, 32), (width - 32, height - 32), (32, height - 32)))
    flat = next(flattened(bent_qr(link, 0.0), corners))
    assert flat.shape == (SIDE_PX + 2 * QUIET_PX,) * 2
    for bend in (0.015, -0.015):
        engine = Sees(corners, flat)
        assert [(raw.text, raw.corners) for raw in read_bent(bent_qr(link, bend), [engine])] == [("flat", corners)]
        assert 1 < engine.tries < 81


def test_a_bent_qr_code_of_the_shared_photos_is_read(shared_data):
    needs_an_engine()
    if "zxing" not in {engine.name for engine in ENGINES}:
        pytest.skip("zxing-cpp is not installed")
    shirt = cv2.imread(str(shared_data / "barcodes/images/zxing_qrcode-4__13.png"), cv2.IMREAD_GRAYSCALE)
    assert not [raw for engine in ENGINES for raw in engine.read(shirt, overlap.MATRIX)]
    assert [r.text for r in reader.read_photo(shirt, ENGINES)] == ["Google Print Ads - T.G.I.A.F. - January 31, 2008"]


def test_a_code_seen_too_small_to_have_modules_is_not_tried():
    engine = Sees(((5, 5), (25, 5), (45, 5), (65, 5)), np.zeros((248, 248), np.uint8))
    assert read_bent(np.full((120, 160), 128, np.uint8), [engine]) == []
    assert engine.tries == 0


def test_without_a_code_in_sight_nothing_is_flattened():
    noise = np.random.default_rng(4).integers(0, 255, (120, 160)).astype(np.uint8)
    for grey in (np.full((120, 160), 128, np.uint8), noise, labels.label("EAN13", MILK), np.zeros((1, 1), np.uint8)):
        assert read_bent(grey, ENGINES) == []
    assert read_bent(noise, [Grows("CODE", 1)]) == []
