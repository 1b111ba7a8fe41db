"""teach the classifier a product from photos, or from passes before the camera; the network stays as it is

  cart catalog enroll milk-1l photos/milk/        a folder, or photo files: ten or more, each from another side
  cart catalog enroll milk-1l --camera            hold the product before the camera and turn it
  cart catalog enrolled                           what was enrolled, and the versions to go back to
  cart catalog enrolled --use 0003                go back
  cart catalog unenroll milk-1l                   forget it

The product must be in the catalogue with a label of its own. Each change is a version of the model below
[cart] state_dir; the vision process takes the one in use when it starts next.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cart.arguments import whole
from cart.clock import NS_PER_MS, SystemClock
from cart.core.catalog import Catalog, Product
from cart.faults import EXIT_OK, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cart.config import Config
    from cart.edge.classifier import Classifier
    from cart.edge.model_store import ModelStore
    from cart.vision.enroll import Learnt, Model
    from cart.vision.enroll_photos import Named

MODELS = "models"
ABOUT = "about.json"
CURRENT, PACKAGE = "current", "package"
CAMERA_PHOTOS, CAMERA_LIMIT_S = 16, 60
PHOTOS_MAX = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `cart catalog enroll` takes."""
    parser.add_argument("product", metavar="PRODUCT", help="id in the catalogue")
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO", help="photo files, or folders of them")
    parser.add_argument("--camera", action="store_true", help="take the photos with the camera of [camera]")
    parser.add_argument("--although", default="", metavar="LABEL", help="another product, though it looks like LABEL")
    parser.add_argument("--threads", type=whole(1, 64), default=1, metavar="N", help="default 1")
    add_common(parser)
    parser.set_defaults(error=parser.error)


def add_unenroll(parser: argparse.ArgumentParser) -> None:
    """Say what `cart catalog unenroll` takes."""
    parser.add_argument("product", metavar="PRODUCT", help="id in the catalogue, or its label")
    add_common(parser)


def add_enrolled(parser: argparse.ArgumentParser) -> None:
    """Say what `cart catalog enrolled` takes."""
    parser.add_argument("--use", metavar="VERSION", help="use this version from the next start on")
    add_common(parser)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what all three take."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument(
        "--from", dest="base", default=CURRENT, metavar="MODEL", help="current (default), package, or a folder"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")


def run(args: argparse.Namespace) -> int:
    """Enroll, and print what became of it."""
    if bool(args.photos) == args.camera:
        args.error("either photos or --camera")
    settings, store = _settings_and_store(args)
    product = _product(_catalog(settings), args.product)
    with store.alone():
        version, result, took_ms = _enrolled(args, settings, store, product)
    if args.output == "json":
        print(json.dumps({"product": product.id, "version": version.name, "took_ms": took_ms, **_fields(result)}))
    else:
        _print_learnt(product, result, took_ms)
        _print_next(settings, store, version)
    return EXIT_OK


def _enrolled(
    args: argparse.Namespace, settings: Config, store: ModelStore, product: Product
) -> tuple[Path, Learnt, int]:
    """Return the new version, what became of the enrolment, and its time in ms without that of taking photos."""
    from cart.edge.classifier import Classifier
    from cart.vision.classify import head_for
    from cart.vision.enroll import Class, learnt, read_model

    clock = SystemClock()
    base = _base(args.base, store, settings)
    network = Classifier(base, args.threads)
    head_for(network, base)
    model = read_model(base)
    _refuse_known(product, model)
    photos = _from_camera(settings, clock) if args.camera else _from_files(args.photos)
    begun_ns = clock.monotonic_ns()
    embeddings = _embedded(photos, network)
    new = Class(product.label, product.group or product.label, product.id, len(photos))
    model, result = learnt(model, new, embeddings, args.although)
    version = _saved(store, base, model, f"enrolled {product.id} from {len(photos)} photos", clock)
    return version, result, (clock.monotonic_ns() - begun_ns) // NS_PER_MS


def run_unenroll(args: argparse.Namespace) -> int:
    """Forget a product that was enrolled."""
    settings, store = _settings_and_store(args)
    with store.alone():
        version, label = _forgotten(args, settings, store)
    if args.output == "json":
        print(json.dumps({"label": label, "version": version.name}))
    else:
        print(f"forgot {label}")
        _print_next(settings, store, version)
    return EXIT_OK


def _forgotten(args: argparse.Namespace, settings: Config, store: ModelStore) -> tuple[Path, str]:
    """Return the new version, and the label that it no longer has."""
    from cart.edge.classifier import verified
    from cart.vision.enroll import forgotten, read_model

    base = _base(args.base, store, settings)
    verified(base)
    model = read_model(base)
    # By the model's own record: the product may have left the catalogue.
    label = next((known.label for known in model.enrolled() if known.product == args.product), args.product)
    return _saved(store, base, forgotten(model, label), f"forgot {label}", SystemClock()), label


def run_enrolled(args: argparse.Namespace) -> int:
    """List what was enrolled and the versions, or go back to one."""
    settings, store = _settings_and_store(args)
    if args.use:
        store.use(args.use)
    base = _base(args.base, store, settings)

    from cart.vision.enroll import read_model

    _verify(base, store)
    model = read_model(base)
    in_use = store.current()
    versions = [(path.name, _about(path), path == in_use) for path in store.versions()]
    if args.output == "json":
        products = [{"product": c.product, "label": c.label, "photos": c.photos} for c in model.enrolled()]
        told = [{"version": name, "what": what, "in_use": used} for name, what, used in versions]
        print(json.dumps({"model": str(base), "enrolled": products, "versions": told}))
        return EXIT_OK
    print(f"{len(model.classes)} products known, {len(model.enrolled())} of them enrolled")
    for known in model.enrolled():
        print(f"  {known.product:<40}{known.label:<40}{known.photos} photos")
    for name, what, used in versions:
        print(f"version {name}{' (in use)' if used else ''}: {what}")
    if args.use and in_use is not None:
        _print_next(settings, store, in_use)
    elif in_use is not None and not _is_configured(settings, store):
        print(f'the cart takes none of them until cart.toml says: [classifier] model_dir = "{store.link}"')
    return EXIT_OK


def _settings_and_store(args: argparse.Namespace) -> tuple[Config, ModelStore]:
    # Matrices of this size gain nothing from threads that wait for each other. Set before numpy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cart import config
    from cart.commands.config import file_in_use
    from cart.commands.doctor import settings_in_use
    from cart.edge.model_store import ModelStore
    from cart.findings import BAD

    settings, finding = settings_in_use(args.config)
    if finding.state == BAD:
        # The fault itself: a model written where a broken configuration does not say is no use to anybody.
        settings = config.load(file_in_use(args.config))
    return settings, ModelStore(Path(settings.cart.state_dir) / MODELS)


def _catalog(settings: Config) -> Catalog:
    from cart.edge.catalog_file import load_catalog

    return load_catalog(settings.catalog.path)


def _product(catalog: Catalog, name: str) -> Product:
    """Return the product of this id; Fault ENROLL-PRODUCT, or ENROLL-LABEL for one without a label."""
    product = catalog.product(name)
    if product is None:
        near = difflib.get_close_matches(name, [p.id for p in catalog.products], 3)
        raise Fault("ENROLL-PRODUCT", name + (f"; did you mean {', '.join(near)}?" if near else ""))
    if not product.label:
        raise Fault("ENROLL-LABEL", f"{name} has no label in the catalogue; write one, such as {name}, in that column")
    return product


def _refuse_known(product: Product, model: Model) -> None:
    """Raise ENROLL-LABEL for a product that the model knows, with what there is to do."""
    known = model.index(product.label)
    if known is None:
        return
    if known < model.statistics.trained:
        raise Fault("ENROLL-LABEL", f"{product.label} is known already, from the training: nothing has to be taught")
    raise Fault("ENROLL-LABEL", f"{product.label} is known already: first cart catalog unenroll {product.id}")


def _verify(base: Path, store: ModelStore) -> None:
    """Raise the fault of a damaged model, with the version to go back to where there is one."""
    from cart.edge.classifier import verified

    try:
        verified(base)
    except Fault as fault:
        others = [path.name for path in store.versions() if path != base]
        back = f"; to go back: cart catalog enrolled --use {others[-1]}" if others else ""
        raise Fault(fault.code, fault.detail + back) from fault


def _base(named: str, store: ModelStore, settings: Config) -> Path:
    """Return the folder of the model to start from: a named one, else the one in use, the configured, the package's."""
    from cart.edge.classifier import PACKAGED_DIR, model_dir_of

    if named == PACKAGE:
        return PACKAGED_DIR
    if named != CURRENT:
        return Path(named)
    configured = model_dir_of(settings.classifier.model_dir)
    # Configured before the first enrolment, the link names nothing yet.
    return store.current() or (PACKAGED_DIR if configured.absolute() == store.link.absolute() else configured)


def _from_files(paths: Sequence[Path]) -> list[Named]:
    """Return the usable photos of files and folders; what is wrong with the others goes to stderr."""
    from cart.vision import photo
    from cart.vision.enroll_photos import Named

    named, unread = [], 0
    for path in _files(paths):
        try:
            named.append(Named(str(path), photo.load(path)))
        except photo.BadPhoto as error:
            unread += 1
            print(f"{path}: not used: {error}", file=sys.stderr)
    return _usable(named, unread)


def _files(paths: Sequence[Path]) -> list[Path]:
    from cart.edge.player import SUFFIXES

    found = []
    for path in paths:
        try:
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        except OSError as error:
            print(f"{path}: not used: {error.strerror}", file=sys.stderr)
    if len(found) > PHOTOS_MAX:
        print(f"only the first {PHOTOS_MAX} of {len(found)} photos are used", file=sys.stderr)
    return found[:PHOTOS_MAX]


def _from_camera(settings: Config, clock: SystemClock) -> list[Named]:
    """Return photos taken with the camera; Fault CAMERA-MISSING where it cannot be had."""
    from cart.vision import process
    from cart.vision.enroll_camera import gathered
    from cart.vision.head_fit import ENROLMENT_PHOTOS

    def waiting() -> None:
        show.end()
        print(f"no frame from {settings.camera.device} yet: waiting, {CAMERA_LIMIT_S} s in all", file=sys.stderr)

    show = _Progress("move the product through the view, each time turned: photo", CAMERA_PHOTOS)
    try:
        source = process.open_camera(settings, clock)
        try:
            limit_ns = CAMERA_LIMIT_S * 1_000 * NS_PER_MS
            photos = gathered(source, ENROLMENT_PHOTOS, CAMERA_PHOTOS, limit_ns, clock, show, waiting)
        finally:
            source.close()
    except OSError as error:
        raise Fault("CAMERA-MISSING", f"{settings.camera.device}: {error}") from error
    show.end()
    return _usable(photos, 0)


def _usable(named: list[Named], unread: int) -> list[Named]:
    from cart.vision.enroll_photos import judged
    from cart.vision.head_fit import ENROLMENT_PHOTOS

    kept, refused = judged(named)
    for name, reason in refused:
        print(f"{name}: not used: {reason}", file=sys.stderr)
    if len(kept) < ENROLMENT_PHOTOS:
        raise Fault("ENROLL-PHOTOS", f"{len(kept)} of {len(named) + unread} are usable, {ENROLMENT_PHOTOS} are needed")
    return kept


def _embedded(photos: list[Named], network: Classifier) -> np.ndarray:
    """Return the embeddings (photos, views, n) of every photo in every view."""
    import numpy as np

    from cart.vision.views import VIEWS, seen

    show = _Progress("looking at photo", len(photos))
    rows = []
    for number, photo in enumerate(photos, start=1):
        rows.append(np.stack([network.embed(seen(photo.pixels, view)) for view in VIEWS]))
        show(number)
    show.end()
    return np.stack(rows)


def _saved(store: ModelStore, base: Path, model: Model, what: str, clock: SystemClock) -> Path:
    from cart.edge.classifier import NETWORK_FILE
    from cart.vision.enroll import files

    about = {"what": what, "from": str(base), "made_ms": clock.wall_ms()}
    network = {NETWORK_FILE: (base / NETWORK_FILE).read_bytes()}
    return store.add({**network, **files(model), ABOUT: json.dumps(about).encode()})


def _about(version: Path) -> str:
    try:
        return str(json.loads((version / ABOUT).read_text(encoding="utf-8"))["what"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def _fields(result: Learnt) -> dict:
    nearest = [{"label": label, "cosine_permille": cosine} for label, cosine in result.nearest]
    return {
        "label": result.label,
        "photos": result.photos,
        "recognised_left_out": result.recognised,
        "nearest": nearest,
    }


def _print_learnt(product: Product, result: Learnt, took_ms: int) -> None:
    like = ", ".join(f"{label} ({cosine} of 1000)" for label, cosine in result.nearest)
    print(f"learnt {product.name} as {result.label} from {result.photos} photos in {took_ms / 1_000:.1f} s")
    print(f"it looks most like {like}")
    print(f"{result.recognised} of {result.photos} photos are recognised by what the others taught")
    if 2 * result.recognised < result.photos:
        print("that is few: take more photos, from other sides and in other light")


def _print_next(settings: Config, store: ModelStore, version: Path) -> None:
    print(f"version {version.name} is in use from the next start of the vision process:")
    if not _is_configured(settings, store):
        print(f'  in cart.toml, once: [classifier] model_dir = "{store.link}"')
    print("  sudo systemctl restart cart-vision")


def _is_configured(settings: Config, store: ModelStore) -> bool:
    """Return True where the configuration names the model that is in use here."""
    return Path(settings.classifier.model_dir or ".").absolute() == store.link.absolute()


class _Progress:
    """One line on stderr that counts; nothing where that is no terminal."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._shown = sys.stderr.isatty()
        self(0)

    def __call__(self, done: int) -> None:
        if self._shown:
            print(f"\r{self._what} {done} of {self._total} ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)
