"""`cart bench weigh`: the same figures for the same seed, worlds from files, and the mistakes that it refuses."""

import json

import pytest

from cart.__main__ import main
from cart.sim.physics import Params
from cart.sim.physics.world_file import digest, read_world

SHORT = ["bench", "weigh", "--scenes", "1", "--quiet-s", "0", "--cases", "0", "--motion", "standing", "-o", "json"]


@pytest.fixture(autouse=True)
def short_cost(monkeypatch):
    monkeypatch.setattr("cart.sim.weighing.bench.COST_SECONDS", 1)


def figures(capsys, *words):
    assert main([*SHORT, *words]) == 0
    result = json.loads(capsys.readouterr().out)
    # What it cost is the one figure that another run may have otherwise.
    del result["costs"], result["cpu_percent"]
    return result


def test_the_same_seed_has_the_same_figures_and_another_world_another_hash(tmp_path, capsys):
    first = figures(capsys, "--seed", "3")
    assert (first["simulated"], first["seed"], first["world"]) == (True, 3, digest(Params()))
    assert first["summary"]["standing"]["changes"] == 9
    assert figures(capsys, "--seed", "3") == first
    world = tmp_path / "world.toml"
    world.write_text("[converter]\nnoise_counts_rms = 400\n")
    noisy = figures(capsys, "--seed", "3", "--world", str(world))
    assert noisy["world"] == digest(read_world(world)) != first["world"]
    assert noisy["rows"] != first["rows"]


def test_carts_without_an_accelerometer_find_less_on_tiles_and_the_report_says_what_they_are(tmp_path, capsys):
    words = ["bench", "weigh", "--scenes", "1", "--quiet-s", "20", "--cases", "0", "--motion", "tiles", "--seed", "2"]
    with_one, without = tmp_path / "with.html", tmp_path / "without.html"
    missed = {}
    for extra, page in ([], with_one), (["--no-accelerometer"], without):
        assert main([*words, *extra, "--report", str(page)]) == 0
        assert ("no cart has an accelerometer" in capsys.readouterr().out) == (page is without)
        assert ("No cart has an accelerometer" in page.read_text()) == (page is without)
        assert main([*words, *extra, "-o", "json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["plan"]["accelerometer"] == (page is with_one)
        missed[page] = sum(row["missed"] for row in result["rows"] if row["method"] == "weight" and row["mass_mg"])
    assert missed[without] > missed[with_one]


def test_carts_that_rolled_before_stood_once_more_and_the_report_says_so(tmp_path, capsys):
    words = "bench weigh --scenes 1 --quiet-s 0 --cases 0 --motion tiles".split()
    rolled = [*words, "--rolled-s", "20"]
    page = tmp_path / "rolled.html"
    assert main([*rolled, "--report", str(page)]) == 0
    assert "each cart rolled for 20 s before" in capsys.readouterr().out
    assert "Each cart rolled for 20 s before" in page.read_text()
    stood = []
    for each in words, rolled:
        assert main([*each, "-o", "json"]) == 0
        stood.append(json.loads(capsys.readouterr().out)["summary"]["tiles"]["standstills"])
    assert stood[1] > stood[0]


def test_a_page_is_written_and_the_table_printed(tmp_path, capsys):
    page = tmp_path / "report.html"
    assert main([*SHORT[:-2], "--report", str(page)]) == 0
    said = capsys.readouterr()
    assert "SIMULATED" in said.out
    assert "plateau" in said.out
    assert "standing" in said.err
    assert page.read_text().startswith("<!doctype html>")


def test_the_world_is_printed_as_a_file_that_is_read_again(tmp_path, capsys):
    assert main(["bench", "weigh", "--print-world"]) == 0
    world = tmp_path / "world.toml"
    world.write_text(capsys.readouterr().out)
    assert read_world(world) == Params()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--motion", "flying"], "no motion flying; there are standing"),
        (["--world", "{dir}/bad.toml"], "[cell] has no noise_counts; did you mean noise_counts_rms in [converter]?"),
        (["--world", "{dir}/none.toml"], "No such file"),
        (["--world", "{dir}"], "Is a directory"),
        (["--report", "{dir}/no/report.html"], "No such file"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_measured(tmp_path, capsys, words, complaint):
    (tmp_path / "bad.toml").write_text("[cell]\nnoise_counts = 3\n")
    assert main(["bench", "weigh", *(word.format(dir=tmp_path) for word in words)]) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.out == ""


@pytest.mark.parametrize("words", [["--scenes", "-1"], ["--scenes", "many"], ["--quiet-s", "2000000"]])
def test_numbers_have_limits(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(["bench", "weigh", *words])
    assert end.value.code == 2
    assert "usage: cart bench weigh" in capsys.readouterr().err


def test_the_bench_itself_is_asked_as_before(capsys):
    assert main(["bench", "--headless"]) == 2
    assert "--headless and --trip NAME go together" in capsys.readouterr().err
