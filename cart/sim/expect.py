"""Judges one expectation of a scenario against what the cart shows; knows nothing of the cart's inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cart.core.effects import Screen
from cart.sim import actions as act
from cart.sim.shelf import Shelf

LOT_MG = 10_000
"""A weighed lot is as expected within this: two divisions of the scale."""


@dataclass(frozen=True, slots=True)
class View:
    """What a shopper can tell: the screen, what was asked so far, the light, and what was charged in all."""

    screen: Screen
    asked: tuple[str, ...]
    shelf: Shelf
    light: str = ""
    charged_minor: int = 0


def shortfall(cart: View, expected: act.Expect) -> str:
    """Return what is wrong in one sentence, or "" where the expectation is true now."""
    wrong = _JUDGES[expected.what](cart, expected)
    if not expected.absent:
        return wrong
    words = [expected.what, _named(expected)] if expected.words else [expected.what]
    return "" if wrong else f"did not expect this: {' '.join(words)}"


def _basket(cart: View, expected: act.Expect) -> str:
    want: Counter[str] = Counter()
    for thing in expected.things:
        want[cart.shelf.find(thing.name).id] += thing.count
    have: Counter[str] = Counter()
    for line in cart.screen.lines:
        have[line.product_id] += line.count
    if want != have:
        return f"expected the basket {_counted(want)}, it is {_counted(have)}"
    for thing in expected.things:
        if thing.mass_mg is not None:
            product_id = cart.shelf.find(thing.name).id
            masses = [line.mass_mg for line in cart.screen.lines if line.product_id == product_id]
            if not any(abs(mass_mg - thing.mass_mg) <= LOT_MG for mass_mg in masses):
                return f"expected {thing.mass_mg // 1_000} g of {product_id}, it is {[m // 1_000 for m in masses]} g"
    return ""


def _waiting(cart: View, expected: act.Expect) -> str:
    want = Counter({cart.shelf.find(t.name).id: t.count for t in expected.things})
    have = Counter(waiting.product_id for waiting in cart.screen.waiting)
    return "" if want == have else f"expected {_counted(want)} to wait for its item, it is {_counted(have)}"


def _asked(cart: View, expected: act.Expect) -> str:
    if expected.number is not None:
        have = len(cart.asked)
        return "" if have == expected.number else f"expected {expected.number} questions, there were {cart.asked}"
    last = cart.asked[-1] if cart.asked else "nothing"
    return "" if last in expected.words else f"expected to be asked {_named(expected)}, it was {last}"


def _prompt(cart: View, expected: act.Expect) -> str:
    have = cart.screen.prompt.kind if cart.screen.prompt else ""
    wanted = expected.words or ("",)
    return "" if have in wanted else f"expected the question {_named(expected)} on the screen, it is {have or 'none'}"


def _subset(what: str, have: Callable[[View], tuple[str, ...]]) -> Callable[[View, act.Expect], str]:
    def judge(cart: View, expected: act.Expect) -> str:
        there = have(cart)
        if not expected.words:
            return "" if there else f"expected some {what}, there is none"
        missing = [word for word in expected.words if word not in there]
        return f"expected {what} {', '.join(missing)}, there is {', '.join(there) or 'none'}" if missing else ""

    return judge


def _equal(what: str, have: Callable[[View], str]) -> Callable[[View, act.Expect], str]:
    def judge(cart: View, expected: act.Expect) -> str:
        wanted = expected.words or ("",)
        return "" if have(cart) in wanted else f"expected {what} {_named(expected)}, it is {have(cart) or 'none'}"

    return judge


def _total(cart: View, expected: act.Expect) -> str:
    return _money("total", expected.number or 0, cart.screen.total_minor)


def _charged(cart: View, expected: act.Expect) -> str:
    """Judge the sum of all committed sales; nothing must have been charged where no amount is given."""
    return _money("charge", expected.number or 0, cart.charged_minor)


def _money(what: str, want: int, have: int) -> str:
    return "" if want == have else f"expected a {what} of {want / 100:.2f}, it is {have / 100:.2f}"


_JUDGES: dict[str, Callable[[View, act.Expect], str]] = {
    "basket": _basket,
    "waiting": _waiting,
    "asked": _asked,
    "prompt": _prompt,
    "flag": _subset("flag", lambda cart: cart.screen.flags),
    "notice": _subset("notice", lambda cart: cart.screen.notices),
    "phase": _equal("phase", lambda cart: cart.screen.phase),
    "receipt": _equal("receipt", lambda cart: cart.screen.receipt),
    "light": _equal("light", lambda cart: cart.light),
    "total": _total,
    "charged": _charged,
}


def _named(expected: act.Expect) -> str:
    return " or ".join(expected.words) or "none"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {product_id}" for product_id, n in sorted(counts.items()) if n) or "empty"
