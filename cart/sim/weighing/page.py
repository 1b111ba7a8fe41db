"""The report as one HTML page that needs no network: tables, then the traces, what went wrong first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from cart.sim.weighing import tables
from cart.sim.weighing.bench import Report, worst_first
from cart.sim.weighing.case_book import CASES
from cart.sim.weighing.cases import Judged
from cart.sim.weighing.items import Scene
from cart.sim.weighing.matching import AT_ONCE
from cart.sim.weighing.trace import svg

TRACES_MAX = 60
"""A page with more is slow to open; what went wrong comes first, so nothing that matters is cut off before it."""

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #8884 }
.warn { border-left: 4px solid #c80; padding-left: .8rem }
.wrong { color: #c22 } .unnamed { color: #b70 } .right { color: #283 }
svg { width: 100%; height: auto; background: #8881; margin: .2rem 0 }
svg text { font: 10px system-ui, sans-serif; fill: currentColor }
svg .grid { stroke: #8883 } svg .load { fill: none; stroke: #37c; stroke-width: 1.2 }
svg line.truth { stroke: #888; stroke-dasharray: 2 3 } svg line.told { stroke: #283 } svg text.told { fill: #283 }
svg line.false { stroke: #c22; stroke-width: 1.6 } svg text.false { fill: #c22; font-weight: bold }
svg line.name { stroke: #b70; stroke-dasharray: 5 3 } svg text.name { fill: #b70 }
details { margin: .3rem 0 } summary { cursor: pointer }
"""


def html(report: Report) -> str:
    """Return the page."""
    plan = report.plan
    about = (
        f"Seed {report.seed}, world {report.world}. In each class of motion {plan.scenes} scenes of nine changes and"
        f" {plan.quiet_s / 3_600:.3g} h without any; each case {plan.case_rounds} times."
        f"{f' Each cart rolled for {plan.rolled_s} s before.' if plan.rolled_s else ''}"
        f"{'' if plan.accelerometer else ' No cart has an accelerometer.'}"
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Weighing, seed {report.seed}</title><style>{STYLE}</style>",
        "<h1>Weighing on simulated carts</h1>",
        f"<p class=warn>{'<br>'.join(escape(line) for line in tables.HEAD)}</p><p>{escape(about)}</p>",
        "<h2>Changes of load</h2>",
        _table(tables.CHANGES_HEAD, map(tables.change_cells, report.rows)),
        "<h2>When nothing changes</h2>",
        _table(tables.QUIET_HEAD, map(tables.quiet_cells, report.quiet)),
        "<h2>Cases</h2>" + _cases(report.cases) if report.cases else "",
        "<h2>Where things land</h2>" + _table(tables.LANDINGS_HEAD, map(tables.landing_cells, report.landings))
        if report.landings
        else "",
        _costs(report),
        "<h2>Traces, what went wrong first</h2>",
        "<p>Blue: load in kg. Grey: what was done. Green: told, with its last mass in g. Red: told, and false."
        " Amber: a state or a case.</p>",
        *_traces(report),
    ]
    return "\n".join(parts) + "\n"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in line) for line in lines)
    return f"<table><tr>{cells}{body}</table>"


def _cases(cases: Sequence[Judged]) -> str:
    rows = []
    for case in CASES:
        for j in cases:
            if j.case == case.name:
                cells = (case.name, case.what, " or ".join(case.names) or "items only", j.told)
                told = "".join(f"<td>{escape(cell)}" for cell in cells)
                rows.append(f"<tr>{told}<td class={j.verdict}>{j.verdict}")
    head = "".join(f"<th>{cell}" for cell in ("case", "what happens", "expected", "told", "verdict"))
    return f"<table><tr>{head}{''.join(rows)}</table>"


def _costs(report: Report) -> str:
    if not report.costs:
        return ""
    lines = [(str(c.lines_per_s), f"{c.ns_per_line / 1e3:.0f}", f"{c.permille / 10:.1f} %") for c in report.costs]
    return "<h2>Processor</h2>" + _table(("lines a second", "us a line", "of one core"), lines)


def _traces(report: Report) -> Iterable[str]:
    shown = worst_first(report)
    for scene in shown[:TRACES_MAX]:
        yield _case_trace(scene) if isinstance(scene, Judged) else _scene_trace(scene)
    if len(shown) > TRACES_MAX:
        yield f"<p>{len(shown) - TRACES_MAX} more scenes are not drawn.</p>"


def _case_trace(j: Judged) -> str:
    title = f"<span class={j.verdict}>{j.verdict}</span> {escape(j.case)} {j.number + 1}: {escape(j.told)}"
    return _details(title, j.verdict == "wrong", svg(j.trace, j.truth, j.claims, j.false, j.names))


def _scene_trace(scene: Scene) -> str:
    outcomes, false = scene.weight.outcomes, scene.weight.false
    later = sum(outcome.how != AT_ONCE for outcome in outcomes)
    over_mg = scene.standstills[-1].over_mg if scene.standstills else 0
    title = (
        f"{scene.motion} {scene.number + 1}: {len(outcomes)} changes, {later} not found at once, {len(false)} false,"
        f" {over_mg / 1e3:+.1f} g over at the end"
    )
    drawing = svg(scene.trace, [outcome.change for outcome in outcomes], scene.claims, false)
    return _details(title, bool(later or false), drawing)


def _details(title: str, is_open: bool, drawing: str) -> str:
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>{drawing}</details>"
