"""What the camera made of the items that passed: looks, and what they say of a product.

A look's scores are ln P(label | frames) / prior, so a product supported by
+2,303 is ten times likelier than before the look, and zero says nothing. One
look is one photo of one item, however many frames it pooled: it is capped.
"""

from __future__ import annotations

from dataclasses import dataclass

from cart.core.catalog import Catalog, Product
from cart.core.events import Classified
from cart.core.odds import odds_words
from cart.core.trip import Scan

LOOKS_MAX = 16
LOOK_LIMIT_MILLINAT = 6_000
"""A single look counts for at most 400:1: frames of one pass err together."""

BEFORE_DROP_NS = 4_000_000_000
AFTER_DROP_NS = 300_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """The pooled opinion on one camera pass, from its first to its latest frame."""

    track: int
    t_first_ns: int
    t_last_ns: int
    scores: tuple[tuple[str, int], ...]
    none_millinat: int
    rest_millinat: int
    direction: str = ""


def looked(looks: tuple[Look, ...], event: Classified) -> tuple[Look, ...]:
    """Return the looks with this pass added or brought up to date; the oldest go first."""
    first_ns = next((x.t_first_ns for x in looks if x.track == event.track), event.t_frame_ns)
    look = Look(
        event.track,
        first_ns,
        event.t_frame_ns,
        event.scores,
        event.none_millinat,
        event.rest_millinat,
        event.direction,
    )
    return (*(x for x in looks if x.track != event.track), look)[-LOOKS_MAX:]


def support_millinat(look: Look | None, product: Product) -> int:
    """Return how much the look speaks for this product, 0 without a look.

    A product that the classifier does not know is supported by "none of these",
    at half weight: that score is weak (see the model card).
    """
    if look is None:
        return 0
    if not product.label:
        return _capped(look.none_millinat // 2)
    named = dict(look.scores)
    return _capped(named.get(product.label, look.rest_millinat))


@dataclass(frozen=True, slots=True)
class Moment:
    """When a change of load happened, and after which change.

    after_ns  acceptance of the change before: what passed the camera by then belongs to that one
    rises     goods came (a hand that goes out is not looked at) or left (nor one that goes in)
    """

    t_start_ns: int
    t_accept_ns: int
    after_ns: int = 0
    rises: bool = True


def look_at(looks: tuple[Look, ...], moment: Moment, scan: Scan | None = None) -> Look | None:
    """Return the look at what moved at this moment, or None.

    The pass that was in view at the drop counts; else the pass in which the
    scan's code was read.
    """
    if scan is not None and scan.t_ns > moment.t_accept_ns:  # shown to the camera after the drop
        return _of_track(looks, scan.track)
    away = "out" if moment.rises else "in"
    near = [
        look
        for look in looks
        if look.direction != away
        and look.t_last_ns > moment.after_ns
        and look.t_last_ns >= moment.t_start_ns - BEFORE_DROP_NS
        and look.t_first_ns <= moment.t_accept_ns + AFTER_DROP_NS
    ]
    if scan is not None and scan.track:
        later = [look for look in near if look.track > scan.track]
        return later[-1] if later else _of_track(looks, scan.track)
    return min(near, key=lambda look: _distance_ns(look, moment), default=None)


def suggestions(look: Look | None, catalog: Catalog, limit: int = 4) -> tuple[Product, ...]:
    """Return the products that the look speaks for, best first."""
    if look is None:
        return ()
    wanted = (catalog.of_label(label) for label, score in look.scores if score > 0)
    return tuple(p for p in wanted if p is not None)[:limit]


def _capped(millinat: int) -> int:
    return max(-LOOK_LIMIT_MILLINAT, min(LOOK_LIMIT_MILLINAT, millinat))


def _of_track(looks: tuple[Look, ...], track: int) -> Look | None:
    return next((look for look in looks if track and look.track == track), None)


def _distance_ns(look: Look, moment: Moment) -> int:
    if look.t_last_ns < moment.t_start_ns:
        return moment.t_start_ns - look.t_last_ns
    return max(0, look.t_first_ns - moment.t_accept_ns)


def look_words(look: Look | None, support: int) -> str:
    """Return what the camera adds to a reason, "" where it has no opinion; support in millinats."""
    if look is None or abs(support) < 400:
        return ""
    return f"; the camera {'agrees' if support > 0 else 'disagrees'} {odds_words(abs(support))}"
