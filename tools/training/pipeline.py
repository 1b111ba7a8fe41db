"""The steps from photos to the files in `cart/models/`, each kept in the work folder so that none is done twice."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cart.edge.classifier import MANIFEST_FILE, NETWORK_FILE, Classifier
from cart.vision import photo
from cart.vision.bench.figures import figures
from cart.vision.classify import HEAD_FILE, LABELS_FILE, Head, preprocess
from cart.vision.head_file import STATISTICS_FILE, head_bytes, json_bytes, read_statistics, statistics_bytes
from cart.vision.head_fit import fit
from cart.vision.views import VIEWS, View, seen
from tools.training import apart as apart_module
from tools.training import backbone, card, finetune, photos, report, tflite
from tools.training.apart import Apart
from tools.training.artifacts import sha256, write_atomically
from tools.training.finetune import Pictures, Plan
from tools.training.fitting import Views
from tools.training.photos import Labels, Photos
from tools.training.unseen import Embedded, Fitted, fit_head

MEASURED_FILE = "measured.json"
CARD_FILE = "MODEL_CARD.md"
REPORT_FILE = "report.html"
RUNTIME_FILES = (NETWORK_FILE, HEAD_FILE, LABELS_FILE, STATISTICS_FILE)
SOURCE_SIDE_PX = 348
"""Side of the pictures that training views are made from: what most photos have."""

SECOND_VIEWS = VIEWS[:2]
"""The second backbone's head learns from the whole square and its mirror image: a third of the time."""

RANGES_STEP = 10
RANGES_BATCH = 16
SIZE_MAX = 6_000_000
DESCRIPTION = "EfficientNet-Lite0 features, int8"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made.

    data, work     the data set's folder and the cache
    labels         of all products
    train, val     photos; those of train include the reviewed ones
    reviewed       how many of train are reviewed ones
    plan           training of either backbone: the shipped one, and the one that does without some
    """

    data: Path
    work: Path
    labels: Labels
    train: Photos
    val: Photos
    reviewed: int
    plan: Plan

    @property
    def stage(self) -> Path:
        """Where the files lie before they are installed."""
        return self.work / "stage"

    @property
    def groups(self) -> np.ndarray:
        """(classes,) number of each product's group."""
        return np.unique(self.labels.coarse, return_inverse=True)[1]


def made(job: Job, say: Say) -> dict:
    """Make the files of the job in its stage and return what was measured."""
    say(f"reading {len(job.train.paths)} photos")
    pictures = pictures_of(job)
    choice = Apart.of(job.labels.coarse)
    say(f"training the backbone, {job.plan.epochs} epochs")
    state = finetune.finetuned(job.plan, pictures, job.work, say)
    say("placing the photos for the second backbone")
    held = apart_module.held_back(finetune.imagenet_embeddings(job.plan, pictures), job.train.classes)
    learnt = np.isin(job.train.classes, choice.known) & ~held
    some = finetune.chosen(pictures, learnt, choice.numbers(job.train.classes[learnt]))
    say(f"training the second backbone without strangers, {job.plan.epochs} epochs on {learnt.sum()} photos")
    second = finetune.finetuned(job.plan, some, job.work, say)

    shipped_network = staged_network(job, job.stage, state)
    second_network = staged_network(job, job.work / "stage-second", second)
    data = Embedded(
        in_views(job, job.train, shipped_network, VIEWS),
        in_views(job, job.val, shipped_network, VIEWS[:1]),
        in_views(job, job.train, second_network, SECOND_VIEWS),
        in_views(job, job.val, second_network, VIEWS[:1]),
        choice,
        held,
    )
    fitted = fit_head(data, job.groups, say)
    stage_head(job, fitted)
    measured = measured_stage(job, fitted, shipped_network)
    write_atomically(job.stage / MEASURED_FILE, json_bytes(measured))
    write_atomically(job.stage / CARD_FILE, card.written(measured, Head.load(job.stage), sizes(job.stage)).encode())
    embeddings = embedded(job, job.val, VIEWS[0], shipped_network)
    misses = report.misses(job.data, job.train, job.val, Head.load(job.stage), embeddings)
    write_atomically(job.stage / REPORT_FILE, report.page(measured, misses).encode())
    return measured


def pictures_of(job: Job) -> Pictures:
    """Return the train photos as training takes them."""
    return Pictures(
        photos.squares(job.data, job.train, SOURCE_SIDE_PX),
        job.train.classes,
        photos.mirrored(job.train),
        sha256(f"{photos.fingerprint(job.data, job.train)} {SOURCE_SIDE_PX}".encode()),
    )


def staged_network(job: Job, stage: Path, state: backbone.State) -> Classifier:
    """Write a backbone as int8, with a manifest of its own, and return it as the cart loads it."""
    network = backbone.folded_network(state)
    paths = job.train.paths[::RANGES_STEP]
    sample = np.stack([seen(photo.load(job.data / path), VIEWS[0]) for path in paths])
    batches = [sample[i : i + RANGES_BATCH] for i in range(0, len(sample), RANGES_BATCH)]
    content = tflite.written(network, backbone.measured_ranges(network, batches), DESCRIPTION)
    write_atomically(stage / NETWORK_FILE, content)
    write_atomically(stage / MANIFEST_FILE, json_bytes({"sha256": {NETWORK_FILE: sha256(content)}}))
    return Classifier(stage)


def in_views(job: Job, chosen: Photos, classifier: Classifier, views: tuple[View, ...]) -> Views:
    """Return the photos as the network sees them in these views."""
    return Views.of([embedded(job, chosen, view, classifier) for view in views], chosen.classes)


def embedded(job: Job, chosen: Photos, view: View, classifier: Classifier) -> np.ndarray:
    """Return the embeddings of photos in one view, from the cache where nothing that they depend on has changed."""
    sources = inspect.getsource(preprocess) + inspect.getsource(seen)
    content = photos.fingerprint(job.data, chosen)
    key = sha256(f"{classifier.model_sha256}{content}{view}{sources}{classifier.runtime}".encode())
    path = job.work / f"embedded-{view.name}-{key[:16]}.npy"
    if not path.exists():
        rows = photos.embedded(job.data, chosen, view, classifier.embed, progress(f"{len(chosen.paths)} {view.name}"))
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            np.save(file, rows)
        draft.replace(path)
    return np.load(path)


def stage_head(job: Job, fitted: Fitted) -> None:
    """Write the head, what it is fitted from, and the labels."""
    write_atomically(job.stage / STATISTICS_FILE, statistics_bytes(fitted.statistics, fitted.habits))
    # From the rounded file, as a cart fits it again when a product is enrolled or forgotten.
    again = fit(*read_statistics(job.stage / STATISTICS_FILE))
    write_atomically(job.stage / HEAD_FILE, head_bytes(again, fitted.calibration))
    rows = [{"label": fine, "coarse": coarse} for fine, coarse in zip(job.labels.fine, job.labels.coarse, strict=True)]
    write_atomically(job.stage / LABELS_FILE, json_bytes(rows))


def measured_stage(job: Job, fitted: Fitted, network: Classifier) -> dict:
    """Return the figures of the staged files on val, read back as the cart reads them, and where they came from."""
    embeddings = embedded(job, job.val, VIEWS[0], network)
    return {
        "val": figures(Head.load(job.stage), embeddings, job.val.classes),
        "fit": fitted.facts,
        "runtime": network.runtime,
        "val_sha256": photos.fingerprint(job.data, job.val),
        "provenance": {
            "imagenet_weights_sha256": sha256(Path(backbone.weights_path()).read_bytes()),
            "train_sha256": photos.fingerprint(job.data, job.train),
            "reviewed": job.reviewed,
            "plan": asdict(job.plan),
        },
    }


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


def progress(name: str) -> Callable[[int, int], None]:
    """Return a function that shows how far `name` is: a hundred times on a terminal, at the end elsewhere."""

    def show(done: int, total: int) -> None:
        if done == total or (sys.stderr.isatty() and done % max(1, total // 100) == 0):
            print(f"\r{name}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
