"""The ledger: every charge once, nothing overwritten, and what is missing is seen."""

import json
import sqlite3
from dataclasses import replace

import pytest

from cart.backoffice import ledger as ledger_module
from cart.backoffice.__main__ import broker_address, main
from cart.backoffice.consumer import Consumer
from cart.backoffice.keys import Registry, make_store_key, register_cart
from cart.backoffice.ledger import Taken, open_ledger
from cart.backoffice.report import gap_reports, missing_ranges, utc_text
from cart.clock import ManualClock
from cart.core.trip import Charge, Line
from cart.edge.keys import cart_signer, load_verifier
from cart.faults import Fault
from cart.wire import messages
from cart.wire.messages import Origin, ReceiptDocument

ORIGIN = Origin("demo", "store-1", "cart-1")
TOPIC = messages.topic_of(ORIGIN, "up/charge")
INCARNATION = "0123456789abcdef"
LINE = Line(1, "milk", "Milk 1 l", "piece", 1_030_000, 129, 129, "scanned and weighed")


def charge(number, **changes):
    made = Charge(
        f"01998f3c-0000-7000-8000-{number:012d}", number, "t", 5, "EUR", 129, (LINE,), (), "demo-1"
    )  # fmt: skip
    return replace(made, **changes)


class Desk:
    """A consumer with a ledger in a folder, and a cart that signs what it is given."""

    def __init__(self, folder):
        self.url = f"sqlite:{folder / 'ledger.sqlite3'}"
        self.cart = cart_signer(folder / "cart")
        self.key = make_store_key(folder / "keys")
        register_cart(folder / "keys", "cart-1", folder / "cart" / "cart.pub")
        self.store = load_verifier(folder / "keys" / "store.pub")
        self.ledger = open_ledger(self.url)
        self.clock = ManualClock(wall_ms=1_767_225_600_123)
        self.consumer = Consumer(self.ledger, Registry(folder / "keys"), self.key, self.clock)

    def send(self, made, origin=ORIGIN, topic=TOPIC, incarnation=INCARNATION, prev=None):
        if prev is None:  # as a cart does that sends in order
            rows = [row for row in self.ledger.rows() if row.incarnation == incarnation and row.seq == made.seq - 1]
            prev = rows[0].body_sha256 if rows else ""
        body = messages.charge_body(made, origin, incarnation, prev)
        return self.take(topic, messages.seal(body, self.cart.sign(body), self.cart.key_id))

    def take(self, topic, payload):
        answer = self.consumer.take(topic, payload)
        if answer is None:
            return None
        assert answer.topic == messages.topic_of(ORIGIN, "down/receipt")
        sealed = messages.unseal(answer.payload, messages.DOWN_BYTES_MAX)
        assert self.store.verify(sealed.body, sealed.signature)
        return messages.read_body(sealed.body, ReceiptDocument)

    def verdict(self, *args, **kwargs):
        receipt = self.send(*args, **kwargs)
        return receipt and Taken(receipt.verdict, int(receipt.position), receipt.reason)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def test_a_charge_is_accepted_once_and_then_a_duplicate_of_the_same_position(desk):
    assert desk.verdict(charge(1)) == ("accepted", 1, "")
    assert desk.verdict(charge(2)) == ("accepted", 2, "")
    assert desk.verdict(charge(1)) == ("duplicate", 1, "")
    assert [(row.seq, row.deliveries) for row in desk.ledger.rows()] == [(1, 2), (2, 1)]


def test_the_receipt_names_the_charge_its_bytes_and_the_cart(desk):
    receipt = desk.send(charge(1))
    (row,) = desk.ledger.rows()
    assert (receipt.charge_id, receipt.sha256) == (row.charge_id, messages.sha256_of(row.body))
    assert (receipt.cart, receipt.incarnation) == ("cart-1", INCARNATION)


def test_the_same_id_with_other_bytes_is_rejected_quarantined_and_overwrites_nothing(desk):
    desk.send(charge(1))
    cheaper = charge(1, total_minor=1, lines=(replace(LINE, amount_minor=1),))
    assert desk.verdict(cheaper) == ("rejected", 0, "another charge has this id")
    assert [(row.total_minor, row.deliveries) for row in desk.ledger.rows()] == [(129, 1)]
    assert [row.reason for row in desk.ledger.quarantined()] == ["another charge has this id"]


def test_the_same_number_of_the_same_cart_with_another_id_is_rejected(desk):
    desk.send(charge(1))
    verdict = desk.verdict(charge(2, seq=1))
    assert verdict == ("rejected", 0, "another charge has this number of this cart")
    assert desk.verdict(charge(2, seq=1), incarnation="f" * 16) == ("accepted", 2, "")


def test_lines_that_do_not_add_up_are_rejected(desk):
    assert desk.verdict(charge(1, total_minor=128)) == ("rejected", 0, "the lines add up to 129, the total says 128")
    assert desk.verdict(charge(1, seq=0)).verdict == "rejected"
    assert desk.verdict(charge(1, total_minor=2**63)).verdict == "rejected"
    assert desk.ledger.rows() == []


def test_what_no_registered_cart_signed_is_quarantined_without_an_answer(desk, tmp_path):
    forger = cart_signer(tmp_path / "forger")
    body = messages.charge_body(charge(1), ORIGIN, INCARNATION, "")
    other = replace(ORIGIN, cart="cart-2")
    refused = [
        (TOPIC, messages.seal(body, forger.sign(body), forger.key_id), "not registered"),
        (TOPIC, messages.seal(body, forger.sign(body), desk.cart.key_id), "does not match"),
        (TOPIC, messages.seal(body + b" ", desk.cart.sign(body), desk.cart.key_id), "does not match"),
        (messages.topic_of(other, "up/charge"), messages.seal(body, desk.cart.sign(body), desk.cart.key_id), "cart-2"),
        (messages.topic_of(ORIGIN, "up/status"), b"{}", "not a charge's topic"),
        (TOPIC, b"\x00garbage", "not an envelope"),
        (TOPIC, b"x" * 10_000_000, "the limit is"),
    ]
    for topic, payload, _ in refused:
        assert desk.take(topic, payload) is None
    quarantined = desk.ledger.quarantined()
    assert len(quarantined) == len(refused)
    for row, (_, _, reason) in zip(quarantined, refused, strict=True):
        assert reason in row.reason
    assert desk.ledger.rows() == []


def test_a_signed_charge_for_another_carts_name_is_not_believed(desk):
    assert desk.send(charge(1), origin=replace(ORIGIN, cart="cart-2")) is None
    assert "another cart" in desk.ledger.quarantined()[0].reason


def test_the_quarantine_is_bounded_and_keeps_the_same_message_once(desk, monkeypatch):
    monkeypatch.setattr(ledger_module, "QUARANTINE_ROWS_MAX", 3)
    for payload in (b"a", b"a", b"b", b"c", b"d", b"e"):
        assert desk.take(TOPIC, payload) is None
    assert len(desk.ledger.quarantined()) == 3
    assert desk.verdict(charge(1)).verdict == "accepted"


@pytest.mark.parametrize("statement", ["UPDATE charge SET total_minor = 0", "DELETE FROM charge"])
def test_the_database_itself_refuses_to_change_a_charge(desk, statement):
    desk.send(charge(1))
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        desk.ledger._connection.execute(statement)


def test_a_full_disk_answers_nothing_so_that_the_charge_comes_again(desk):
    desk.send(charge(1))
    (pages,) = desk.ledger._connection.execute("PRAGMA page_count").fetchone()
    desk.ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = tuple(replace(LINE, id=n, reason="x" * 500) for n in range(1, 101))
    big = charge(2, lines=many, total_minor=12_900)
    with pytest.raises(Fault, match=r"LEDGER-BAD.*full"):
        desk.send(big)
    desk.ledger._connection.execute("PRAGMA max_page_count = 1073741823")
    assert desk.verdict(big) == ("accepted", 2, "")


def test_missing_numbers_are_reported_for_each_life_of_a_cart(desk):
    for number in (1, 2, 5):
        desk.send(charge(number))
    desk.send(charge(101, seq=1), incarnation="f" * 16)
    first, second = gap_reports(desk.ledger.rows())
    assert (first["contiguous"], first["missing"], first["count"], first["sum_minor"]) == (2, [[3, 4]], 3, 387)
    assert (second["incarnation"], second["missing"], second["highest"]) == ("f" * 16, [], 1)


@pytest.mark.parametrize(("seqs", "missing"), [
    ([], []), ([1], []), ([2], [(1, 1)]), ([3, 1, 7], [(2, 2), (4, 6)]), ([1, 2, 3], []),
])  # fmt: skip
def test_missing_ranges(seqs, missing):
    assert missing_ranges(seqs) == missing


def test_times_are_utc_text():
    assert utc_text(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"


def test_the_ledger_is_listed_as_json_lines(desk, capsys):
    desk.send(charge(1))
    assert main(["ledger", "-o", "json", "--db", desk.url]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    listed = json.loads(line)
    (row,) = desk.ledger.rows()
    assert listed["lines"][0]["amount_minor"] == 129
    del listed["lines"]
    assert listed == {
        "charge_id": row.charge_id, "cart": "cart-1", "incarnation": INCARNATION, "seq": 1, "total_minor": 129,
        "currency": "EUR", "flags": [], "received_at": "2026-01-01T00:00:00.123Z", "body_sha256": row.body_sha256,
        "position": 1, "deliveries": 1,
    }  # fmt: skip


def test_a_gap_fails_the_gap_report(desk, capsys):
    desk.send(charge(1))
    assert main(["gaps", "--db", desk.url]) == 0
    desk.send(charge(3))
    assert main(["gaps", "-o", "json", "--db", desk.url]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["missing"] == [[2, 2]]


def test_a_charge_that_does_not_name_the_one_before_it_fails_the_gap_report(desk, capsys):
    desk.send(charge(1))
    desk.send(charge(2))
    assert main(["gaps", "--db", desk.url]) == 0
    desk.send(charge(3), prev="c" * 64)
    assert main(["gaps", "-o", "json", "--db", desk.url]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["unchained"] == [3]


def test_the_quarantine_is_listed(desk, capsys):
    desk.take(TOPIC, b"x")
    assert main(["quarantine", "-o", "json", "--db", desk.url]) == 0
    assert json.loads(capsys.readouterr().out)["topic"] == TOPIC


@pytest.mark.parametrize(("url", "code", "words"), [
    ("postgresql://db/ledger", 3, "not built yet"), ("mysql:x", 3, "mysql:x"), ("sqlite:", 3, "sqlite:"),
    ("sqlite:/nowhere/at/all", 4, "no such file"),
])  # fmt: skip
def test_a_ledger_that_cannot_be_opened_is_said_so_with_the_next_step(capsys, url, code, words):
    assert main(["ledger", "--db", url]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "next:" in said


def test_keys_are_made_registered_and_listed(tmp_path, capsys):
    cart_signer(tmp_path / "cart")
    keys = str(tmp_path / "keys")
    assert main(["keys", "init", "--keys", keys]) == 0
    assert main(["keys", "init", "--keys", keys]) == 0
    assert main(["keys", "register", "cart-1", str(tmp_path / "cart" / "cart.pub"), "--keys", keys]) == 0
    assert main(["keys", "list", "--keys", keys]) == 0
    made, again, registered, listed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert made == again
    assert registered == listed


def test_serving_without_a_key_is_said_so(tmp_path, capsys):
    url = f"sqlite:{tmp_path / 'ledger.sqlite3'}"
    assert main(["serve", "--db", url, "--broker", "localhost", "--keys", str(tmp_path / "none")]) == 3
    assert "KEY-MISSING" in capsys.readouterr().err


def test_the_broker_may_be_named_with_or_without_scheme_and_port():
    assert broker_address("127.0.0.1:1900") == ("127.0.0.1", 1_900)
    assert broker_address("mqtt://store.example:1900/") == ("store.example", 1_900)
    assert broker_address("store.example") == ("store.example", 1_883)
    for text in ("x:0", "x:70000", "x:y", "", "tcp://x/y"):
        with pytest.raises(Exception, match="not HOST:PORT"):
            broker_address(text)


@pytest.mark.parametrize("verb", ["ledger", "gaps", "quarantine"])
def test_a_report_on_a_file_that_is_no_ledger_says_so_and_changes_nothing(tmp_path, capsys, verb):
    path = tmp_path / "other.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (one TEXT)")
    connection.close()
    before = path.read_bytes()
    assert main([verb, "--db", f"sqlite:{path}"]) == 4
    assert "LEDGER-BAD" in capsys.readouterr().err
    assert path.read_bytes() == before
