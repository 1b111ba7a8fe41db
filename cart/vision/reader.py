"""Codes of a photo: attempts of the engines, then the overlap rule, then the check.

Every attempt adds right reads and wrong ones, so no attempt's word is taken: all raw reads of a picture go through
`settled` together. Retail codes, whose one check digit is weak, have to fit the picture better than any code that
differs in a digit; the others carry stronger checks of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import cv2
import numpy as np

from cart.ports import BarcodeEngine, RawRead
from cart.vision import check, locate, overlap
from cart.vision.ladder import LINEAR, LINEAR_RUNGS, MATRIX_RUNGS, Rung
from cart.wire.gs1 import RETAIL, SYMBOLOGIES, canonical_gtin

MARGIN_MIN = -0.01
"""Least digit-exchange margin of an accepted retail read."""

WEAK_SPAN_PX, WEAK_MARGIN_MIN = 8, 0.0
"""Below so many rows a read has to have at least this margin."""

SCORE_MIN = 0.5
"""A picture that fits the read number worse than this proves nothing, whatever fits it still worse."""


CODE128_LENGTH_MIN = 4
"""Fewer characters than this are found in fine print: one check character in 103 is all that guards them."""


@dataclass(frozen=True, slots=True)
class Read:
    """A code that is in the picture.

    symbology  one of cart.wire.gs1.SYMBOLOGIES
    text       what it says, in the cart's conventions
    gtin       canonical GTIN-14, "" where it holds none
    corners    top left, top right, bottom right, bottom left in reading order
    engine     which engine read it
    """

    symbology: str
    text: str
    gtin: str
    corners: tuple[tuple[int, int], ...] = ()
    engine: str = ""


def available_engines(*, thorough: bool) -> tuple[BarcodeEngine, ...]:
    """Return the engines whose package is installed, zxing first; one suffices, none gives ().

    thorough  for photos: zxing also tries a smaller and an inverted picture
    """
    engines: list[BarcodeEngine] = []
    if find_spec("zxingcpp") is not None:
        from cart.edge.zxing import ZxingEngine

        engines.append(ZxingEngine(thorough=thorough))
    if find_spec("pyzbar") is not None:
        try:
            from cart.edge.zbar import ZbarEngine
        except ImportError:
            # pyzbar is a wrapper; the library libzbar0 is a package of the system and may be missing.
            return tuple(engines)
        engines.append(ZbarEngine())
    return tuple(engines)


def read_photo(
    grey: np.ndarray,
    engines: Sequence[BarcodeEngine] | None = None,
    symbologies: frozenset[str] = SYMBOLOGIES,
) -> list[Read]:
    """Return the codes of a uint8 (height, width) photo, each once a place.

    engines  asked one after the other; None for all that are installed

    The engines see the whole picture, then the regions with bars in which nothing was found, on the full ladder; and
    where nothing at all was found, the whole picture again on both ladders.
    """
    engines = available_engines(thorough=True) if engines is None else engines
    findings = Findings(np.ascontiguousarray(grey))
    for engine in engines:
        findings.add(engine.read(findings.grey, symbologies))
    for region in locate.find_regions(grey):
        climb(findings, region, LINEAR_RUNGS, engines, symbologies)
    if not findings.reads():
        whole = locate.Region(0, 0, grey.shape[1], grey.shape[0], 0.0)
        climb(findings, whole, LINEAR_RUNGS + MATRIX_RUNGS, engines, symbologies)
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


def read_region(
    grey: np.ndarray,
    region: locate.Region,
    engines: Sequence[BarcodeEngine],
    symbologies: frozenset[str],
) -> list[RawRead]:
    """Return the raw reads of a region turned upright, in frame coordinates."""
    crop = locate.turned_upright(grey, region)
    return [in_frame(raw, crop.to_frame) for engine in engines for raw in engine.read(crop.pixels, symbologies)]


def in_frame(raw: RawRead, to_frame: np.ndarray, *, inverted: bool = False) -> RawRead:
    """Return a raw read of a crop in the coordinates of its frame."""
    # A row of the crop is so many pixels of the frame.
    rows = round(raw.rows * float(np.hypot(*to_frame[:, 1])))
    return replace(raw, corners=locate.in_frame(raw.corners, to_frame), rows=rows, inverted=inverted)


class Findings:
    """The raw reads of one picture, and which of them hold; a code is checked once, and again only where it is better.

    grey  uint8 (height, width)
    """

    def __init__(self, grey: np.ndarray) -> None:
        """Begin with nothing."""
        self.grey = grey
        self._raws: list[RawRead] = []
        self._held: dict[RawRead, bool] = {}
        self._reads: list[Read] = []

    def add(self, raws: Sequence[RawRead]) -> None:
        """Add raw reads in the coordinates of the picture."""
        if raws:
            self._raws += raws
            self._reads = [read_of(raw) for raw in overlap.surviving(self._raws) if self._holds(raw)]

    def reads(self) -> list[Read]:
        """Return what holds so far."""
        return self._reads

    def _holds(self, raw: RawRead) -> bool:
        if raw not in self._held:
            self._held[raw] = holds(self.grey, raw)
        return self._held[raw]


def settled(grey: np.ndarray, raws: Sequence[RawRead]) -> list[Read]:
    """Return what of the raw reads of one picture holds: one a place, retail numbers only where the picture agrees."""
    return [read_of(raw) for raw in overlap.surviving(raws) if holds(grey, raw)]


def holds(grey: np.ndarray, raw: RawRead) -> bool:
    """Return True unless `raw` is a retail code that the picture does not bear out, or a scrap of a Code 128."""
    if raw.symbology == "CODE128":
        return len(raw.text) >= CODE128_LENGTH_MIN
    if raw.symbology not in RETAIL:
        return True
    if not canonical_gtin(raw.symbology, raw.text):
        return False
    grey = cv2.bitwise_not(grey) if raw.inverted else grey
    fit = check.fit_of(grey, raw.corners, raw.symbology, raw.text)
    needed = WEAK_MARGIN_MIN if overlap.span_px(raw) < WEAK_SPAN_PX else MARGIN_MIN
    if fit.score < SCORE_MIN or fit.margin < needed:
        return False
    return raw.symbology not in overlap.SHORT or check.stands_alone(grey, fit.quad, raw.symbology)


def read_of(raw: RawRead) -> Read:
    """Return a raw read with its product number."""
    gtin = canonical_gtin(raw.symbology, raw.text, gs1=raw.gs1)
    return Read(raw.symbology, raw.text, gtin, raw.corners, raw.engine)


def covered(region: locate.Region, reads: Sequence[Read]) -> bool:
    """Return True if the middle of one of the reads lies in the region."""
    for read in reads:
        x = sum(corner[0] for corner in read.corners) / len(read.corners)
        y = sum(corner[1] for corner in read.corners) / len(read.corners)
        if region.left <= x < region.right and region.top <= y < region.bottom:
            return True
    return False
