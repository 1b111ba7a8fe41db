#!/usr/bin/env python3
"""Train a backbone without a department, or products drawn by lot, and measure how well they are told for strangers.

Needs the environment of tools/train_classifier.py; about a quarter of an hour of one core, and goes on where it was
stopped. Without --trained the backbone is ImageNet's, in a minute. Nothing but the cache is written.

    ~/.cache/smart-cart/train-venv/bin/python tools/strangers_classifier.py Packages --trained
    ~/.cache/smart-cart/train-venv/bin/python tools/strangers_classifier.py --lot 1 --trained
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tools import train_classifier  # noqa: E402
from tools.training import anchor, photos  # noqa: E402

USAGE = 2
DEPARTMENTS = ("Fruit", "Packages", "Vegetables")


def main() -> int:
    """Print what was found; return 0, or 2 without photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    unknown = parser.add_mutually_exclusive_group(required=True)
    unknown.add_argument("department", nargs="?", choices=DEPARTMENTS, help="what is unknown")
    lots = range(anchor.DRAWS)
    unknown.add_argument("--lot", type=int, choices=lots, help=f"instead: {anchor.LEFT_OUT} products, a draw by lot")
    parser.add_argument("--trained", action="store_true", help="fine-tune on the other departments first")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--work", type=Path, default=cache / "smart-cart" / "train", metavar="DIR", help="cache")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the figures")
    args = parser.parse_args()
    if not (args.data / "val.txt").is_file():
        parser.exit(USAGE, f"{parser.prog}: no val.txt in {args.data}; name the data set's folder with --data\n")
    found = measured(args)
    if args.output == "json":
        print(json.dumps(found))
    else:
        print(
            f"{name_of(args)} unknown: AUROC {found['auroc']:.3f} ({found['low']:.3f} to {found['high']:.3f}), "
            f"by the largest cosine {found['auroc_cosine']:.3f}, {found['strange']} photos against {found['known']}; "
            f"known among themselves {found['top1']:.1%} right"
        )
    return 0


def name_of(args: argparse.Namespace) -> str:
    """Return what is unknown, in a word."""
    return args.department or f"lot-{args.lot}"


def measured(args: argparse.Namespace) -> dict[str, float]:
    """Return what was found, as a dictionary."""
    train_classifier.keep_memory()
    from tools.training import backbone, departments, finetune, pipeline  # torch only here

    train, val = (photos.read_split(args.data, split) for split in ("train", "val"))
    labels = photos.read_labels(args.data)
    drawn = None if args.lot is None else anchor.drawn(len(labels.fine))[args.lot]
    unknown = departments.of_department(train, args.department) if drawn is None else drawn
    learnt = departments.without(train, unknown)
    plan = finetune.Plan(departments.STAGES)
    job = pipeline.Job(args.data, args.work, labels, learnt, val, 0, plan)
    numbers = np.unique(learnt.classes)
    state = backbone.imagenet_state()
    if args.trained:
        pictures = pipeline.pictures_of(job)
        all_of_them = np.ones(len(learnt.classes), bool)
        some = finetune.chosen(pictures, all_of_them, np.searchsorted(numbers, learnt.classes))
        state = finetune.finetuned(plan, some, args.work, train_classifier.say)
    kind = "trained" if args.trained else "imagenet"
    network = pipeline.staged_network(job, args.work / f"stage-without-{name_of(args)}-{kind}", state)
    by_train = pipeline.in_views(job, learnt, network, pipeline.SECOND_VIEWS)
    by_val = pipeline.in_views(job, val, network, pipeline.SECOND_VIEWS[:1])
    return asdict(departments.measured(by_train, by_val, unknown))


if __name__ == "__main__":
    sys.exit(main())
