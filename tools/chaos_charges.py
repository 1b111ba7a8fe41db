"""Charges under fire: small carts that only sell, a broker and a back office, killed at random points.

The carts are `tools.mini_cart`: the product's own database, writer, broker and outbox rules. So hundreds of charges
meet the kills in the time that a shopper's trip takes.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cart.backoffice import keys as store_keys
from cart.backoffice.ledger import LedgerRow, open_ledger
from cart.backoffice.report import gap_reports
from cart.clock import SystemClock
from cart.edge.database import OutboxLine, look_into
from cart.edge.keys import cart_signer
from tools.processes import LocalBroker, Spawned, back_office

CARTS = {"cart-1": 50, "cart-2": 400}
"""Each cart, and the ms in which it sells once at most. The quick one makes kills fall between a commit and its
receipt, but its first tries fill the window and it hardly tries again; the slow one does, and makes duplicates."""
VICTIMS = ("cart", "broker", "store", "wiped broker")
WEIGHTS = (4, 3, 3, 1)

BETWEEN_KILLS_S = (0.3, 2.0)
OUTAGE_S = (0.0, 1.5)
LONG_OUTAGE_S = (4.0, 7.0)
LONG_OUTAGES = 0.2
"""How often an outage is a long one: long enough that carts try again, so that the store meets duplicates."""

DRAIN_S_MAX = 60.0
DELIVERIES_MAX = 3.0

Say = Callable[[str], None]


class Site:
    """A store and its carts in a folder, as processes."""

    def __init__(self, folder: Path) -> None:
        """Make keys and start everything."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.stop_file = folder / "stop-selling"
        self.confirmed: list[str] = []
        self.broker = LocalBroker(folder / "broker")
        store_keys.make_store_key(folder / "keys")
        self.broker.start()
        self.office = back_office(folder, self.broker.port)
        self.office.wait_for("serving")
        self.carts = {cart: self._start_cart(cart) for cart in CARTS}

    def kill(self, victim: str, cart: str, outage_s: float) -> None:
        """SIGKILL the victim and start it again after the outage."""
        if victim == "cart":
            self.carts[cart].kill()
            self._take_confirmed(cart)
            time.sleep(outage_s)
            self.carts[cart] = self._start_cart(cart)
        elif victim == "store":
            self.office.kill()
            time.sleep(outage_s)
            self.office = back_office(self.folder, self.broker.port)
        else:
            self.broker.kill()
            if victim == "wiped broker":
                self.broker.wipe()
            time.sleep(outage_s)
            self.broker.start()

    def drain(self) -> float:
        """Let the carts sell no more; return the seconds until the store had signed for everything, or we gave up."""
        self.stop_file.touch()
        begun = time.monotonic()
        with suppress(TimeoutError):
            for cart, process in self.carts.items():
                while "drained" not in (line := process.wait_for('"state"', DRAIN_S_MAX + 10)):
                    self._confirm(line)
                self._take_confirmed(cart)
        return time.monotonic() - begun

    def close(self) -> None:
        """End every process."""
        for process in (*self.carts.values(), self.office):
            process.stop()
        self.broker.stop()

    def outboxes(self) -> dict[str, list[OutboxLine]]:
        """Return what the carts' own databases say."""
        found = {}
        for cart in CARTS:
            database = look_into(self.folder / cart / "cart.sqlite3", SystemClock())
            found[cart] = database.outbox_lines()
            database.close()
        return found

    def ledger(self) -> tuple[list[LedgerRow], int]:
        """Return the store's charges, and how many messages it did not believe."""
        ledger = open_ledger(f"sqlite:{self.folder / 'ledger.sqlite3'}", create=False)
        try:
            return ledger.rows(), len(ledger.quarantined())
        finally:
            ledger.close()

    def _start_cart(self, cart: str) -> Spawned:
        folder = self.folder / cart
        if not (folder / "keys").exists():
            cart_signer(folder / "keys")
            (folder / "keys" / "store.pub").write_bytes((self.folder / "keys" / "store.pub").read_bytes())
            store_keys.register_cart(self.folder / "keys", cart, folder / "keys" / "cart.pub")
        command = [sys.executable, "-m", "tools.mini_cart", "--folder", str(folder), "--cart", cart]
        command += ["--port", str(self.broker.port), "--until", str(self.stop_file)]
        command += ["--every-ms", str(CARTS[cart])]
        process = Spawned(cart, command, self.folder / f"{cart}.log")
        process.wait_for("started")
        return process

    def _take_confirmed(self, cart: str) -> None:
        for line in self.carts[cart].heard():
            self._confirm(line)

    def _confirm(self, line: str) -> None:
        heard = json.loads(line)
        if heard["state"] == "confirmed":
            self.confirmed.append(heard["charge_id"])


def run(folder: Path, kills: int, seed: int, say: Say) -> dict[str, Any]:
    """Return what became of the charges after `kills` kills; `wrong` is 0 when every invariant held."""
    rng = random.Random(seed)
    site = Site(folder)
    killed: Counter[str] = Counter()
    try:
        for number in range(1, kills + 1):
            wait_s = rng.uniform(*BETWEEN_KILLS_S)
            outage_s = rng.uniform(*(LONG_OUTAGE_S if rng.random() < LONG_OUTAGES else OUTAGE_S))
            (victim,), cart = rng.choices(VICTIMS, WEIGHTS), rng.choice(list(CARTS))
            time.sleep(wait_s)
            name = cart if victim == "cart" else victim
            say(f"kill {number:>3} of {kills}: after {wait_s:.2f} s the {name}, gone for {outage_s:.2f} s")
            site.kill(victim, cart, outage_s)
            killed[victim] += 1
        drain_s = site.drain()
    finally:
        site.close()
    result = judged(site, drain_s)
    return result | {"kills": dict(killed), "failure_rate_max": failure_rate_max(kills, result["wrong"])}


def failure_rate_max(runs: int, failed: int) -> float | None:
    """Return the rate of failure that `runs` clean runs rule out with 95 %: 3 / runs. None when one failed."""
    return None if failed or not runs else round(min(1.0, 3 / runs), 4)


def judged(site: Site, drain_s: float) -> dict[str, Any]:
    """Return the figures, and every invariant that was broken."""
    outboxes = site.outboxes()
    (rows, quarantined), lines = site.ledger(), [line for each in outboxes.values() for line in each]
    deliveries = sum(row.deliveries for row in rows)
    made, booked = {line.charge_id for line in lines}, {row.charge_id for row in rows}
    ratio = deliveries / max(len(rows), 1)
    gaps = [report for report in gap_reports(rows) if report["missing"] or report["unchained"]]
    checks = {
        "charges were made": bool(made),
        "the ledger holds the charges committed": made == booked,
        "each charge once": len(rows) == len(booked) and len(lines) == len(made),
        "sums are equal": sum(line.total_minor for line in lines) == sum(row.total_minor for row in rows),
        "bytes are equal": {line.sha256 for line in lines} == {row.body_sha256 for row in rows},
        "every charge is receipted": all(line.state == "done" for line in lines),
        "what shoppers were told is in the ledger": set(site.confirmed) <= booked,
        "no gap in the numbers, no break in the chain": not gaps,
        "nothing in quarantine": quarantined == 0,
        f"drained within {DRAIN_S_MAX:g} s": drain_s <= DRAIN_S_MAX,
        f"under {DELIVERIES_MAX:g} deliveries a charge": ratio < DELIVERIES_MAX,
    }
    broken = [name for name, holds in checks.items() if not holds]
    return {
        "charges": len(lines),
        "in_ledger": len(rows),
        "deliveries": deliveries,
        "duplicates": deliveries - len(rows),
        "deliveries_per_charge": round(ratio, 3),
        "drain_s": round(drain_s, 2),
        "wrong": len(broken),
        "broken": broken,
    }
