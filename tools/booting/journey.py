"""The boot test from the first power-on to the second charge, step by step, each with its time.

power on -> cart.service ready -> screen, scale and store -> trip 1, charged
trip 2 begins -> the power goes -> power on -> the basket is back -> trip 2 ends, charged
the ledger holds both charges, each once, and each of what was really taken
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from cart.clock import SystemClock
from cart.faults import Fault
from tools.booting import board, power_cut, shopping
from tools.booting.board import Board
from tools.booting.cell import Cell
from tools.booting.debian import Kernel
from tools.booting.store import Store
from tools.imaging import copying
from tools.imaging.progress import Progress

READY_S, ONLINE_S, GPIO_S, PUSH_S = 300, 120, 120, 0.3
POWER_S = 60
CRASH_TOLD_S = 3.0
NS_PER_S = 1_000_000_000

Say = Callable[[str], None]


class Step(NamedTuple):
    """A part of the test that is done, and how long it took."""

    name: str
    took_s: float


class Machine(NamedTuple):
    """What is switched on, but for its card.

    kernel, kernel_words  what it starts with
    screen_port           of this machine
    folder                for its sockets, its log of writes and the card after the cut; with a short path
    console_log           what its console says is kept here
    """

    kernel: Kernel
    kernel_words: str
    screen_port: int
    folder: Path
    console_log: IO[str]


class Journey:
    """One run of the test.

    steps  what was done so far, in order
    facts  what the guest reported and what it cost, one line each
    """

    def __init__(self, store: Store, cell: Cell, cart: str, patience: float, say: Say) -> None:
        """cart: its name. patience: by what all limits in time are multiplied."""
        self.steps: list[Step] = []
        self.facts: list[str] = []
        self._store = store
        self._cell = cell
        self._cart = cart
        self._patience = patience
        self._say = say
        self._clock = SystemClock()

    @property
    def total_s(self) -> float:
        """Seconds that all steps together took."""
        return sum(step.took_s for step in self.steps)

    def run(self, machine: Machine, card: Path, customer: shopping.Customer) -> None:
        """Do all of it; Fault BOOT-STUCK or BOOT-WRONG where the cart does not do its part.

        card  the image with the cart, which is changed
        """
        after = machine.folder / "after.img"
        copying.copy(card, after, Progress(quiet=True))
        with self._switched_on(machine, card, "first start") as cart:
            self._store.register(self._cart, self._ready(cart, customer, "first start")["key"])
            self._panel(cart)
            with self.step("trip 1, to the store's receipt"), _no_crash(cart):
                customer.do(shopping.FIRST)
                customer.pay()
            trips = [customer.goods()]
            self._check_ledger(trips)
            with self.step("basket emptied; trip 2, to its second item"), _no_crash(cart):
                customer.do(shopping.EMPTIED)
                customer.do(shopping.SECOND_BEGUN)
        left = power_cut.replay(_write_log(machine), after)
        self.facts.append(f"of the guest's writes {left.kept} were flushed before the cut, {left.lost} are lost")
        with self._switched_on(machine, after, "second start") as cart:
            self._ready(cart, customer, "second start")
            with self.step("trip 2 goes on with its basket, to the store's receipt"), _no_crash(cart):
                customer.do(shopping.SECOND_FINISHED)
                customer.pay()
            self._check_ledger([*trips, customer.goods()])
            _check_crash(cart, CRASH_TOLD_S)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside, and say it; what fails is no step."""
        begun_ns = self._clock.monotonic_ns()
        yield
        took_s = (self._clock.monotonic_ns() - begun_ns) / NS_PER_S
        self.steps.append(Step(name, took_s))
        self._say(f"{took_s:6.1f} s  {name}")

    @contextmanager
    def _switched_on(self, machine: Machine, card: Path, which: str) -> Iterator[Board]:
        """Switch the board on, and cut its power at the end: nothing is ever shut down in order."""
        lines, log = board.sockets(machine.folder), _write_log(machine)
        for path in lines:
            path.unlink(missing_ok=True)
        log.write_bytes(b"")
        words = board.command(machine.kernel, board.Card(card, log), machine.kernel_words, machine.screen_port, lines)
        self._say(f"power on: {which}")
        machine.console_log.write(f"\n== power on: {which} ==\n")
        cart = Board(words, lines, machine.console_log)
        try:
            yield cart
        finally:
            self.facts.append(f"{which}: on for {cart.console.age_s:.0f} s, {cart.cpu_s():.0f} s of processor time")
            cart.cut_power()
            self._cell.unplug()
            self._say("the power is cut")

    def _ready(self, cart: Board, customer: shopping.Customer, which: str) -> dict[str, Any]:
        """Wait until systemd calls cart.service ready, then until the cart weighs and is online; return the report."""
        with self.step(f"{which}: from power to the kernel"):
            cart.console.wait_for("Linux version", POWER_S * self._patience)
        self._cell.plug(cart.lines.cell)
        with self.step(f"{which}: from the kernel to READY of cart.service"):
            said = cart.console.wait_for_report("cart", READY_S * self._patience)
        unit = said["cart"]
        guest_s = int(unit["ActiveEnterTimestampMonotonic"]) / 1_000_000
        self.facts.append(f"{which}: cart.service active {guest_s:.1f} s after the kernel: {unit['StatusText']}")
        if unit["NRestarts"] != "0":
            raise Fault("BOOT-WRONG", f"systemd had to start cart.service {unit['NRestarts']} times again")
        with self.step(f"{which}: from READY to a screen that weighs and is online"):
            customer.wait_for_screen(ONLINE_S * self._patience)
        return said

    def _panel(self, cart: Board) -> None:
        """Push the board's button until the panel's own code in the guest has seen it change."""
        with self.step("a button is seen by rpi-lgpio"):
            seen = self._pushed(cart)
        if seen.get("quiet") == 0 and seen.get("changes", 0) > 0:
            self.facts.append(
                f"rpi-lgpio: {seen['changes']} changes of a real line in {seen['reads']} reads, none before"
            )
            return
        raise Fault("BOOT-WRONG", f"rpi-lgpio does not see the line as it is: {seen}")

    def _pushed(self, cart: Board) -> dict[str, Any]:
        until_ns = self._clock.monotonic_ns() + int(GPIO_S * self._patience * NS_PER_S)
        polling = False
        while self._clock.monotonic_ns() < until_ns:
            said = cart.console.report_within("gpio", PUSH_S)
            if said is not None and said["gpio"] == "polling":
                polling = True
            elif said is not None and isinstance(said["gpio"], dict):
                return said["gpio"]
            if polling:
                cart.push_button()
        raise Fault("BOOT-STUCK", "the guest did not report on its GPIO lines")

    def _check_ledger(self, trips: list[list[dict[str, Any]]]) -> None:
        charges = self._store.ledger()
        wrong = shopping.faults(trips, charges)
        if wrong:
            raise Fault("BOOT-WRONG", "; ".join(wrong))
        amounts = ", ".join(f"{charge['total_minor'] / 100:.2f} {charge['currency']}" for charge in charges)
        self.facts.append(f"the ledger holds {len(charges)} charge(s), as really taken: {amounts}")


def _write_log(machine: Machine) -> Path:
    return machine.folder / "writes.log"


@contextmanager
def _no_crash(cart: Board) -> Iterator[None]:
    """Turn whatever comes of a daemon that crashed meanwhile into BOOT-WRONG with its last words."""
    try:
        yield
    except Fault:
        _check_crash(cart, CRASH_TOLD_S)
        raise
    _check_crash(cart, 0)


def _check_crash(cart: Board, timeout_s: float) -> None:
    crash = cart.console.report_within("crashed", timeout_s)
    if crash is not None:
        unit = crash["crashed"]
        raise Fault("BOOT-WRONG", f"cart.service was started again {unit['NRestarts']} times: {crash['why']}")
