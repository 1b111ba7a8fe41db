"""Plays a text scenario on a simulated cart and says whether all came true.

The first expectation that fails ends the scenario: what follows would be
judged on a cart that is not in the state its author meant.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cart.core.catalog import PIECE, Catalog, Product
from cart.sim import actions as act
from cart.sim.expect import shortfall
from cart.sim.runner import Simulated, demo_catalog
from cart.sim.scenario import ScenarioError, parse
from cart.sim.shelf import Shelf

POLL_MS = 100


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scenario; failure is "" where it passed. The basket is what the screen shows at the end."""

    passed: bool
    basket: tuple[dict[str, Any], ...]
    asked: tuple[str, ...]
    flags: tuple[str, ...]
    effects_sha256: str
    failure: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)


def play(text: str) -> Result:
    """Return the result of a scenario; what is wrong with its text is a failure, too."""
    try:
        lines = parse(text)
    except ScenarioError as error:
        return Result(False, (), (), (), "", str(error))
    cart, failure = None, ""
    try:
        cart = simulated(lines)
        for line in lines:
            _play_line(cart, line)
    except ScenarioError as error:
        failure = str(error)
    if cart is None:
        return Result(False, (), (), (), "", failure)
    basket = tuple(
        {"product": line.product_id, "count": line.count, "mass_mg": line.mass_mg, "amount_minor": line.amount_minor}
        for line in cart.lines
    )
    return Result(not failure, basket, tuple(cart.asked), cart.flags, cart.cart.effects_sha256(), failure)


def simulated(lines: tuple[act.Line, ...]) -> Simulated:
    """Return the cart that the scenario's first words describe: its products, seed, and whether somebody signed in."""
    settings = {line.action.name: line.action.value for line in lines if isinstance(line.action, act.Setting)}
    products = []
    for line in lines:
        if isinstance(line.action, act.Define):
            products.append(_product(line.action))
    return Simulated(
        _catalog(products, lines), settings.get("seed", 7), "idle" in settings, sealed="sealed" in settings
    )


def _catalog(products: list[Product], lines: tuple[act.Line, ...]) -> Catalog:
    """Return the scenario's own products before those of the demo store; an own id or code replaces the store's."""
    demo = demo_catalog()
    ids, gtins = {p.id for p in products}, {g for p in products for g in p.gtins}
    labels, plus = {p.label for p in products}, {p.plu for p in products}
    rest = [
        p
        for p in demo.products
        if p.id not in ids
        and not gtins & set(p.gtins)
        and (not p.label or p.label not in labels)
        and (not p.plu or p.plu not in plus)
    ]
    try:
        return Catalog(demo.version, demo.currency, [*products, *rest])
    except ValueError as error:
        number = next(line.number for line in lines if isinstance(line.action, act.Define))
        raise ScenarioError(number, str(error)) from None


def _product(defined: act.Define) -> Product:
    gtin = defined.gtin.rjust(14, "0") if defined.gtin else ""
    if not gtin and defined.sold_by == PIECE:
        gtin = _own_gtin(defined.id)
    return Product(
        id=defined.id,
        name=defined.name,
        sold_by=defined.sold_by,
        price_minor=defined.price_minor,
        mass_mg=defined.mass_mg,
        mass_sd_mg=defined.mass_sd_mg,
        gtins=(gtin,) if gtin else (),
        plu=defined.plu,
        label=defined.label,
    )


def _own_gtin(product_id: str) -> str:
    """Return a GTIN-14 for a product that was given none: GS1's demonstration prefix 952, and digits of its id."""
    from binascii import crc32

    from cart.wire.gtin import check_digit

    body = f"0952{crc32(product_id.encode()) % 10**9:09d}"
    return body + check_digit(body)


def _play_line(cart: Simulated, line: act.Line) -> None:
    try:
        if isinstance(line.action, act.Expect):
            _expect(cart, line.number, line.action)
        else:
            do(cart, line.action)
    except LookupError as error:
        raise ScenarioError(line.number, str(error.args[0])) from None


def do(cart: Simulated, action: act.Action) -> None:
    """Let the shopper, or the world, do what one line says."""
    match action:
        case act.Scan(name, still):
            cart.scan(name, still=still)
        case act.Put(things, quickly):
            cart.put_pieces([cart.piece_in_hand(*thing) for thing in _pieces(cart.shelf, things)], quickly)
        case act.Take(things, quickly):
            cart.take_pieces([cart.piece_in_cart(*thing) for thing in _pieces(cart.shelf, things)], quickly)
        case act.Look(name, as_name):
            cart.look(name, as_name or None)
        case act.Label(code_of, on):
            cart.label(code_of or None, on)
        case act.Lean(mass_mg, for_ms):
            cart.lean(mass_mg, for_ms)
        case act.Bump():
            cart.bump()
        case act.Move(speed_mm_s, floor):
            cart.move(speed_mm_s, floor)
        case act.Device(name, state):
            cart.device(name, state)
        case act.Restart():
            cart.restart()
        case act.Tap("pick", value):
            cart.pick(value)
        case act.Tap("answer", value):
            cart.answer(value)
        case act.Tap(("withdraw" | "weigh") as name, value):
            cart.tap(name, cart.shelf.find(value).id)
        case act.Tap(name, value):
            cart.tap(name, value)
        case act.Press(button):
            cart.press(button)
        case act.Exit(source):
            cart.exit(source)
        case act.Wait(for_ms):
            cart.wait(for_ms)


def _pieces(shelf: Shelf, things: tuple[act.Thing, ...]) -> list[tuple[Product, int | None]]:
    return [(shelf.find(thing.name), thing.mass_mg) for thing in things for _ in range(thing.count)]


def _expect(cart: Simulated, number: int, expected: act.Expect) -> None:
    if not expected.now and not expected.within_ms:
        cart.settle()
    missing = shortfall(cart.view, expected)
    for _ in range(0, expected.within_ms, POLL_MS):
        if not missing:
            return
        cart.wait(POLL_MS)
        missing = shortfall(cart.view, expected)
    if missing:
        raise ScenarioError(number, missing)
