"""The report of `cart bench vision` as text."""

from __future__ import annotations

from cart.sim.weighing.tables import aligned
from cart.vision.bench.sections import Plan, Result, Table

HEAD = (
    "Figures in brackets: 95 % intervals. Generated frames are drawn by this bench, with the cart's own pictures of"
    " codes:",
    "what they show holds for the drawing, not for a camera. Processor times are of this machine, not of a Pi.",
)


def text(plan: Plan, results: dict[str, Result]) -> str:
    """Return the whole report."""
    parts = [*HEAD, f"seed {plan.seed}{', quick' if plan.quick else ''}"]
    for result in results.values():
        for table in result.tables:
            parts += ["", table_text(table)]
        parts += ["", *result.notes] if result.notes else []
    return "\n".join(parts)


def table_text(table: Table) -> str:
    """Return a table in columns, its title before and its notes behind it."""
    return "\n".join([table.title, aligned([table.head, *table.rows]), *table.notes])
