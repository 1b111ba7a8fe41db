"""Trips in simulated time whose daemon is killed at random points, a hundred times cheaper than in real time.

The core, the world's physics and the script are those of the live bench, and the shopper is as patient: holds a code
into view again when nothing happens, answers what is asked with what is really in the cart, touches a dead screen
again. Half of the kills come at random moments; half within milliseconds of a transaction, which then reached the
disk or did not. What the simulation has no processes for (sockets, SQLite, the broker) is what `--what trips` is for.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from cart.clock import NS_PER_MS
from cart.core.effects import CommitSale, Effect, Save
from cart.core.setup import Setup
from cart.sim import actions as act
from cart.sim.expect import shortfall
from cart.sim.play import do
from cart.sim.runner import Simulated, demo_catalog
from cart.sim.scenario import parse
from cart.sim.scorer import score
from cart.sim.virtual import Virtual
from tools.chaos_charges import failure_rate_max

FIRST_MS, LAST_MS = 3_000, 60_000
SAVES = 30
"""About how many transactions a trip has; kills that follow one are drawn up to here."""

AFTER_SAVE_NS = 10_000_000
OUTAGE_MS = (300, 2_500)
"""How long a daemon is dead: what systemd and its start take, on a quick machine and on a slow one."""

REACT_MS, EXPECT_MS, POLL_MS = 2_000, 8_000, 100
START_TRIES, SCAN_TRIES, PAY_TRIES = 5, 3, 4

Say = Callable[[str], None]


class Dying(Virtual):
    """A cart whose daemon dies at planned times and soon after planned transactions.

    deaths  when it died, in ms since the start of the world
    """

    def __init__(self, setup: Setup, seed: int, *, kills: int) -> None:
        self._dice = random.Random(f"deaths {seed}")
        times = (self._dice.randrange(FIRST_MS, LAST_MS) for _ in range(kills // 2))
        self._planned_ns = sorted(ms * NS_PER_MS for ms in times)
        self._after = set(self._dice.sample(range(1, SAVES), kills - kills // 2))
        self._saves = 0
        self.deaths: list[int] = []
        super().__init__(setup, seed)

    def _pass_to(self, t_ns: int) -> None:
        while self._planned_ns and self._planned_ns[0] <= t_ns:
            super()._pass_to(max(self._planned_ns.pop(0), self.clock.monotonic_ns()))
            self.deaths.append(self.clock.monotonic_ns() // NS_PER_MS)
            self.restart(self._dice.randrange(*OUTAGE_MS), unsaved=self._dice.random() < 0.5)
        super()._pass_to(t_ns)

    def _carry_out(self, effect: Effect) -> None:
        super()._carry_out(effect)
        if isinstance(effect, Save | CommitSale):
            self._saves += 1
            if self._saves in self._after:
                soon_ns = self.clock.monotonic_ns() + self._dice.randrange(AFTER_SAVE_NS)
                self._planned_ns = sorted([*self._planned_ns, soon_ns])


class Trip:
    """One trip of a scripted, patient shopper with a cart that dies."""

    def __init__(self, script: str, kills: int, seed: int) -> None:
        self._lines = parse(script)
        self._shop = Simulated(demo_catalog(), seed, idle=True, make=partial(Dying, kills=kills))

    @property
    def cart(self) -> Dying:
        """The cart and its store."""
        assert isinstance(self._shop.cart, Dying)
        return self._shop.cart

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The store's charges, in the fields of `cart-backoffice ledger`."""
        charges = self.cart.backstore.ledger
        return [{"total_minor": x.total_minor, "lines": [asdict(line) for line in x.lines]} for x in charges]

    def play(self) -> list[str]:
        """Play the script to its end and return what is wrong with the charge, nothing if it is right."""
        for line in self._lines:
            self._act(line.action)
        for _ in range(PAY_TRIES):
            if not self.ledger:
                self._pay()
        truth = [asdict(x.product) | {"product_id": x.product.id, "mass_mg": x.mass_mg} for x in self._shop.truth]
        for piece in truth:
            piece["unit_price_minor"] = piece["price_minor"]
        wrong = list(score(truth, self.ledger).wrong)
        if wrong:
            screen = self.cart.screen
            wrong.append(f"asked {self._shop.asked}, phase {screen.phase}, flags {screen.flags}")
        return wrong

    def _act(self, action: act.Action) -> None:
        match action:
            case act.Scan():
                self._scan(action)
            case act.Tap("start"):
                for _ in range(START_TRIES):  # an empty cart is weighed first, and says so
                    do(self._shop, action)
                    if self._wait_until(lambda: not self.cart.down and self.cart.screen.phase != "idle", REACT_MS):
                        return
            case act.Tap():
                self._wait_until(lambda: not self.cart.down, EXPECT_MS)
                do(self._shop, action)
            case act.Expect():
                self._expect(action)
            case _:
                if not self.cart.down and self.cart.screen.phase == "idle":
                    self._act(act.Tap("start", ""))  # the touch was lost with the daemon: the screen asks for it again
                do(self._shop, action)

    def _scan(self, action: act.Scan) -> None:
        """Hold the code into view, up to three times, until the screen shows that it was seen."""
        before = self._seen()
        for _ in range(SCAN_TRIES):
            do(self._shop, action)
            if self._wait_until(lambda: self._seen() != before, REACT_MS):
                return

    def _seen(self) -> object:
        return self.cart.screen.lines, self.cart.screen.waiting

    def _expect(self, expected: act.Expect) -> None:
        """Wait for what the script expects; answer what stands in the way. What never comes, the charge will show."""
        timeout_ms = expected.within_ms or EXPECT_MS
        for _ in range(0, timeout_ms, REACT_MS):
            if self._wait_until(lambda: not shortfall(self._shop.view, expected), REACT_MS):
                return
            if expected.what in ("basket", "phase", "total"):
                self._answer_honestly()

    def _pay(self) -> None:
        for action in ("checkout", "pay"):
            self._act(act.Tap(action, ""))
            for _ in range(5):
                self._wait_until(lambda: bool(self.cart.screen.receipt), REACT_MS)
                self._answer_honestly()

    def _answer_honestly(self) -> None:
        """Answer a question with what is in the cart and not on the bill: tap it, scan it again, or find it by name.

        Asked what was taken out, tap what is on the bill and not in the cart.
        """
        prompt = self.cart.screen.prompt
        if prompt is None or self.cart.down:
            return
        if prompt.kind == "weigh_again":
            do(self._shop, act.Take((act.Thing(prompt.args[0], 1, None),), False))
            do(self._shop, act.Put((act.Thing(prompt.args[0], 1, None),), False))
            return
        mine, billed = Counter(piece.product.id for piece in self._shop.truth), Counter(self._shop.basket)
        removed = prompt.kind == "what_removed"
        waiting = Counter(x.product_id for x in self.cart.screen.waiting)  # named already: the list shows it
        for product_id in sorted((billed - mine if removed else mine - billed - waiting).elements()):
            product = self._shop.shelf.find(product_id)
            for option in prompt.options:
                if product_id == option.picture or product.name == option.name:
                    self._shop.tap("answer", option.value)
                    return
            if removed:
                continue
            self._scan(act.Scan(product_id)) if product.gtins else self._shop.pick(product)

    def _wait_until(self, is_so: Callable[[], bool], timeout_ms: int) -> bool:
        for _ in range(0, timeout_ms, POLL_MS):
            if is_so():
                return True
            self._shop.wait(POLL_MS)
        return is_so()


def run(script: str, trips: int, kills: int, seed: int, say: Say) -> dict[str, Any]:
    """Return what became of the charges of `trips` trips with `kills` kills each, of seeds from `seed` on.

    unpaid  of the wrong: without any charge
    """
    result: dict[str, Any] = {"trips": trips, "kills": 0, "wrong": 0, "unpaid": 0, "failures": []}
    for number in range(seed, seed + trips):
        trip = Trip(script, kills, number)
        wrong = trip.play()
        result["kills"] += len(trip.cart.deaths)
        if wrong:
            result["wrong"] += 1
            result["unpaid"] += not trip.ledger
            result["failures"].append(f"seed {number}: {'; '.join(wrong)}")
            say(f"seed {number} FAILED, killed at ms {trip.cart.deaths}: {'; '.join(wrong)}")
    return result | {"failure_rate_max": failure_rate_max(trips, result["wrong"])}
