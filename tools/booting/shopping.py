"""Two trips of a shopper outside, at the emulated cart's own screen. There is no camera, so produce is found by name.

The second trip is in two parts: between them the power goes.
"""

from collections.abc import Callable, Iterable
from typing import Any

from cart.clock import SystemClock
from cart.core.effects import Screen
from cart.edge.catalog_file import load_catalog
from cart.faults import Fault
from cart.sim.scenario import parse
from cart.sim.scorer import price_minor, score
from cart.sim.shelf import Shelf
from cart.sim.shopper import Shopper
from tools.booting.cell import Cell

FIRST = """\
tap start
put banana 850 g
tap pick banana
expect basket banana 850 g within {s} s
put red-bell-pepper 410 g
tap pick red-bell-pepper
expect basket banana 850 g and red-bell-pepper 410 g within {s} s
tap checkout
"""

PAID = """\
expect receipt receipted within {s} s
"""

EMPTIED = """\
take banana and red-bell-pepper
tap done
expect phase cleared within {s} s
"""

SECOND_BEGUN = """\
tap start
put orange 620 g
tap pick orange
expect basket orange 620 g within {s} s
put yellow-onion 540 g
tap pick yellow-onion
expect basket orange 620 g and yellow-onion 540 g within {s} s
"""

SECOND_FINISHED = """\
expect basket orange 620 g and yellow-onion 540 g within {s} s
put sweet-potato 900 g
tap pick sweet-potato
expect basket orange 620 g and yellow-onion 540 g and sweet-potato 900 g within {s} s
tap checkout
"""

EXPECT_S = 60
PAY_TRIES, PAID_S = 5, 5.0
READY_WITHOUT = {"scale_lost", "offline"}
SEED = 3
STEADY_S = 5.0
NS_PER_S = 1_000_000_000

LATE = ("no verdict on a change within",)
"""What an emulated cart, twenty times slower than a Pi, may miss without being wrong."""


class Customer:
    """Whoever shops; the basket and what is in it are the cell's."""

    def __init__(self, cell: Cell, screen_port: int, patience: float, say: Callable[[str], None]) -> None:
        self._cell = cell
        self._port = screen_port
        self._wait_s = round(EXPECT_S * patience)
        self._say = say

    def wait_for_screen(self, timeout_s: float) -> None:
        """Wait until the screen shows a cart that weighs and is online, and goes on so; BOOT-STUCK when it does not."""
        shopper = self._shopper()
        try:
            well = _stays(shopper, lambda screen: not READY_WITHOUT & set(screen.notices), timeout_s)
            seen = _described(shopper.stream.screen)
        finally:
            shopper.stream.stop()
        if not well:
            raise Fault("BOOT-STUCK", f"no screen of a cart that weighs and is online in {timeout_s:g} s; {seen}")

    def do(self, script: str) -> None:
        """Do what one of the texts above says; BOOT-WRONG where the cart does not do its part."""
        shopper = self._shopper()
        if not shopper.stream.wait(lambda screen: True, self._wait_s):
            raise Fault("BOOT-STUCK", f"no screen in {self._wait_s} s")
        unmet = [what for what in shopper.play(parse(script.format(s=self._wait_s))).unmet if not what.startswith(LATE)]
        if unmet:
            raise Fault("BOOT-WRONG", f"{'; '.join(unmet)}; {_described(shopper.stream.screen)}")

    def pay(self) -> None:
        """Touch "pay" whenever it is offered, until the cart says paid, and wait for the receipt; BOOT-WRONG if not.

        A cart that feels a hand at the goods goes back from locked to closing, and refuses the touch that comes then:
        a shopper waits and touches again.
        """
        shopper = self._shopper()
        try:
            if not any(self._pay_once(shopper) for _ in range(PAY_TRIES)):
                raise Fault("BOOT-WRONG", f"not paid after {PAY_TRIES} touches; {_described(shopper.stream.screen)}")
        finally:
            shopper.stream.stop()
        self.do(PAID)

    def _pay_once(self, shopper: Shopper) -> bool:
        offered = shopper.stream.wait(lambda screen: screen.phase in ("locked", "paid"), self._wait_s)
        if offered and shopper.screen.phase == "locked":
            self._say("         touches pay" + ("" if shopper.stream.tap("pay") else ", which is refused"))
        return shopper.stream.wait(lambda screen: screen.phase == "paid", PAID_S)

    def goods(self) -> list[dict[str, Any]]:
        """Return what really is in the basket, as `faults` takes it."""
        return list(self._cell.act(act="tell")["truth"])

    def _shopper(self) -> Shopper:
        shelf = Shelf(load_catalog(""), SEED)
        return Shopper(self._port, self._cell, shelf, SystemClock(), self._tell)

    def _tell(self, entry: tuple[float, str, str]) -> None:
        t_s, did, said = entry
        self._say(f"  {t_s:5.1f} s  {did}" + (f": {said}" if said else ""))


def faults(trips: list[list[dict[str, Any]]], charges: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the store's ledger; it must hold one charge for each trip, of exactly its goods.

    trips    the goods of each trip, in order, as the world tells them
    charges  rows of `cart-backoffice ledger -o json`, in order
    """
    found = []
    if len(charges) != len(trips):
        found.append(f"the ledger holds {len(charges)} charges, not {len(trips)}")
    if len({charge["charge_id"] for charge in charges}) != len(charges):
        found.append("a charge is in the ledger twice")
    for number, (goods, charge) in enumerate(zip(trips, charges, strict=False), start=1):
        found += [f"trip {number}: {wrong}" for wrong in score(goods, [charge]).wrong]
    return found


def total_minor(goods: Iterable[dict[str, Any]]) -> int:
    """Return what the goods really cost."""
    return sum(price_minor(piece) for piece in goods)


def _stays(shopper: Shopper, true: Callable[[Screen], bool], timeout_s: float) -> bool:
    """Return whether, before the time is over, `true` holds for STEADY_S without a break."""
    clock = SystemClock()
    until_ns = clock.monotonic_ns() + int(timeout_s * NS_PER_S)
    while (left_s := (until_ns - clock.monotonic_ns()) / NS_PER_S) > 0:
        if shopper.stream.wait(true, left_s) and not shopper.stream.wait(lambda screen: not true(screen), STEADY_S):
            return True
    return False


def _described(screen: Screen | None) -> str:
    if screen is None:
        return "there was no screen at all"
    prompt = screen.prompt.kind if screen.prompt else "nothing"
    lines = ", ".join(f"{line.count} {line.product_id}" for line in screen.lines) or "nothing"
    notices = ", ".join(screen.notices) or "nothing"
    return f"the screen: {screen.phase}, bill {lines}, asks {prompt}, says {notices}"
