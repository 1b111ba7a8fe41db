"""The training tool: what it refuses before anything is learnt, and its short form from photos to files."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cart.edge.classifier import INPUT_SHAPE, Classifier
from cart.vision.classify import Head
from tools import train_classifier
from tools.training.photos import Labels, Photos, read_split

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "train_classifier.py"


def run(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, TOOL, *words], capture_output=True, text=True, timeout=300)


def test_bad_reviewed_pictures_are_refused_before_anything_is_learnt(shared_data, tmp_path):
    (tmp_path / "Leak").mkdir()
    found = run("--data", shared_data / "grocery", "--reviewed", tmp_path, "--work", tmp_path / "work")
    assert found.returncode == 2
    assert "Leak: no such label; rename it as in classes.csv, or add it to labels.csv" in found.stderr
    assert not (tmp_path / "work").exists()


def test_a_folder_without_photos_is_refused_with_the_option_that_names_another(tmp_path):
    found = run("--data", tmp_path)
    assert found.returncode == 2
    assert "name the data set's folder with --data" in found.stderr


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_learnt(shared_data, tmp_path):
    out = tmp_path / "file"
    out.write_text("x")
    for words in ((out,), (out / "below",)):
        found = run("--data", shared_data / "grocery", "--out", *words, "--work", tmp_path / "work")
        assert found.returncode == 2
        assert "Not a directory; name another folder with --out" in found.stderr
    assert not (tmp_path / "work").exists()
    assert train_classifier.out_fault(tmp_path / "new" / "folder") == ""
    assert not (tmp_path / "new").exists()


def test_a_photo_of_val_is_not_learnt_as_a_reviewed_picture(shared_data, tmp_path):
    val = read_split(shared_data / "grocery", "val")
    (tmp_path / "Leek").mkdir()
    copied = tmp_path / "Leek" / "mine.jpg"
    copied.write_bytes((shared_data / "grocery" / val.paths[0]).read_bytes())
    found = run("--data", shared_data / "grocery", "--reviewed", tmp_path, "--work", tmp_path / "work")
    assert found.returncode == 2
    assert f"mine.jpg: the same picture as val photo {val.paths[0]}" in found.stderr


@pytest.mark.parametrize("words", [(), ("--quick",)])
def test_without_torch_the_tool_says_how_to_set_up_an_environment(shared_data, tmp_path, words):
    if find_spec("torch"):
        pytest.skip("torch is here")
    found = run("--data", shared_data / "grocery", "--work", tmp_path / "work", "--out", tmp_path / "out", *words)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "not installed here: torch" in found.stderr
    assert found.stderr.splitlines()[-1] == "    ~/.cache/smart-cart/train-venv/bin/python tools/train_classifier.py"
    assert len([line for line in found.stderr.splitlines() if line.startswith("    ")]) == 3


def test_the_short_form_takes_a_few_photos_of_each_of_the_first_products():
    classes = np.repeat(np.arange(20), 9)
    everything = Photos(tuple(f"{number}.jpg" for number in range(len(classes))), classes)
    names = tuple(f"label{number}" for number in range(20))
    labels, train, _ = train_classifier.few(Labels(names, names), everything, everything)
    assert len(labels.fine) == train_classifier.QUICK_CLASSES
    assert np.bincount(train.classes).tolist() == [train_classifier.QUICK_PHOTOS] * train_classifier.QUICK_CLASSES
    assert all(classes[int(path.removesuffix(".jpg"))] == number for path, number in zip(*astuple(train), strict=True))


def astuple(chosen: Photos) -> tuple:
    return chosen.paths, chosen.classes


@pytest.mark.skipif(find_spec("torch") is None, reason="no torch here: only tools/requirements-train.txt installs it")
def test_the_short_form_makes_files_that_the_cart_loads(shared_data, tmp_path):
    words = ("--quick", "--data", shared_data / "grocery", "--work", tmp_path / "work", "--out", tmp_path / "out")
    first = run(*words, "-o", "json")
    assert first.returncode == 0, first.stderr
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert Classifier(tmp_path / "out").embed(np.zeros(INPUT_SHAPE, np.uint8)).shape == (1280,)
    assert len(Head.load(tmp_path / "out").labels) == train_classifier.QUICK_CLASSES
    assert json.loads(first.stdout.splitlines()[-1])["val"]["n"] > 0
    assert "good for nothing else" in first.stderr
    assert (tmp_path / "work" / "quick" / "stage" / "report.html").stat().st_size > 1_000
    again = run(*words)
    assert again.returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == made
