"""Models whose files are what their manifest says, and wrong all the same.

Barcodes go on without the classifier, and commands say what is wrong and what to do.
"""

import hashlib
import json
import shutil

import cv2
import numpy as np
import pytest

from cart import config
from cart.__main__ import main
from cart.edge.classifier import MANIFEST_FILE, PACKAGED_DIR, runtime_module
from cart.faults import EXIT_CONFIGURATION, FAULTS, Fault
from cart.ports import Frame
from cart.vision import enroll, process
from cart.vision.classify import HEAD_FILE, LABELS_FILE, head_for
from cart.vision.head_file import STATISTICS_FILE


@pytest.fixture
def model_dir(tmp_path):
    """A copy of the packaged model, to be spoilt."""
    try:
        runtime_module()
    except Fault as fault:
        pytest.skip(str(fault))
    return shutil.copytree(PACKAGED_DIR, tmp_path / "model")


class PackagedNetwork:
    """The packaged network, to a head that is tried with it; what it sees does not matter here."""

    def embed(self, rgb):
        return np.ones(1_280, np.float32)


def sealed(folder):
    """Let the manifest vouch for the files as they are."""
    names = json.loads((folder / MANIFEST_FILE).read_text())["sha256"]
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / MANIFEST_FILE).write_text(json.dumps({"sha256": hashes}))


def look_of(folder):
    return process.classifier(config.changed(config.default(), classifier={"model_dir": str(folder)}))


def with_arrays(file, changed):
    def spoil(folder):
        with np.load(folder / file) as arrays:
            kept = {name: changed.get(name, lambda array: array)(arrays[name]) for name in arrays.files}
        np.savez(folder / file, **{name: array for name, array in kept.items() if array is not None})

    return spoil


def with_head(**changed):
    return with_arrays(HEAD_FILE, changed)


def with_statistics(**changed):
    return with_arrays(STATISTICS_FILE, changed)


def with_labels(change):
    def spoil(folder):
        rows = json.loads((folder / LABELS_FILE).read_text())
        (folder / LABELS_FILE).write_text(json.dumps(change(rows)))

    return spoil


def shortened(name):
    def spoil(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-5_000])

    return spoil


def holding(name, content):
    def spoil(folder):
        (folder / name).write_bytes(content)

    return spoil


def for_another_network(folder):
    with_head(centre=lambda array: array[:-1], projection=lambda array: array[:-1])(folder)


HEADS = [
    with_head(projection=lambda array: array[:-1]),
    with_head(means=lambda array: array[:, :-1]),
    with_head(centre=lambda array: array * np.float16(np.nan)),
    with_head(means=lambda array: None),
    with_head(sharpness=lambda array: np.array(np.nan)),
    with_head(sharpness=lambda array: -array),
    with_head(none_race=lambda array: np.array(-np.inf)),
    with_head(none_prior=lambda array: np.array(0.0)),
    with_labels(lambda rows: [row | {"label": "same"} for row in rows]),
    with_labels(lambda rows: [{"name": row["label"]} for row in rows]),
    with_head(none_offset=lambda array: None),
    with_head(agree_millinat=lambda array: np.array(np.nan)),
    with_labels(lambda rows: [row["label"] for row in rows]),
    with_labels(lambda rows: [row | {"label": number} for number, row in enumerate(rows)]),
    with_labels(lambda rows: [rows[0] | {"label": "none"}, *rows[1:]]),
    holding(LABELS_FILE, b"[" * 100_000),
    holding(HEAD_FILE, b""),
    holding(HEAD_FILE, b"no archive at all"),
    shortened(HEAD_FILE),
    for_another_network,
    shortened(STATISTICS_FILE),
    with_statistics(allowance=lambda array: None),
    with_statistics(counts=lambda array: array[:-1], means=lambda array: array[:-1], trained=lambda array: array - 1),
    with_statistics(means=lambda array: array[:, :-1], directions=lambda array: array[:, :-1]),
]  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        *HEADS,
        with_labels(lambda rows: [row | {"label": row["label"] + 200 * "x"} for row in rows]),
        shortened("backbone_int8.tflite"),
    ],
)
def test_a_model_that_cannot_be_used_is_said_at_the_start_and_costs_the_classifier_alone(model_dir, spoil, caplog):
    spoil(model_dir)
    sealed(model_dir)
    assert look_of(model_dir) is None
    assert "MODEL-HASH" in caplog.text
    assert "going on with barcodes alone" in caplog.text


@pytest.mark.parametrize("spoil", HEADS)
def test_such_a_head_is_a_fault_to_whoever_loads_it(tmp_path, spoil):
    for name in (HEAD_FILE, LABELS_FILE, STATISTICS_FILE):
        shutil.copy(PACKAGED_DIR / name, tmp_path)
    spoil(tmp_path)
    with pytest.raises(Fault, match="MODEL-HASH"):
        head_for(PackagedNetwork(), tmp_path)


@pytest.mark.parametrize("spoil", [shortened(HEAD_FILE), for_another_network])
def test_a_command_that_is_given_such_a_model_says_so_with_the_next_step(model_dir, spoil, tmp_path, capsys):
    photo = tmp_path / "grey.png"
    cv2.imwrite(str(photo), np.full((300, 300, 3), 90, np.uint8))
    spoil(model_dir)
    sealed(model_dir)
    (tmp_path / "cart.toml").write_text(f'[cart]\nstate_dir = "{tmp_path}/state"\n')
    of_cart = ["--config", str(tmp_path / "cart.toml"), "--from", str(model_dir)]
    for words, code in (
        (["camera", "classify", "--model-dir", str(model_dir), str(photo)], "MODEL-HASH"),
        (["camera", "agree", "--label", "Banana", "--model-dir", str(model_dir), str(photo)], "MODEL-HASH"),
        (["catalog", "enroll", "golden-delicious", str(photo), *of_cart], "MODEL-HASH"),
        (["catalog", "enrolled", *of_cart], "MODEL-STATISTICS"),
    ):
        assert main(words) == EXIT_CONFIGURATION
        told = capsys.readouterr().err
        assert code in told, words
        assert FAULTS[code].next_step in told


@pytest.mark.parametrize("spoil", [
    with_statistics(means=lambda array: array[:, :-1]),
    with_statistics(directions=lambda array: array[:, :-1]),
    with_statistics(directions=lambda array: array[:-1]),
    with_statistics(spreads=lambda array: array[:-1]),
    with_statistics(spreads=lambda array: -array),
    with_statistics(counts=lambda array: array * 0),
    with_statistics(counts=lambda array: array * np.float32(np.nan)),
    with_statistics(trained=lambda array: array + 1),
    with_statistics(rest=lambda array: None),
    with_statistics(shrinkage=lambda array: array * 0 - 1),
    with_statistics(gain=lambda array: np.array([1.0, 2.0])),
    with_labels(lambda rows: [row | {"colour": "red"} for row in rows]),
    holding(STATISTICS_FILE, b""),
    holding(STATISTICS_FILE, b"no archive at all"),
    shortened(STATISTICS_FILE),
])  # fmt: skip
def test_what_no_product_can_be_learnt_with_is_a_fault(tmp_path, spoil):
    for name in (HEAD_FILE, LABELS_FILE, STATISTICS_FILE):
        shutil.copy(PACKAGED_DIR / name, tmp_path)
    assert enroll.read_model(tmp_path)
    spoil(tmp_path)
    with pytest.raises(Fault, match="MODEL-STATISTICS"):
        enroll.read_model(tmp_path)


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


def test_the_doctor_finds_a_head_that_cannot_be_used(model_dir, tmp_path, capsys):
    settings = tmp_path / "cart.toml"
    text = config.render(config.simulated(tmp_path / "state"))
    assert 'model_dir = ""' in text
    settings.write_text(text.replace('model_dir = ""', f'model_dir = "{model_dir}"'), encoding="utf-8")

    def found():
        main(["doctor", "--config", str(settings), "-o", "json"])
        return {row["name"]: row for row in json.loads(capsys.readouterr().out)}

    assert found()["products"]["text"] == "81 in 43 groups"
    with_head(sharpness=lambda array: -array)(model_dir)
    sealed(model_dir)
    spoilt = found()
    assert "products" not in spoilt
    assert spoilt["model"]["state"] == "x"
    assert "MODEL-HASH" in spoilt["model"]["text"]
