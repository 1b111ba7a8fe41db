"""What can be said in a scenario: one value per line, in the shopper's words.

`scenario.py` makes these values from text and `runner.py` acts on them; the
grammar, for people, is one page of docs/PROTOCOL.md. Products are named by
words here; only the runner looks them up in a catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thing:
    """Some pieces of one product; mass_mg is of each piece, None for the catalogue's mass."""

    name: str
    count: int = 1
    mass_mg: int | None = None


@dataclass(frozen=True, slots=True)
class Define:
    """A product of this scenario; label and gtin are "" where it has none."""

    id: str
    name: str
    sold_by: str
    price_minor: int
    mass_mg: int
    mass_sd_mg: int
    label: str = ""
    gtin: str = ""
    plu: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A word about the whole scenario: seed 7, idle."""

    name: str
    value: int = 1


@dataclass(frozen=True, slots=True)
class Scan:
    """The code of one piece is held into the camera's view; still: on a phone, it does not move."""

    name: str
    still: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Things go into the cart together; quickly: the next line follows at once."""

    things: tuple[Thing, ...]
    quickly: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Things leave the cart together."""

    things: tuple[Thing, ...]
    quickly: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """From now on the camera makes something else of a product; as_name "" for nothing it knows."""

    name: str
    as_name: str


@dataclass(frozen=True, slots=True)
class Label:
    """From now on the package of one product carries the code of another; code_of "" for no code."""

    code_of: str
    on: str


@dataclass(frozen=True, slots=True)
class Lean:
    """A hand rests on the cart (lifts it, below zero); for_ms 0 until `let go`."""

    mass_mg: int
    for_ms: int = 0


@dataclass(frozen=True, slots=True)
class Bump:
    """The cart hits something; nothing lands in it."""


@dataclass(frozen=True, slots=True)
class Move:
    """The cart rolls; floor "smooth" or "tiles"; speed 0 stands still."""

    speed_mm_s: int
    floor: str = "smooth"


@dataclass(frozen=True, slots=True)
class Device:
    """Something happens to a device: state "unplugged", "silent", "covered" or "well"."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The daemon dies at once and starts again from what was saved."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A touch of the screen; value: a product's words, or the answer's."""

    action: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button of the panel."""

    button: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The cart passes the exit: source "gate" or "lane"."""

    source: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    for_ms: int


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be true; the scenario fails where it is not.

    what    "basket", "asked", "prompt", "flag", "total", "phase", "waiting", "notice", "receipt", "charged" or "light"
    things  for basket and waiting
    words   for the others; none says that there must be nothing
    number  for asked (how many), total and charged (minor units), else None
    absent  the opposite must be true
    within_ms  0: judged once, when the cart has come to rest; else it may become true in this time
    now     judged at once, without letting the cart come to rest
    """

    what: str
    things: tuple[Thing, ...] = ()
    words: tuple[str, ...] = ()
    number: int | None = None
    absent: bool = False
    within_ms: int = 0
    now: bool = False


Action = (
    Define
    | Setting
    | Scan
    | Put
    | Take
    | Look
    | Label
    | Lean
    | Bump
    | Move
    | Device
    | Restart
    | Tap
    | Press
    | Exit
    | Wait
    | Expect
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a scenario: its number, its text, and what it means."""

    number: int
    text: str
    action: Action
