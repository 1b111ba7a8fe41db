"""A store in a folder: broker, back office and carts, all real processes and threads on this machine."""

import pytest

from cart.backoffice import keys as store_keys
from cart.backoffice.ledger import open_ledger
from cart.edge.keys import cart_signer
from tools.mini_cart import MiniCart
from tools.processes import LocalBroker, Spawned, back_office, find_mosquitto


class Store:
    """Everything between a cart and its ledger."""

    def __init__(self, folder):
        self.folder = folder
        self.broker = LocalBroker(folder / "broker")
        self.carts: list[MiniCart] = []
        self.office: Spawned | None = None
        store_keys.make_store_key(folder / "keys")

    def open_office(self):
        self.office = back_office(self.folder, self.broker.port)
        self.office.wait_for("serving")

    def cart(self, name="cart-1", folder="cart"):
        keys = self.folder / folder / "keys"
        cart_signer(keys)
        (keys / "store.pub").write_bytes((self.folder / "keys" / "store.pub").read_bytes())
        store_keys.register_cart(self.folder / "keys", name, keys / "cart.pub")
        self.carts.append(MiniCart(self.folder / folder, self.broker.port, name))
        return self.carts[-1]

    @property
    def rows(self):
        ledger = open_ledger(f"sqlite:{self.folder / 'ledger.sqlite3'}")
        try:
            return ledger.rows()
        finally:
            ledger.close()

    @property
    def quarantined(self):
        ledger = open_ledger(f"sqlite:{self.folder / 'ledger.sqlite3'}")
        try:
            return ledger.quarantined()
        finally:
            ledger.close()

    def close(self):
        for cart in self.carts:
            cart.stop()
        if self.office:
            self.office.kill()
        self.broker.kill()


@pytest.fixture
def store(tmp_path):
    if find_mosquitto() is None:
        pytest.skip("there is no mosquitto here: apt install mosquitto")
    made = Store(tmp_path)
    yield made
    made.close()
