#!/usr/bin/env python3
"""Measure the committed classifier on the val photos, as the cart runs it: no torch, well under a minute.

The figures are those of cart/models/MODEL_CARD.md, which tools/train_classifier.py wrote; another runtime may differ
by a photo or two. Exit code 0 when fine top-1 reaches the bar, else 1.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from cart.edge.classifier import MANIFEST_FILE, Classifier, model_dir_of  # noqa: E402
from cart.vision.bench.figures import Figures, figures  # noqa: E402
from cart.vision.classify import Head, preprocess  # noqa: E402
from cart.vision.views import VIEWS  # noqa: E402
from tools.training import card, photos  # noqa: E402

BAR_TOP1 = 0.9
TIMED = 40
IN_PERCENT = ("top1", "top5", "coarse", "false_alarms", "swap_caught_other_group", "swap_caught_sibling")


def main() -> int:
    """Print the figures; return 0 when the bar is reached, 1 when not, 2 without photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    parser.add_argument("--model-dir", default="", metavar="DIR", help="default: the packaged model")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    args = parser.parse_args()
    if not (args.data / "val.txt").is_file():
        parser.exit(2, f"{parser.prog}: no val.txt in {args.data}; name the data set's folder with --data\n")
    model_dir = model_dir_of(args.model_dir)
    found = evaluated(args.data, model_dir)
    if args.output == "json":
        percents = {f"{name}_percent": round(100 * found[name], 2) for name in IN_PERCENT if found[name] is not None}
        print(json.dumps(found | percents | {"size_mb": size_mb(model_dir), "ms_per_photo": ms_per_photo(model_dir)}))
    else:
        print(card.table(found))
    return 0 if found["top1"] >= BAR_TOP1 else 1


def size_mb(model_dir: Path) -> float:
    """Return the size of all files that the manifest names, in MB."""
    names = json.loads((model_dir / MANIFEST_FILE).read_text(encoding="utf-8"))["sha256"]
    return round(sum((model_dir / name).stat().st_size for name in names) / 1e6, 3)


def ms_per_photo(model_dir: Path) -> float:
    """Return the CPU time from pixels to evidence in ms, one thread, middle of TIMED photos of noise."""
    classifier, head = Classifier(model_dir), Head.load(model_dir)
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    costs_ns = []
    for _ in range(TIMED):
        start_ns = time.process_time_ns()
        head.log_likelihoods(classifier.embed(preprocess(picture)))
        costs_ns.append(time.process_time_ns() - start_ns)
    return round(statistics.median(costs_ns) / 1e6, 2)


def evaluated(data: Path, model_dir: Path) -> Figures:
    """Return the figures of the model in `model_dir` on val."""
    classifier = Classifier(model_dir)
    val = photos.read_split(data, "val")
    embeddings = photos.embedded(data, val, VIEWS[0], classifier.embed, lambda done, total: None)
    return figures(Head.load(model_dir), embeddings, val.classes)


if __name__ == "__main__":
    sys.exit(main())
