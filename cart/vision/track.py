"""What one pass has shown so far: votes for codes, and what the classifier makes of its frames together.

Values and pure functions; `cart.vision.frames` feeds them. One pass is one item on its way through the view, so its
frames are not independent looks: votes are counted but not multiplied, and the classifier's evidence is the mean
over the frames, worth at most LOOKS_MAX looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cart.core.events import SCORES_MAX
from cart.core.odds import LIMIT_MILLINAT, clip
from cart.vision.overlap import MATRIX, SHORT
from cart.vision.reader import Read
from cart.wire.gs1 import RETAIL

LONG = RETAIL - SHORT

MOVED_PX = 24
"""Reads so far apart are at two places; of bars, so far apart across them."""

PLACES_STILL = 2
"""At so many places a code may lie still, though the background does not know it: two pieces of one product. Read at
one more, it moves."""

LOOKS_MAX = 2
"""Independent looks that all frames of one pass are worth together at most."""

CODES_MAX = 16
"""Codes kept for one pass; a wall of labels must not fill the memory."""

LOW_FRAMES = 2
"""A text that the picture hardly bears out is believed when so many frames of a pass read it."""

TRIES_MAX = 6
"""How often one text is checked in one pass before it is no longer tried: a systematic misread stays one."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code as one pass shows it.

    votes   reads of it
    places  where its middle was, of the reads that tell a place: PLACES_STILL and one at most
    """

    read: Read
    votes: int
    places: tuple[tuple[float, float], ...]
    moved: bool


@dataclass(frozen=True, slots=True)
class Passing:
    """One pass so far.

    codes    (symbology, text) -> what is known of it
    refused  (symbology, text) -> how often the picture did not bear it out
    low      (symbology, text) -> in how many frames it hardly did
    sums     label -> sum of the classifier's millinats over the frames
    frames   frames that the classifier saw
    watched  frames in which the thing was there
    """

    track: int
    codes: Mapping[tuple[str, str], Code] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    low: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sums: Mapping[str, int] = field(default_factory=dict)
    frames: int = 0
    watched: int = 0


def watched(passing: Passing) -> Passing:
    """Return the pass with one more frame."""
    return replace(passing, watched=passing.watched + 1)


def voted(passing: Passing, read: Read, on_thing: bool, tells_place: bool = True) -> tuple[Passing, bool]:
    """Return the pass with one more frame's read, and whether that is news for the daemon.

    on_thing     the code lies on what moves
    tells_place  it did not lie there before the pass: however many pieces of a product lie in view, none of them moves

    News: a new code, its second and third vote, then every doubling, and the moment it turns out to move. A short
    code (UPC-E, EAN-8) is none before its second vote, and none in a pass with a longer one: a part of a longer code
    whose other half is hidden or blurred reads as a short one, with every digit borne out by the picture.
    """
    key = (read.symbology, read.text)
    middle = _middle(read)
    known = passing.codes.get(key)
    if known is None:
        if len(passing.codes) >= CODES_MAX:
            return passing, False
        code, news = Code(read, 1, (middle,) if tells_place else (), on_thing), read.symbology not in SHORT
    else:
        places = known.places
        is_new = tells_place and all(_shift_px(read, place) > MOVED_PX for place in places)
        if len(places) <= PLACES_STILL and is_new:
            places = (*places, middle)
        moved = known.moved or on_thing or len(places) > PLACES_STILL
        votes = known.votes + 1
        code = Code(read, votes, places, moved)
        news = votes <= 3 or votes & (votes - 1) == 0 or moved != known.moved
    if read.symbology in SHORT and any(symbology in LONG for symbology, _ in passing.codes):
        news = False
    return replace(passing, codes={**passing.codes, key: code}), news


def is_read(passing: Passing) -> bool:
    """Return True if the pass has the number of a product that moved, and it was told.

    A link or a serial number beside it is none, nor is a code on what lies behind: what the thing is still has to be
    found.
    """
    told = (code for code in passing.codes.values() if code.read.symbology not in SHORT or code.votes > 1)
    return any(code.read.gtin and code.moved for code in told)


def bears_out(passing: Passing, read: Read) -> bool:
    """Return True if a read of a single frame, made after the pass, may be told: a short one was read before."""
    return read.symbology not in SHORT or (read.symbology, read.text) in passing.codes


def refused(passing: Passing, symbology: str, text: str) -> Passing:
    """Return the pass after one more frame did not bear out a text."""
    return replace(passing, refused=_counted(passing.refused, (symbology, text)))


def doubted(passing: Passing, symbology: str, text: str) -> tuple[Passing, bool]:
    """Return the pass after one more frame hardly bore out a text, and whether it may be believed: from the second."""
    low = _counted(passing.low, (symbology, text))
    return replace(passing, low=low), low.get((symbology, text), 0) >= LOW_FRAMES


def is_given_up(passing: Passing, symbology: str, text: str) -> bool:
    """Return True for a text that was refused too often to be tried again in this pass."""
    return passing.refused.get((symbology, text), 0) >= TRIES_MAX


def looked_at(passing: Passing, millinats: Mapping[str, int]) -> Passing:
    """Return the pass with one more frame's evidence, millinats of ln P(frame | label) / P(frame) per label."""
    sums = {label: passing.sums.get(label, 0) + value for label, value in millinats.items()}
    return replace(passing, sums=sums, frames=passing.frames + 1)


def pooled(passing: Passing, none_label: str) -> tuple[tuple[tuple[str, int], ...], int, int]:
    """Return (label, millinats) of the best SCORES_MAX labels, and millinats of none and of each other label.

    The pass has at least one frame. The rest share their mean likelihood, so that what is not listed is neither
    favoured nor forgotten.
    """
    assert passing.frames > 0
    looks = min(passing.frames, LOOKS_MAX)
    evidence = {label: clip(total * looks // passing.frames) for label, total in passing.sums.items()}
    none = evidence.pop(none_label, 0)
    ranked = sorted(evidence.items(), key=lambda item: (-item[1], item[0]))
    others = [value for _, value in ranked[SCORES_MAX:]]
    return tuple(ranked[:SCORES_MAX]), none, _log_mean(others)


def told(passing: Passing) -> str:
    """Return how often each code was read, for the log: votes of frames."""
    codes = (f"{symbology} in {code.votes} of {passing.watched}" for (symbology, _), code in passing.codes.items())
    return ", ".join(codes) or f"no code in {passing.watched}"


def _counted(counts: Mapping[tuple[str, str], int], key: tuple[str, str]) -> Mapping[tuple[str, str], int]:
    """Return the counts with one more of this key; of a full table only known keys are counted."""
    if key not in counts and len(counts) >= CODES_MAX:
        return counts
    return {**counts, key: counts.get(key, 0) + 1}


def _log_mean(millinats: list[int]) -> int:
    """Return the millinats of the mean likelihood; of none at all the lower limit."""
    if not millinats:
        return -LIMIT_MILLINAT
    total = sum(math.exp(value / 1_000) for value in millinats)
    return clip(round(1_000 * math.log(total / len(millinats))))


def _shift_px(read: Read, place: tuple[float, float]) -> float:
    """Return how far a code is from a place where it was read before.

    Of bars only the way across them counts: a hand that slides over a code in the basket, or on the wall, hides its
    rows one by one, so that the middle of those that are left moves along the bars.
    """
    x, y = _middle(read)
    shift = (x - place[0], y - place[1])
    if read.symbology in MATRIX or len(read.corners) != 4:
        return math.hypot(*shift)
    top_left, top_right, bottom_right, bottom_left = read.corners
    across = (
        top_right[0] + bottom_right[0] - top_left[0] - bottom_left[0],
        top_right[1] + bottom_right[1] - top_left[1] - bottom_left[1],
    )
    length = math.hypot(*across)
    return abs(shift[0] * across[0] + shift[1] * across[1]) / length if length else math.hypot(*shift)


def _middle(read: Read) -> tuple[float, float]:
    count = max(1, len(read.corners))
    return sum(x for x, _ in read.corners) / count, sum(y for _, y in read.corners) / count
