"""`cart catalog`: what people and scripts get."""

import json

import pytest

from cart.__main__ import main

FAULTY = "# catalog version=1 currency=EUR\nid,name,sold_by,price_minor,mass_mg,mass_sd_mg\nmilk,Milk,piece,0,1,1\n"


@pytest.fixture
def faulty(tmp_path):
    path = tmp_path / "store.csv"
    path.write_text(FAULTY, encoding="utf-8")
    return str(path)


def test_lint_names_each_fault_and_exits_with_1(faulty, capsys):
    assert main(["catalog", "lint", faulty]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{faulty}: row 3: price_minor: 0 is no whole number from 1 to 10000000"
    assert out[-1] == "1 fault: this catalogue is not used"


def test_lint_answers_scripts(faulty, capsys):
    main(["catalog", "lint", faulty, "-o", "json"])
    answer = json.loads(capsys.readouterr().out)
    assert (answer["products"], [fault["row"] for fault in answer["faults"]], answer["warnings"]) == (0, [3], [])


def test_show_prints_the_demo_store(capsys):
    assert main(["catalog", "show", "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    banana = next(product for product in shown["products"] if product["id"] == "banana")
    assert (shown["currency"], len(shown["products"]), banana["plu"]) == ("EUR", 81, "4011")
    assert main(["catalog", "show"]) == 0
    assert "banana" in capsys.readouterr().out


def test_a_faulty_catalogue_is_a_fault_with_its_first_row(faulty, capsys):
    assert main(["catalog", "show", faulty]) == 3
    assert "CATALOG-FAULTS" in (err := capsys.readouterr().err)
    assert "row 3: price_minor" in err


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_says_so(tmp_path, capsys, content):
    path = tmp_path / "gone.csv"
    if content is not None:
        path.write_bytes(content)
    assert main(["catalog", "lint", str(path)]) == 3
    assert "CATALOG-UNREADABLE" in capsys.readouterr().err
