"""Codes on the shared photos: each symbology, and every reader beside ours."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from cart.vision import photo
from cart.vision.bench.comparing import Sample, compared
from cart.vision.bench.readers import Code
from cart.vision.bench.sections import Plan, Progress, Result, needed_data

QUICK_STEP = 6
ALL = {"photo": "all photos", "generated": "all generated", "negative": "negatives"}


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the tables of the shared barcode photos; NotThere without them."""
    folder = needed_data(plan, "barcodes")
    comparison = compared(samples(folder, progress, QUICK_STEP if plan.quick else 1), ours=plan.ours)
    table = comparison.table("Codes on the shared photos")
    return Result((table,), comparison.figures(), tuple(comparison.pictures))


def samples(folder: Path, progress: Progress, step: int = 1) -> Iterator[Sample]:
    """Yield every `step`-th picture of the manifest with its truth."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::step]
    for number, row in enumerate(rows):
        progress(f"shared photos, {number + 1} of {len(rows)}")
        also = tuple(Code(*code.split(":", 1)) for code in row["also_present"].split(";") if code)
        wanted = None if row["symbology"] == "NONE" else Code(row["symbology"], row["expected"])
        of_kind = ALL[row["kind"]]
        groups = (row["symbology"], of_kind) if row["kind"] == "photo" else (of_kind,)
        grey = photo.grey(photo.load(folder / row["file"]))
        yield Sample(Path(row["file"]).name, groups, grey, wanted, also)
