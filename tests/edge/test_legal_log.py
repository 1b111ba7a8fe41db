"""Records of trade weighing on disk: with their line or not at all, numbered, chained, and never changed."""

import sqlite3
from dataclasses import replace

import pytest

from cart.clock import ManualClock
from cart.core.effects import CommitSale, Save
from cart.core.legal_record import Alibi, LegalEvent
from cart.core.trip import Charge, Line, Trip
from cart.edge.database import Identity, StoreFailed, open_database
from cart.edge.keys import make_pair
from cart.edge.writer import DatabaseWriter
from cart.faults import Fault
from cart.wire.alibi import NO_SHA256, log_line
from cart.wire.messages import Origin

TRIP = Trip(trip_id="t1", phase="shopping")
WEIGHED = Alibi(1, 5, "t1", 3, "pear", 2_430_000, 1_580_000, 850_000, 5_000, 219, 186, "EUR", 1, "ab", False)
CHANGED = LegalEvent(1, 5, "", "parameters")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cart.sqlite3"


@pytest.fixture
def signer(tmp_path):
    return make_pair(tmp_path / "keys", "cart")


@pytest.fixture
def opened(path):
    made = []

    def open_again():
        while made:
            made.pop().close()
        made.append(open_database(path, ManualClock(wall_ms=99), lambda count: "0" * 2 * count))
        return made[-1]

    yield open_again
    while made:
        made.pop().close()


def test_records_are_stored_with_their_trip_and_the_counters_come_back(opened, signer):
    opened().save(Save(1, (), TRIP, (WEIGHED,), (CHANGED,)), signer)
    database = opened()
    assert database.legal_records(signer.verifier) == (CHANGED, WEIGHED)
    back = database.restored(0, 0)
    assert (back.alibi_id, back.legal_counter, back.legal_parameters) == (1, 1, "parameters")


def test_a_transaction_that_is_told_twice_records_once(opened, signer):
    save = Save(1, (), TRIP, (WEIGHED,))
    opened().save(save, signer)
    opened().save(save, signer)
    assert opened().legal_records(signer.verifier) == (WEIGHED,)


def test_a_number_that_was_used_is_never_used_again_and_takes_its_line_with_it(opened, signer):
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    database = opened()
    with pytest.raises(sqlite3.IntegrityError):
        database.save(Save(2, (), replace(TRIP, phase="closing"), (replace(WEIGHED, line_id=9),)), signer)
    assert database.restored(0, 0).save_seq == 1


@pytest.mark.parametrize("words", ["DELETE FROM legal_log", "UPDATE legal_log SET number = 7"])
def test_the_log_is_neither_changed_nor_cut(opened, path, signer, words):
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError, match="append-only"):
        connection.execute(words)
    connection.close()
    assert opened().legal_records(signer.verifier) == (WEIGHED,)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE legal_log SET body = CAST(replace(CAST(body AS TEXT), '850000', '350000') AS BLOB)",
        "UPDATE legal_log SET number = 9 WHERE number = 1",
        "DELETE FROM legal_log WHERE id = 2",
        "DELETE FROM legal_log WHERE id = 1",
        "UPDATE legal_log SET id = 9 WHERE id = 1",
    ],
)
def test_an_edit_by_somebody_who_removed_the_triggers_is_named(opened, path, signer, edit):
    seconds = replace(WEIGHED, id=2)
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    opened().save(Save(2, (), replace(TRIP, next_id=9), (seconds,)), signer)
    opened().save(Save(3, (), replace(TRIP, next_id=10), (replace(WEIGHED, id=3),)), signer)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TRIGGER legal_log_is_not_changed; DROP TRIGGER legal_log_is_not_cut;")
    assert connection.execute(edit).rowcount >= 1
    connection.commit()
    connection.close()
    database = opened()
    assert database.restored(0, 0).save_seq == 3  # the cart starts all the same; a sealed one is stopped by app.py
    with pytest.raises(Fault, match="LEGAL-LOG-BAD: record"):
        database.legal_records(signer.verifier)


def untriggered(path, *statements):
    """Edit the file as somebody would who knows all but the key."""
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for words, values in statements:
        assert connection.execute(words, values).rowcount >= 1
    connection.commit()
    connection.close()


def test_a_record_that_is_put_in_anothers_place_is_refused(opened, path, signer):
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    connection = sqlite3.connect(path)
    columns = "save_seq, kind, number, body, crc, sha256, signature, key_id"
    for there in ("id, " + columns, columns):
        for new in (there, there.replace("body", "x'00'"), there.replace("sha256", "'other'")):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                connection.execute(f"INSERT OR REPLACE INTO legal_log ({there}) SELECT {new} FROM legal_log")
    connection.close()
    assert opened().legal_records(signer.verifier) == (WEIGHED,)


def test_a_chain_that_was_made_anew_lacks_the_carts_key(opened, path, signer, tmp_path):
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    line = log_line(replace(WEIGHED, net_mg=350_000), NO_SHA256)
    anew = ("UPDATE legal_log SET body = ?, crc = ?, sha256 = ?", (line.body, line.crc, line.sha256))
    untriggered(path, anew)
    with pytest.raises(Fault, match="LEGAL-LOG-BAD: record 1: the signature does not fit"):
        opened().legal_records(signer.verifier)
    stranger = make_pair(tmp_path / "other", "cart")
    signed = ("UPDATE legal_log SET signature = ?, key_id = ?", (stranger.sign(line.body), stranger.key_id))
    untriggered(path, signed)
    with pytest.raises(Fault, match="LEGAL-LOG-BAD: record 1: signed with key"):
        opened().legal_records(signer.verifier)


@pytest.mark.parametrize("cut", ["DELETE FROM legal_log WHERE id = 2", "DELETE FROM legal_log"])
@pytest.mark.parametrize("sold", [True, False])
def test_a_log_whose_end_was_cut_off_is_missed_by_the_bill(opened, path, signer, cut, sold):
    lines = tuple(
        Line(number, "pear", "Pear", "weight", 850_000, 219, 186, "weighed", alibi_id=number) for number in (1, 2)
    )
    trip = replace(TRIP, lines=lines)
    database = opened()
    database.save(Save(1, (), trip, (WEIGHED, replace(WEIGHED, id=2))), signer)
    if sold:
        charge = Charge("c1", 1, "t1", 7, "EUR", 372, lines, (), "v", False)
        identity = Identity(Origin("demo", "store-1", "cart-1"), signer)
        database.commit_sale(CommitSale(2, (), replace(TRIP, phase="idle"), charge), identity)
    assert len(database.legal_records(signer.verifier)) == 2
    untriggered(path, (cut, ()))
    with pytest.raises(Fault, match=r"LEGAL-LOG-BAD.*Alibi 2 is on a bill"):
        opened().legal_records(signer.verifier)


def test_an_event_that_cannot_be_read_does_not_keep_the_cart_from_starting(opened, path, signer):
    opened().save(Save(1, (), TRIP, (), (CHANGED,)), signer)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TRIGGER legal_log_is_not_changed; UPDATE legal_log SET body = x'ff'")
    connection.close()
    back = opened().restored(0, 0)
    assert (back.legal_counter, back.legal_parameters) == (1, "")


def test_a_record_is_signed_by_the_cart(opened, path, signer):
    opened().save(Save(1, (), TRIP, (WEIGHED,)), signer)
    connection = sqlite3.connect(path)
    body, signature, key_id = connection.execute("SELECT body, signature, key_id FROM legal_log").fetchone()
    connection.close()
    assert key_id == signer.key_id
    assert signer.verifier.verify(body, signature)
    assert not signer.verifier.verify(body.replace(b"850000", b"350000"), signature)


def test_a_database_of_the_version_before_gets_the_log_and_keeps_its_charges(opened, path, signer):
    opened().save(Save(1, (), TRIP), signer)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE legal_log; PRAGMA user_version = 1;")
    connection.close()
    database = opened()
    assert database.restored(0, 0).save_seq == 1
    database.save(Save(2, (), replace(TRIP, next_id=9), (WEIGHED,)), signer)
    assert database.legal_records(signer.verifier) == (WEIGHED,)


def test_a_full_disk_loses_no_record_it_waits_with_its_line(opened, path, signer):
    database = opened()
    database.save(Save(1, (), TRIP), signer)
    connection = database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    many = tuple(replace(WEIGHED, id=number) for number in range(1, 60))
    save = Save(2, (), replace(TRIP, next_id=9), many)
    with pytest.raises(StoreFailed):
        database.save(save, signer)
    assert (database.legal_records(signer.verifier), database.restored(0, 0).save_seq) == ((), 1)
    connection.execute("PRAGMA max_page_count = 100000")
    database.save(save, signer)
    assert database.legal_records(signer.verifier) == many


def test_the_writer_signs_what_it_stores(opened, signer):
    database = opened()
    told = []
    writer = DatabaseWriter(database, Identity(Origin("c", "s", "cart-1"), signer), ManualClock())
    writer.start(told.append)
    writer.handle(Save(1, (), TRIP, (WEIGHED,)))
    writer.stop()
    assert [event.seq for event in told] == [1]
    assert database.legal_records(signer.verifier) == (WEIGHED,)
