"""What the bench of seeing measures: a table of sections, and the values they take and give.

A section is a module with `measure(plan: Plan, progress: Progress) -> Result`. To add one, add a row to SECTIONS; its
module is imported only when it is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[str], None]
"""Told what begins now: the part, a comma, and how far it is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    data     folder that holds barcodes/ and grocery/; None where it was not found
    seed     of everything random in generated pictures
    quick    a minute's worth: every sixth photo, few generated frames
    frames   generated frames near the limit; None for the usual number
    ours     codes are read by our reader alone, beside no other
    """

    data: Path | None
    seed: int = 1
    quick: bool = False
    frames: int | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of text cells, each row as long as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A miss for the page. pixels: uint8 (height, width) or (height, width, 3) in B, G, R order."""

    title: str
    caption: str
    pixels: np.ndarray
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a section found. figures: names to numbers, text or more of the same, for programs (JSON)."""

    tables: tuple[Table, ...]
    figures: dict[str, object]
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = field(default=())


class NotThere(Exception):
    """A section cannot be measured here; the message says why and what would help."""


class Section(NamedTuple):
    """A part of the bench, measured by the function `measure` of the module."""

    name: str
    what: str
    module: str

    def measure(self, plan: Plan, progress: Progress) -> Result:
        """Measure it; NotThere where something that it needs is missing."""
        return import_module(self.module).measure(plan, progress)


SECTIONS = (
    Section("photos", "codes on the shared photos, beside each engine alone", "cart.vision.bench.photos"),
    Section("frames", "codes on generated frames near the limit, likewise", "cart.vision.bench.near_limit"),
    Section("passes", "things carried through the view: share read, how soon", "cart.vision.bench.passes"),
    Section("things", "the classifier on the shared photos of groceries", "cart.vision.bench.things"),
    Section("process", "the vision process: frames a second, processor, memory", "cart.vision.bench.load"),
    Section("cost", "processor time of each stage of reading codes", "cart.vision.bench.cost"),
)


def needed_data(plan: Plan, name: str) -> Path:
    """Return the part of the shared data of this name; NotThere where it, or all of it, is missing."""
    if plan.data is None:
        raise NotThere("no shared data: set CART_SHARED, or name its data folder with --data DIR")
    if not (plan.data / name).is_dir():
        raise NotThere(f"there is no folder {plan.data / name}")
    return plan.data / name
