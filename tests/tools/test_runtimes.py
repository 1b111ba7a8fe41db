"""Both TFLite runtimes, each in its own environment: the same products, embeddings alike."""

import pytest

from tools import runtimes
from tools.measuring import NotMeasured

FEW = 8


@pytest.fixture(scope="module")
def found(shared_data):
    for environment in runtimes.ENVIRONMENTS.values():
        if not (runtimes.ROOT / environment.folder).is_dir():
            pytest.skip("no environments of both runtimes: python -m tools.runtimes --make")
    try:
        return runtimes.compared(shared_data / "grocery", FEW)
    except NotMeasured as reason:
        pytest.skip(str(reason))


def test_each_environment_runs_its_own_runtime_on_its_own_numpy(found):
    assert found["photos"] == FEW
    assert found["tflite-runtime runs_on"].startswith("tflite_runtime.interpreter, Python 3.11")
    assert "numpy 1." in found["tflite-runtime runs_on"]
    assert found["ai-edge-litert runs_on"].startswith("ai_edge_litert.interpreter")


def test_they_see_the_same_products(found):
    assert runtimes.agree(found), found


@pytest.mark.parametrize(("cosine", "clear", "expected"), [(0.991, 0, True), (0.98, 0, False), (0.999, 1, False)])
def test_what_counts_as_agreement(cosine, clear, expected):
    assert runtimes.agree({"cosine_min": cosine, "clear_differences": clear}) is expected


def test_without_photos_nothing_is_compared(tmp_path):
    with pytest.raises(NotMeasured, match="--data"):
        runtimes.compared(tmp_path, FEW)


@pytest.mark.parametrize("count", ["0", "-3", "few"])
def test_a_number_of_photos_that_is_none_is_a_mistake_of_usage(tmp_path, capsys, count):
    with pytest.raises(SystemExit) as end:
        runtimes.main(["--photos", count, "--data", str(tmp_path)])
    assert end.value.code == 2
    assert "whole number" in capsys.readouterr().err


def test_what_takes_minutes_is_said(tmp_path, capsys, monkeypatch):
    """Nothing is installed: a command that fails at once stands for a pip without a network."""
    monkeypatch.setattr(runtimes, "ROOT", tmp_path)
    monkeypatch.setattr(runtimes, "interpreter", lambda version: "false")
    with pytest.raises(NotMeasured, match="cannot be installed here"):
        runtimes.python_of("tflite-runtime")
    assert "making .venv-tflite" in capsys.readouterr().err
