"""A simulated cart in the shopper's words, for tests and text scenarios (virtual mode).

cart = Simulated(catalog=[MILK, BREAD], seed=7)
cart.scan(MILK).put(MILK).settle()
assert cart.basket == {"milk": 1}
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from cart.clock import NS_PER_MS
from cart.core import taps
from cart.core.catalog import Catalog, Product
from cart.core.effects import ScreenLine
from cart.core.events import ExitSeen, PanelPressed, Tapped
from cart.core.legal import Legal
from cart.core.legal_profile import SINGLE, Instrument
from cart.core.setup import Setup
from cart.core.trip import Charge, Prompt
from cart.sim.expect import View
from cart.sim.eyes import Eyes
from cart.sim.physics import G
from cart.sim.shelf import Piece, Shelf
from cart.sim.virtual import Virtual, setup_of

SCAN_MS = 600
"""A hand holds a package into the view this long before it moves on."""

CARRY_MS = 400
"""From the view into the basket, at least."""

PAUSE_MS = 1_200
"""A shopper's pause between two acts, unless `quickly`."""

REST_MS = 2_500
"""Time without an act after which the cart is judged."""

SAME_PASS_MS = 3_000
"""A thing that is scanned and put in within this time passes the camera once."""

WARM_UP_MS = 2_000

FLOORS = {"smooth": (0.3, 0.3, 3.0), "tiles": (1.0, 0.5, 6.0)}
"""Floor -> roughness in m/s2 rms per m/s, bumps per metre, their strength (weighing-facts, section 3.1)."""

Item = Product | str


class Simulated:
    """One cart, one shopper, a world that keeps the truth.

    catalog  products, or a whole catalogue; None for the demo store's
    idle     True: nobody has signed in yet
    sealed   True: a build that weighs for trade
    make     what the cart is made by; one that dies at planned moments, for instance
    """

    def __init__(
        self,
        catalog: Iterable[Product] | Catalog | None = None,
        seed: int = 7,
        idle: bool = False,
        *,
        sealed: bool = False,
        instrument: Instrument = SINGLE,
        make: Callable[[Setup, int], Virtual] = Virtual,
    ) -> None:
        self.catalog = _catalog(catalog)
        self.shelf = Shelf(self.catalog, seed)
        self.eyes = Eyes(seed)
        setup = replace(setup_of(self.catalog), not_for_trade=not sealed, legal=Legal(instrument))
        self.cart = make(setup, seed)
        self.truth: list[Piece] = []
        self._taken: list[Piece] = []
        self.asked: list[str] = []
        self._looks: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._hand: tuple[str, int, int] | None = None
        self._leaning_mg = 0
        self._prompt_id = 0
        self._taps = 0
        self._random = random.Random(f"shopper {seed}")
        self.cart.advance_ms(WARM_UP_MS)
        self._rested_ns = 0
        if not idle:
            self.tap(taps.START)

    # -- what a shopper does ---------------------------------------------------------

    def scan(self, item: Item, still: bool = False) -> Simulated:
        """Hold a package's code into the view; still: a code that is shown on a phone."""
        product = self._product(item)
        gtin = self._codes.get(product.id, product.gtins[0] if product.gtins else "")
        track = self.eyes.new_pass()
        if self.cart.camera == "well":
            now_ns = self.cart.clock.monotonic_ns()
            if gtin:
                self.cart.send(self.eyes.reads(now_ns, track, gtin, moved=not still))
            self.cart.send([self.eyes.look(now_ns, track, (self._look_of(product),), "")])
        self._act(SCAN_MS)
        self._hand = None if still else (product.id, track, self.cart.clock.monotonic_ns())
        return self

    def put(self, *items: Item, mass_mg: int | None = None, quickly: bool = False) -> Simulated:
        """Put things into the cart together; mass_mg is of each, the catalogue's with its spread if None."""
        return self.put_pieces([self.piece_in_hand(self._product(item), mass_mg) for item in items], quickly)

    def put_pieces(self, pieces: list[Piece], quickly: bool = False) -> Simulated:
        """Put these very pieces into the cart together."""
        self._seen_passing(pieces, "in")
        self._move_mass(sum(piece.mass_mg for piece in pieces), "place", quickly)
        self.truth += pieces
        return self

    def take(self, *items: Item, mass_mg: int | None = None, quickly: bool = False) -> Simulated:
        """Take things out together, of this mass where it is given; LookupError if they are not there."""
        return self.take_pieces([self.piece_in_cart(self._product(item), mass_mg) for item in items], quickly)

    def take_pieces(self, pieces: list[Piece], quickly: bool = False) -> Simulated:
        """Take these pieces, which `piece_in_cart` gave, out together."""
        self._taken += pieces
        self._seen_passing(pieces, "out")
        self._move_mass(-sum(piece.mass_mg for piece in pieces), "lift", quickly)
        return self

    def lean(self, mass_mg: int, for_ms: int = 0) -> Simulated:
        """Rest a hand on the cart, for a time or until `let_go`; lift it where mass_mg is negative."""
        if for_ms:
            self.cart.platform.lean(round(mass_mg * G / 1_000), for_ms * 1_000)
            self._act(for_ms)
        else:
            self.cart.platform.pour(mass_mg - self._leaning_mg, 200_000)
            self._leaning_mg = mass_mg
            self._act(200)
        return self

    def let_go(self) -> Simulated:
        """Take the hand off the cart."""
        return self.lean(0)

    def bump(self) -> Simulated:
        """Hit a kerb while standing: a blow of 60 N for 60 ms, and its rebound."""
        self.cart.platform.lean(60_000, 60_000, rise_us=30_000)
        self._act(60)
        self.cart.platform.lean(-60_000, 60_000, rise_us=30_000)
        self._act(PAUSE_MS)
        return self

    def move(self, speed_mm_s: int, floor: str = "smooth") -> Simulated:
        """Push the cart to a speed within a second; 0 stands still."""
        if speed_mm_s:
            self.cart.platform.ground(*FLOORS[floor])
        self.cart.platform.push_to(speed_mm_s)
        self._act(1_000)
        return self

    def stand(self) -> Simulated:
        """Stop the cart."""
        return self.move(0)

    def look(self, item: Item, as_item: Item | None) -> Simulated:
        """Let the camera make something else of a product from now on; None: nothing it knows."""
        self._looks[self._product(item).id] = self._product(as_item).label if as_item else ""
        return self

    def label(self, code_of: Item | None, on: Item) -> Simulated:
        """Stick the code of one product on another's package; None tears it off."""
        self._codes[self._product(on).id] = self._product(code_of).gtins[0] if code_of else ""
        return self

    # -- screen, panel, exit -----------------------------------------------------------

    def tap(self, action: str, value: str = "") -> Simulated:
        """Touch the screen; "pay" is the exit by tap, as in the kiosk."""
        if action == "pay":
            return self.exit("tap")
        self._taps += 1
        screen, key, fresh = self.cart.screen, f"key-{self._taps}", self.cart.fresh_id()
        prompt = screen.prompt.id if screen.prompt and action == taps.ANSWER else 0
        if action == taps.PRICE and screen.weighed:  # the page sends the price that the shopper saw
            value = value or str(screen.weighed.price_minor)
        self.cart.now(lambda t_ns: Tapped(t_ns, action, value, prompt, key, screen.revision, fresh))
        return self._act(200)

    def pick(self, item: Item) -> Simulated:
        """Choose a product by name or picture."""
        return self.tap(taps.PICK, self._product(item).id)

    def answer(self, words: str) -> Simulated:
        """Answer the question on the screen; LookupError where it has no such answer."""
        prompt = self.cart.screen.prompt
        if prompt is None:
            raise LookupError(f"there is no question to answer with '{words}'")
        return self.tap(taps.ANSWER, _option(prompt, words, self.shelf))

    def exit(self, source: str = "gate") -> Simulated:
        """Pass the exit."""
        fresh = self.cart.fresh_id()
        self.cart.now(lambda t_ns: ExitSeen(t_ns, source, fresh))
        return self._act(200)

    def press(self, button: str = "help") -> Simulated:
        """Press a button of the panel."""
        self.cart.now(lambda t_ns: PanelPressed(t_ns, button))
        return self._act(200)

    # -- faults and time ---------------------------------------------------------------

    def device(self, name: str, state: str) -> Simulated:
        """Set "scale", "camera" or "network" to "well", "unplugged", "silent" or "covered"."""
        if name == "scale":
            self.cart.set_scale(state)
        elif name == "camera":
            self.cart.set_camera(state)
        elif name == "network":
            self.cart.set_network(state == "well")
        return self

    def restart(self) -> Simulated:
        """Kill the daemon and start it again two seconds later."""
        self.cart.restart()
        return self._act(2_000)

    def wait(self, duration_ms: int) -> Simulated:
        """Let time pass without an act."""
        self.cart.advance_ms(duration_ms)
        self._note_prompt()
        return self

    def settle(self) -> Simulated:
        """Wait until nobody has acted for REST_MS."""
        left_ms = REST_MS - (self.cart.clock.monotonic_ns() - self._rested_ns) // NS_PER_MS
        for _ in range(0, left_ms, 100):
            self.wait(100)
        return self

    # -- what is seen ------------------------------------------------------------------

    @property
    def view(self) -> View:
        """All that a person beside the cart can tell."""
        charged_minor = sum(sale.charge.total_minor for sale in self.cart.charges)
        return View(self.cart.screen, tuple(self.asked), self.shelf, self.cart.light, charged_minor)

    @property
    def lines(self) -> tuple[ScreenLine, ...]:
        """The rows of the running receipt."""
        return self.cart.screen.lines

    @property
    def basket(self) -> dict[str, int]:
        """How many pieces (or weighed lots) of each product are on the bill."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[line.product_id] = counts.get(line.product_id, 0) + line.count
        return counts

    @property
    def flags(self) -> tuple[str, ...]:
        """What staff and the store must see."""
        return self.cart.screen.flags

    @property
    def alarms(self) -> list[str]:
        """Questions asked and flags raised: an honest trip has none."""
        return [*self.asked, *self.flags]

    @property
    def total_minor(self) -> int:
        """The running total on the screen."""
        return self.cart.screen.total_minor

    @property
    def prompt(self) -> Prompt | None:
        """The question on the screen."""
        return self.cart.screen.prompt

    @property
    def charge(self) -> Charge | None:
        """The last sale that was committed."""
        return self.cart.charges[-1].charge if self.cart.charges else None

    # -- inside --------------------------------------------------------------------------

    def _act(self, duration_ms: int) -> Simulated:
        """Let an act take its time; the cart comes to rest only after it."""
        for _ in range(0, duration_ms, 100):
            self.wait(min(100, duration_ms))
        self._rested_ns = self.cart.clock.monotonic_ns()
        return self

    def _note_prompt(self) -> None:
        prompt = self.cart.screen.prompt
        if prompt is not None and prompt.id != self._prompt_id:
            self._prompt_id = prompt.id
            self.asked.append(prompt.kind)

    def _move_mass(self, mass_mg: int, kind: str, quickly: bool) -> None:
        platform = self.cart.platform
        release_us = platform.add(mass_mg, kind, at_us=platform.now_us + CARRY_MS * 1_000)
        self._act((release_us - platform.now_us) // 1_000)
        if not quickly:
            self.wait(PAUSE_MS)

    def _seen_passing(self, pieces: list[Piece], direction: str) -> None:
        """Let the camera see things pass; what was scanned just now is still in its pass."""
        if self.cart.camera != "well":
            return
        now_ns = self.cart.clock.monotonic_ns()
        hand, self._hand = self._hand, None
        track = self.eyes.track
        same = (
            hand is not None
            and direction == "in"
            and hand[0] in {piece.product.id for piece in pieces}
            and now_ns - hand[2] < SAME_PASS_MS * NS_PER_MS
        )
        if not same:
            track = self.eyes.new_pass()
        labels = tuple(dict.fromkeys(self._look_of(piece.product) for piece in pieces))
        self.cart.send([self.eyes.look(now_ns, track, labels, direction)])

    def _look_of(self, product: Product) -> str:
        return self._looks.get(product.id, product.label)

    def piece_in_hand(self, product: Product, mass_mg: int | None = None) -> Piece:
        """Return the piece that was taken out last, if it is of this product; else a new one from the shelf."""
        for piece in reversed(self._taken):
            if piece.product.id == product.id and mass_mg in (None, piece.mass_mg):
                self._taken.remove(piece)
                return piece
        return self.shelf.piece(product, mass_mg)

    def piece_in_cart(self, product: Product, mass_mg: int | None = None) -> Piece:
        """Grip the last such piece that was put in, which from now on is in the hand; LookupError if there is none."""
        found = [p for p in self.truth if p.product.id == product.id and (mass_mg is None or p.mass_mg == mass_mg)]
        if not found:
            raise LookupError(f"there is no {product.id} in the cart to take")
        self.truth.remove(found[-1])
        return found[-1]

    def _product(self, item: Item) -> Product:
        return self.shelf.find(item) if isinstance(item, str) else item


def _option(prompt: Prompt, words: str, shelf: Shelf) -> str:
    """Return the value of the answer that the words name: its value, its name, or a product's words."""
    for option in prompt.options:
        if words.casefold() in (option.value.casefold(), option.name.casefold()):
            return option.value
    if words in ("own", "out", "help"):
        return words  # every question may be answered so
    product = shelf.find(words)
    for option in prompt.options:
        if option.name == product.name or option.picture == product.id:
            return option.value
    raise LookupError(f"the question {prompt.kind} has no answer '{words}': {[o.value for o in prompt.options]}")


def _catalog(given: Iterable[Product] | Catalog | None) -> Catalog:
    if isinstance(given, Catalog):
        return given
    if given is not None:
        return Catalog("scenario", "EUR", given)
    return demo_catalog()


def demo_catalog() -> Catalog:
    """Return the demo store's catalogue, which is packaged beside this module."""
    from cart.edge.catalog_file import load_catalog

    return load_catalog("")
