"""The values a trip is made of: what the database keeps and a restart brings back.

No behaviour lives here. `basket.py` changes lines, `session.py` phases and
`step.py` puts both together; `wire/` turns these values into bytes and back.
"""

from __future__ import annotations

from dataclasses import dataclass

LINES_MAX = 500
"""Most lines of one trip; the next item is refused and staff are called."""


@dataclass(frozen=True, slots=True)
class Line:
    """One unit, or one weighed lot, that lies in the cart and is charged.

    id            number within the trip, never used again
    mass_mg       what the scale saw arrive; 0 for goods that are not on the scale
    amount_minor  price of the line in minor units
    reason        why it was charged, in words for the shopper and staff
    step_id       number of the weight step that brought it, 0 for none
    review        worth a look by staff: accepted, but not beyond doubt
    settled       mass_mg is final; False while the weight is only provisional
    alibi_id      number of the record of its trade weighing, 0 for a line that was not weighed by tare, then weigh
    """

    id: int
    product_id: str
    name: str
    sold_by: str
    mass_mg: int
    unit_price_minor: int
    amount_minor: int
    reason: str
    step_id: int = 0
    review: bool = False
    settled: bool = True
    alibi_id: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """A line that was taken out at t_ns and may simply be put back."""

    t_ns: int
    line: Line


@dataclass(frozen=True, slots=True)
class Scan:
    """A code or a chosen name that waits for its item to land.

    id          number within the trip
    product_id  catalogue product
    source      "code" (read by the camera), "pick" (chosen on the screen)
    t_ns        monotonic time it came; of the frame, for a code
    track       camera pass it was read in, 0 for a pick
    votes       frames that agreed
    moved       False when the code did not move with an item
    """

    id: int
    product_id: str
    source: str
    t_ns: int
    track: int = 0
    votes: int = 1
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Doubt:
    """A change of load that is not explained yet, or was explained by something not for sale.

    id          number within the trip
    step_id     the weight step
    delta_mg    what changed; negative for goods that left
    kind        "open" (waiting for evidence or an answer), "own" (the shopper's own thing),
                "flagged" (asked in vain: it blocks paying until it leaves or is explained)
    t_ns        monotonic time of the change
    product_id  the product whose code or name was given for it, where mass or look disagree
    asked       how often the shopper was asked about it
    settled     delta_mg is final; False while the weight is only provisional
    seen        False where it came to light at a standstill: it may be several things
    refused     numbers of scans that did not explain it before a restart, when more was known of it
    """

    id: int
    step_id: int
    delta_mg: int
    kind: str
    t_ns: int
    product_id: str = ""
    reason: str = ""
    sigma_mg: int = 2_000
    asked: int = 0
    settled: bool = True
    seen: bool = True
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a prompt: a value for the cart, a name and a picture's name for people."""

    value: str
    name: str
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The one question on the screen.

    kind      "scan_it", "weight_differs", "wrong_label", "too_light", "weigh_again",
              "what_removed"
    doubt_id  the doubt that the answer settles
    args      words for the text of the kind: names, masses in g
    asked     how often this doubt was asked about, 1 or 2
    """

    id: int
    kind: str
    doubt_id: int
    options: tuple[Option, ...] = ()
    args: tuple[str, ...] = ()
    asked: int = 1


@dataclass(frozen=True, slots=True)
class Trip:
    """One shopper's trip: everything that must survive a power cut.

    trip_id     UUIDv7 of the trip, empty while the cart is idle
    phase       see cart.core.session.PHASES
    asked       how many prompts the trip has shown
    anchor_mg   gross load once all that is explained or in doubt is weighed; None before the first standstill
    loose_mg    how much farther anchor_mg may be off than usual, because of pieces that are only half weighed
    landed      the latest scans that found their item: their codes may be read again as it lies there
    gone        lines that were taken out a moment ago, oldest first
    flags       codes that staff and the store must see, in order, without doubles
    next_id     next number for lines, scans, doubts and prompts
    taps        keys of the latest taps, so that a repeated request acts once
    charge_id   of the committed sale, empty before
    charge_seq  its number within the incarnation
    """

    trip_id: str = ""
    phase: str = "idle"
    lines: tuple[Line, ...] = ()
    scans: tuple[Scan, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    prompt: Prompt | None = None
    asked: int = 0
    anchor_mg: int | None = None
    loose_mg: int = 0
    landed: tuple[Scan, ...] = ()
    gone: tuple[Gone, ...] = ()
    flags: tuple[str, ...] = ()
    help: bool = False
    next_id: int = 1
    taps: tuple[str, ...] = ()
    charge_id: str = ""
    charge_seq: int = 0
    receipt: str = ""
    started_ms: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """What the store is asked to bill: made once, at commit, and never changed.

    (cart, incarnation, seq) and charge_id both name it; the bytes that are
    signed are made from it by `cart.wire.messages` exactly once.
    """

    charge_id: str
    seq: int
    trip_id: str
    wall_ms: int
    currency: str
    total_minor: int
    lines: tuple[Line, ...]
    flags: tuple[str, ...]
    catalog_version: str
    not_for_trade: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the basket's journal: what changed, and why."""

    kind: str
    ref: int = 0
    product_id: str = ""
    amount_minor: int = 0
    text: str = ""
