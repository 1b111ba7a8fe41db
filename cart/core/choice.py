"""Hypotheses about one change of load, and the choice among them by expected cost.

The shares of all of them, "something else" included, give the probability of the best; being wrong has a price and so
has asking, and the cheaper one is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cart.core.odds import ln_1_plus_millinat, odds_words, shares_ppm
from cart.core.setup import Costs

NEVER = -1_000_000
TOO_LIGHT, WEIGH_AGAIN = "too_light", "weigh_again"
NEVER_ACCEPTED = frozenset({"unknown", "look", TOO_LIGHT, WEIGH_AGAIN})


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One explanation.

    kind      "scan" (waiting scans landed), "put_back", "returned" (a doubt undid itself), "partly"
              (a part of it), "taken" (lines left), "look" (only the camera says so), "too_light"
              (named, and below the least mass that may be priced), "weigh_again" (named, and nobody
              saw it come: its mass is not known well enough), "unknown"
    products  what a rise adds, one entry per unit
    """

    kind: str
    millinat: int
    words: str
    products: tuple[str, ...] = ()
    scans: tuple[int, ...] = ()
    lines: tuple[int, ...] = ()
    doubts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The explanation to act on, or what to ask about.

    accept     act on `best`; otherwise nothing is charged and people are asked
    review     accepted, but worth a look by staff
    suspect    the hypothesis that was likeliest but for the doubt: "wrong label?"
    share_ppm  probability of `best` among all hypotheses
    """

    best: Hypothesis
    accept: bool
    review: bool
    share_ppm: int
    reason: str
    suspect: Hypothesis | None = None
    offers: tuple[Hypothesis, ...] = ()


def withheld(product_id: str) -> Verdict:
    """Return the verdict on what is being weighed by tare: nothing is charged for it until its price is taken."""
    suspect = Hypothesis("weighing", 0, "is being weighed", (product_id,))
    return Verdict(Hypothesis("unknown", 0, "is being weighed"), False, False, 0, "is being weighed", suspect)


def choose(hypotheses: list[Hypothesis], costs: Costs) -> Verdict:
    """Return what to do: act on the likeliest hypothesis if that costs less than asking, wrong charges counted."""
    ranked = sorted(hypotheses, key=lambda h: -h.millinat)
    shares = shares_ppm(tuple(h.millinat for h in ranked))
    best, share = ranked[0], shares[0]
    wrong_minor = (1_000_000 - share) * costs.wrong_charge_minor
    accept = best.kind not in NEVER_ACCEPTED and wrong_minor <= costs.ask_minor * 1_000_000
    review = accept and wrong_minor > costs.review_minor * 1_000_000
    real = [h for h in ranked if h.kind not in ("unknown", "look")]
    return Verdict(
        best,
        accept,
        review,
        share,
        _reason(ranked),
        suspect=real[0] if real and not accept else None,
        offers=tuple(h for h, s in zip(ranked, shares, strict=True) if s >= 2_000)[:4],
    )


def merged(hypotheses: list[Hypothesis], consequence: Callable[[Hypothesis], tuple[object, ...]]) -> list[Hypothesis]:
    """Keep the likeliest of the explanations with the same consequence, with their joint score.

    Of equals the newest line leaves.
    """
    merged: dict[tuple[object, ...], tuple[Hypothesis, int]] = {}
    for hypothesis in hypotheses:
        key = consequence(hypothesis)
        best, joint = merged.get(key, (hypothesis, NEVER))
        likelier = (hypothesis.millinat, hypothesis.lines) > (best.millinat, best.lines)
        best = hypothesis if likelier else best
        top, low = max(joint, hypothesis.millinat), min(joint, hypothesis.millinat)
        merged[key] = best, top + ln_1_plus_millinat(low - top)
    return [replace(best, millinat=joint) for best, joint in merged.values()]


def _reason(ranked: list[Hypothesis]) -> str:
    best = ranked[0]
    if len(ranked) == 1:
        return best.words
    lead = odds_words(best.millinat - ranked[1].millinat)
    return f"{best.words}; {lead} over {ranked[1].words}"
