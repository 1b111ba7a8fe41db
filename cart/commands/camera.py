"""Test the camera; read and classify photos.

test      rate, pixel size, sharpness and light, with the next step for each
read      which codes are on it
classify  which product it shows, the five likeliest, and how likely none of them
agree     whether it fits a given label; labels are in labels.json beside the model

For photos one JSON line each, in the order given; for a photo that cannot be read {"file", "error"}, and exit code 1
at the end. The time in ms is that of the recognition alone, without reading the file.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cart.arguments import whole
from cart.clock import NS_PER_MS, SystemClock
from cart.commands import camera_test
from cart.edge.classifier import Classifier, model_dir_of
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from cart.vision import classify, photo, scanned
from cart.vision.reader import Read, needed_engines, read_photo
from cart.wire.gs1 import Contents, contents_of
from cart.wire.variable import LAYOUTS, variable_of

SCORES_SHOWN = 5
SUGGESTIONS_MAX = 3
Fields = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart camera` takes."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="test|read|classify|agree")
    text, raw = camera_test.__doc__ or "", argparse.RawDescriptionHelpFormatter
    camera_test.add_arguments(
        verbs.add_parser("test", help=text.splitlines()[0], description=text, formatter_class=raw)
    )
    read = verbs.add_parser("read", help="print the codes on photos")
    read.add_argument("--variable", choices=list(LAYOUTS), metavar="LAYOUT", help=f"price or mass inside numbers that"
                      f" begin with 2, as agreed on there: {', '.join(LAYOUTS)}")  # fmt: skip
    sort = verbs.add_parser("classify", help="print what photos show")
    agree = verbs.add_parser("agree", help="print whether photos fit a label")
    agree.add_argument(
        "--together", action="store_true", help="frames of one thing: each line is for all photos up to it"
    )
    agree.add_argument("--label", required=True, metavar="LABEL", help="a label of the model, such as Banana")
    for sub in (sort, agree):
        sub.add_argument("--model-dir", default="", metavar="DIR", help="default: the packaged model")
        sub.add_argument("--threads", type=whole(1, 64), default=1, metavar="N", help="CPU threads, default 1")
    for sub in (read, sort, agree):
        sub.add_argument("photos", nargs="+", metavar="PHOTO", help="JPEG, PNG or whatever else OpenCV reads")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 0, 1 when a photo could not be read, 2 for an unknown label."""
    return {"test": camera_test.run, "read": _read, "classify": _classify, "agree": _agree}[args.action](args)


def _read(args: argparse.Namespace) -> int:
    engines = needed_engines(thorough=True)

    def fields(read: Read) -> Fields:
        told = contents_of(read.symbology, read.text, gs1=read.gs1)
        holds = {name: value for name, value in asdict(told).items() if value != getattr(Contents(), name)}
        variable = variable_of(read.gtin, LAYOUTS[args.variable] if args.variable else ())
        more = {"holds": holds} if set(holds) - {"gtin"} else {}
        more |= {"variable": variable._asdict()} if variable else {}
        return {"symbology": read.symbology, "text": read.text, "gtin": read.gtin, **more}

    def codes(bgr: np.ndarray) -> Fields:
        found, ms = _timed(lambda: read_photo(photo.grey(bgr), engines))
        return {"codes": [fields(read) for read in found], "ms": ms}

    return _each(args.photos, codes)


def _classify(args: argparse.Namespace) -> int:
    classifier, head = _model(args)

    def scores(bgr: np.ndarray) -> Fields:
        found, ms = _timed(lambda: head.scores(classifier.embed(classify.preprocess(bgr))))
        shown = [score._asdict() for score in found.top(SCORES_SHOWN)]
        return {"scores": shown, "none_permille": found.none_permille, "ms": ms}

    return _each(args.photos, scores)


def _agree(args: argparse.Namespace) -> int:
    classifier, head = _model(args)
    if args.label not in head.labels:
        print(f"cart camera agree: {_unknown(args.label, head.labels)}", file=sys.stderr)
        return EXIT_USAGE
    seen: list[np.ndarray] = []

    def agreement(bgr: np.ndarray) -> Fields:
        seen.append(classifier.embed(classify.preprocess(bgr)))
        frames = seen if args.together else seen[-1:]
        return {"label": args.label, **scanned.agreement(head, np.stack(frames), args.label)._asdict()}

    return _each(args.photos, agreement)


def _model(args: argparse.Namespace) -> tuple[Classifier, classify.Head]:
    model_dir = model_dir_of(args.model_dir)
    classifier = Classifier(model_dir, args.threads, SystemClock())
    return classifier, classify.head_for(classifier, model_dir)


def _each(paths: list[str], fields_of: Callable[[np.ndarray], Fields]) -> int:
    """Print one line a photo; 1 when any could not be read. A bad photo does not keep the others from being done."""
    code = EXIT_OK
    for path in paths:
        try:
            fields = fields_of(photo.load(Path(path)))
        except photo.BadPhoto as error:
            fields, code = {"error": str(error)}, EXIT_FAILED
        print(json.dumps({"file": path, **fields}), flush=True)
    return code


def _timed(work: Callable) -> tuple:
    """Return what `work` returns and how many ms it took, to a tenth."""
    clock = SystemClock()
    start_ns = clock.monotonic_ns()
    result = work()
    return result, round((clock.monotonic_ns() - start_ns) / NS_PER_MS, 1)


def _unknown(label: str, labels: tuple[str, ...]) -> str:
    """Return the complaint about a label, with the labels that were perhaps meant."""
    by_lower = {known.lower(): known for known in labels}
    wanted = label.lower().replace(" ", "-").replace("_", "-")
    near = [by_lower[name] for name in difflib.get_close_matches(wanted, by_lower, SUGGESTIONS_MAX)]
    hint = f"did you mean {', '.join(near)}?" if near else "labels.json beside the model lists them"
    return f"no label {label!r}: {hint}"
