"""The readers that are compared, and what counts as the same code.

Ours as a photo is read, each engine alone without any check, OpenCV's detector of retail codes, and "either": what
both engines say together, unchecked. Two texts are the same code when they name the same GTIN-14, or the same GS1 text
without parentheses and separators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from cart.edge.engines import found
from cart.ports import BarcodeEngine
from cart.vision import reader
from cart.vision.bench.sections import NotThere
from cart.wire.gs1 import RETAIL, SYMBOLOGIES
from cart.wire.upce import upce_to_upca

OURS, EITHER, OPENCV = "cart", "either", "opencv"

OPENCV_NAMES = {"EAN_13": "EAN13", "EAN_8": "EAN8", "UPC_A": "UPCA", "UPC_E": "UPCE"}


class Code(NamedTuple):
    """A code as a reader gives it or as the truth says; symbology is one of cart.wire.gs1.SYMBOLOGIES."""

    symbology: str
    text: str

    @property
    def is_number(self) -> bool:
        """A number that a product is charged by."""
        return self.symbology in RETAIL or self.symbology == "DATABAR"

    def key(self) -> tuple[str, str]:
        """Return what is equal for the same code however it is written down."""
        if self.is_number:
            digits = _bare(self.text).split(" ")[0].split("|")[0]
            if self.symbology == "UPCE" and len(digits) == 8:
                digits = upce_to_upca(digits)
            return "GTIN", digits.removeprefix("01").zfill(14) if len(digits) == 16 else digits.zfill(14)
        if self.symbology == "DATABAREXP":
            return self.symbology, _bare(self.text)
        # Decoders differ in how they take what is not ASCII.
        return self.symbology, "".join(c for c in _bare(self.text) if "!" <= c <= "~")


Reader = Callable[[np.ndarray], list[Code]]


def readers(engines: Sequence[BarcodeEngine]) -> dict[str, Reader]:
    """Return what reads a uint8 (height, width) picture, by name; EITHER is made of what the engines said."""
    return {
        OURS: partial(_ours, engines=engines),
        **{engine.name: partial(_raw, engine=_with_databar(engine)) for engine in engines},
        OPENCV: partial(_opencv, detector=cv2.barcode.BarcodeDetector()),
    }


def _with_databar(engine: BarcodeEngine) -> BarcodeEngine:
    """Return zbar as it is used elsewhere: ours leaves its DataBar out."""
    if engine.name != "zbar":
        return engine
    from cart.edge.zbar import ZbarEngine

    return ZbarEngine(databar=True)


def installed_engines() -> tuple[BarcodeEngine, ...]:
    """Return the engines that are installed, as photos are given to them; NotThere if there is none."""
    engines = reader.available_engines(thorough=True)
    if not engines:
        raise NotThere(found().why_missing())
    return engines


def _ours(grey: np.ndarray, engines: Sequence[BarcodeEngine]) -> list[Code]:
    return [Code(read.symbology, read.text) for read in reader.read_photo(grey, engines)]


def _raw(grey: np.ndarray, engine: BarcodeEngine) -> list[Code]:
    return [Code(raw.symbology, raw.text) for raw in engine.read(grey, SYMBOLOGIES)]


def _opencv(grey: np.ndarray, detector: cv2.barcode.BarcodeDetector) -> list[Code]:
    try:
        _, texts, types, _ = detector.detectAndDecodeWithType(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    except cv2.error:  # it fails on some pictures with a region at their edge
        return []
    return [Code(OPENCV_NAMES.get(kind, "EAN13"), text) for text, kind in zip(texts, types, strict=True) if text]


def _bare(text: str) -> str:
    return text.replace("<GS>", "").translate({ord(c): None for c in "()\x1d"}).strip()
