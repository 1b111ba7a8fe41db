"""Codes of a photo: attempts of the engines, then the overlap rule, then the check.

Every attempt adds right reads and wrong ones, so no attempt's word is taken: all raw reads of a picture are held
together in `Findings`. Retail codes, whose one check digit is weak, have to fit the picture better than any code that
differs in a digit; the others carry stronger checks of their own.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import cv2
import numpy as np

from cart.edge import engines as engines_here
from cart.faults import Fault
from cart.ports import BarcodeEngine, RawRead
from cart.vision import check, locate, overlap
from cart.vision.curved import read_bent
from cart.vision.databar import BlurredDatabarEngine
from cart.vision.ladder import LINEAR, LINEAR_RUNGS, MATRIX_RUNGS, WHOLE_RUNGS, Rung
from cart.wire.gs1 import RETAIL, SYMBOLOGIES, canonical_gtin

log = logging.getLogger("cart.vision")

SCORE_MIN, MARGIN_MIN = 0.85, -0.01
"""Least score and margin (see check.Fit) of a retail read that may be believed at all.

Set with the shared photos and generated frames in sight; either half of the photos, split by the hash of their text,
would give the same values. `cart bench vision` shows what they let through on frames that nobody has seen.
"""

SCORE_SURE, MARGIN_SURE = 0.9, 0.0
"""From here on one look is enough; between these and the least ones, a second attempt has to read the same."""

PLACES_A_CODE = 3
"""Places in which one code is held against the picture: engines differ in how well they know its corners."""

SLIVER_PX = 8
"""A read of fewer rows than this has to be sure."""

CODE128_LENGTH_MIN = 4
"""Fewer characters than this are found in fine print: one check character in 103 is all that guards them."""

BLURRED_REACH, BLURRED_PART = 2.2, 0.25
"""Of a region, how much wider and how high the strip is in which blurred bars are looked for."""


@dataclass(frozen=True, slots=True)
class Read:
    """A code that is in the picture.

    symbology  one of cart.wire.gs1.SYMBOLOGIES
    text       what it says, in the cart's conventions
    gtin       canonical GTIN-14, "" where it holds none
    corners    top left, top right, bottom right, bottom left in reading order
    engine     which engine read it
    gs1        the symbol is marked as GS1 data
    """

    symbology: str
    text: str
    gtin: str
    corners: tuple[tuple[int, int], ...] = ()
    engine: str = ""
    gs1: bool = False


def available_engines(*, thorough: bool) -> tuple[BarcodeEngine, ...]:
    """Return the engines that can be used, zxing first; one suffices, none gives ().

    thorough  for photos: zxing also tries a smaller and an inverted picture
    """
    found = engines_here.found(thorough=thorough)
    for name, reason in found.missing.items():
        if reason != engines_here.ABSENT:
            log.warning("%s counts as not installed: %s", engines_here.PACKAGES[name], reason)
    return found.usable


def needed_engines(*, thorough: bool) -> tuple[BarcodeEngine, ...]:
    """Return the engines as `available_engines` does; Fault ENGINE-MISSING where there is none."""
    usable = available_engines(thorough=thorough)
    if not usable:
        raise Fault("ENGINE-MISSING", engines_here.found().why_missing())
    return usable


def read_photo(
    grey: np.ndarray,
    engines: Sequence[BarcodeEngine] | None = None,
    symbologies: frozenset[str] = SYMBOLOGIES,
) -> list[Read]:
    """Return the codes of a uint8 (height, width) photo, each once a place.

    engines  asked one after the other; None for all that are installed, Fault ENGINE-MISSING where none is

    The engines see the whole picture, then the regions with bars in which nothing was found, on the full ladder; and
    where nothing at all was found, the whole picture again on ladders of its own.
    """
    engines = needed_engines(thorough=True) if engines is None else engines
    findings = Findings(np.ascontiguousarray(grey))
    for engine in engines:
        findings.add(engine.read(findings.grey, symbologies))
    for region in locate.find_regions(grey):
        climb(findings, region, LINEAR_RUNGS, engines, symbologies)
        read_blurred(findings, region, symbologies)
    if not findings.reads():
        whole = locate.Region(0, 0, grey.shape[1], grey.shape[0], 0.0)
        climb(findings, whole, WHOLE_RUNGS + MATRIX_RUNGS, engines, symbologies)
        if not findings.reads() and "QR" in symbologies:
            findings.add(read_bent(findings.grey, engines))
    return findings.reads()


def read_unread(
    grey: np.ndarray,
    angle_deg: float,
    engines: Sequence[BarcodeEngine],
    symbologies: frozenset[str] = LINEAR,
) -> list[Read]:
    """Return the codes of a region that a pass left unread: the full ladder, up to 60 ms.

    grey       uint8 (height, width), the region alone
    angle_deg  direction across its bars, as in locate.Region
    """
    findings = Findings(np.ascontiguousarray(grey))
    region = locate.Region(0, 0, grey.shape[1], grey.shape[0], angle_deg)
    climb(findings, region, LINEAR_RUNGS, engines, symbologies)
    read_blurred(findings, region, symbologies)
    return findings.reads()


def climb(
    findings: Findings,
    region: locate.Region,
    rungs: Sequence[Rung],
    engines: Sequence[BarcodeEngine],
    symbologies: frozenset[str],
) -> None:
    """Add what is read of a region, rung by rung, until a code in it holds."""
    crop = locate.turned_upright(findings.grey, region)
    for rung in rungs:
        pixels, to_frame = rung.crop(crop)
        for engine in engines:
            if covered(region, findings.reads()):
                return
            if not rung.engines or engine.name in rung.engines:
                found = engine.read(pixels, rung.symbologies & symbologies)
                findings.add([in_frame(raw, to_frame, inverted=rung.inverted) for raw in found])


def read_blurred(findings: Findings, region: locate.Region, symbologies: frozenset[str]) -> None:
    """Add the DataBar code of a region in which no code holds yet, even if its bars have run together.

    It is looked for beyond the region, too: the pale outermost bars of a DataBar are easily left out of it.
    """
    if not covered(region, findings.reads()):
        strip = locate.across_bars(findings.grey, region, BLURRED_REACH, BLURRED_PART)
        found = BlurredDatabarEngine().read(strip.pixels, symbologies)
        findings.add([in_frame(raw, strip.to_frame) for raw in found])


def in_frame(raw: RawRead, to_frame: np.ndarray, *, inverted: bool = False) -> RawRead:
    """Return a raw read of a crop in the coordinates of its frame."""
    # A row of the crop is so many pixels of the frame.
    rows = round(raw.rows * float(np.hypot(*to_frame[:, 1])))
    return replace(raw, corners=locate.in_frame(raw.corners, to_frame), rows=rows, inverted=inverted)


class Findings:
    """The raw reads of one picture, and which of them hold; each is held against the picture once.

    grey  uint8 (height, width)
    """

    def __init__(self, grey: np.ndarray) -> None:
        """Begin with nothing."""
        self.grey = grey
        self._raws: list[RawRead] = []
        self._verdicts: dict[RawRead, Verdict] = {}
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._reads: list[Read] = []

    def add(self, raws: Sequence[RawRead]) -> None:
        """Add what one attempt of one engine read, in the coordinates of the picture."""
        if raws:
            self._raws += raws
            self._attempts.update({(raw.symbology, raw.text) for raw in raws})
            self._reads = [read_of(raw) for raw in overlap.surviving(self._raws) if self._holds(raw)]

    def reads(self) -> list[Read]:
        """Return what holds so far: one code a place."""
        return self._reads

    def _holds(self, raw: RawRead) -> bool:
        same = [other for other in self._raws if (other.symbology, other.text) == (raw.symbology, raw.text)]
        best = max(map(self._verdict, sorted(same, key=overlap.span_px, reverse=True)[:PLACES_A_CODE]))
        needed = {Verdict.SURE: 1, Verdict.LOW: 2}.get(best)
        return needed is not None and self._attempts[(raw.symbology, raw.text)] >= needed

    def _verdict(self, raw: RawRead) -> Verdict:
        if raw not in self._verdicts:
            self._verdicts[raw] = verdict(self.grey, raw)
        return self._verdicts[raw]


class Verdict(IntEnum):
    """What the picture says about a read: no, perhaps (see SCORE_SURE), yes."""

    REFUSED = 0
    LOW = 1
    SURE = 2


def verdict(grey: np.ndarray, raw: RawRead) -> Verdict:
    """Return whether the picture bears out a raw read; only retail codes can be held against it.

    Short codes have too few digits for a low score, and stand alone: they are found inside longer codes.
    """
    if raw.symbology == "CODE128":
        return Verdict.SURE if len(raw.text) >= CODE128_LENGTH_MIN else Verdict.REFUSED
    if raw.symbology not in RETAIL:
        return Verdict.SURE
    if not canonical_gtin(raw.symbology, raw.text):
        return Verdict.REFUSED
    grey = cv2.bitwise_not(grey) if raw.inverted else grey
    fit = check.fit_of(grey, raw.corners, raw.symbology, raw.text)
    sure = fit.score >= SCORE_SURE and fit.margin >= MARGIN_SURE
    if raw.symbology in overlap.SHORT:
        return Verdict.SURE if sure and check.stands_alone(grey, fit.quad, raw.symbology) else Verdict.REFUSED
    if sure:
        return Verdict.SURE
    possible = fit.score >= SCORE_MIN and fit.margin >= MARGIN_MIN and overlap.span_px(raw) >= SLIVER_PX
    return Verdict.LOW if possible else Verdict.REFUSED


def read_of(raw: RawRead) -> Read:
    """Return a raw read with its product number."""
    gtin = canonical_gtin(raw.symbology, raw.text, gs1=raw.gs1)
    return Read(raw.symbology, raw.text, gtin, raw.corners, raw.engine, raw.gs1)


def covered(region: locate.Region, reads: Sequence[Read]) -> bool:
    """Return True if the middle of one of the reads lies in the region."""
    for read in reads:
        x = sum(corner[0] for corner in read.corners) / len(read.corners)
        y = sum(corner[1] for corner in read.corners) / len(read.corners)
        if region.left <= x < region.right and region.top <= y < region.bottom:
            return True
    return False
