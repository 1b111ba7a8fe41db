"""A cart reduced to its money: real database, writer, broker and outbox rules, without scale, camera or shopper.

Tests and `tools/chaos` make charges with it. As a program (`python -m tools.mini_cart`) it commits charges until the
file --until exists, prints one JSON line for each that it would have told the shopper about, and goes on until the
store has signed for all: then it prints {"state": "drained"} and waits to be ended.
"""

import argparse
import json
import queue
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from cart import logs
from cart.clock import SystemClock
from cart.core import sync
from cart.core.effects import CommitSale, Effect, Note
from cart.core.events import BrokerDown, BrokerUp, Delivered, Event, Receipted, Saved, Tick
from cart.core.trip import Charge, Entry, Line, Trip
from cart.edge.broker import Address, Broker
from cart.edge.database import Identity, open_database
from cart.edge.ids import fresh_ids, random_hex
from cart.edge.inbox import Inbox
from cart.edge.keys import cart_signer, store_verifiers
from cart.edge.writer import DatabaseWriter
from cart.wire.messages import Origin

TICK_S = 0.1
EVENTS_MAX = 10_000
NS_PER_MS = 1_000_000


class MiniCart:
    """The charge part of a cart, in this process.

    events  what happened so far, in order
    notes   what the rules complained about
    """

    def __init__(self, folder: Path, port: int, cart: str = "cart-1") -> None:
        """Open or make the database in `folder`; keys are in folder/keys. Nothing is connected before `start`."""
        self.clock = SystemClock()
        self.fresh_id = fresh_ids(self.clock)
        self.origin = Origin("demo", "store-1", cart)
        self.database = open_database(folder / "cart.sqlite3", self.clock, random_hex)
        restored = self.database.restored(self.clock.monotonic_ns(), self.clock.wall_ms())
        self.state = sync.restored(restored)
        self.save_seq, self.charge_seq = restored.save_seq, restored.charge_seq
        self.events: list[Event] = []
        self.notes: list[Note] = []
        self._due: dict[str, Charge] = {}
        self._queue: queue.Queue[Event] = queue.Queue(EVENTS_MAX)
        identity = Identity(self.origin, cart_signer(folder / "keys"))
        self.writer = DatabaseWriter(self.database, identity, self.clock)
        inbox = Inbox(
            self.origin,
            self.database.incarnation,
            store_verifiers(folder / "keys"),
            self.database.take_command,
            self.fresh_id,
            self.clock,
        )
        self.broker = Broker(
            Address("127.0.0.1", port),
            self.origin,
            self.database.incarnation,
            self.database.outbox_row,
            inbox,
            self.clock,
        )

    @property
    def saving(self) -> bool:
        """Return True while a charge is not on disk yet."""
        return bool(self._due)

    @property
    def drained(self) -> bool:
        """Return True when the store signed for every charge."""
        return not self._due and not self.state.outbox

    def start(self) -> None:
        """Start the threads."""
        self.writer.start(self._queue.put_nowait)
        self.broker.start(self._queue.put_nowait)

    def stop(self) -> None:
        """End the threads in order and close the database."""
        self.writer.stop()
        self.broker.stop()
        self.database.close()

    def sell(self, total_minor: int) -> Charge:
        """Commit a charge of one line; `run_until` takes it from there."""
        self.save_seq += 1
        self.charge_seq += 1
        trip_id = self.fresh_id()
        line = Line(1, "milk", "Milk 1 l", "piece", 1_030_000, total_minor, total_minor, "scanned and weighed")
        charge = Charge(
            self.fresh_id(), self.charge_seq, trip_id, self.clock.wall_ms(), "EUR", total_minor, (line,), (), "demo-1"
        )
        trip = Trip(trip_id=trip_id, phase="paid", lines=(line,), charge_id=charge.charge_id, charge_seq=charge.seq)
        self._due[charge.charge_id] = charge
        self._handle((CommitSale(self.save_seq, (Entry("sale", 1, "milk", total_minor),), trip, charge),))
        return charge

    def run_until(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Take events until `done`; TimeoutError when that does not come in time."""
        end_ns = self.clock.monotonic_ns() + int(timeout_s * 1e9)
        while not done():
            if self.clock.monotonic_ns() > end_ns:
                raise TimeoutError(f"not done in {timeout_s:g} s; last events: {self.events[-5:]}; {self.state}")
            self.take_one()

    def take_one(self) -> Event:
        """Take the next event, or a tick when none comes; return it."""
        try:
            event = self._queue.get(timeout=TICK_S)
        except queue.Empty:
            event = Tick(self.clock.monotonic_ns(), self.clock.wall_ms())
        if not isinstance(event, Tick):
            self.events.append(event)
        self.state, effects = self._step(event)
        self._handle(effects)
        return event

    def saw(self, kind: type[Event], after: int = 0) -> bool:
        """Return True when an event of `kind` came, after the first `after` events."""
        return any(isinstance(event, kind) for event in self.events[after:])

    def _step(self, event: Event) -> sync.Step:
        match event:
            case Saved() if event.charge_id:
                charge = self._due.pop(event.charge_id)
                return sync.committed(self.state, event, charge.total_minor, charge.wall_ms)
            case BrokerUp() | BrokerDown() | Delivered() | Receipted():
                return sync.changed(self.state, event)
            case Tick():
                return sync.ticked(self.state, event.t_ns)
        return self.state, ()

    def _handle(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Note):
                self.notes.append(effect)
            self.writer.handle(effect)
            self.broker.handle(effect)


def main(argv: list[str] | None = None) -> int:
    """Commit charges, tell of each, drain, and wait for the end."""
    args = _parser().parse_args(argv)
    logs.set_up(20)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    cart = MiniCart(args.folder, args.port, args.cart)
    cart.start()
    _print({"state": "started"})
    try:
        _sell(cart, args.until, args.every_ms * NS_PER_MS, ended)
    finally:
        cart.stop()  # the last receipt is on disk then
    return 0


def _sell(cart: MiniCart, until: Path, every_ns: int, ended: threading.Event) -> None:
    amounts = random.Random(f"{cart.origin.cart}/{cart.charge_seq}")
    next_ns, drained = 0, False
    while not ended.is_set():
        selling = not until.exists()
        if selling and cart.clock.monotonic_ns() >= next_ns and not cart.saving:
            next_ns = cart.clock.monotonic_ns() + every_ns
            cart.sell(amounts.randrange(1, 10_000))
        if not selling and not drained and cart.drained:
            drained = True
            _print({"state": "drained"})
        event = cart.take_one()
        if isinstance(event, Saved) and event.charge_id:
            _print({"state": "confirmed", "charge_id": event.charge_id})


def _print(values: dict[str, str]) -> None:
    print(json.dumps(values), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mini_cart", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="database and keys")
    parser.add_argument("--port", type=int, required=True, help="of the broker on this machine")
    parser.add_argument("--cart", default="cart-1")
    parser.add_argument("--until", type=Path, required=True, help="stop selling when this file exists")
    parser.add_argument("--every-ms", type=int, default=200, help="at most one charge in this time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
