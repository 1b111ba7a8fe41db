"""Models whose files are what their manifest says, and wrong all the same: barcodes go on without the classifier."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from cart import config
from cart.edge.classifier import MANIFEST_FILE, PACKAGED_DIR, runtime_module
from cart.faults import Fault
from cart.ports import Frame
from cart.vision import process
from cart.vision.classify import HEAD_FILE, LABELS_FILE


@pytest.fixture
def model_dir(tmp_path):
    """A copy of the packaged model, to be spoilt."""
    try:
        runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))
    return shutil.copytree(PACKAGED_DIR, tmp_path / "model")


def sealed(folder):
    """Let the manifest vouch for the files as they are."""
    names = json.loads((folder / MANIFEST_FILE).read_text())["sha256"]
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / MANIFEST_FILE).write_text(json.dumps({"sha256": hashes}))


def look_of(folder):
    return process.classifier(config.changed(config.default(), classifier={"model_dir": str(folder)}))


def with_head(**changed):
    def spoil(folder):
        with np.load(folder / HEAD_FILE) as arrays:
            head = {name: changed.get(name, lambda array: array)(arrays[name]) for name in arrays.files}
        np.savez(folder / HEAD_FILE, **{name: array for name, array in head.items() if array is not None})

    return spoil


def with_labels(change):
    def spoil(folder):
        rows = json.loads((folder / LABELS_FILE).read_text())
        (folder / LABELS_FILE).write_text(json.dumps(change(rows)))

    return spoil


def shortened(name):
    def spoil(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-5_000])

    return spoil


@pytest.mark.parametrize("spoil", [
    with_head(projection=lambda array: array[:-1]),
    with_head(means=lambda array: array[:, :-1]),
    with_head(centre=lambda array: array * np.float16(np.nan)),
    with_head(means=lambda array: None),
    with_head(scale=lambda array: np.array(np.nan)),
    with_head(none_weight=lambda array: np.array(-np.inf)),
    with_head(none_prior=lambda array: np.array(0.0)),
    with_labels(lambda rows: [row | {"label": "same"} for row in rows]),
    with_labels(lambda rows: [{"name": row["label"]} for row in rows]),
    with_labels(lambda rows: [row["label"] for row in rows]),
    with_labels(lambda rows: [row | {"label": row["label"] + 200 * "x"} for row in rows]),
    shortened(HEAD_FILE),
    shortened("backbone_int8.tflite"),
])  # fmt: skip
def test_a_model_that_cannot_be_used_is_said_at_the_start_and_costs_the_classifier_alone(model_dir, spoil, caplog):
    spoil(model_dir)
    sealed(model_dir)
    assert look_of(model_dir) is None
    assert "MODEL-HASH" in caplog.text
    assert "going on with barcodes alone" in caplog.text


def test_the_packaged_model_is_used(model_dir):
    look = look_of(model_dir)
    assert "none" in look(np.zeros((50, 60, 3), np.uint8))


@pytest.mark.parametrize("pixels", [
    np.zeros((72, 128), np.uint8), np.zeros((72, 128, 4), np.uint8), np.zeros((72, 128, 3), np.uint16),
    np.zeros((0, 128, 3), np.uint8), np.zeros((72, 128, 3), np.float32),
])  # fmt: skip
def test_frames_that_are_no_colour_pictures_are_a_camera_that_does_not_work(pixels):
    with pytest.raises(OSError, match="it gives frames of"):
        process._checked(Frame(1, pixels))
    assert process._checked(None) is None
