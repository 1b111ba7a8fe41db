"""The network in its runtime: checked before use, and each way it can be unusable has a code of its own."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cart.edge import classifier
from cart.edge.classifier import LITERT, NETWORK_FILE, PACKAGED_DIR, TFLITE_RUNTIME, Classifier, runtime_module
from cart.faults import Fault
from cart.vision.classify import Head
from tools.training.reference import random_network
from tools.training.selftest import ranges_of
from tools.training.tflite import written

GREY = np.full(classifier.INPUT_SHAPE, 90, np.uint8)


@pytest.fixture
def model_dir(tmp_path):
    """A copy of the packaged model, to be damaged."""
    return shutil.copytree(PACKAGED_DIR, tmp_path / "models")


@pytest.fixture(scope="module")
def packaged():
    try:
        runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))
    return Classifier(PACKAGED_DIR)


def code_of(model_dir) -> str:
    with pytest.raises(Fault) as caught:
        Classifier(model_dir)
    return caught.value.code


def resealed(model_dir):
    """Write a manifest that agrees with the network file as it is now."""
    digest = hashlib.sha256((model_dir / NETWORK_FILE).read_bytes()).hexdigest()
    (model_dir / "manifest.json").write_text(json.dumps({"sha256": {NETWORK_FILE: digest}}), encoding="utf-8")


@pytest.mark.parametrize("name", ["backbone_int8.tflite", "head.npz", "labels.json"])
def test_one_changed_byte_in_any_file_is_refused(model_dir, name):
    content = bytearray((model_dir / name).read_bytes())
    content[len(content) // 2] ^= 1
    (model_dir / name).write_bytes(content)
    assert code_of(model_dir) == "MODEL-HASH"


def test_a_network_for_pictures_of_another_size_is_refused(packaged, model_dir):
    network = random_network(1)
    (model_dir / NETWORK_FILE).write_bytes(written(network, ranges_of(network), "small pictures"))
    resealed(model_dir)
    assert code_of(model_dir) == "MODEL-SHAPE"


@pytest.mark.parametrize("name", ["/dev/zero", "../head.npz", "a\0b", ""])
def test_a_manifest_names_files_of_its_own_folder_alone(model_dir, name):
    manifest = json.loads((model_dir / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"][name] = "0" * 64
    (model_dir / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert code_of(model_dir) == "MODEL-HASH"


@pytest.mark.parametrize("name", ["manifest.json", "backbone_int8.tflite", "head.npz", "labels.json"])
def test_a_missing_file_is_named(model_dir, name):
    (model_dir / name).unlink()
    with pytest.raises(Fault, match=name) as caught:
        Classifier(model_dir)
    assert caught.value.code == "MODEL-MISSING"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 1}', '{"sha256": {}}'])
def test_a_broken_manifest_is_refused(model_dir, text):
    (model_dir / "manifest.json").write_text(text, encoding="utf-8")
    assert code_of(model_dir) == "MODEL-HASH"


def test_a_file_that_is_no_network_is_refused_even_with_the_right_hash(model_dir, packaged):
    (model_dir / NETWORK_FILE).write_bytes(b"TFL3 but not really" * 100)
    resealed(model_dir)
    assert code_of(model_dir) == "MODEL-HASH"


@pytest.mark.parametrize(
    ("installed", "python", "expected"),
    [
        ({"tflite_runtime", "ai_edge_litert"}, (3, 11), TFLITE_RUNTIME),
        ({"ai_edge_litert"}, (3, 11), LITERT),
        ({"tflite_runtime", "ai_edge_litert"}, (3, 13), LITERT),
    ],
)
def test_the_runtime_is_the_one_that_fits_this_python(installed, python, expected):
    assert runtime_module(installed.__contains__, python) == expected


@pytest.mark.parametrize(("installed", "python"), [(set(), (3, 11)), ({"tflite_runtime"}, (3, 13))])
def test_without_a_runtime_the_fault_says_what_was_looked_for(installed, python):
    with pytest.raises(Fault, match="ai_edge_litert") as caught:
        runtime_module(installed.__contains__, python)
    assert caught.value.code == "MODEL-RUNTIME-MISSING"


def test_embedding_is_what_the_head_takes(packaged):
    embedding = packaged.embed(GREY)
    assert embedding.shape == Head.load(PACKAGED_DIR).centre.shape
    assert embedding.dtype == np.float32
    assert embedding.min() >= 0.0
    assert embedding.max() > 0.5


def test_the_same_picture_gives_the_same_embedding_and_another_does_not(packaged):
    first = packaged.embed(GREY)
    noise = np.random.default_rng(3).integers(0, 256, GREY.shape, dtype=np.uint8)
    other = packaged.embed(noise)
    assert np.array_equal(packaged.embed(GREY), first)
    assert np.abs(other - first).max() > 0.5


def test_two_threads_embed_as_one_does(packaged):
    assert np.array_equal(Classifier(PACKAGED_DIR, threads=2).embed(GREY), packaged.embed(GREY))


class Ticking:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self):
        self.t_ns = 0

    def monotonic_ns(self):
        self.t_ns += 1_000_000_000
        return self.t_ns


def test_how_long_loading_took_is_known_and_logged(caplog):
    caplog.set_level("INFO", "cart.classifier")
    assert Classifier(PACKAGED_DIR, clock=Ticking()).loading == (1000, 1000, 1000)
    assert "checked in 1000 ms, read in 1000 ms, warmed in 1000 ms" in caplog.text
    assert Classifier(PACKAGED_DIR).loading == (0, 0, 0)


def test_the_model_is_named_by_the_hash_of_its_manifest(packaged):
    manifest = (PACKAGED_DIR / "manifest.json").read_bytes()
    assert packaged.model_sha256 == hashlib.sha256(manifest).hexdigest()


def test_importing_the_module_loads_no_runtime():
    code = "import sys, cart.edge.classifier; print(sorted({'tflite_runtime', 'ai_edge_litert'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_manifest_nested_without_end_is_refused(model_dir):
    (model_dir / "manifest.json").write_text("[" * 200_000, encoding="utf-8")
    assert code_of(model_dir) == "MODEL-HASH"
