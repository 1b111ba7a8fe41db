"""Text scenarios -> actions: the pure parser of the grammar in docs/PROTOCOL.md ("Scenarios").

One line is one action and begins with its verb. Adding a verb is one value in
`actions.py`, one function and one row here, one method in `runner.py`, and a
line in the document.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable

from cart.core import taps
from cart.sim import actions as act
from cart.sim.words import (
    UnclearError,
    Words,
    ending,
    exactly,
    mass_of,
    money_of,
    name_of,
    number_of,
    parted,
    things,
    time_of,
    whole_of,
)

LINES_MAX = 1_000
"""Most lines of one scenario; a longer one is refused."""


class ScenarioError(ValueError):
    """A line that cannot be understood, or an expectation that did not come true.

    line    number of the line, from 1
    reason  one sentence
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def parse(text: str) -> tuple[act.Line, ...]:
    """Return the actions of a scenario in order; blank lines and comments (#) are skipped.

    Raises ScenarioError with the line's number, and the likely meaning of an unknown word.
    """
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        raise ScenarioError(LINES_MAX, f"a scenario has {LINES_MAX} lines at most")
    parsed = []
    for number, line in enumerate(lines, start=1):
        try:
            action = parse_line(line)
        except UnclearError as error:
            raise ScenarioError(number, str(error)) from None
        if action is not None:
            parsed.append(act.Line(number, line.strip(), action))
    return tuple(parsed)


def parse_line(line: str) -> act.Action | None:
    """Return the action of one line, None for a blank one; ValueError says what is wrong with it."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UnclearError(f"{error}".lower()) from None
    if not words:
        return None
    verb, rest = words[0].lower(), words[1:]
    if verb not in VERBS:
        raise UnclearError(f"unknown word '{words[0]}'{did_you_mean(verb, VERBS)}")
    return VERBS[verb](rest)


def did_you_mean(word: str, known: object) -> str:
    """Return "; did you mean 'X'?" for the closest of the known words, or nothing."""
    assert hasattr(known, "__iter__")
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


# -- the world before the trip -------------------------------------------------


def _product(words: Words) -> act.Define:
    """product ID PRICE each|per_kg MASS [sd MASS] [name "..."] [label L] [code GTIN] [plu N]"""
    if len(words) < 5:
        raise UnclearError("say: product ID PRICE each|per_kg MASS, as in: product milk 1.29 each 1035 g")
    name, price, sold, *rest = words
    if sold not in ("each", "per_kg"):
        raise UnclearError(f"a product is sold 'each' or 'per_kg', not '{sold}'")
    mass_mg, rest = mass_of(rest)
    extra: dict[str, str] = {}
    sd_mg = max(2_000, mass_mg * 15 // 1_000)
    while rest:
        key, *rest = rest
        if key == "sd":
            sd_mg, rest = mass_of(rest)
        elif key in ("name", "label", "code", "plu") and rest:
            extra[key], *rest = rest
        else:
            raise UnclearError(
                f"'{key}' says nothing about a product{did_you_mean(key, ('sd', 'name', 'label', 'code', 'plu'))}"
            )
    return act.Define(
        id=name,
        name=extra.get("name", name),
        sold_by="piece" if sold == "each" else "weight",
        price_minor=money_of(price),
        mass_mg=mass_mg,
        mass_sd_mg=sd_mg,
        label=extra.get("label", ""),
        gtin=extra.get("code", ""),
        plu=extra.get("plu", ""),
    )


def _seed(words: Words) -> act.Setting:
    exactly(words, 1, "seed NUMBER")
    return act.Setting("seed", whole_of(words[0]))


def _idle(words: Words) -> act.Setting:
    exactly(words, 0, "idle")
    return act.Setting("idle")


def _sealed(words: Words) -> act.Setting:
    exactly(words, 0, "sealed")
    return act.Setting("sealed")


# -- the shopper's hands -------------------------------------------------------


def _scan(words: Words) -> act.Scan:
    """scan PRODUCT [on a phone]"""
    still = words[-3:] == ["on", "a", "phone"]
    return act.Scan(name_of(words[:-3] if still else words, "scan PRODUCT"), still)


def _put(words: Words) -> act.Put:
    words, quickly = ending(words, "quickly")
    return act.Put(things(words, "put [COUNT] PRODUCT [MASS] [and ...]"), quickly)


def _take(words: Words) -> act.Take:
    words, quickly = ending(words, "quickly")
    return act.Take(things(words, "take [COUNT] PRODUCT [MASS] [and ...]"), quickly)


def _look(words: Words) -> act.Look:
    """look PRODUCT as PRODUCT|nothing"""
    left, right = parted(words, "as", "look PRODUCT as PRODUCT (or: as nothing)")
    return act.Look(left, "" if right == "nothing" else right)


def _label(words: Words) -> act.Label:
    """label PRODUCT|nothing on PRODUCT"""
    left, right = parted(words, "on", "label PRODUCT on PRODUCT (or: label nothing on PRODUCT)")
    return act.Label("" if left == "nothing" else left, right)


def _lean(words: Words) -> act.Lean:
    """lean MASS [for TIME]"""
    mass_mg, rest = mass_of(words)
    if not rest:
        return act.Lean(mass_mg)
    if rest[0] != "for":
        raise UnclearError("say: lean MASS [for TIME]")
    return act.Lean(mass_mg, time_of(rest[1:]))


def _let(words: Words) -> act.Lean:
    if words != ["go"]:
        raise UnclearError("say: let go")
    return act.Lean(0)


def _bump(words: Words) -> act.Bump:
    exactly(words, 0, "bump")
    return act.Bump()


def _move(words: Words) -> act.Move:
    """move SPEED m/s [smooth|tiles]"""
    if len(words) < 2 or words[1] != "m/s" or words[2:] not in ([], ["smooth"], ["tiles"]):
        raise UnclearError("say: move SPEED m/s [smooth|tiles]")
    speed_mm_s = int(number_of(words[0]) * 1_000)
    if not 0 < speed_mm_s <= 3_000:
        raise UnclearError("a cart rolls at 0.001 to 3 m/s")
    return act.Move(speed_mm_s, words[2] if len(words) > 2 else "smooth")


def _stand(words: Words) -> act.Move:
    exactly(words, 0, "stand")
    return act.Move(0)


# -- what goes wrong -------------------------------------------------------------


DEVICES = ("scale", "camera", "panel", "network")


def _device(state: str, names: tuple[str, ...]) -> Callable[[Words], act.Device]:
    def parse_device(words: Words) -> act.Device:
        name = words[0] if words else names[0]
        if len(words) > 1 or name not in names:
            raise UnclearError(f"say one of {', '.join(names)}, not '{' '.join(words)}'{did_you_mean(name, names)}")
        return act.Device(name, state)

    return parse_device


def _restart(words: Words) -> act.Restart:
    exactly(words, 0, "restart")
    return act.Restart()


# -- the screen, the exit and time -------------------------------------------------


def _tap(words: Words) -> act.Tap:
    """tap ACTION [WORDS]"""
    known = sorted(taps.ACTIONS | {"pay"})
    if not words or words[0] not in known:
        word = words[0] if words else ""
        raise UnclearError(f"no button '{word}'{did_you_mean(word, known)} (buttons: {', '.join(known)})")
    return act.Tap(words[0], " ".join(words[1:]))


def _press(words: Words) -> act.Press:
    if words != ["help"]:
        raise UnclearError("the panel has one button; say: press help")
    return act.Press("help")


def _exit(words: Words) -> act.Exit:
    if words not in ([], ["gate"], ["lane"]):
        raise UnclearError("say: exit [gate|lane]")
    return act.Exit(words[0] if words else "gate")


def _wait(words: Words) -> act.Wait:
    return act.Wait(time_of(words))


def _expect(words: Words) -> act.Expect:
    """expect [no] WHAT ... [within TIME|now]"""
    words, now = ending(words, "now")
    within_ms = 0
    if "within" in words:
        at = words.index("within")
        words, within_ms = words[:at], time_of(words[at + 1 :])
    absent = bool(words) and words[0] == "no"
    words = words[1:] if absent else words
    what = {"flags": "flag", "notices": "notice"}.get(words[0], words[0]) if words else ""
    if what not in EXPECTED:
        raise UnclearError(f"cannot expect '{what}'{did_you_mean(what, EXPECTED)} (known: {', '.join(EXPECTED)})")
    if what in ("flag", "notice") and words[1:] in (["none"], ["nothing"]):
        absent, words = True, words[:1]
    judged, tokens, number = EXPECTED[what](words[1:])
    return act.Expect(what, judged, tokens, number, absent, within_ms, now)


Judged = tuple[tuple[act.Thing, ...], tuple[str, ...], int | None]


def _expect_things(words: Words) -> Judged:
    if words in ([], ["empty"], ["nothing"], ["none"]):
        return (), (), None
    return things(words, "expect basket [COUNT] PRODUCT [MASS] [and ...] (or: empty)"), (), None


def _expect_words(words: Words) -> Judged:
    return (), () if words in ([], ["none"], ["nothing"]) else _either(words), None


def _expect_asked(words: Words) -> Judged:
    if len(words) == 1 and words[0].isdigit():
        return (), (), int(words[0])
    if words in ([], ["nothing"], ["none"]):
        return (), (), 0
    return (), _either(words), None


def _either(words: Words) -> tuple[str, ...]:
    """Return the words of `this or that`."""
    return tuple(word for word in words if word != "or")


def _expect_money(words: Words) -> Judged:
    if words == ["nothing"]:
        return (), (), None
    exactly(words, 1, "expect total 12.34")
    return (), (), money_of(words[0])


EXPECTED: dict[str, Callable[[Words], Judged]] = {
    "basket": _expect_things,
    "waiting": _expect_things,
    "asked": _expect_asked,
    "prompt": _expect_words,
    "flag": _expect_words,
    "notice": _expect_words,
    "phase": _expect_words,
    "receipt": _expect_words,
    "light": _expect_words,
    "total": _expect_money,
    "charged": _expect_money,
}

VERBS: dict[str, Callable[[Words], act.Action]] = {
    "product": _product,
    "seed": _seed,
    "idle": _idle,
    "sealed": _sealed,
    "scan": _scan,
    "put": _put,
    "take": _take,
    "look": _look,
    "label": _label,
    "lean": _lean,
    "let": _let,
    "bump": _bump,
    "move": _move,
    "stand": _stand,
    "unplug": _device("unplugged", ("scale", "camera", "panel")),
    "replug": _device("well", ("scale", "camera", "panel")),
    "silence": _device("silent", ("scale",)),
    "cover": _device("covered", ("camera",)),
    "uncover": _device("well", ("camera",)),
    "cut": _device("unplugged", ("network",)),
    "restore": _device("well", ("network",)),
    "restart": _restart,
    "tap": _tap,
    "press": _press,
    "exit": _exit,
    "wait": _wait,
    "expect": _expect,
}
