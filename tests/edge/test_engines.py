"""Barcode engines whose package is there and does not work: one that is left goes on alone, and none is a fault.

The broken packages are real ones, put before the installed in the path of a Python of its own.
"""

import json
import os
import subprocess
import sys

import cv2
import pytest

from cart.edge import engines
from cart.faults import EXIT_CONFIGURATION, FAULTS
from tests import labels

MILK = "9506000134352"
NO_LIBRARY = 'raise ImportError("Unable to find zbar shared library")'
WRONG_WHEEL = 'raise ImportError("libstdc++.so.6: version `GLIBCXX_3.4.32\' not found")'
TOO_OLD = "class BarcodeFormat:\n    QRCode = 1"


def test_what_is_usable_and_what_is_missing_are_all_engines():
    here = engines.found()
    assert sorted([engine.name for engine in here.usable] + list(here.missing)) == ["zbar", "zxing"]


def told(tmp_path, *words, **packages):
    for name, content in packages.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content, encoding="utf-8")
    # The source itself, wherever this runs, behind what is broken.
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    command = [sys.executable, "-m", "cart", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path})


@pytest.fixture
def label(tmp_path):
    path = tmp_path / "label.png"
    cv2.imwrite(str(path), labels.label("EAN13", MILK))
    return str(path)


@pytest.mark.parametrize(("packages", "reason"), [
    ({"pyzbar": NO_LIBRARY}, "pyzbar counts as not installed: ImportError: Unable to find zbar shared library"),
    ({"zxingcpp": WRONG_WHEEL}, "zxing-cpp counts as not installed: ImportError: libstdc++.so.6"),
    ({"zxingcpp": TOO_OLD}, "zxing-cpp counts as not installed: AttributeError:"),
])  # fmt: skip
def test_with_one_engine_broken_the_other_reads_alone_and_the_reason_is_told_once(tmp_path, label, packages, reason):
    if engines.found().missing:
        pytest.skip("one engine alone is installed here")
    result = told(tmp_path, "camera", "read", label, label, **packages)
    assert result.returncode == 0, result.stderr
    assert [code["text"] for line in result.stdout.splitlines() for code in json.loads(line)["codes"]] == [MILK] * 2
    assert result.stderr.count(reason) == 1


def test_with_both_broken_it_is_a_fault_that_names_both_reasons_and_the_next_step(tmp_path, label):
    result = told(tmp_path, "camera", "read", label, pyzbar=NO_LIBRARY, zxingcpp=WRONG_WHEEL)
    assert result.returncode == EXIT_CONFIGURATION
    assert "ENGINE-MISSING" in result.stderr
    assert "Unable to find zbar shared library" in result.stderr
    assert "GLIBCXX_3.4.32" in result.stderr
    assert FAULTS["ENGINE-MISSING"].next_step in result.stderr
    assert "Traceback" not in result.stderr


def test_the_doctor_says_of_each_broken_engine_what_mends_it(tmp_path):
    result = told(tmp_path, "doctor", "-o", "json", pyzbar=NO_LIBRARY, zxingcpp=WRONG_WHEEL)
    mends = {row["name"]: row["mend"] for row in json.loads(result.stdout) if row["name"] in engines.PACKAGES}
    assert mends == {"zxing": "pip install --force-reinstall zxing-cpp", "zbar": "sudo apt install libzbar0"}
