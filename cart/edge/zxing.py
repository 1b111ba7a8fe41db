"""zxing-cpp behind the port BarcodeEngine: the engine of live frames, and the only one for DataBar and DataMatrix.

It takes 5 to 10 ms of one desktop core for the 1-D codes of a 1280x720 frame, blind between 20 and 70 degrees;
`cart.vision.locate` turns regions for it. Its texts are brought to the cart's conventions here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import zxingcpp

from cart.ports import RawRead
from cart.wire.upce import upca_to_upce

if TYPE_CHECKING:
    import numpy as np

_Format = zxingcpp.BarcodeFormat

_FORMATS = {
    # zxing-cpp 3 reports a UPC-A as the EAN-13 that it is, and finds neither if only the other is asked for.
    "EAN13": (_Format.EAN13, _Format.UPCA),
    "UPCA": (_Format.EAN13, _Format.UPCA),
    "EAN8": (_Format.EAN8,),
    "UPCE": (_Format.UPCE,),
    "CODE128": (_Format.Code128,),
    "DATABAR": (_Format.DataBarOmni, _Format.DataBarStk, _Format.DataBarStkOmni, _Format.DataBarLtd),
    "DATABAREXP": (_Format.DataBarExp, _Format.DataBarExpStk),
    "QR": (_Format.QRCode,),
    "DATAMATRIX": (_Format.DataMatrix,),
}

_SYMBOLOGY = {fmt: name for name, formats in _FORMATS.items() for fmt in formats} | {
    _Format.EAN13: "EAN13",
    _Format.QRCodeModel1: "QR",
    _Format.QRCodeModel2: "QR",
}

# Identifiers (ISO/IEC 15424) of symbols that hold GS1 data; zxing-cpp derives them from FNC1 in first position.
_GS1_IDENTIFIERS = frozenset({"]C1", "]e0", "]Q3", "]d2"})


class ZxingEngine:
    """Reads every symbology of the cart.

    thorough  also try a downscaled and an inverted picture: more than twice the time, for photos
    """

    name = "zxing"

    def __init__(self, *, thorough: bool = False) -> None:
        self._thorough = thorough

    def read(self, grey: np.ndarray, symbologies: frozenset[str]) -> list[RawRead]:
        """Return every code found in a uint8 (height, width) array, in no order."""
        formats = [fmt for name in sorted(symbologies) for fmt in _FORMATS[name]]
        found = zxingcpp.read_barcodes(
            grey,
            formats=formats,
            try_downscale=self._thorough,
            try_invert=self._thorough,
            text_mode=zxingcpp.TextMode.Plain,
        )
        reads = (_raw_read(barcode) for barcode in found)
        return [read for read in reads if read is not None and read.symbology in symbologies]

    def unread_qr(self, grey: np.ndarray) -> list[tuple[tuple[int, int], ...]]:
        """Return the corners, in reading order, of QR codes that are found and cannot be decoded."""
        found = zxingcpp.read_barcodes(grey, formats=_FORMATS["QR"], return_errors=True)
        return [_corners(barcode) for barcode in found if not barcode.valid]


def _raw_read(barcode: zxingcpp.Barcode) -> RawRead | None:
    symbology = _SYMBOLOGY.get(barcode.format)
    if symbology is None:
        return None
    symbology, text = _in_cart_form(symbology, barcode.text)
    gs1 = barcode.symbology_identifier in _GS1_IDENTIFIERS
    return RawRead(symbology, text, _corners(barcode), "zxing", gs1=gs1)


def _corners(barcode: zxingcpp.Barcode) -> tuple[tuple[int, int], ...]:
    at = barcode.position
    return tuple((p.x, p.y) for p in (at.top_left, at.top_right, at.bottom_right, at.bottom_left))


def _in_cart_form(symbology: str, text: str) -> tuple[str, str]:
    """Return symbology and text as the cart names them: no leading zero on UPC-A, UPC-E unexpanded, DataBar bare."""
    if symbology in ("EAN13", "UPCA") and len(text) == 13 and text[0] == "0":
        return "UPCA", text[1:]
    if symbology == "UPCE" and len(text) != 8:
        return "UPCE", upca_to_upce(text[-12:]) or text
    if symbology == "DATABAR" and len(text) == 16 and text.startswith("01"):
        return "DATABAR", text[2:]
    return symbology, text
