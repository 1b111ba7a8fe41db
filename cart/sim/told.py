"""What changed on the screen, in words: for the timeline of a trip."""

from __future__ import annotations

from cart.core.effects import Screen


def told(before: Screen, after: Screen) -> str:
    """Return what a screen says that the one before did not, "" for nothing."""
    words = [*_lines(before, after), *_waiting(before, after)]
    if after.prompt is not None and (before.prompt is None or before.prompt.id != after.prompt.id):
        offered = ", ".join(option.name for option in after.prompt.options)
        words.append(f"asks {after.prompt.kind}" + (f" (offers {offered})" if offered else ""))
    if after.prompt is None and before.prompt is not None:
        words.append("the question is settled")
    if after.suggestions and after.suggestions != before.suggestions:
        words.append("suggests " + ", ".join(suggestion.name for suggestion in after.suggestions))
    words += [f"notes {code}" for code in after.notices if code not in before.notices]
    words += [f"flags {code}" for code in after.flags if code not in before.flags]
    words += [f"is {after.phase}"] if after.phase != before.phase else []
    words += [f"receipt {after.receipt}"] if after.receipt != before.receipt else []
    if after.total_minor != before.total_minor:
        words.append(f"total {after.total_minor / 100:.2f} {after.currency}")
    return "; ".join(words)


def _lines(before: Screen, after: Screen) -> list[str]:
    had, has = _counts(before), _counts(after)
    names = {line.product_id: line.name for screen in (before, after) for line in screen.lines}
    words = []
    for product_id, name in names.items():
        more = has.get(product_id, 0) - had.get(product_id, 0)
        words += [f"{more:+d} {name}"] if more else []
    return words


def _waiting(before: Screen, after: Screen) -> list[str]:
    known = [waiting.name for waiting in before.waiting]
    return [f"waits for {waiting.name}" for waiting in after.waiting if waiting.name not in known]


def _counts(screen: Screen) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in screen.lines:
        counts[line.product_id] = counts.get(line.product_id, 0) + line.count
    return counts
