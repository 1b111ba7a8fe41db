"""libzbar through pyzbar, behind the port BarcodeEngine: the second opinion on regions and photos.

It is better than zxing-cpp at glare, occlusion and 25 to 35 degrees, 5 times slower on a whole frame, and misreads
more often, so nothing it says is used without the check. Its DataBar decoder prints assertions to stderr and is asked
for comparison only; it has no DataMatrix. It cannot say whether a Code 128 is GS1 data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyzbar import pyzbar

from cart.ports import RawRead

if TYPE_CHECKING:
    import numpy as np

_Symbol = pyzbar.ZBarSymbol

_SYMBOLS = {
    "EAN13": _Symbol.EAN13,
    "UPCA": _Symbol.UPCA,
    "EAN8": _Symbol.EAN8,
    "UPCE": _Symbol.UPCE,
    "CODE128": _Symbol.CODE128,
    "QR": _Symbol.QRCODE,
}

SYMBOLOGIES = frozenset(_SYMBOLS)
"""What this engine is asked for; the rest is zxing-cpp's."""

_DATABAR = {"DATABAR": _Symbol.DATABAR, "DATABAREXP": _Symbol.DATABAR_EXP}

_NAME = {symbol.name: name for name, symbol in (_SYMBOLS | _DATABAR).items()}

# How far the corners are turned, so that the first is the symbol's own top left.
_TURNS = {"UP": 0, "RIGHT": 1, "DOWN": 2, "LEFT": 3}


class ZbarEngine:
    """Reads the symbologies of `SYMBOLOGIES`.

    databar  DataBar, too: for benches, since it prints to stderr
    """

    name = "zbar"

    def __init__(self, *, databar: bool = False) -> None:
        self._symbols = _SYMBOLS | _DATABAR if databar else _SYMBOLS

    def read(self, grey: np.ndarray, symbologies: frozenset[str]) -> list[RawRead]:
        """Return every code found in a uint8 (height, width) array, in no order."""
        wanted = symbologies & self._symbols.keys()
        if not wanted or grey.size == 0:
            return []
        # Without UPCE enabled zbar reports a UPC-E as EAN-13, and without EAN-13 it decodes no UPC-A at all.
        enabled = {self._symbols[name] for name in wanted | {"EAN13", "UPCA", "UPCE"}}
        found = pyzbar.decode(grey, symbols=sorted(enabled, key=lambda symbol: symbol.value))
        reads = (_raw_read(item) for item in found)
        return [read for read in reads if read is not None and read.symbology in wanted]


def _raw_read(item: pyzbar.Decoded) -> RawRead | None:
    symbology, text = _NAME.get(item.type), item.data.decode("utf-8", "replace")
    if symbology is None:
        return None
    if symbology == "EAN13" and len(text) == 13 and text[0] == "0":
        symbology, text = "UPCA", text[1:]
    if symbology == "DATABAR" and len(text) == 16:
        text = text.removeprefix("01")
    return RawRead(symbology, text, _corners(item), "zbar", rows=max(0, item.quality))


def _corners(item: pyzbar.Decoded) -> tuple[tuple[int, int], ...]:
    """Return four corners in reading order.

    Of a QR code zbar gives the true ones. Of bars it gives the hull of where its scan rows met the first, middle and
    last bar: the outermost points along the diagonals lie on the first and last bar, which is what the check needs.
    """
    points = [(p.x, p.y) for p in item.polygon]
    if item.type == "QRCODE" and len(points) == 4:
        return (points[0], points[3], points[2], points[1])
    box = [
        min(points, key=lambda p: p[0] + p[1]),
        max(points, key=lambda p: p[0] - p[1]),
        max(points, key=lambda p: p[0] + p[1]),
        min(points, key=lambda p: p[0] - p[1]),
    ]
    turns = _TURNS.get(item.orientation or "UP", 0)
    return tuple(box[turns:] + box[:turns])
