"""The kill test itself: a short run of it, and that it notices each thing it is there to notice."""

from dataclasses import dataclass, field

import pytest

from cart.backoffice.ledger import LedgerRow
from cart.core.trip import Charge, Line
from cart.edge.database import OutboxLine
from cart.wire import messages
from tools import chaos_charges
from tools.processes import find_mosquitto

ORIGIN = messages.Origin("demo", "store-1", "cart-1")


@pytest.mark.broker
@pytest.mark.slow
def test_a_few_kills_lose_and_double_nothing(tmp_path):
    if find_mosquitto() is None:
        pytest.skip("there is no mosquitto here: apt install mosquitto")
    result = chaos_charges.run(tmp_path, 4, 3, lambda line: None)
    assert result["broken"] == []
    assert result["charges"] > 0


@dataclass
class Aftermath:
    """What is left after the kills: two charges, booked once each."""

    lines: list = field(default_factory=lambda: [line(1), line(2)])
    rows: list = field(default_factory=lambda: [row(1), row(2)])
    unbelieved: int = 0
    confirmed: list = field(default_factory=lambda: [uuid(1), uuid(2)])

    def outboxes(self):
        return {"cart-1": self.lines}

    def ledger(self):
        return self.rows, self.unbelieved


def body(number, prev=None):
    charge = Charge(uuid(number), number, "t", 5, "EUR", 7, (Line(1, "p", "P", "piece", 1, 7, 7, "r"),), (), "v")
    before = "" if number == 1 else messages.sha256_of(body(number - 1))
    return messages.charge_body(charge, ORIGIN, "0" * 16, before if prev is None else prev)


def line(number, state="done"):
    return OutboxLine(uuid(number), number, 7, 5, messages.sha256_of(body(number)), state, "accepted", number)


def row(number, deliveries=1, total_minor=7, prev=None):
    content = body(number, prev)
    return LedgerRow(
        number, uuid(number), "demo", "store-1", "cart-1", "0" * 16, number, total_minor, "EUR", 5, content,
        messages.sha256_of(content), deliveries,
    )  # fmt: skip


def uuid(number):
    return f"01998f3c-0000-7000-8000-{number:012d}"


def test_a_clean_aftermath_breaks_nothing():
    assert chaos_charges.judged(Aftermath(), 1.0)["broken"] == []


@pytest.mark.parametrize(("aftermath", "drain_s", "broken"), [
    (Aftermath(rows=[row(1)]), 1, "the ledger holds the charges committed"),
    (Aftermath(lines=[line(1)]), 1, "the ledger holds the charges committed"),
    (Aftermath(rows=[row(1), row(2), row(2)]), 1, "each charge once"),
    (Aftermath(rows=[row(1), row(2, total_minor=8)]), 1, "sums are equal"),
    (Aftermath(rows=[row(1), row(2, prev="c" * 64)]), 1, "bytes are equal"),
    (Aftermath(lines=[line(1), line(2, state="waiting")]), 1, "every charge is receipted"),
    (Aftermath(confirmed=[uuid(1), uuid(9)]), 1, "what shoppers were told is in the ledger"),
    (Aftermath(rows=[row(2)], lines=[line(2)]), 1, "no gap in the numbers, no break in the chain"),
    (Aftermath(rows=[row(1), row(2, prev="c" * 64)]), 1, "no gap in the numbers, no break in the chain"),
    (Aftermath(unbelieved=1), 1, "nothing in quarantine"),
    (Aftermath(), 61, "drained within 60 s"),
    (Aftermath(rows=[row(1, deliveries=5), row(2)]), 1, "under 3 deliveries a charge"),
    (Aftermath([], [], 0, []), 1, "charges were made"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_each_broken_invariant_is_named(aftermath, drain_s, broken):
    result = chaos_charges.judged(aftermath, drain_s)
    assert broken in result["broken"]
    assert result["wrong"] >= 1
