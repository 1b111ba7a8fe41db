"""One scene as an inline SVG: the weight over time, what was done, and what was told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from cart.sim.weighing.matching import Change, Claim

WIDTH, HEIGHT = 900, 220
LEFT, RIGHT, TOP, BOTTOM = 60, 10, 26, 22
POINTS_MAX = 900


def svg(
    trace: Sequence[tuple[int, int]],
    truth: Iterable[Change],
    claims: Iterable[Claim],
    false: Iterable[Claim],
    names: Iterable[tuple[int, str]] = (),
) -> str:
    """Return the drawing.

    trace   (t_ms, mg), oldest first;  truth: grey lines with the mass that came or went
    claims  what was told: a line where it was told first, green or, when false, red
    names   (t_ms, state or case) in amber
    """
    if len(trace) < 2:
        return "<p>too short to draw</p>"
    frame = _Frame(trace)
    wrong = list(false)
    parts = [frame.axes(), frame.curve(trace)]
    parts += [frame.mark(c.released_ms, f"{c.delta_mg / 1e3:+.0f} g", "truth", HEIGHT - BOTTOM - 4) for c in truth]
    for claim in claims:
        words = f"{claim.last_mg / 1e3:+.0f}" + ("" if claim.final else " ?")
        parts.append(frame.mark(claim.t_ms, words, "false" if claim in wrong else "told", TOP - 4))
    parts += [frame.mark(t_ms, escape(name), "name", TOP + 10) for t_ms, name in names]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="weight over time">' + "".join(parts) + "</svg>"


class _Frame:
    """Places of times and masses in the drawing."""

    def __init__(self, trace: Sequence[tuple[int, int]]) -> None:
        self.t0, self.t1 = trace[0][0], max(trace[-1][0], trace[0][0] + 1)
        ordered = sorted(mass for _, mass in trace)
        # A drop's blow is cut off: it would flatten everything else.
        low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
        edge = max((high - low) // 12, 20_000)
        self.low, self.high = low - edge, high + edge

    def x(self, t_ms: int) -> float:
        return LEFT + (t_ms - self.t0) / (self.t1 - self.t0) * (WIDTH - LEFT - RIGHT)

    def y(self, mass_mg: float) -> float:
        part = (min(max(mass_mg, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def axes(self) -> str:
        parts = []
        for n in range(5):
            mass_mg = self.low + (self.high - self.low) * n / 4
            y = self.y(mass_mg)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(
                f'<text class="axis" x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{mass_mg / 1e6:.2f}</text>'
            )
        for n in range(7):
            t_ms = self.t0 + (self.t1 - self.t0) * n // 6
            at = f'x="{self.x(t_ms):.1f}" y="{HEIGHT - 6}" text-anchor="middle"'
            parts.append(f'<text class="axis" {at}>{t_ms / 1e3:.0f} s</text>')
        return "".join(parts)

    def curve(self, trace: Sequence[tuple[int, int]]) -> str:
        every = -(-len(trace) // POINTS_MAX)
        points = " ".join(f"{self.x(t):.1f},{self.y(mass):.1f}" for t, mass in trace[::every])
        return f'<polyline class="load" points="{points}"/>'

    def mark(self, t_ms: int, words: str, kind: str, text_y: float) -> str:
        x = self.x(min(max(t_ms, self.t0), self.t1))
        return (
            f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="{kind}" x="{x + 2:.1f}" y="{text_y:.1f}">{words}</text>'
        )
