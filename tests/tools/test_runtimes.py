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
    with pytest.raises(NotMeasured, match="photos"):
        runtimes.compared(tmp_path, FEW)
