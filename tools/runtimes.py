"""The classifier in both TFLite runtimes, each in an environment of its own: same products, embeddings alike.

    python -m tools.runtimes [--photos N] [-o json]     makes the environments where they are not there, and compares
    python -m tools.runtimes --embed FILE [--photos N]  what is run inside each: embeds photos, writes FILE (.npz)
    python -m tools.runtimes --make                     makes the environments alone

tflite-runtime 2.14 with numpy 1 is what a Raspberry Pi with Python 3.11 takes, ai-edge-litert what everything else
takes. On x86 the first needs 180 ms a photo, so few photos are taken, evenly from val; `./tools/bars --full` takes all
of them. Where a wheel cannot be had the comparison is not made, and says so. The two agree when each embedding is
within the tolerance and no photo is clearly another product: where two are all but equally likely, either may come out.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from cart.arguments import MILLION, whole
from tools.measuring import ROOT, NotMeasured, finished
from tools.python_313 import interpreter

Fields = dict[str, float | str]

GROCERY = ROOT.parent / "shared" / "data" / "grocery"
PHOTOS = 24
COSINE_MIN = 0.99
"""Least cosine of the two embeddings of one photo: they round differently in each of fifty layers."""

PREFERENCE_MAX = 0.2
"""Most by which one runtime may prefer its product, as a probability, where the other says another one."""


class Environment(NamedTuple):
    """One runtime: the folder in the checkout, the Python it needs, what pip installs, the module it must bring."""

    folder: str
    python: str
    packages: tuple[str, ...]
    module: str


ENVIRONMENTS = {
    # 4.11 is the last OpenCV that accepts numpy 1 and has wheels for it.
    "tflite-runtime": Environment(
        ".venv-tflite", "3.11", ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless<4.12"), "tflite_runtime"
    ),
    "ai-edge-litert": Environment(
        ".venv-litert", "3.11", ("ai-edge-litert", "opencv-python-headless"), "ai_edge_litert"
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Compare, or embed; 1 where the runtimes do not agree, 2 where they cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m tools.runtimes", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--photos", type=whole(1, MILLION), default=PHOTOS, metavar="N", help=f"of val, default {PHOTOS}"
    )
    parser.add_argument("--data", type=Path, default=GROCERY, metavar="DIR", help="the photos: val.txt and val/")
    parser.add_argument("--embed", type=Path, metavar="FILE", help="embed in this Python, and write FILE")
    parser.add_argument("--make", action="store_true", help="make the environments, and stop")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    args = parser.parse_args(argv)
    if args.embed:
        return embed(args.embed, args.data, args.photos)
    try:
        if args.make:
            print("\n".join(str(python_of(name)) for name in ENVIRONMENTS))
            return 0
        found = compared(args.data, args.photos)
    except NotMeasured as reason:
        print(f"not compared: {reason}", file=sys.stderr)
        return 2
    print(json.dumps(found) if args.output == "json" else "\n".join(f"{key}: {value}" for key, value in found.items()))
    return 0 if agree(found) else 1


def compared(data: Path, count: int) -> Fields:
    """Return how the two agree over `count` photos; NotMeasured where there are no photos or no wheels."""
    import numpy as np

    if not (data / "val.txt").is_file():
        raise NotMeasured(f"no val.txt in {data}; name the folder of the grocery photos with --data")
    with tempfile.TemporaryDirectory() as folder:
        one, other = (_ran(name, Path(folder) / name, data, count) for name in ENVIRONMENTS)
    cosines = (one["vectors"] * other["vectors"]).sum(axis=1)
    same = one["top1"] == other["top1"]
    # Where the likeliest differs, by how much was the one preferred to the other? A tie may fall either way.
    doubts = [
        float(row[best] - row[next_])
        for row, best, next_ in zip(one["posteriors"], one["top1"], other["top1"], strict=True)
    ]
    found: Fields = {
        "photos": len(same),
        "same_top1_percent": round(100.0 * float(same.mean()), 2),
        "clear_differences": sum(doubt > PREFERENCE_MAX for doubt in doubts),
        "largest_preference": round(max(doubts), 3),
        "cosine_min": round(float(cosines.min()), 5),
        "cosine_median": round(float(np.median(cosines)), 5),
    }
    for name, ran in zip(ENVIRONMENTS, (one, other), strict=True):
        for key in ("runs_on", "load_ms", "photo_ms"):
            found[f"{name} {key}"] = ran[key].item()
    return found


def agree(found: Fields) -> bool:
    """Return whether the two say the same: every embedding within the tolerance, and no product clearly another."""
    return found["cosine_min"] >= COSINE_MIN and found["clear_differences"] == 0


def embed(file: Path, data: Path, count: int) -> int:
    """Embed photos of val, evenly chosen, with the runtime of this Python, and write what came of it."""
    import platform
    import time

    import numpy as np

    from cart.edge.classifier import PACKAGED_DIR, Classifier
    from cart.vision import photo
    from cart.vision.bench.grocery import listed
    from cart.vision.classify import Head, preprocess
    from cart.vision.vectors import normalised

    begun_ns = time.monotonic_ns()
    classifier, head = Classifier(PACKAGED_DIR), Head.load(PACKAGED_DIR)
    loaded_ns = time.monotonic_ns()
    paths, _ = listed(data, "val")
    chosen = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    pictures = [preprocess(photo.load(data / paths[i])) for i in chosen]
    read_ns = time.process_time_ns()
    embeddings = np.stack([classifier.embed(picture) for picture in pictures])
    took_ns = time.process_time_ns() - read_ns
    posteriors = np.exp(head.log_posteriors(embeddings))[:, :-1]
    np.savez(
        file.with_suffix(".npz"),
        vectors=normalised(embeddings.astype(np.float64)),
        posteriors=posteriors,
        top1=posteriors.argmax(axis=1),
        runs_on=f"{classifier.runtime}, Python {platform.python_version()}, numpy {np.__version__}",
        load_ms=round((loaded_ns - begun_ns) / 1e6, 1),
        photo_ms=round(took_ns / 1e6 / len(pictures), 1),
    )
    return 0


def python_of(name: str) -> Path:
    """Return the Python of a runtime's environment, made where it is not there; NotMeasured where it cannot be."""
    environment = ENVIRONMENTS[name]
    python = ROOT / environment.folder / "bin" / "python"
    proof = [str(python), "-c", f"import numpy, cv2, {environment.module}"]
    if python.exists() and finished(proof, 120).returncode == 0:
        return python
    _say(f"making {environment.folder} with {' '.join(environment.packages)}: minutes, the first time")
    result = finished([interpreter(environment.python), "-m", "venv", "--clear", str(ROOT / environment.folder)], 120)
    if not result.returncode:
        result = finished([str(python), "-m", "pip", "install", "-q", *environment.packages], 900)
    if result.returncode or finished(proof, 120).returncode:
        raise NotMeasured(f"{name} cannot be installed here: {result.stderr.strip()[-120:]}")
    return python


def _ran(name: str, file: Path, data: Path, count: int) -> dict:
    import numpy as np

    command = [str(python_of(name)), "-m", "tools.runtimes", "--embed", str(file), "--data", str(data)]
    _say(f"{name}: {count} photos")
    result = finished([*command, "--photos", str(count)], 900)
    if result.returncode:
        raise NotMeasured(f"{name}: {result.stderr.strip()[-200:]}")
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
