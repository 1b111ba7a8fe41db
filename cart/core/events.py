"""Everything that can happen to a cart: the only way into the core.

Each event is a value with the facts of one moment. `t_ns` is monotonic time in
nanoseconds, set by the source that enqueued the event; wall time, ids and
random numbers enter only as fields. Fields are only ever added, with defaults,
so that an old recording stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass

from cart.core.trip import Trip

BATCH_MAX = 16
"""Most load-cell or IMU samples in one event."""

SCORES_MAX = 8
"""Most labels that one look names; every other label shares `rest_millinat`."""

TEXT_MAX = 512
"""Longest code text or reason that may enter, in characters."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A committed charge that the store has not signed for yet."""

    charge_id: str
    seq: int
    sha256: str
    total_minor: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The first event of a run: what the database held.

    incarnation  16 hex digits, drawn when the database was created
    trip         the trip that was open, None after a clean start
    save_seq     number of the last stored transaction, 0 for none
    charge_seq   number of the last committed charge, 0 for none
    outbox       charges without a receipt, oldest first
    verdict      the store's verdict on the trip's own charge, "" while there is none
    alibi_id     number of the last record of a trade weighing, 0 for none
    legal_counter, legal_parameters  of the last stored change of what prices rest on, 0 and "" for none
    """

    t_ns: int
    wall_ms: int
    incarnation: str
    trip: Trip | None = None
    save_seq: int = 0
    charge_seq: int = 0
    outbox: tuple[OutboxRow, ...] = ()
    verdict: str = ""
    alibi_id: int = 0
    legal_counter: int = 0
    legal_parameters: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; ten a second. wall_ms is Unix time, for receipts only."""

    t_ns: int
    wall_ms: int


# -- load cell ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadSampled:
    """Consecutive readings of the load cell under the basket.

    t_ns      monotonic host time of the last reading
    seq       sequence number of the last reading, 0 to 65535, wraps
    t_us      converter time of each reading in us, uint32, wraps
    counts    raw readings, oldest first, 1 to BATCH_MAX of them
    flags     flag byte of each reading (weighing-line flags in docs/PROTOCOL.md)
    dropped   readings lost or refused since the event before
    channels  per-cell readings where the hardware has four cells, else empty
    """

    t_ns: int
    seq: int
    t_us: tuple[int, ...]
    counts: tuple[int, ...]
    flags: tuple[int, ...]
    dropped: int = 0
    channels: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CellAccelerated:
    """Consecutive accelerations of the sprung platform in micro-g, z up, 1,000,000 at rest."""

    t_ns: int
    t_us: tuple[int, ...]
    ax_ug: tuple[int, ...]
    ay_ug: tuple[int, ...]
    az_ug: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CellIdentified:
    """The load cell's converter said who it is."""

    t_ns: int
    protocol: int
    firmware: str
    serial: str
    chip: str
    gain: int
    samples_per_s: int
    config_crc: str


@dataclass(frozen=True, slots=True)
class CellTemperature:
    """Temperature of the load cell in hundredths of a degree Celsius."""

    t_ns: int
    centi_c: int


@dataclass(frozen=True, slots=True)
class CellFault:
    """The converter reported a fault, or the line carried only garbage (code GARBAGE)."""

    t_ns: int
    code: str
    text: str = ""


# -- camera ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighted:
    """A code was read on an item that passes the camera.

    t_frame_ns  monotonic time of the frame that gave the read
    track       number of the item's pass; one pass never holds two items
    gtin        canonical GTIN-14, empty for a code that holds none
    votes       frames of this pass in which the same code was read, >= 1
    moved       the code moved with the item (False: a code on a phone or a wall)
    """

    t_ns: int
    t_frame_ns: int
    track: int
    symbology: str
    text: str
    gtin: str
    votes: int = 1
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Classified:
    """What the classifier makes of one pass, pooled over its frames; later ones replace.

    scores         (label, ln P(label|frames)/prior in millinats), best first, at most SCORES_MAX
    none_millinat  the same for "none of these"
    rest_millinat  the same for every label that is not listed
    direction      "in", "out" or "" where the view does not tell
    """

    t_ns: int
    t_frame_ns: int
    track: int
    scores: tuple[tuple[str, int], ...]
    none_millinat: int
    rest_millinat: int
    frames: int = 1
    direction: str = ""


@dataclass(frozen=True, slots=True)
class VisionAlive:
    """Sent by the vision process after a new frame, about once a second."""

    t_ns: int
    frames: int
    covered: bool = False
    classifier: bool = True
    engines: tuple[str, ...] = ()


# -- people ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tapped:
    """The shopper touched the screen.

    action    one of cart.core.taps.ACTIONS
    value     a product id, an option's value or a name, by action
    prompt    id of the prompt that is answered, 0 for none
    key       idempotency key, so that a repeated request acts once
    revision  revision of the screen that was tapped
    fresh_id  a new UUIDv7, used if the tap starts a trip or commits a sale
    """

    t_ns: int
    action: str
    value: str = ""
    prompt: int = 0
    key: str = ""
    revision: int = 0
    fresh_id: str = ""


@dataclass(frozen=True, slots=True)
class PanelPressed:
    """A button of the cart's panel went down ("help")."""

    t_ns: int
    button: str


@dataclass(frozen=True, slots=True)
class ExitSeen:
    """The cart passes the exit: the pay tap, the gate input or the exit lane's command.

    source    "tap", "gate" or "lane"
    fresh_id  a new UUIDv7: the charge id, if this exit commits the sale
    """

    t_ns: int
    source: str
    fresh_id: str


# -- database, store and sources ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Saved:
    """A transaction is on disk. charge_id and sha256 are empty unless it held a charge."""

    t_ns: int
    seq: int
    charge_id: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """A transaction could not be stored (disk full, I/O error); nothing of it is kept."""

    t_ns: int
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class BrokerUp:
    """The broker accepted the connection and the receipt subscription."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class BrokerDown:
    """The broker is out of reach."""

    t_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker took a charge (PUBACK), or refused it: a hint, never a receipt."""

    t_ns: int
    charge_id: str
    ok: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Receipted:
    """The store signed for a charge; the signature was verified before this event.

    verdict   "accepted", "duplicate" or "rejected"
    position  position in the store's ledger, 0 when rejected
    """

    t_ns: int
    charge_id: str
    sha256: str
    verdict: str
    position: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message from the store was forged, malformed or not for this cart; it changed nothing."""

    t_ns: int
    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceLost:
    """A source stopped delivering: "scale", "vision", "panel", "kiosk", "broker"..."""

    t_ns: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceBack:
    """A source that was lost delivers again."""

    t_ns: int
    name: str


Event = (
    Restored
    | Tick
    | LoadSampled
    | CellAccelerated
    | CellIdentified
    | CellTemperature
    | CellFault
    | Sighted
    | Classified
    | VisionAlive
    | Tapped
    | PanelPressed
    | ExitSeen
    | Saved
    | SaveFailed
    | BrokerUp
    | BrokerDown
    | Delivered
    | Receipted
    | MessageRefused
    | SourceLost
    | SourceBack
)
