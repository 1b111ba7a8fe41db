r"""MQTT messages between cart and store: topics, documents, and the envelope that carries their signature.

    {"body":"{\"kind\":\"charge\",...}","key":"9f86d081884c7d65","sig":"<base64>"}

The body travels as text inside the envelope, and the signature is over exactly its UTF-8 bytes: a JSON string gives
back what was put in, byte for byte, so nothing is ever canonicalised or encoded twice. An envelope rather than MQTT v5
user properties, because brokers that speak only 3.1.1 have no properties, and because one payload is then all that a
bridge, a capture or a quarantine has to keep. It stays readable with mosquitto_sub.

Numbers that may need 64 bits are decimal text (`Int64`): many JSON readers round beyond 2^53. Unknown fields are
passed over, since fields are only ever added; a change of meaning is a new `v` and a new topic tree.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

from cart.core.trip import Charge, Line

TREE = "sc/v1"

UP_BYTES_MAX = 1_048_576
"""Longest payload that the store reads; a charge of 500 lines is under 200 kB."""

DOWN_BYTES_MAX = 65_536
"""Longest payload that a cart reads."""

TEXT_MAX = 512
"""Longest free text in a document, in characters; longer names and reasons are cut when a charge is made."""

Int64 = Annotated[str, msgspec.Meta(pattern=r"^(0|-?[1-9][0-9]{0,18})$")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Incarnation = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{36}$")]


class TopicRow(NamedTuple):
    """One kind of message: `tail` ends its topic, `signed_by` is "cart", "store" or "" for unsigned."""

    tail: str
    document: str
    signed_by: str
    qos: int
    retained: bool


TOPICS = (
    TopicRow("up/charge", "charge", "cart", 1, False),
    TopicRow("up/status", "status", "", 1, True),
    TopicRow("down/receipt", "receipt", "store", 1, False),
    TopicRow("down/cmd", "command", "store", 1, False),
)
"""Every topic of `sc/v1/{chain}/{store}/{cart}/`; docs/PROTOCOL.md holds the same table."""

TAILS = frozenset(row.tail for row in TOPICS)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which cart, of which store, of which chain; each a Name."""

    chain: str
    store: str
    cart: str


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the bill; mass_mg is 0 for goods that were not weighed.

    alibi_id  number of the cart's record of the trade weighing; left out where there was none
    """

    id: int
    product_id: ShortText
    name: ShortText
    sold_by: Literal["piece", "weight"]
    mass_mg: int
    unit_price_minor: Int64
    amount_minor: Int64
    reason: ShortText
    review: bool = False
    alibi_id: int | msgspec.UnsetType = msgspec.UNSET


class ChargeDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="charge"):
    """What the store is asked to bill. prev: sha256 of the charge before of this incarnation, "" for the first."""

    v: Literal[1] = 1
    chain: Name
    store: Name
    cart: Name
    incarnation: Incarnation
    seq: Int64
    charge_id: Id
    prev: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
    trip_id: ShortText
    wall_ms: Int64
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
    total_minor: Int64
    lines: Annotated[tuple[ChargeLine, ...], msgspec.Meta(max_length=500)]
    flags: tuple[ShortText, ...]
    catalog_version: ShortText
    not_for_trade: bool


class ReceiptDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="receipt"):
    """The store's answer to one charge; sha256 is of the charge's body as the store received it."""

    v: Literal[1] = 1
    chain: Name
    store: Name
    cart: Name
    incarnation: Incarnation
    charge_id: Id
    sha256: Sha256
    verdict: Literal["accepted", "duplicate", "rejected"]
    position: Int64
    reason: ShortText = ""
    wall_ms: Int64


class CommandDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """An order of the store to one cart. seq rises within an incarnation; expires_ms is Unix time."""

    v: Literal[1] = 1
    chain: Name
    store: Name
    cart: Name
    incarnation: Incarnation
    seq: Int64
    expires_ms: Int64
    name: Literal["exit"]


class StatusDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="status"):
    """Whether a cart is connected: retained, and the broker publishes the offline form as its last will. Unsigned."""

    v: Literal[1] = 1
    online: bool
    incarnation: Incarnation
    wall_ms: Int64


Document = ChargeDocument | ReceiptDocument | CommandDocument | StatusDocument
D = TypeVar("D", ChargeDocument, ReceiptDocument, CommandDocument, StatusDocument)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    body: str
    key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
    sig: Annotated[str, msgspec.Meta(max_length=88)]


class Sealed(NamedTuple):
    """A body with its detached signature: the exact bytes, and the id of the key that is said to have signed them."""

    body: bytes
    signature: bytes
    key_id: str


def topic_of(origin: Origin, tail: str) -> str:
    """Return the topic of this cart's messages of the kind `tail`, one of TAILS."""
    assert tail in TAILS, tail
    return f"{TREE}/{origin.chain}/{origin.store}/{origin.cart}/{tail}"


def every_cart(tail: str) -> str:
    """Return the topic filter that matches `tail` of every cart."""
    assert tail in TAILS, tail
    return f"{TREE}/+/+/+/{tail}"


def parse_topic(topic: str) -> tuple[Origin, str]:
    """Return the cart that `topic` names and its tail; ValueError when it is not one of ours."""
    found = re.fullmatch(rf"{TREE}/([\w-]+)/([\w-]+)/([\w-]+)/(\w+/\w+)", topic, re.ASCII)
    if not found or found[4] not in TAILS:
        raise ValueError(f"not a topic of ours: {topic[:80]!r}")
    return Origin(found[1], found[2], found[3]), found[4]


def charge_body(charge: Charge, origin: Origin, incarnation: str, prev: str) -> bytes:
    """Return the bytes of a charge: made once, at commit, then signed, stored, sent and hashed as they are."""
    document = ChargeDocument(
        chain=origin.chain,
        store=origin.store,
        cart=origin.cart,
        incarnation=incarnation,
        seq=str(charge.seq),
        charge_id=charge.charge_id,
        prev=prev,
        trip_id=charge.trip_id,
        wall_ms=str(charge.wall_ms),
        currency=charge.currency,
        total_minor=str(charge.total_minor),
        lines=tuple(_line(line) for line in charge.lines),
        flags=charge.flags,
        catalog_version=charge.catalog_version,
        not_for_trade=charge.not_for_trade,
    )
    return body_of(document)


def body_of(document: Document) -> bytes:
    """Return the document as JSON. Encode a signed document once, and keep these bytes."""
    return msgspec.json.encode(document)


def read_body(body: bytes, kind: type[D]) -> D:
    """Return the document in `body`; ValueError when it is not one of `kind`, its tag included.

    The tag is inside the signed bytes, so a signature for one kind of document is none for another.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from error


def sha256_of(body: bytes) -> str:
    """Return the hash that names a body, 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def seal(body: bytes, signature: bytes, key_id: str) -> bytes:
    """Return the payload that carries `body` and its signature."""
    return msgspec.json.encode(_Envelope(body.decode("utf-8"), key_id, base64.b64encode(signature).decode("ascii")))


def unseal(payload: bytes, bytes_max: int) -> Sealed:
    """Return the body and signature in `payload`, not verified; ValueError when it is too long or not an envelope."""
    if len(payload) > bytes_max:
        raise ValueError(f"{len(payload)} bytes, the limit is {bytes_max}")
    try:
        envelope = msgspec.json.decode(payload, type=_Envelope)
        signature = base64.b64decode(envelope.sig, validate=True)
        body = envelope.body.encode("utf-8")
    except (msgspec.MsgspecError, binascii.Error, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not an envelope: {str(error)[:200]}") from error
    return Sealed(body, signature, envelope.key)


def int64(text: str) -> int:
    """Return the number that an Int64 field holds; ValueError beyond 64 bits."""
    value = int(text)
    if str(value) != text or not -(2**63) <= value < 2**63:
        raise ValueError(f"not a 64-bit number: {text[:24]!r}")
    return value


def _line(line: Line) -> ChargeLine:
    return ChargeLine(
        id=line.id,
        product_id=line.product_id,
        name=line.name[:TEXT_MAX],
        sold_by="weight" if line.sold_by == "weight" else "piece",
        mass_mg=line.mass_mg,
        unit_price_minor=str(line.unit_price_minor),
        amount_minor=str(line.amount_minor),
        reason=line.reason[:TEXT_MAX],
        review=line.review,
        alibi_id=line.alibi_id or msgspec.UNSET,
    )
