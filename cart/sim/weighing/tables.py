"""The report of `cart bench weigh` as text: an honest head, the table of changes, false ones, cases, cost."""

from __future__ import annotations

from cart.sim.weighing.bench import Report
from cart.sim.weighing.case_book import CASES
from cart.sim.weighing.figures import PROMISED_MG, Figure, Quiet, Row
from cart.sim.weighing.landings import LandingRow

HEAD = (
    "SIMULATED. Assumed: every parameter of the world (--print-world), above all how floors shake a cart.",
    "Measured on a load cell or a cart: nothing. Figures in brackets: 95 % intervals.",
)
CHANGES_HEAD = ("motion", "mass", "method", "n", "found at once", "held", "with", "delay s", "p95", "error g", "p95")
LANDINGS_HEAD = ("lands, on four cells", "n", "placed", "error mm", "p95", "beyond 3 sigma")
QUIET_HEAD = ("nothing happens", "method", "hours", "false", "an hour", "kept", "largest g")


def text(report: Report) -> str:
    """Return the whole report."""
    plan = report.plan
    parts = [
        *HEAD,
        f"seed {report.seed}, world {report.world}, {plan.scenes} scenes of 9 changes and"
        f" {plan.quiet_s / 3_600:.3g} h without any in each motion, each case {plan.case_rounds} times"
        + (f"; each cart rolled for {plan.rolled_s} s before" if plan.rolled_s else "")
        + ("" if plan.accelerometer else "; no cart has an accelerometer"),
        "",
        changes(report),
        "",
        quiet(report),
    ]
    if report.cases:
        parts += ["", cases(report)]
    if (alarm := report.alarm()).changes:
        words = (
            f"standing alarm: {alarm.missed} of {alarm.changes} changes without;"
            f" hand off to alarm {with_interval(alarm.delay_ms, 1e-3, 2)} s,"
            f" p95 {with_interval(alarm.delay_ms_p95, 1e-3, 2)};"
            f" {alarm.quiet} in {alarm.quiet_hours:.2f} h of nothing"
        )
        parts += ["", words]
    if report.landings:
        parts += ["", aligned([LANDINGS_HEAD, *map(landing_cells, report.landings)])]
    if report.costs:
        parts += ["", "processor, of one core:"]
        parts += [f"  {c.lines_per_s:4d} lines/s  {c.permille / 10:.1f} %" for c in report.costs]
    return "\n".join(parts)


def changes(report: Report) -> str:
    """Return the table of changes by motion, mass and method."""
    return aligned([CHANGES_HEAD, *(change_cells(row) for row in report.rows)])


def change_cells(row: Row) -> tuple[str, ...]:
    """Return the cells of one row of changes."""
    promised = PROMISED_MG[row.motion] // 1_000
    return (
        row.motion,
        f"{row.mass_mg // 1_000} g" if row.mass_mg else f">= {promised} g",
        row.method,
        str(row.changes),
        with_interval(row.found, 100, 0) + " %",
        str(row.held),
        str(row.together),
        with_interval(row.delay_ms, 1e-3, 2),
        with_interval(row.delay_ms_p95, 1e-3, 2),
        with_interval(row.error_mg, 1e-3, 1),
        with_interval(row.error_mg_p95, 1e-3, 1),
    )


def landing_cells(row: LandingRow) -> tuple[str, ...]:
    """Return the cells of one row of places."""
    return (
        f"{row.mass_mg // 1_000} g",
        str(row.items),
        str(row.placed),
        with_interval(row.error_mm, 1, 1),
        with_interval(row.error_mm_p95, 1, 1),
        str(row.outside_sigma),
    )


def quiet_cells(q: Quiet) -> tuple[str, ...]:
    """Return the cells of one row of false changes."""
    masses = ", ".join(f"{mass / 1e3:+.0f}" for mass in q.masses_mg) or "-"
    rate = with_interval(q.per_hour, 1, 2)
    return (q.motion, q.method, f"{q.hours:.2f}", str(q.false), rate, str(q.in_basket), masses)


def quiet(report: Report) -> str:
    """Return the table of false changes and of standstills that do not add up."""
    lines = [QUIET_HEAD, *(quiet_cells(q) for q in report.quiet)]
    after = []
    for motion in report.plan.motions:
        s = report.summary(motion)
        after.append(
            f"{motion}: {s['false_beside_items']} false beside {s['changes']} promised changes;"
            f" {s['unaccounted']} of {s['standstills']} standstills do not add up"
        )
    return "\n".join([aligned(lines), *after])


def cases(report: Report) -> str:
    """Return the table of cases: what was expected, what was told, how often it was right."""
    lines = [("case", "what happens", "expected", "right", "told")]
    for case in CASES:
        of_case = [j for j in report.cases if j.case == case.name]
        if not of_case:
            continue
        verdicts = [j.verdict for j in of_case]
        share = f"{verdicts.count('right')}/{len(verdicts)}"
        share += f" ({verdicts.count('unnamed')} unnamed)" if "unnamed" in verdicts else ""
        share += "  WRONG" if "wrong" in verdicts else ""
        worst = next((j for j in of_case if j.verdict == "wrong"), of_case[0])
        lines.append((case.name, case.what, " or ".join(case.names) or "items only", share, _short(worst.told, 60)))
    return aligned(lines)


def with_interval(figure: Figure, factor: float, places: int) -> str:
    """Return `1.2 (1.0..1.5)`; an end that so few cannot tell is empty, and nothing measured is a dash."""
    if figure.value is None:
        return "-"

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value * factor:.{places}f}"

    if figure.low is None and figure.high is None:
        return shown(figure.value)
    return f"{shown(figure.value)} ({shown(figure.low)}..{shown(figure.high)})"


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Return rows of cells in columns."""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _short(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 3] + "..."
