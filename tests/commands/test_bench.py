"""`cart bench`: what it says to a trip or a folder that it cannot use. Nothing is started."""

import pytest

from cart.__main__ import main
from cart.edge.crashes import lock


def test_a_trip_that_is_not_text_is_a_mistake_of_usage(tmp_path, capsys):
    trip = tmp_path / "binary.trip"
    trip.write_bytes(b"\xff\xfe\x00")
    assert main(["bench", "--headless", "--trip", str(trip), "--state", str(tmp_path / "state")]) == 2
    assert "cart bench: trip" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--headless", "--trip", "demo"], []])
def test_a_state_folder_that_is_none_has_its_code(tmp_path, capsys, words):
    (tmp_path / "file").write_bytes(b"")
    assert main(["bench", *words, "--state", str(tmp_path / "file")]) == 3
    assert "STATE-DIR-BAD" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--headless", "--trip", "demo"], []])
def test_a_second_bench_on_one_folder_is_refused_and_leaves_the_first_ones_files_alone(tmp_path, capsys, words):
    with lock(tmp_path / "bench"):
        assert main(["bench", *words, "--state", str(tmp_path)]) == 3
    assert "STATE-DIR-BUSY" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]


@pytest.mark.parametrize(
    "wrong", [("--seed", "-5"), ("--seed", "4294967296"), ("--frames", "0"), ("--only", "nothing")]
)
def test_a_wrong_argument_of_the_bench_of_seeing_is_said_before_anything_is_measured(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "vision", *wrong])
    assert ended.value.code == 2
    assert "error: argument" in capsys.readouterr().err
