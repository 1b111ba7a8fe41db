#!/usr/bin/env python3
"""Measure on val a plain method whose figures on the official test split are known: how hard is val?

Needs the environment of tools/train_classifier.py; about a minute of one core. Nothing is written.

    ~/.cache/smart-cart/train-venv/bin/python tools/anchor_classifier.py
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.training import anchor, photos  # noqa: E402

USAGE = 2


def main() -> int:
    """Print the table; return 0, or 2 without photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the figures")
    args = parser.parse_args()
    if not (args.data / "val.txt").is_file():
        parser.exit(USAGE, f"{parser.prog}: no val.txt in {args.data}; name the data set's folder with --data\n")
    train, val = (frozen(args.data, split) for split in ("train", "val"))
    found = anchor.measured(train, val, photos.read_labels(args.data))
    print(json.dumps(found) if args.output == "json" else anchor.table(found))
    return 0


def frozen(data: Path, split: str) -> anchor.Frozen:
    """Return a split as the network sees it that ImageNet alone has taught."""
    from tools.training import finetune  # torch only here

    chosen = photos.read_split(data, split)
    rgb = anchor.pictures(data, chosen)
    plan = finetune.Plan(((anchor.CROP_PX, 1),))
    shown = finetune.Pictures(rgb, chosen.classes, photos.mirrored(chosen), split)
    return anchor.Frozen(chosen, finetune.imagenet_embeddings(plan, shown))


if __name__ == "__main__":
    sys.exit(main())
