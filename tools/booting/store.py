"""The store on this machine: a broker and the back office, on the loopback address, which the guest reaches."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.processes import LocalBroker, Spawned, back_office

TIMEOUT_S = 60


class Store:
    """Broker, back office and ledger in a folder of their own.

    port        of the broker
    public_key  the store's, which every cart needs before its first start
    """

    def __init__(self, folder: Path) -> None:
        """Make the store's keys; nothing runs yet."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._office: Spawned | None = None
        self._broker = LocalBroker(folder / "broker")
        self.port = self._broker.port
        self._ask("keys", "init", "--keys", str(self._keys))
        self.public_key = self._keys / "store.pub"

    def open(self) -> None:
        """Start both and wait until charges are taken."""
        self._broker.start()
        self._office = back_office(self._folder, self.port)
        self._office.wait_for("serving")

    def close(self) -> None:
        """End both; safe to call twice."""
        if self._office is not None:
            self._office.stop()
            self._office = None
        self._broker.stop()

    def register(self, cart: str, public_pem: str) -> None:
        """Let the store know a cart's key."""
        path = self._folder / f"{cart}.pub"
        path.write_text(public_pem, encoding="ascii")
        self._ask("keys", "register", cart, str(path), "--keys", str(self._keys))

    def ledger(self) -> list[dict[str, Any]]:
        """Return the charges that the store holds, oldest first."""
        said = self._ask("ledger", "--db", f"sqlite:{self._folder / 'ledger.sqlite3'}", "-o", "json")
        return [json.loads(line) for line in said.splitlines()]

    @property
    def _keys(self) -> Path:
        return self._folder / "keys"

    def _ask(self, *words: str) -> str:
        command = [sys.executable, "-m", "cart.backoffice", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise Fault("BENCH-PROCESS", f"cart-backoffice {' '.join(words[:2])}: {done.stderr.strip()[-500:]}")
        return done.stdout
