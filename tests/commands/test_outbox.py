import json

import pytest

from cart.__main__ import main
from cart.clock import ManualClock
from cart.core.effects import CloseCharge
from cart.edge.database import Identity, open_database
from cart.edge.keys import make_pair
from cart.wire.messages import Origin
from tests.edge.test_database import charge, commit


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "cart.sqlite3"
    database = open_database(path, ManualClock(), lambda count: "0123456789abcdef")
    identity = Identity(Origin("demo", "store-1", "cart-1"), make_pair(tmp_path / "keys", "cart"))
    for number in (1, 2):
        database.commit_sale(commit(number, number), identity)
    database.close_charge(CloseCharge(charge(1).charge_id, "accepted", 5))
    database.close()
    return path


def test_the_outbox_is_listed_as_json_lines(path, capsys):
    assert main(["outbox", "--database", str(path), "-o", "json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["charge_id"], first["state"], first["verdict"], first["position"]) == (
        charge(1).charge_id, "done", "accepted", 5,
    )  # fmt: skip
    assert (second["seq"], second["total_minor"], second["state"]) == (2, 129, "waiting")


def test_only_what_waits_can_be_asked_for(path, capsys):
    assert main(["outbox", "--database", str(path), "--waiting", "-o", "json"]) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [2]


def test_a_rejected_charge_fails_the_check(path, capsys):
    database = open_database(path, ManualClock(), lambda count: "")
    database.close_charge(CloseCharge(charge(2).charge_id, "rejected", 0))
    database.close()
    assert main(["outbox", "--database", str(path)]) == 1
    assert "0 waiting, 1 done, 1 rejected" in capsys.readouterr().out


def test_a_damaged_database_beside_it_fails_the_check(path, capsys):
    path.with_name("cart.sqlite3.damaged-7").write_bytes(b"")
    assert main(["outbox", "--database", str(path)]) == 1
    assert "damaged-7" in capsys.readouterr().out


def test_a_cart_without_a_database_is_said_so(tmp_path, capsys):
    assert main(["outbox", "--database", str(tmp_path / "cart.sqlite3")]) == 1
    assert "DATABASE-MISSING" in capsys.readouterr().err
