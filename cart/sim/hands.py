"""What happens in the live world: acts of a shopper become mass on the platform, things in view, and the truth.

An act is planned at once and answered with the moments at which it will have
happened, so that nobody waits inside the world. Nothing here reads a clock.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from cart.core.catalog import Catalog, Product
from cart.sim.physics import Platform
from cart.sim.pictures import Pictures
from cart.sim.shelf import Piece, Shelf

MS = 1_000_000
LEAD_MS = 80  # a camera needs this to prepare a thing that it has not seen yet
GATE_MS = 300
LEAN_G = 9.80665

IN_VIEW = ((0, 640, -280), (350, 640, 330), (750, 665, 370), (1_100, 690, 1_040))
HELD_UP = ((0, 640, -280), (350, 640, 330), (1_150, 690, 360), (1_450, 700, -280))
OUT_OF_VIEW = ((0, 690, 1_040), (350, 660, 370), (750, 640, 330), (1_100, 640, -280))
"""Paths of a hand through the view: (ms, x, y) of the thing's middle in a frame of 1280 x 720."""

LANDS_MS = 1_350
"""From the begin of the way in to the moment at which the hand lets go."""


class Hands:
    """The world's things and people.

    said      what the camera, the panel and the network are told, by role
    truth     pieces that really are in the cart
    changed   called with a role whenever something is said to it
    """

    def __init__(self, catalog: Catalog, pictures: Pictures, platform: Platform, seed: int, swapped: bool) -> None:
        self.shelf = Shelf(catalog, seed)
        self.platform = platform
        self.truth: list[Piece] = []
        self.scale = "well"
        self.said: dict[str, dict[str, Any]] = {
            "camera": {"camera": "well", "pass": None},
            "panel": {"help": False, "gate": False},
            "network": {"network": "well"},
        }
        self._pictures = pictures
        self._random = random.Random(f"hands {seed}")
        self._codes: dict[str, str] = {}
        self._faces: dict[str, str] = {}
        self._aside: list[Piece] = []
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self.changed: Callable[[str], None] = lambda role: None
        if swapped:
            self._swap_all()

    def act(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Plan one act and return what will come of it; {"error": ...} where it cannot be done.

        t_ns     now, on the machine's clock
        base_ns  where on it the platform's own time began
        """
        do = _ACTS.get(str(wanted.get("act")))
        if do is None:
            return {"error": f"no act '{wanted.get('act')}'; there are {', '.join(sorted(_ACTS))}"}
        try:
            return do(self, _checked(wanted), t_ns, base_ns)
        except (LookupError, TypeError, ValueError) as error:
            return {"error": str(error.args[0] if error.args else error)}

    def happen(self, t_ns: int) -> None:
        """Let what was planned up to t_ns come true."""
        while self._later and self._later[0][0] <= t_ns:
            heapq.heappop(self._later)[2]()

    # -- acts -----------------------------------------------------------------------------

    def scan(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Hold a package's code into the view."""
        product = self.shelf.find(wanted["product"])
        code = self._codes.get(product.id, product.gtins[0] if product.gtins else "")
        self._show(product, HELD_UP, t_ns, code[1:] if code else "")
        return {"product": product.id, "done_ns": t_ns + (LEAD_MS + HELD_UP[-1][0]) * MS}

    def put(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Carry a thing through the view into the cart."""
        product = self.shelf.find(wanted["product"])
        piece = self._in_hand(product, wanted.get("mass_mg"))
        self._show(product, IN_VIEW, t_ns, "")
        at_ns = t_ns + (LEAD_MS + LANDS_MS) * MS
        release_us = self.platform.add(piece.mass_mg, "place", at_us=(at_ns - base_ns) // 1_000)
        release_ns = base_ns + release_us * 1_000
        self._at(release_ns, lambda: self.truth.append(piece))
        return {"product": product.id, "mass_mg": piece.mass_mg, "t_release_ns": release_ns, "done_ns": release_ns}

    def take(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Lift a thing out of the cart, through the view."""
        product = self.shelf.find(wanted["product"])
        found = [piece for piece in self.truth if piece.product.id == product.id]
        if not found:
            raise LookupError(f"there is no {product.id} in the cart")
        piece = found[-1]
        release_us = self.platform.add(-piece.mass_mg, "lift", at_us=(t_ns + 500 * MS - base_ns) // 1_000)
        release_ns = base_ns + release_us * 1_000
        self._show(product, OUT_OF_VIEW, t_ns + 300 * MS, "")
        self.truth.remove(piece)
        self._aside.append(piece)
        done_ns = t_ns + (300 + LEAD_MS + OUT_OF_VIEW[-1][0]) * MS
        return {"product": product.id, "mass_mg": piece.mass_mg, "t_release_ns": release_ns, "done_ns": done_ns}

    def label(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Stick the code of one product on another's package; without code_of, its own again."""
        on = self.shelf.find(wanted["on"])
        code_of = wanted.get("code_of") or on.id
        self._codes[on.id] = self.shelf.find(code_of).gtins[0]
        return {"done_ns": t_ns}

    def lean(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Rest a hand on the cart."""
        for_ms = int(wanted.get("for_ms", 2_000))
        self.platform.lean(round(int(wanted.get("mass_mg", 2_000_000)) * LEAN_G / 1_000), for_ms * 1_000)
        return {"done_ns": t_ns + for_ms * MS}

    def device(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Set scale ("well", "unplugged", "silent"), camera ("well", "covered", "dead") or network ("well", "cut")."""
        name, state = str(wanted.get("name")), str(wanted.get("state"))
        if state not in _DEVICES.get(name, ()):
            raise LookupError(f"devices and their states are {_DEVICES}")
        if name == "scale":
            self.scale = state
        else:
            self._say(name, **{name: state})
        return {"done_ns": t_ns}

    def contact(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Close the gate's contact, or the help button's, for a moment."""
        name = str(wanted.get("name"))
        if name not in ("gate", "help"):
            raise LookupError("contacts are gate and help")
        self._say("panel", **{name: True})
        self._at(t_ns + GATE_MS * MS, lambda: self._say("panel", **{name: False}))
        return {"done_ns": t_ns + GATE_MS * MS}

    def tell(self, wanted: dict[str, Any], t_ns: int, base_ns: int) -> dict[str, Any]:
        """Return the truth: every piece in the cart, what it is and what it costs."""
        return {
            "truth": [
                {
                    "product_id": piece.product.id,
                    "name": piece.product.name,
                    "sold_by": piece.product.sold_by,
                    "unit_price_minor": piece.product.price_minor,
                    "mass_mg": piece.mass_mg,
                }
                for piece in self.truth
            ],
            "pictures": self._pictures.words,
            "done_ns": t_ns,
        }

    # -- inside -----------------------------------------------------------------------------

    def _show(self, product: Product, path: tuple[tuple[int, int, int], ...], t_ns: int, code: str) -> None:
        label = self._faces.get(product.id, product.label)
        seen = {
            "t0_ns": t_ns + LEAD_MS * MS,
            "path": path,
            "picture": self._pictures.of(label, self._random.randrange(60)),
            "code": code,
            "turn_deg": round(self._random.uniform(-9, 9), 2),
            "seed": self._random.randrange(1 << 30),
        }
        self._at(t_ns, lambda: self._say("camera", **{"pass": seen}))

    def _in_hand(self, product: Product, mass_mg: int | None) -> Piece:
        """Return the piece that was taken out last, if it is of this product; else a new one from the shelf."""
        for piece in reversed(self._aside):
            if piece.product.id == product.id:
                self._aside.remove(piece)
                return piece
        return self.shelf.piece(product, None if mass_mg is None else int(mass_mg))

    def _swap_all(self) -> None:
        """Give every package code and picture of the next one in the catalogue: the cart cannot know."""
        packages = [product for product in self.shelf.catalog.products if product.gtins]
        for product, other in zip(packages, packages[1:] + packages[:1], strict=True):
            self._codes[product.id] = other.gtins[0]
            self._faces[product.id] = other.label

    def _say(self, role: str, **words: Any) -> None:
        self.said[role].update(words)
        self.changed(role)

    def _at(self, t_ns: int, what: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._later, (t_ns, self._order, what))


def _checked(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the act; ValueError where a name is no text, or a mass or time is none that a cart ever meets."""
    for key in ("product", "on", "code_of"):
        if wanted.get(key) is not None and not isinstance(wanted[key], str):
            raise ValueError(f"{key} is a text")
    if "product" in wanted and wanted["product"] is None:
        raise ValueError("product is a text")
    for key, (least, most) in _LIMITS.items():
        if wanted.get(key) is not None and not least <= int(wanted[key]) <= most:
            raise ValueError(f"{key} is a whole number from {least} to {most}")
    return wanted


_LIMITS = {"mass_mg": (-100_000_000, 100_000_000), "for_ms": (0, 3_600_000)}

_DEVICES = {
    "scale": ("well", "unplugged", "silent"),
    "camera": ("well", "covered", "dead"),
    "network": ("well", "cut"),
}

_ACTS: dict[str, Callable[[Hands, dict[str, Any], int, int], dict[str, Any]]] = {
    "scan": Hands.scan,
    "put": Hands.put,
    "take": Hands.take,
    "label": Hands.label,
    "lean": Hands.lean,
    "device": Hands.device,
    "contact": Hands.contact,
    "tell": Hands.tell,
}
