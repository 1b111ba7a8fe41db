"""All scenarios of tests/scenarios come true, and `cart bench --scenario` says so to programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cart.sim.play import play

SCENARIOS = sorted((Path(__file__).resolve().parents[1] / "scenarios").glob("*.cart"))
DEMO = Path(__file__).resolve().parents[2] / "cart" / "sim" / "data" / "demo.trip"


@pytest.mark.parametrize("path", [*SCENARIOS, DEMO], ids=lambda path: path.stem)
def test_comes_true(path):
    result = play(path.read_text(encoding="utf-8"))
    assert result.passed, result.failure


def test_there_are_scenarios():
    assert len(SCENARIOS) > 30


def bench(*files):
    command = [sys.executable, "-m", "cart", "bench", "--scenario", *map(str, files), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_command_prints_a_line_a_file_and_fails_if_one_fails(tmp_path):
    wrong = tmp_path / "wrong.cart"
    wrong.write_text("scan arla-standard-milk\nput arla-standard-milk\nexpect total 9.99\n")
    right = next(path for path in SCENARIOS if path.stem == "scan_then_put")
    code, rows = bench(right, wrong, tmp_path / "absent.cart")
    assert code == 1
    assert [row["passed"] for row in rows] == [True, False, False]
    assert [row["file"] for row in rows] == [str(right), str(wrong), str(tmp_path / "absent.cart")]
    (line,) = rows[0]["basket"]
    assert (line["product"], line["count"], line["amount_minor"]) == ("arla-standard-milk", 1, 229)
    assert rows[0]["asked"] == rows[0]["flags"] == []
    assert rows[1]["failure"] == "line 3: expected a total of 9.99, it is 2.29"
    assert bench(right) == (0, [rows[0]])


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("scan milkk", "line 1: no product 'milkk'"),
        ("take banana", "line 1: there is no banana in the cart"),
        ("product a 1.00 each 1 kg code 9521000000018\nproduct b 1.00 each 1 kg code 9521000000018", "belongs to both"),
        ("expect basket banana", "line 1: expected the basket 1 banana, it is empty"),
        ("expect asked scan_it", "line 1: expected to be asked scan_it, it was nothing"),
        ("expect flag unscanned", "line 1: expected flag unscanned, there is none"),
        ("expect no notice hands_off\nexpect phase paid", "line 2: expected phase paid, it is shopping"),
        ("expect light red", "line 1: expected light red"),
        ("expect charged 1.00", "line 1: expected a charge of 1.00, it is 0.00"),
    ],
)
def test_what_does_not_come_true_is_told(text, failure):
    result = play(text)
    assert not result.passed
    assert failure in result.failure
