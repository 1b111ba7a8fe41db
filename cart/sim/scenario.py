"""Text scenarios -> actions: the pure parser of the grammar in docs/PROTOCOL.md ("Scenarios").

One line is one action and begins with its verb. Adding a verb is one value in
`actions.py`, one function and one row here, one method in `runner.py`, and a
line in the document.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from cart.core import taps
from cart.sim import actions as act

LINES_MAX = 1_000
"""Most lines of one scenario; a longer one is refused."""

WAIT_MS_MAX = 3_600_000
"""Longest single wait: one hour."""

Words = list[str]


class ScenarioError(ValueError):
    """A line that cannot be understood, or an expectation that did not come true.

    line    number of the line, from 1
    reason  one sentence
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class _Unclear(ValueError):
    """A line's fault, before its number is known."""


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
        except _Unclear as error:
            raise ScenarioError(number, str(error)) from None
        if action is not None:
            parsed.append(act.Line(number, line.strip(), action))
    return tuple(parsed)


def parse_line(line: str) -> act.Action | None:
    """Return the action of one line, None for a blank one; ValueError says what is wrong with it."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise _Unclear(f"{error}".lower()) from None
    if not words:
        return None
    verb, rest = words[0].lower(), words[1:]
    if verb not in VERBS:
        raise _Unclear(f"unknown word '{words[0]}'{did_you_mean(verb, VERBS)}")
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
        raise _Unclear("say: product ID PRICE each|per_kg MASS, as in: product milk 1.29 each 1035 g")
    name, price, sold, *rest = words
    if sold not in ("each", "per_kg"):
        raise _Unclear(f"a product is sold 'each' or 'per_kg', not '{sold}'")
    mass_mg, rest = _mass(rest)
    extra: dict[str, str] = {}
    sd_mg = max(2_000, mass_mg * 15 // 1_000)
    while rest:
        key, *rest = rest
        if key == "sd":
            sd_mg, rest = _mass(rest)
        elif key in ("name", "label", "code", "plu") and rest:
            extra[key], *rest = rest
        else:
            raise _Unclear(f"'{key}' says nothing about a product{did_you_mean(key, ('sd', 'name', 'label', 'code', 'plu'))}")
    return act.Define(
        id=name,
        name=extra.get("name", name),
        sold_by="piece" if sold == "each" else "weight",
        price_minor=_money(price),
        mass_mg=mass_mg,
        mass_sd_mg=sd_mg,
        label=extra.get("label", ""),
        gtin=extra.get("code", ""),
        plu=extra.get("plu", ""),
    )


def _seed(words: Words) -> act.Setting:
    _exactly(words, 1, "seed NUMBER")
    return act.Setting("seed", _whole(words[0]))


def _idle(words: Words) -> act.Setting:
    _exactly(words, 0, "idle")
    return act.Setting("idle")


# -- the shopper's hands -------------------------------------------------------


def _scan(words: Words) -> act.Scan:
    """scan PRODUCT [on a phone]"""
    still = words[-3:] == ["on", "a", "phone"]
    return act.Scan(_name(words[:-3] if still else words, "scan PRODUCT"), still)


def _put(words: Words) -> act.Put:
    words, quickly = _flag(words, "quickly")
    return act.Put(_things(words, "put [COUNT] PRODUCT [MASS] [and ...]"), quickly)


def _take(words: Words) -> act.Take:
    words, quickly = _flag(words, "quickly")
    return act.Take(_things(words, "take [COUNT] PRODUCT [MASS] [and ...]"), quickly)


def _look(words: Words) -> act.Look:
    """look PRODUCT as PRODUCT|nothing"""
    left, right = _split(words, "as", "look PRODUCT as PRODUCT (or: as nothing)")
    return act.Look(left, "" if right == "nothing" else right)


def _label(words: Words) -> act.Label:
    """label PRODUCT|nothing on PRODUCT"""
    left, right = _split(words, "on", "label PRODUCT on PRODUCT (or: label nothing on PRODUCT)")
    return act.Label("" if left == "nothing" else left, right)


def _lean(words: Words) -> act.Lean:
    """lean MASS [for TIME]"""
    mass_mg, rest = _mass(words)
    if not rest:
        return act.Lean(mass_mg)
    if rest[0] != "for":
        raise _Unclear("say: lean MASS [for TIME]")
    return act.Lean(mass_mg, _time(rest[1:]))


def _let(words: Words) -> act.Lean:
    if words != ["go"]:
        raise _Unclear("say: let go")
    return act.Lean(0)


def _bump(words: Words) -> act.Bump:
    _exactly(words, 0, "bump")
    return act.Bump()


def _move(words: Words) -> act.Move:
    """move SPEED m/s [smooth|tiles]"""
    if len(words) < 2 or words[1] != "m/s" or words[2:] not in ([], ["smooth"], ["tiles"]):
        raise _Unclear("say: move SPEED m/s [smooth|tiles]")
    speed_mm_s = int(_number(words[0]) * 1_000)
    if not 0 < speed_mm_s <= 3_000:
        raise _Unclear("a cart rolls at 0.001 to 3 m/s")
    return act.Move(speed_mm_s, words[2] if len(words) > 2 else "smooth")


def _stand(words: Words) -> act.Move:
    _exactly(words, 0, "stand")
    return act.Move(0)


# -- what goes wrong -------------------------------------------------------------


DEVICES = ("scale", "camera", "panel", "network")


def _device(state: str, names: tuple[str, ...]) -> Callable[[Words], act.Device]:
    def parse_device(words: Words) -> act.Device:
        name = words[0] if words else names[0]
        if len(words) > 1 or name not in names:
            raise _Unclear(f"say one of {', '.join(names)}, not '{' '.join(words)}'{did_you_mean(name, names)}")
        return act.Device(name, state)

    return parse_device


def _restart(words: Words) -> act.Restart:
    _exactly(words, 0, "restart")
    return act.Restart()


# -- the screen, the exit and time -------------------------------------------------


def _tap(words: Words) -> act.Tap:
    """tap ACTION [WORDS]"""
    known = sorted(taps.ACTIONS | {"pay"})
    if not words or words[0] not in known:
        word = words[0] if words else ""
        raise _Unclear(f"no button '{word}'{did_you_mean(word, known)} (buttons: {', '.join(known)})")
    return act.Tap(words[0], " ".join(words[1:]))


def _press(words: Words) -> act.Press:
    if words != ["help"]:
        raise _Unclear("the panel has one button; say: press help")
    return act.Press("help")


def _exit(words: Words) -> act.Exit:
    if words not in ([], ["gate"], ["lane"]):
        raise _Unclear("say: exit [gate|lane]")
    return act.Exit(words[0] if words else "gate")


def _wait(words: Words) -> act.Wait:
    return act.Wait(_time(words))


def _expect(words: Words) -> act.Expect:
    """expect [no] WHAT ... [within TIME|now]"""
    words, now = _flag(words, "now")
    within_ms = 0
    if "within" in words:
        at = words.index("within")
        words, within_ms = words[:at], _time(words[at + 1 :])
    absent = bool(words) and words[0] == "no"
    words = words[1:] if absent else words
    what = {"flags": "flag", "notices": "notice"}.get(words[0], words[0]) if words else ""
    if what not in EXPECTED:
        raise _Unclear(f"cannot expect '{what}'{did_you_mean(what, EXPECTED)} (known: {', '.join(EXPECTED)})")
    if what in ("flag", "notice") and words[1:] in (["none"], ["nothing"]):
        absent, words = True, words[:1]
    things, tokens, number = EXPECTED[what](words[1:])
    return act.Expect(what, things, tokens, number, absent, within_ms, now)


Judged = tuple[tuple[act.Thing, ...], tuple[str, ...], int | None]


def _expect_things(words: Words) -> Judged:
    if words in ([], ["empty"], ["nothing"], ["none"]):
        return (), (), None
    return _things(words, "expect basket [COUNT] PRODUCT [MASS] [and ...] (or: empty)"), (), None


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
    _exactly(words, 1, "expect total 12.34")
    return (), (), _money(words[0])


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


# -- small words -------------------------------------------------------------------


def _things(words: Words, usage: str) -> tuple[act.Thing, ...]:
    """Return what `3 milk and banana 0.85 kg` names."""
    groups: list[Words] = [[]]
    for word in words:
        if word == "and":
            groups.append([])
        else:
            groups[-1].append(word)
    return tuple(_thing(group, usage) for group in groups)


def _thing(words: Words, usage: str) -> act.Thing:
    count, mass_mg = 1, None
    if len(words) > 1 and words[0].isdigit():
        count, words = int(words[0]), words[1:]
    if len(words) > 2 and words[-1] in _MASS_MG:
        mass_mg, _ = _mass(words[-2:])
        words = words[:-2]
    if not 1 <= count <= 50:
        raise _Unclear("one handful is 1 to 50 pieces")
    return act.Thing(_name(words, usage), count, mass_mg)


def _name(words: Words, usage: str) -> str:
    if not words or words[0] in _MASS_MG:
        raise _Unclear(f"a product is missing; say: {usage}")
    return " ".join(words)


def _split(words: Words, at: str, usage: str) -> tuple[str, str]:
    if at not in words:
        raise _Unclear(f"'{at}' is missing; say: {usage}")
    # The last one parts: a product's name may hold the word, too.
    index = len(words) - 1 - words[::-1].index(at)
    return _name(words[:index], usage), _name(words[index + 1 :], usage)


def _flag(words: Words, flag: str) -> tuple[Words, bool]:
    return (words[:-1], True) if words and words[-1] == flag else (words, False)


def _exactly(words: Words, count: int, usage: str) -> None:
    if len(words) != count:
        raise _Unclear(f"say: {usage}")


_MASS_MG = {"kg": 1_000_000, "g": 1_000}
_TIME_MS = {"s": 1_000, "ms": 1, "min": 60_000}


def _mass(words: Words) -> tuple[int, Words]:
    """Return the mass in mg that the first two words name, and the words after them."""
    if len(words) < 2 or words[1] not in _MASS_MG:
        raise _Unclear(f"a mass is a number and kg or g, as in 0.85 kg, not '{' '.join(words[:2])}'")
    mass_mg = int(_number(words[0]) * _MASS_MG[words[1]])
    if abs(mass_mg) > 100_000_000:
        raise _Unclear("a cart never meets more than 100 kg")
    return mass_mg, words[2:]


def _time(words: Words) -> int:
    """Return the duration in ms that exactly two words name."""
    if len(words) != 2 or words[1] not in _TIME_MS:
        raise _Unclear(f"a time is a number and s, ms or min, as in 1.5 s, not '{' '.join(words)}'")
    duration_ms = int(_number(words[0]) * _TIME_MS[words[1]])
    if not 0 <= duration_ms <= WAIT_MS_MAX:
        raise _Unclear("a time is between 0 and one hour")
    return duration_ms


def _money(word: str) -> int:
    """Return minor units (hundredths) of `3.49`."""
    minor = _number(word) * 100
    if minor != int(minor) or minor < 0:
        raise _Unclear(f"an amount of money has two decimals at most, not '{word}'")
    return int(minor)


def _whole(word: str) -> int:
    if not word.isdigit():
        raise _Unclear(f"'{word}' is not a whole number")
    return int(word)


def _number(word: str) -> Decimal:
    try:
        number = Decimal(word)
    except InvalidOperation:
        raise _Unclear(f"'{word}' is not a number") from None
    if not number.is_finite():
        raise _Unclear(f"'{word}' is not a number")
    return number
