"""The bars of reading codes: what is left out, and how a long measurement shows that it lives."""

import csv
import subprocess

from tools import barcode_bars, measuring


def test_only_photos_that_are_there_are_left_out_and_none_of_the_negatives(shared_data):
    with (shared_data / "barcodes" / "manifest.csv").open(encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert set(barcode_bars.MISLABELLED) <= set(rows)
    assert {rows[name]["kind"] for name in barcode_bars.MISLABELLED} == {"photo"}
    assert len(barcode_bars.MISLABELLED) < len(rows) // 100


def test_what_a_long_measurement_writes_to_stderr_is_seen_at_once(capfd):
    words = ["sh", "-c", "echo {}; echo frame 1 >&2"]
    shown = measuring.finished(words, 10, shown=True)
    assert (shown.stdout, shown.stderr) == ("{}\n", None)
    assert capfd.readouterr().err == "frame 1\n"
    assert measuring.finished(words, 10).stderr == "frame 1\n"
    assert capfd.readouterr().err == ""


def test_frames_are_read_by_our_reader_alone_as_the_row_says(monkeypatch):
    told = []
    done = subprocess.CompletedProcess([], 0, "{}", None)
    monkeypatch.setattr(barcode_bars, "cart", lambda *words, **how: told.append((words, how)) or done)
    barcode_bars.frames.cache_clear()
    barcode_bars.frames()
    barcode_bars.frames.cache_clear()
    ((words, how),) = told
    assert " ".join(("cart", *words)).replace("--frames 520 ", "") == barcode_bars.FRAMES
    assert how["shown"]
