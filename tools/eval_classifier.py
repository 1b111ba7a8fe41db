#!/usr/bin/env python3
"""Measure the committed classifier on the val photos, as the cart runs it: no torch, well under a minute.

The figures are those of cart/models/MODEL_CARD.md, which tools/train_classifier.py wrote; another runtime may differ
by a photo or two. Exit code 0 when fine top-1 reaches the bar, else 1.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cart.edge.classifier import Classifier, model_dir_of  # noqa: E402
from cart.vision.classify import Head  # noqa: E402
from tools.training import card, measure, photos  # noqa: E402

BAR_TOP1 = 0.75


def main() -> int:
    """Print the figures; return 0 when the bar is reached, 1 when not, 2 without photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    parser.add_argument("--model-dir", default="", metavar="DIR", help="default: the packaged model")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    args = parser.parse_args()
    if not (args.data / "val.txt").is_file():
        parser.exit(2, f"{parser.prog}: no val.txt in {args.data}; name the data set's folder with --data\n")
    figures = evaluated(args.data, model_dir_of(args.model_dir))
    if args.output == "json":
        print(json.dumps(figures | {"top1_percent": round(100 * figures["top1"], 2)}))
    else:
        print(card.table(figures))
    return 0 if figures["top1"] >= BAR_TOP1 else 1


def evaluated(data: Path, model_dir: Path) -> measure.Figures:
    """Return the figures of the model in `model_dir` on val."""
    classifier = Classifier(model_dir)
    val = photos.read_split(data, "val")
    embeddings = photos.embedded(data, val, photos.VIEWS[0], classifier.embed, lambda done, total: None)
    return measure.figures(Head.load(model_dir), embeddings, val.classes)


if __name__ == "__main__":
    sys.exit(main())
