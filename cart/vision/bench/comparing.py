"""Readers side by side on pictures whose codes are known: what was read, what was wrong, and what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from cart.clock import NS_PER_MS, SystemClock
from cart.sim.weighing.intervals import quantile, share_interval
from cart.vision.bench.readers import EITHER, OURS, Code, installed_engines, readers
from cart.vision.bench.sections import Picture, Table


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture with its truth.

    groups  the rows of the table it counts in, at least one
    wanted  the code that has to be read; None where nothing may be
    others  more codes that are truly in the picture
    """

    name: str
    groups: tuple[str, ...]
    pixels: np.ndarray
    wanted: Code | None
    others: tuple[Code, ...] = ()


@dataclass(slots=True)
class Tally:
    """What one reader made of the pictures of one group."""

    pictures: int = 0
    with_code: int = 0
    right: int = 0
    wrong_numbers: int = 0
    wrong_others: int = 0
    cpu_ns: list[int] = field(default_factory=list)

    def add(self, sample: Sample, said: Iterable[Code], cpu_ns: int) -> list[Code]:
        """Count a picture; return what was wrong in it."""
        keys = {code.key(): code for code in said}
        true = {code.key() for code in (sample.wanted, *sample.others) if code is not None}
        wrong = [code for key, code in keys.items() if key not in true]
        self.pictures += 1
        self.with_code += sample.wanted is not None
        self.right += sample.wanted is not None and sample.wanted.key() in keys
        self.wrong_numbers += any(code.is_number for code in wrong)
        self.wrong_others += any(not code.is_number for code in wrong)
        self.cpu_ns.append(cpu_ns)
        return wrong

    def figures(self) -> dict[str, object]:
        """Return the figures for programs."""
        low, high = share_interval(self.right, self.with_code)
        return {
            "pictures": self.pictures,
            "right": self.right,
            "right_percent": 100 * self.right / self.with_code if self.with_code else None,
            "right_percent_interval": [100 * low, 100 * high],
            "wrong_numbers": self.wrong_numbers,
            "wrong_others": self.wrong_others,
            "wrong_percent_high": 100 * share_interval(self.wrong_numbers, self.pictures)[1],
            "cpu_ms_median": median(self.cpu_ns) / NS_PER_MS,
            "cpu_ms_p95": (quantile(self.cpu_ns, 0.95) or 0) / NS_PER_MS,
        }

    def cell(self) -> str:
        """Return the cell of a table: share read with its interval, pictures with a wrong number and wrong others."""
        wrong = f"w {self.wrong_numbers}/{self.wrong_others}"
        if not self.with_code:
            return wrong
        low, high = share_interval(self.right, self.with_code)
        share = 100 * self.right / self.with_code
        return f"{share:.1f} ({100 * low:.0f}..{100 * high:.0f}) {wrong}"


@dataclass(slots=True)
class Comparison:
    """Tallies by group and reader, and the pictures that ours missed or misread."""

    readers: tuple[str, ...]
    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    pictures: list[Picture] = field(default_factory=list)

    def groups(self) -> list[str]:
        """Return the groups by size, so that totals come last, and behind them those in which nothing may be read."""
        found = dict.fromkeys(group for group, _ in self.tallies)
        tallies = {group: self.tallies[group, OURS] for group in found}
        return sorted(found, key=lambda group: (tallies[group].with_code == 0, tallies[group].pictures))

    def figures(self) -> dict[str, object]:
        """Return the figures of all groups: group, reader, figure; a dot of a group's name is written as _."""
        named = {group.replace(".", "_"): group for group in self.groups()}
        return {name: {r: self.tallies[group, r].figures() for r in self.readers} for name, group in named.items()}

    def table(self, title: str) -> Table:
        """Return the table: a group a row, a reader a column."""
        rows = [
            (group, str(self.tallies[group, OURS].pictures), *(self.tallies[group, r].cell() for r in self.readers))
            for group in self.groups()
        ]
        most = max(self.groups(), key=lambda group: self.tallies[group, OURS].pictures)
        rows += [
            (f"CPU ms {name}", "", *(f"{self.tallies[most, r].figures()[key]:.1f}" for r in self.readers))
            for name, key in (("median", "cpu_ms_median"), ("p95", "cpu_ms_p95"))
        ]
        notes = (
            "Read in % of the pictures with a code; w a/b: pictures with a wrong number / another wrong text.",
            "zbar has no DataMatrix, opencv reads retail codes only. What zbar prints about DataBar is its own.",
        )
        return Table(title, ("code", "n", *self.readers), tuple(rows), notes)


def compared(samples: Iterable[Sample], *, ours: bool = False) -> Comparison:
    """Give every picture to every reader, or to `ours` alone."""
    clock = SystemClock()
    engines = installed_engines()
    by_name = {name: read for name, read in readers(engines).items() if name == OURS or not ours}
    comparison = Comparison((*by_name, *((EITHER,) if len(by_name) > 1 and len(engines) > 1 else ())))
    for sample in samples:
        said, spent_ns = {}, {}
        for name, read in by_name.items():
            begin_ns = clock.cpu_ns()
            said[name] = read(sample.pixels)
            spent_ns[name] = clock.cpu_ns() - begin_ns
        if EITHER in comparison.readers:
            said[EITHER] = [code for engine in engines for code in said[engine.name]]
            spent_ns[EITHER] = sum(spent_ns[engine.name] for engine in engines)
        for name in comparison.readers:
            for group in sample.groups:
                wrong = comparison.tallies[group, name].add(sample, said[name], spent_ns[name])
            if name == OURS:
                _keep_miss(comparison.pictures, sample, said[name], wrong)
    return comparison


def _keep_miss(pictures: list[Picture], sample: Sample, said: list[Code], wrong: list[Code]) -> None:
    missed = sample.wanted is not None and sample.wanted.key() not in {code.key() for code in said}
    if missed or wrong:
        wanted = f"{sample.wanted.symbology} {sample.wanted.text}" if sample.wanted else "nothing"
        told = ", ".join(f"{code.symbology} {code.text}" for code in said) or "nothing"
        pictures.append(Picture(sample.name, f"expected {wanted}; read {told}", sample.pixels, wrong=bool(wrong)))
