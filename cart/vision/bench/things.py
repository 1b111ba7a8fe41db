"""The classifier on the shared grocery photos that it never learnt, beside what training measured on others."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cart.clock import NS_PER_MS, SystemClock
from cart.edge.classifier import MANIFEST_FILE, PACKAGED_DIR, Classifier
from cart.faults import Fault
from cart.sim.weighing.intervals import share_interval
from cart.vision import photo
from cart.vision.bench import swaps
from cart.vision.bench.figures import CALIBRATED_QUANTILES, coverage_cross, figures, group_numbers, random_folds
from cart.vision.bench.grocery import Seen, Split, embedded, enrolments, read_split
from cart.vision.bench.sections import NotThere, Picture, Plan, Progress, Result, Table, needed_data
from cart.vision.bench.strangers import BUNDLES, enrolled, unknown_auroc
from cart.vision.classify import Head
from cart.vision.enroll import Model, files, read_model

MEASURED_FILE = "measured.json"
QUICK_BUNDLES = 1
NOT_SHOWN, NOT_MEASURED = "not shown", "not measured"
FOLDS = swaps.FOLDS
ACCURACIES = (0.99, 0.95)
TRAINED = (
    ("unknown siblings told from known, AUROC", "auroc_siblings", False),
    ("unknown groups told from known, AUROC", "auroc_groups", False),
    ("enrolled from 10 photos, val photos right among all", "enrolled_val_top1", True),
    ("enrolled from 10 photos, photos of another look right", "enrolled_looks_top1", True),
    ("known products refused as duplicates, by another look", "duplicates_found", True),
)
"""Facts of measured.json that need a network without the products: name, key, is a share."""


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the tables of the packaged classifier; NotThere without the photos or a runtime."""
    folder = needed_data(plan, "grocery")
    head, model = Head.load(PACKAGED_DIR), read_model(PACKAGED_DIR)
    try:
        network = Classifier(PACKAGED_DIR, clock=SystemClock())
        val, train = read_split(folder, "val", head), read_split(folder, "train", head)
    except (Fault, OSError, ValueError) as error:
        raise NotThere(str(error)) from error
    seen = embedded(val, network.embed, head, lambda n: progress(f"photos of things, {n + 1} of {len(val.paths)}"))
    groups = group_numbers(head)
    tried = np.unique(val.classes)
    if plan.quick:
        tried = tried[tried % BUNDLES < QUICK_BUNDLES]
    ten = enrolments(train, tried, network.embed, lambda n: progress(f"enrolments, {n + 1} of {len(tried)}"))
    found = {
        "val": figures(head, seen.embeddings, val.classes),
        "covered": _covered(head, seen, val),
        "swaps": _swaps(head, seen, val, groups),
        "unknown": unknown_auroc(model, seen.embeddings, val.classes, groups),
        "enrolled": _enrolled(model, ten, seen, val, groups),
        "trained": _trained(),
        "ms": seen.ms_median,
        "refit_ms": _refit_ms(model),
        "size_bytes": _size(PACKAGED_DIR),
        "runtime": network.runtime,
        "loading_ms": network.loading._asdict(),
    }
    tables = (_seen_table(found), _swap_table(found), _stranger_table(found), _cost_table(found, network))
    return Result(tables, found, tuple(_misses(head, seen, val)))


def _covered(head: Head, seen: Seen, val: Split) -> dict[str, dict[str, float | list[float]]]:
    """Return for each accuracy how much is covered and how right that is, limits from the other folds."""
    known = np.exp(head.log_posteriors(seen.embeddings))[:, :-1]
    right = known.argmax(axis=1) == val.classes
    confidence = known.max(axis=1) / known.sum(axis=1)
    result = {}
    for accuracy in ACCURACIES:
        covered, good = coverage_cross(confidence, right, random_folds(val.classes, FOLDS), accuracy)
        result[f"{100 * accuracy:.0f}"] = {"covered": covered, "right": good, "photos": len(right)}
    return result


def _swaps(head: Head, seen: Seen, val: Split, groups: np.ndarray) -> swaps.Figures:
    return swaps.figures(head.cosines(seen.embeddings), val.classes, groups, head.calibration)


def _enrolled(model: Model, ten: dict[int, np.ndarray], seen: Seen, val: Split, groups: np.ndarray) -> dict:
    found = enrolled(model, ten, seen.embeddings, val.classes, groups)
    low, high = share_interval(found.right, found.photos)
    return {**asdict(found), "products": len(ten), "top1": found.right / found.photos, "top1_interval": [low, high]}


def _trained() -> dict[str, float | int | None]:
    """Return what training measured, {} where the file is not there."""
    try:
        return json.loads((PACKAGED_DIR / MEASURED_FILE).read_text(encoding="utf-8"))["fit"]
    except (OSError, ValueError, KeyError):
        return {}


def _refit_ms(model: Model) -> float:
    """Return the CPU time of fitting the head again and making its files, as each enrolment does."""
    clock = SystemClock()
    begin_ns = clock.cpu_ns()
    files(model)
    return (clock.cpu_ns() - begin_ns) / NS_PER_MS


def _size(model_dir: Path) -> int:
    names = json.loads((model_dir / MANIFEST_FILE).read_text(encoding="utf-8"))["sha256"]
    return sum((model_dir / name).stat().st_size for name in (*names, MANIFEST_FILE))


# -- tables -----------------------------------------------------------------------------------------------------


def _seen_table(found: dict) -> Table:
    val, n = found["val"], found["val"]["n"]
    rows = [
        ("fine top-1", _share(val["top1"], n)),
        ("fine top-3", _share(val["top3"], n)),
        ("fine top-5", _share(val["top5"], n)),
        ("coarse group", _share(val["coarse"], n)),
        ("expected calibration error, 15 bins", f"{val['ece']:.3f}"),
        ("  of a perfectly calibrated model on as few photos", _chance(val)),
    ]
    for accuracy, covered in found["covered"].items():
        right = _share(covered["right"] / covered["covered"], covered["covered"]) if covered["covered"] else "-"
        rows.append((f"covered at {accuracy} % right", _share(covered["covered"] / n, n)))
        rows.append(("  of those right", right))
    title = f"Things: the packaged classifier on {n} val photos of {val['classes_seen']} products, % (95 % interval)"
    notes = (
        "Limits of coverage are from four fifths, tried on the fifth.",
        "Of a perfectly calibrated model: the middle, and 5 % to 95 %, of what chance alone makes of such photos.",
        "A red frame: likeliest is a product of another group.",
    )
    return Table(title, ("figure", "found"), tuple(rows), notes)


def _swap_table(found: dict) -> Table:
    """Return swaps caught: by the shipped limit, by limits of these photos alone, and as training measured them."""
    val = found["val"]
    shipped = [_percent(val[key]) for key in ("false_alarms", "swap_caught_other_group", "swap_caught_sibling")]
    rows = [("the limit that is shipped", "these photos", *shipped)]
    for source, facts in (("these photos", found["swaps"]), ("training's unseen", found["trained"])):
        for share in swaps.SHARES:
            name = swaps.permille_name(share)
            cells = [_between(facts, f"{what}_{name}") for what in ("alarms", "swap_group", "swap_sibling")]
            rows.append((f"a limit for {100 * share:g} % false alarms", source, *cells))
    least = ", ".join(f"{swaps.EXPECTED_MIN / share:.0f} for {100 * share:g} %" for share in swaps.SHARES)
    notes = (
        "A swap is the code of another product scanned for the one in the photo: all other labels, each as likely.",
        f"{NOT_SHOWN}: too few photos, it takes {least}; limits are cross-validated.",
    )
    head = ("swaps caught, %", "photos", "false alarms", "of another group", "of a sibling")
    return Table("Things: a photo against the code that was scanned", head, tuple(rows), notes)


def _stranger_table(found: dict) -> Table:
    taught, unknown, trained = found["enrolled"], found["unknown"], found["trained"]
    photos = taught["photos"]
    rows = [
        ("unknown siblings told from known, AUROC", f"{unknown['siblings']:.3f}", "head alone"),
        ("unknown groups told from known, AUROC", f"{unknown['groups']:.3f}", "head alone"),
        (f"enrolled from 10 photos, {taught['products']} products, right among all", _share(taught["top1"], photos),
         "head alone"),
        ("  in the right group", _share(taught["in_group"] / photos, photos), "head alone"),
        ("  that disagree with their own label", _share(taught["alarms"] / photos, photos), "head alone"),
    ]  # fmt: skip
    for name, key, is_share in TRAINED:
        value = trained.get(key)
        cell = NOT_MEASURED if value is None else _percent(value) if is_share else f"{value:.3f}"
        rows.append((name, cell, "network too"))
    notes = ("head alone: the network has learnt these products; network too: a second one never saw them (training).",)
    return Table(
        "Things: products that are unknown, or enrolled", ("figure", "found", "left out of"), tuple(rows), notes
    )


def _cost_table(found: dict, network: Classifier) -> Table:
    rows = (
        ("a photo, pixels to evidence, one core, CPU ms, median", f"{found['ms']:.1f}"),
        ("the head fitted again, with its files, CPU ms", f"{found['refit_ms']:.0f}"),
        ("loading, ms", str(network.loading)),
        ("all files, MB", f"{found['size_bytes'] / 1e6:.2f}"),
    )
    return Table(f"Things: cost, {found['runtime'].partition('.')[0]}", ("figure", "found"), rows)


def _share(share: float, n: int) -> str:
    low, high = share_interval(round(share * n), n)
    return f"{100 * share:.1f} ({100 * low:.1f}..{100 * high:.1f})"


def _between(facts: dict, key: str) -> str:
    """Return a figure with its interval, or that the photos cannot show it, or that nobody measured it."""
    if facts.get(key) is None:
        return NOT_SHOWN if key in facts else NOT_MEASURED
    return f"{100 * facts[key]:.1f} ({100 * facts[f'{key}_low']:.1f}..{100 * facts[f'{key}_high']:.1f})"


def _chance(val: dict) -> str:
    low, median, high = (val[f"ece_calibrated_{name}"] for name in CALIBRATED_QUANTILES)
    return f"{median:.3f} ({low:.3f}..{high:.3f})"


def _percent(share: float | None) -> str:
    return NOT_SHOWN if share is None else f"{100 * share:.1f}"


def _misses(head: Head, seen: Seen, val: Split) -> list[Picture]:
    """Return the photos that were taken for another product; wrong where it is of another group."""
    chances = np.rint(1_000 * np.exp(head.log_posteriors(seen.embeddings))[:, :-1]).astype(int)
    likeliest = chances.argmax(axis=1)
    pictures = []
    for i in np.flatnonzero(likeliest != val.classes):
        true, taken = head.labels[val.classes[i]], head.labels[likeliest[i]]
        rank = int((chances[i] > chances[i, val.classes[i]]).sum()) + 1
        caption = f"taken for {taken}, {chances[i].max()} of 1000; itself {chances[i, val.classes[i]]}, place {rank}"
        other_group = head.groups[true] != head.groups[taken]
        pictures.append(Picture(true, caption, photo.load(val.paths[i]), wrong=other_group))
    return pictures
