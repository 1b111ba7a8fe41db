"""Everything the core can ask the world to do: the only way out.

Effects are values; sinks carry them out after the recording has them.
"""

from __future__ import annotations

from dataclasses import dataclass

from cart.core.legal_record import Alibi, LegalEvent
from cart.core.trip import Charge, Entry, Prompt, Trip


@dataclass(frozen=True, slots=True)
class Save:
    """Store these journal entries and this trip in one transaction; answered by `Saved(seq)`.

    alibis        records of trade weighings, which are only ever appended;  legal_events: the same
    """

    seq: int
    entries: tuple[Entry, ...]
    trip: Trip
    alibis: tuple[Alibi, ...] = ()
    legal_events: tuple[LegalEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitSale:
    """Store journal, trip, and the signed charge with its outbox row, in one transaction."""

    seq: int
    entries: tuple[Entry, ...]
    trip: Trip
    charge: Charge
    alibis: tuple[Alibi, ...] = ()
    legal_events: tuple[LegalEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """Send the stored bytes of a charge to the broker; attempt counts from 1."""

    charge_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class CloseCharge:
    """The store signed for the charge: its outbox row is done."""

    charge_id: str
    verdict: str
    position: int


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """A row of the running receipt; count units of one product, or one weighed lot."""

    product_id: str
    name: str
    count: int
    mass_mg: int
    sold_by: str
    unit_price_minor: int
    amount_minor: int
    state: str  # "saved", "saving", "review"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A scanned or chosen item that has not landed yet: shown, not counted in the total.

    t_frame_ns  monotonic time of the frame that read the code, 0 for a pick
    """

    product_id: str
    name: str
    price_minor: int
    sold_by: str
    t_frame_ns: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A product that the camera suggests for what was just dropped or is being weighed."""

    product_id: str
    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """The weighing of one product, as the shopper sees it: weight, unit price and price always together.

    state        "weight", or why there is no weight at all: a code of cart.core.legal_rules
    *_mg         as indicated; None while there is no weight
    e_mg         the division they are shown in
    tared        a tare is in force, and its value is shown
    price_minor  of the net weight; None while it may not be priced
    refused      why the next tap (tare, then price) would be refused now, "" when it would not: a code of
                 cart.core.legal_rules, or "lift_first"
    voided       what ended the last tare, "" while one is in force
    """

    product_id: str
    name: str
    unit_price_minor: int
    state: str
    gross_mg: int | None = None
    tare_mg: int | None = None
    net_mg: int | None = None
    e_mg: int = 0
    min_mg: int = 0
    stable: bool = False
    zero: bool = False
    tared: bool = False
    price_minor: int | None = None
    refused: str = ""
    voided: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """All that the shopper sees. A change of any field is a new revision.

    notices   codes of standing messages ("scale_lost", "camera_lost", "offline", ...)
    receipt   "", "saving", "saved" (thank you, receipt follows), "receipted", "rejected"
    verdict   number of weight steps decided so far, and the monotonic time of the last drop that
              was decided; the bench measures delays with it
    weighed   the weighing that the shopper opened, None for none
    """

    revision: int
    phase: str
    lines: tuple[ScreenLine, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    total_minor: int = 0
    currency: str = ""
    prompt: Prompt | None = None
    suggestions: tuple[Suggestion, ...] = ()
    notices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    help: bool = False
    receipt: str = ""
    charge_id: str = ""
    not_for_trade: bool = True
    decided: int = 0
    decided_drop_ns: int = 0
    weighed: Weighed | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """Put this on the shopper's screen."""

    screen: Screen


@dataclass(frozen=True, slots=True)
class SetPanel:
    """Lights: "off", "green", "amber", "red"; sound: "", "ok", "attention"."""

    light: str
    sound: str = ""


@dataclass(frozen=True, slots=True)
class KeepCrop:
    """Keep the picture of this camera pass for review (encrypted, by the vision process)."""

    track: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the journal: a stable code, a level ("info", "warning", "error") and words."""

    code: str
    level: str
    text: str


Effect = Save | CommitSale | Publish | CloseCharge | Show | SetPanel | KeepCrop | Note
