"""Which barcode engines this machine has: both, one of them, which is enough, or none.

An engine whose package is there and cannot be imported counts as not installed, with the reason that Python gives: a
wheel for another processor or Python, a version without what the cart needs, or pyzbar without the system's libzbar0.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cart.ports import BarcodeEngine

PACKAGES = {"zxing": "zxing-cpp", "zbar": "pyzbar"}
"""Engine to the package that it comes in, the first choice first."""

MENDS = {"zxing": "pip install --force-reinstall zxing-cpp", "zbar": "sudo apt install libzbar0"}
"""What to do about an engine whose package is there and does not work."""

ABSENT = "its package is not there"

_MODULES = {"zxing": "zxingcpp", "zbar": "pyzbar"}


class Engines(NamedTuple):
    """The engines that can be used, in the order of PACKAGES, and of each other one the reason."""

    usable: tuple[BarcodeEngine, ...]
    missing: dict[str, str]

    def why_missing(self) -> str:
        """Return the reasons in one line, for people."""
        return "; ".join(f"{PACKAGES[name]} is not installed: {reason}" for name, reason in self.missing.items())


def found(*, thorough: bool = False) -> Engines:
    """Return what there is. thorough: for photos, zxing also tries a smaller and an inverted picture."""
    usable: list[BarcodeEngine] = []
    missing = {}
    for name, module in _MODULES.items():
        if find_spec(module) is None:
            missing[name] = ABSENT
            continue
        try:
            usable.append(_made(name, thorough))
        # An older version lacks a name that is used when it is imported; a library may be for another system.
        except (ImportError, AttributeError, OSError) as error:
            missing[name] = f"{type(error).__name__}: {error}"
    return Engines(tuple(usable), missing)


def _made(name: str, thorough: bool) -> BarcodeEngine:
    if name == "zxing":
        from cart.edge.zxing import ZxingEngine

        return ZxingEngine(thorough=thorough)
    from cart.edge.zbar import ZbarEngine

    return ZbarEngine()
