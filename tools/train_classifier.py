#!/usr/bin/env python3
"""Make the classifier's files in cart/models/ from the grocery data set, and measure them.

Route: EfficientNet-Lite0 with ImageNet weights, frozen, written as an int8 TFLite file; on its embeddings a head in
closed form (whitened class means) fitted on the train split alone. Nothing is tuned on val, which is measured last.
It needs what tools/requirements-train.txt lists, in an environment of its own:

    python3 -m venv ~/.cache/smart-cart/train-venv
    ~/.cache/smart-cart/train-venv/bin/pip install -r tools/requirements-train.txt
    ~/.cache/smart-cart/train-venv/bin/python tools/train_classifier.py

A second run gives the same bytes on the same machine. Embeddings are cached in --work, so a run that was interrupted
goes on where it stopped. `--self-test` needs neither torch nor photos: it checks the TFLite writer on tiny networks.
"""

import argparse
import inspect
import os
import sys
from pathlib import Path

# The order of floating-point sums, and so the last bits, would follow the number of threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from cart.edge.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier  # noqa: E402
from cart.vision import photo  # noqa: E402
from cart.vision.classify import HEAD_FILE, LABELS_FILE, Head, preprocess  # noqa: E402
from cart.vision.head_file import STATISTICS_FILE, head_bytes, read_statistics, statistics_bytes  # noqa: E402
from cart.vision.head_fit import fit  # noqa: E402
from tools.training import card, fitting, measure, photos, selftest  # noqa: E402
from tools.training.artifacts import json_bytes, sha256, write_atomically  # noqa: E402

MEASURED_FILE = "measured.json"
CARD_FILE = "MODEL_CARD.md"
RUNTIME_FILES = (NETWORK_FILE, HEAD_FILE, LABELS_FILE, STATISTICS_FILE)
CALIBRATION_STEP = 10
CALIBRATION_BATCH = 16
SIZE_MAX = 6_000_000


def main() -> int:
    """Make, measure and install the files; return the exit code."""
    args = arguments()
    if args.self_test:
        return selftest.run()
    train = photos.read_split(args.data, "train")
    network_bytes, provenance = make_network(args.data, train)
    stage = args.work / "stage"
    stage_network(stage, network_bytes)
    classifier = Classifier(stage)
    facts = stage_head(args, train, classifier)
    measured = measure_staged(args, classifier) | {"fit": facts, "provenance": provenance}
    write_atomically(stage / MEASURED_FILE, json_bytes(measured))
    text = card.written(measured, Head.load(stage), sizes(stage))
    write_atomically(stage / CARD_FILE, text.encode())
    install(stage, args.out)
    print(card.table(measured["val"]))
    return 0


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--work", type=Path, default=cache / "smart-cart" / "train", metavar="DIR", help="cache")
    parser.add_argument("--out", type=Path, default=ROOT / "cart" / "models", metavar="DIR")
    parser.add_argument("--self-test", action="store_true", help="check the TFLite writer and stop")
    args = parser.parse_args()
    if not args.self_test and not (args.data / "train.txt").is_file():
        parser.exit(2, f"{parser.prog}: no train.txt in {args.data}; name the data set's folder with --data\n")
    return args


def make_network(data: Path, train: photos.Photos) -> tuple[bytes, dict[str, str]]:
    """Return the TFLite file of the backbone, and where its weights came from."""
    from tools.training import backbone, tflite  # torch only here: --self-test must do without it

    say("folding the backbone and measuring its ranges")
    network = backbone.folded_network(backbone.imagenet_state())
    view = photos.VIEWS[0]
    sample = np.stack([photos.seen(photo.load(data / p), view) for p in train.paths[::CALIBRATION_STEP]])
    batches = [sample[i : i + CALIBRATION_BATCH] for i in range(0, len(sample), CALIBRATION_BATCH)]
    ranges = backbone.measured_ranges(network, batches)
    provenance = {
        "imagenet_weights_sha256": sha256(Path(backbone.weights_path()).read_bytes()),
        "train_sha256": photos.fingerprint(data, train),
    }
    return tflite.written(network, ranges, "EfficientNet-Lite0 features, int8"), provenance


def stage_network(stage: Path, network_bytes: bytes) -> None:
    """Write the network with a manifest of its own, so that the cart's own classifier can load it."""
    write_atomically(stage / NETWORK_FILE, network_bytes)
    write_atomically(stage / MANIFEST_FILE, json_bytes({"sha256": {NETWORK_FILE: sha256(network_bytes)}}))


def stage_head(args: argparse.Namespace, train: photos.Photos, classifier: Classifier) -> dict[str, float]:
    """Fit the head on the train photos, write it and the labels; return what the fit rests on."""
    rows = [cached(args, "train", train, view, classifier) for view in photos.VIEWS]
    fitted = fitting.fit_head(fitting.Views.of(rows, train.classes), say)
    stage = args.work / "stage"
    write_atomically(stage / STATISTICS_FILE, statistics_bytes(fitted.statistics, fitted.habits))
    # From the rounded file, as a cart fits it again when a product is enrolled or forgotten.
    write_atomically(stage / HEAD_FILE, head_bytes(fit(*read_statistics(stage / STATISTICS_FILE)), fitted.calibration))
    labels = photos.read_labels(args.data)
    pairs = zip(labels.fine, labels.coarse, strict=True)
    write_atomically(
        args.work / "stage" / LABELS_FILE, json_bytes([{"label": fine, "coarse": coarse} for fine, coarse in pairs])
    )
    return fitted.facts


def measure_staged(args: argparse.Namespace, classifier: Classifier) -> dict[str, object]:
    """Return the figures of the staged files on val, read back as the cart reads them."""
    val = photos.read_split(args.data, "val")
    embeddings = cached(args, "val", val, photos.VIEWS[0], classifier)
    figures = measure.figures(Head.load(args.work / "stage"), embeddings, val.classes)
    return {"val": figures, "runtime": classifier.runtime, "val_sha256": photos.fingerprint(args.data, val)}


def cached(
    args: argparse.Namespace, split: str, chosen: photos.Photos, view: photos.View, classifier: Classifier
) -> np.ndarray:
    """Return the embeddings of a split in one view, from the cache where nothing that they depend on has changed."""
    sources = inspect.getsource(preprocess) + inspect.getsource(photos.seen)
    content = photos.fingerprint(args.data, chosen)
    key = sha256(f"{classifier.model_sha256}{content}{view}{sources}{classifier.runtime}".encode())
    path = args.work / f"{split}-{view.name}-{key[:16]}.npy"
    if not path.exists():
        rows = photos.embedded(args.data, chosen, view, classifier.embed, progress(f"{split} {view.name}"))
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            np.save(file, rows)
        draft.replace(path)
    return np.load(path)


def install(stage: Path, out: Path) -> None:
    """Copy the staged files to `out`; the manifest last, so that an interrupted copy is refused by the cart."""
    for name in (*RUNTIME_FILES, MEASURED_FILE, CARD_FILE):
        write_atomically(out / name, (stage / name).read_bytes())
    hashes = {name: sha256((stage / name).read_bytes()) for name in RUNTIME_FILES}
    write_atomically(out / MANIFEST_FILE, json_bytes({"sha256": hashes}))


def sizes(stage: Path) -> dict[str, int]:
    """Return the size of each file that the cart loads, in bytes."""
    result = {name: (stage / name).stat().st_size for name in RUNTIME_FILES}
    assert sum(result.values()) < SIZE_MAX, result
    return result


def progress(name: str):
    """Return a function that shows how far `name` is, at most a hundred times."""

    def show(done: int, total: int) -> None:
        if done == total or done % max(1, total // 100) == 0:
            print(f"\r{name}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


def say(step: str) -> None:
    """Print one step."""
    print(step, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
