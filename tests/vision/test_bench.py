"""The bench of seeing: what it draws, what it counts as wrong, and what it prints."""

import csv
import json
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest

from cart.__main__ import main
from cart.sim.weighing.command import Progress
from cart.vision import reader
from cart.vision.bench import command, near_limit, page, render, sections, tables
from cart.vision.bench.comparing import Comparison, Sample, Tally
from cart.vision.bench.readers import OURS, Code
from cart.wire.gtin import has_valid_check_digit
from cart.wire.upce import upce_to_upca

ENGINES = reader.available_engines(thorough=True)
MILK, BREAD = Code("EAN13", "9506000134352"), Code("EAN13", "4003994155486")
BLANK = np.full((40, 60), 128, np.uint8)


@pytest.fixture
def engines():
    if not ENGINES:
        pytest.skip("no barcode engine is installed")
    return ENGINES


@pytest.mark.parametrize("kind", near_limit.KINDS)
def test_the_same_seed_draws_the_same_frame_and_another_one_another(kind):
    draw = near_limit.KINDS[kind]
    one, same, other = (near_limit.drawn(seed, 3, kind, draw) for seed in (5, 5, 6))
    assert one.wanted == same.wanted
    assert np.array_equal(one.pixels, same.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert (one.pixels.dtype, one.pixels.shape) == (np.uint8, (render.HEIGHT_PX, render.WIDTH_PX))


def test_what_is_drawn_is_what_the_engines_read(engines):
    """The truth of the generated frames: easy ones are read as what they were drawn from, by every engine."""
    for number in range(16):
        rng = np.random.default_rng((9, number))
        code = near_limit.random_code(rng)
        grey = render.frame(code, render.Hardship(module_px=3.0), rng)
        for engine in engines:
            said = {Code(r.symbology, r.text).key() for r in engine.read(grey, frozenset({code.symbology}))}
            assert code.key() in said, (number, engine.name)


def test_random_codes_are_valid_and_of_every_retail_kind():
    codes = [near_limit.random_code(np.random.default_rng(n)) for n in range(200)]
    assert {code.symbology for code in codes} == {"EAN13", "UPCA", "EAN8", "UPCE"}
    for code in codes:
        assert has_valid_check_digit(upce_to_upca(code.text) if code.symbology == "UPCE" else code.text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Code("UPCA", "036000291452"), Code("EAN13", "0036000291452")),
        (Code("UPCE", "04252614"), Code("UPCA", "042100005264")),
        (Code("DATABAR", "0109506000134352"), Code("DATABAR", "09506000134352")),
        (Code("DATABAREXP", "(01)09506000134352(10)A"), Code("DATABAREXP", "010950600013435210A\x1d")),
        (Code("QR", "caf\u00e9\r\n1"), Code("QR", "caf\ufffd 1")),
        (Code("EAN13", "9780679601050 52495"), Code("EAN13", "9780679601050")),
    ],
)
def test_the_same_code_is_the_same_however_it_is_written(one, other):
    assert one.key() == other.key()


def test_a_wrong_number_is_counted_beside_a_right_one_and_known_others_are_not():
    tally = Tally()
    sample = Sample("x", ("g",), BLANK, MILK, others=(Code("QR", "about us"),))
    assert tally.add(sample, [MILK, Code("QR", "about us")], 1) == []
    assert tally.add(sample, [MILK, BREAD], 1) == [BREAD]
    assert tally.add(sample, [Code("QR", "else")], 1) == [Code("QR", "else")]
    assert tally.add(Sample("none", ("g",), BLANK, None), [MILK], 1) == [MILK]
    assert (tally.pictures, tally.with_code, tally.right) == (4, 3, 2)
    assert (tally.wrong_numbers, tally.wrong_others) == (2, 1)


def test_rows_are_by_size_and_what_holds_no_code_comes_last_and_the_cost_is_that_of_all():
    comparison = Comparison((OURS,))
    for groups, wanted, cpu_ns in (
        (("EAN13", "all photos"), MILK, 10_000_000),
        (("EAN13", "all photos"), MILK, 10_000_000),
        (("QR", "all photos"), Code("QR", "about"), 10_000_000),
        (("negatives",), None, 90_000_000),
        (("negatives",), None, 90_000_000),
    ):
        for group in groups:
            comparison.tallies[group, OURS].add(Sample("x", groups, BLANK, wanted), [], cpu_ns)
    assert comparison.groups() == ["QR", "EAN13", "all photos", "negatives"]
    *rows, median, _ = comparison.table("Codes").rows
    assert [row[:2] for row in rows] == [("QR", "1"), ("EAN13", "2"), ("all photos", "3"), ("negatives", "2")]
    assert median == ("CPU ms median", "", "10.0")


def test_a_page_that_cannot_be_written_is_said_before_minutes_of_work(capsys, tmp_path):
    assert main(["bench", "vision", "--report", str(tmp_path / "no" / "page.html")]) == 2
    assert capsys.readouterr().err == f"cart bench vision: {tmp_path}/no/page.html: No such file or directory\n"


def test_without_the_shared_data_the_photos_are_refused_by_name_and_frames_still_run(engines, capsys, tmp_path):
    empty = str(tmp_path)
    assert main(["bench", "vision", "--only", "photos", "--data", empty]) == 1
    assert "photos not measured: there is no folder" in capsys.readouterr().err
    report = tmp_path / "seen.html"
    words = ["bench", "vision", "--only", "frames", "--frames", "26", "--report", str(report), "-o", "json"]
    assert main([*words, "--data", empty]) == 0
    figures = json.loads(capsys.readouterr().out)["frames"]
    total = figures["all generated"]["cart"]
    assert total["pictures"] == 26
    assert total["wrong_numbers"] == 0
    assert figures["45 deg, 1_5 px/module"]["cart"]["right"] == figures["45 deg, 1_5 px/module"]["cart"]["pictures"] > 0
    assert "<table>" in report.read_text(encoding="utf-8")


def test_photos_are_judged_by_the_manifest_beside_them(engines, capsys, tmp_path):
    folder = tmp_path / "barcodes"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), render.frame(MILK, render.Hardship(3.0), np.random.default_rng(1)))
    cv2.imwrite(str(folder / "b.png"), render.frame(BREAD, render.Hardship(3.0), np.random.default_rng(2)))
    head = ["file", "symbology", "expected", "also_present", "kind"]
    rows = [head, ["a.png", *MILK, "", "photo"], ["b.png", *MILK, "", "photo"], ["b.png", "NONE", "", "", "negative"]]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert main(["bench", "vision", "--only", "photos", "--data", str(tmp_path), "-o", "json"]) == 0
    figures = json.loads(capsys.readouterr().out)["photos"]
    assert (figures["EAN13"]["cart"]["right"], figures["EAN13"]["cart"]["wrong_numbers"]) == (1, 1)
    assert figures["negatives"]["cart"]["wrong_numbers"] == 1


def test_our_reader_alone_says_the_same_beside_no_other(engines, capsys):
    words = ["bench", "vision", "--only", "frames", "--frames", "6", "-o", "json"]
    figures = {}
    for only in ([], ["--ours"]):
        assert main([*words, *only]) == 0
        figures[bool(only)] = json.loads(capsys.readouterr().out)["frames"]["all generated"]
    assert set(figures[True]) == {"cart"} < set(figures[False])
    for name in ("pictures", "right", "wrong_numbers"):
        assert figures[True]["cart"][name] == figures[False]["cart"][name]


def test_a_log_has_a_line_for_each_part_of_many_frames(capsys, monkeypatch):
    monkeypatch.setattr(near_limit, "PART", 2)
    progress = Progress(terminal=False)
    assert len(list(near_limit.samples(1, 5, progress))) == 5
    assert capsys.readouterr().err.splitlines() == [f"generated frames from {n} on ..." for n in (1, 3, 5)]


def test_the_page_shows_wrong_ones_first_and_takes_no_text_for_markup():
    pictures = (sections.Picture("missed", "nothing", BLANK), sections.Picture("<b>", "a & b", BLANK, wrong=True))
    table = sections.Table("T", ("a",), (("<i>",),))
    text = page.html(sections.Plan(None), {"photos": sections.Result((table,), {}, pictures)}, {"frames": "<no>"})
    assert text.index("&lt;b&gt;") < text.index("missed")
    assert "<i>" not in text
    assert "<no>" not in text
    assert "a &amp; b" in text
    assert "T\na\n<i>" in tables.table_text(table)


def test_what_was_measured_until_ctrl_c_is_printed_and_is_on_the_page(capsys, tmp_path, monkeypatch):
    done = sections.Result((sections.Table("Done", ("a",), (("b",),)),), {"right": 3})
    rows = []
    for name, what in (("photos", lambda: done), ("frames", None), ("passes", lambda: pytest.fail("not any more"))):

        def measure(plan, progress, what=what):
            if what is None:
                raise KeyboardInterrupt
            return what()

        module = ModuleType(f"section_of_{name}")
        module.measure = measure
        monkeypatch.setitem(sys.modules, module.__name__, module)
        rows.append(sections.Section(name, name, module.__name__))
    monkeypatch.setattr(command, "SECTIONS", tuple(rows))
    report = tmp_path / "seen.html"
    assert main(["bench", "vision", "--quick", "--report", str(report), "-o", "json"]) == 130
    assert json.loads(capsys.readouterr().out) == {
        "photos": {"right": 3},
        "not_measured": {"frames": "stopped", "passes": "stopped"},
    }
    assert "Done" in (text := report.read_text(encoding="utf-8"))
    assert "passes was not measured: stopped" in text


def test_each_part_that_can_be_chosen_is_explained(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "vision", "--help"])
    said = capsys.readouterr().out
    for section in sections.SECTIONS:
        assert f"  {section.name:<9}{section.what}\n" in said


def test_the_page_leads_to_each_part_and_counts_its_misses():
    table = sections.Table("T", ("a",), (("  of those right",),))
    result = sections.Result((table,), {}, (sections.Picture("missed", "nothing", BLANK),))
    text = page.html(sections.Plan(None, quick=True), {"photos": result}, {})
    assert "<a href='#photos'>photos (1 misses)</a>" in text
    assert "<section id='photos'>" in text
    assert "<td>  of those right" in text
    assert "td { white-space: pre-wrap }" in text
    assert "a quick run" in text
