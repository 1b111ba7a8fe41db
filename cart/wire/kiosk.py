"""What the kiosk and its page say to each other: a touch in, a screen and search results out.

{"action": "pick", "value": "banana", "prompt": 0, "key": "5f2c...", "revision": 41}
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from cart.core.catalog import Catalog, Product
from cart.core.effects import Screen
from cart.core.setup import Setup
from cart.core.taps import ACTIONS
from cart.wire.gtin import gtin14

PAY = "pay"
"""The one touch that is no `Tapped`: paying and leaving are one event whatever saw it."""

BYTES_MAX = 2_048
"""Longest body of a tap."""

HEARTBEAT = b": still here\n\n"
"""A comment of the stream, by which the page knows that an unchanged screen is not a lost one."""

FOUND_MAX = 24
"""Most products that a search answers with."""

LOOSE_MAX = 96
"""Most loose goods that are offered before anything is typed."""

Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Tap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One touch.

    action    one of cart.core.taps.ACTIONS, or PAY
    value     a product id, an option's value or a name, by action
    prompt    id of the prompt that is answered, 0 for none
    key       made anew by the page for each touch and kept for its repeats, so that it acts once
    revision  of the screen that was touched
    """

    action: str
    value: Annotated[str, msgspec.Meta(max_length=200)] = ""
    prompt: Number = 0
    key: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z-]{0,64}\Z")] = ""
    revision: Number = 0


_DECODER = msgspec.json.Decoder(Tap)


def parse_tap(body: bytes) -> Tap:
    """Return the tap of this body; ValueError says what is wrong with it, in words fit for an answer."""
    try:
        tap = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if tap.action != PAY and tap.action not in ACTIONS:
        raise ValueError("unknown action")
    if not tap.value.isprintable():
        raise ValueError("value holds characters that cannot be printed")
    return tap


def screen_frame(screen: Screen) -> bytes:
    """Return the server-sent event that carries this screen, its revision as the event's id."""
    return b"event: screen\nid: %d\ndata: %s\n\n" % (screen.revision, msgspec.json.encode(screen))


def about_scale(setup: Setup, pixel_pitch_um: int) -> dict[str, object]:
    """Return what the page shows of the scale on demand, and how high its digits must be drawn.

    pixel_pitch_um  of the screen
    """
    instrument = setup.legal.instrument
    return {
        "software": setup.legal.software,
        "sealed": setup.sealed,
        "profile": instrument.rules.name,
        "min_mg": instrument.min_mg,
        "ranges_mg": [[part.max_mg, part.e_mg] for part in instrument.ranges],
        "digit_px": -(-instrument.rules.digit_height_um // pixel_pitch_um),
    }


def find_products(catalog: Catalog, text: str) -> tuple[Product, ...]:
    """Return what was typed: by the start of words or of a PLU, or by a whole code; loose goods for nothing typed."""
    text = text.strip()
    if not text:
        return tuple(product for product in catalog.products if not product.gtins)[:LOOSE_MAX]
    if not (text.isascii() and text.isdigit()):
        return catalog.search(text, FOUND_MAX)
    by_plu = [product for product in catalog.products if product.plu.startswith(text)]
    try:
        by_code = [catalog.of_gtin(gtin14(text))]
    except ValueError:
        by_code = []
    return tuple(product for product in (*by_code, *by_plu) if product)[:FOUND_MAX]


def brief(product: Product) -> dict[str, object]:
    """Return what the page shows of a product it may pick."""
    fields = {name: getattr(product, name) for name in ("id", "name", "price_minor", "sold_by")}
    return fields | {"picture": product.id}
