"""The money on disk: what is kept, what is kept once, and what a damaged or full disk does."""

import sqlite3
import threading
from dataclasses import replace

import pytest

from cart.clock import ManualClock
from cart.core.effects import CloseCharge, CommitSale, Save
from cart.core.events import OutboxRow
from cart.core.trip import Charge, Entry, Line, Scan, Trip
from cart.edge import database as database_module
from cart.edge.database import Identity, StoreFailed, connect, files_set_aside, look_into, open_database
from cart.edge.keys import make_pair
from cart.faults import Fault
from cart.wire import messages
from cart.wire.messages import ChargeDocument, Origin

LINE = Line(3, "milk", "Milk 1 l", "piece", 1_030_000, 129, 129, "scanned and weighed", 2)
SCAN = Scan(4, "bread", "code", 123_456_789_012, 7, 3)
TRIP = Trip(
    trip_id="t1", phase="shopping", lines=(LINE,), scans=(SCAN,), anchor_mg=-4, flags=("exit_unpaid",), next_id=5
)
ENTRIES = (Entry("added", 3, "milk", 129, "scanned and weighed"),)


BIG = (Entry("added", 3, "milk", 129, "x" * 50_000),)
"""More than fits into the pages that a small database has to spare."""


def charge(number, total_minor=129):
    charge_id = f"01998f3c-0000-7000-8000-{number:012d}"
    return Charge(charge_id, number, "t1", 1_767_225_600_000, "EUR", total_minor, (LINE,), (), "demo-1")


def commit(seq, number, total_minor=129, entries=ENTRIES):
    return CommitSale(seq, entries, replace(TRIP, phase="paid"), charge(number, total_minor))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "cart.sqlite3"


@pytest.fixture
def opened(path):
    made = []

    def open_again(hex_of=lambda count: "0123456789abcdef"):
        while made:
            made.pop().close()
        made.append(open_database(path, ManualClock(wall_ms=99), hex_of))
        return made[-1]

    yield open_again
    while made:
        made.pop().close()


@pytest.fixture
def identity(tmp_path):
    return Identity(Origin("demo", "store-1", "cart-1"), make_pair(tmp_path / "keys", "cart"))


def test_a_new_database_is_empty_and_has_an_incarnation_that_stays(opened):
    first = opened()
    assert first.restored(5, 6) == database_module.Restored(5, 6, "0123456789abcdef")
    assert opened(lambda count: "f" * 16).incarnation == "0123456789abcdef"


def test_a_restart_in_the_middle_of_a_trip_brings_it_back_bit_for_bit(opened):
    opened().save(Save(1, ENTRIES, replace(TRIP, lines=())))
    opened().save(Save(2, ENTRIES, TRIP))
    restored = opened().restored(0, 0)
    assert restored.trip == TRIP
    assert restored.save_seq == 2


def test_the_journal_keeps_what_the_snapshot_forgets(opened, path):
    database = opened()
    database.save(Save(1, ENTRIES, TRIP))
    database.save(Save(2, (Entry("removed", 3, "milk", -129, "taken out"),), replace(TRIP, lines=())))
    rows = rows_of(path, "SELECT save_seq, trip_id, kind, ref, product_id, amount_minor, text FROM journal")
    assert rows == [
        (1, "t1", "added", 3, "milk", 129, "scanned and weighed"),
        (2, "t1", "removed", 3, "milk", -129, "taken out"),
    ]


def test_a_transaction_that_is_repeated_changes_nothing(opened, path):
    database = opened()
    database.save(Save(1, ENTRIES, TRIP))
    database.save(Save(1, ENTRIES, replace(TRIP, phase="paid")))
    assert database.restored(0, 0).trip == TRIP
    assert len(rows_of(path, "SELECT * FROM journal")) == 1


def test_every_connection_syncs_before_it_says_done(opened, path):
    opened().close()
    connection = connect(path)
    values = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    connection.close()
    assert values == {"journal_mode": "wal", "synchronous": 2}


def test_a_file_system_that_cannot_keep_a_write_ahead_log_is_refused():
    with pytest.raises(sqlite3.OperationalError, match="journal_mode is memory, not wal"):
        connect(":memory:")


def test_a_sale_is_stored_with_its_charge_signed_over_the_exact_bytes(opened, identity):
    database = opened()
    sha256 = database.commit_sale(commit(1, 1), identity)
    row = opened().outbox_row(charge(1).charge_id)
    assert messages.sha256_of(row.body) == sha256
    assert identity.signer.verifier.verify(row.body, row.signature)
    assert not identity.signer.verifier.verify(row.body + b" ", row.signature)
    document = messages.read_body(row.body, ChargeDocument)
    assert (document.cart, document.incarnation, document.seq, document.prev) == ("cart-1", "0123456789abcdef", "1", "")


def test_each_charge_names_the_hash_of_the_one_before(opened, identity):
    hashes = [""] + [opened().commit_sale(commit(n, n), identity) for n in (1, 2, 3)]
    bodies = [opened().outbox_row(charge(n).charge_id).body for n in (1, 2, 3)]
    assert [messages.read_body(body, ChargeDocument).prev for body in bodies] == hashes[:3]


def test_a_sale_that_is_committed_again_is_one_charge_with_its_first_bytes(opened, identity):
    database = opened()
    first = database.commit_sale(commit(1, 1), identity)
    assert database.commit_sale(commit(1, 1, total_minor=1), identity) == first
    assert database.commit_sale(commit(2, 1, total_minor=1), identity) == first
    assert [line.total_minor for line in database.outbox_lines()] == [129]


def test_the_outbox_and_the_numbers_survive_a_restart(opened, identity):
    database = opened()
    shas = [database.commit_sale(commit(n + 10, n), identity) for n in (1, 2, 3)]
    database.close_charge(CloseCharge(charge(1).charge_id, "accepted", 77))
    database.close_charge(CloseCharge(charge(3).charge_id, "rejected", 0))
    restored = opened().restored(0, 0)
    assert restored.outbox == (OutboxRow(charge(2).charge_id, 12, shas[1], 129, 1_767_225_600_000),)
    assert (restored.save_seq, restored.charge_seq) == (13, 3)


def test_a_rejected_charge_is_kept_for_staff_and_a_later_receipt_does_not_change_it(opened, identity):
    database = opened()
    database.commit_sale(commit(1, 1), identity)
    database.close_charge(CloseCharge(charge(1).charge_id, "rejected", 0))
    database.close_charge(CloseCharge(charge(1).charge_id, "accepted", 5))
    (line,) = database.outbox_lines()
    assert (line.state, line.verdict, line.position) == ("rejected", "rejected", 0)


def test_a_restart_knows_what_the_store_said_of_the_open_trip(opened, identity):
    database, effect = opened(), commit(1, 1)
    charge_id = effect.charge.charge_id
    database.commit_sale(replace(effect, trip=replace(effect.trip, charge_id=charge_id)), identity)
    assert database.restored(1, 2).verdict == ""
    database.close_charge(CloseCharge(charge_id, "rejected", 0))
    assert database.restored(1, 2).verdict == "rejected"


def test_a_receipt_for_a_charge_nobody_made_changes_nothing(opened):
    database = opened()
    database.close_charge(CloseCharge("nobody", "accepted", 5))
    assert database.outbox_lines() == []


def test_a_full_disk_keeps_nothing_of_the_transaction_and_the_next_one_works(opened, identity, path):
    database = opened()
    database.save(Save(1, ENTRIES, TRIP))
    fill(database)
    with pytest.raises(StoreFailed, match="full"):
        database.commit_sale(commit(2, 1, entries=BIG), identity)
    restored = database.restored(0, 0)
    assert (restored.trip, restored.save_seq, restored.outbox) == (TRIP, 1, ())
    assert len(rows_of(path, "SELECT * FROM journal")) == 1
    database._connection.execute("PRAGMA max_page_count = 1073741823")
    database.commit_sale(commit(2, 1, entries=BIG), identity)
    assert database.restored(0, 0).charge_seq == 1


def test_a_commit_that_breaks_a_rule_of_the_schema_is_a_mistake_and_not_the_disks_fault(opened, identity):
    database = opened()
    database.commit_sale(commit(1, 1), identity)
    other = replace(charge(1), charge_id=charge(2).charge_id)
    with pytest.raises(sqlite3.IntegrityError):
        database.commit_sale(CommitSale(2, ENTRIES, TRIP, other), identity)
    assert database.restored(0, 0).save_seq == 1


@pytest.mark.parametrize("damage", ["not a database", "torn", "garbage inside"])
def test_a_damaged_file_is_set_aside_and_kept_and_the_next_start_is_a_new_life(opened, path, identity, damage):
    opened().commit_sale(commit(1, 1), identity)
    opened().close()  # the log is written back into the file
    whole = path.read_bytes()
    path.write_bytes({
        "not a database": b"x" * 8_192,
        "torn": whole[: len(whole) // 2],
        "garbage inside": whole[:4_096] + b"\xa5" * (len(whole) - 4_096),
    }[damage])  # fmt: skip
    broken = path.read_bytes()
    with pytest.raises(Fault, match=r"DATABASE-BAD.*kept as cart.sqlite3.damaged-99"):
        open_database(path, ManualClock(wall_ms=99), lambda count: "f" * 16)
    (aside,) = files_set_aside(path)
    assert aside.read_bytes() == broken
    fresh = opened(lambda count: "e" * 16)
    assert (fresh.incarnation, fresh.restored(0, 0).trip) == ("e" * 16, None)


def test_a_newer_schema_is_refused_and_left_alone(opened, path):
    opened().close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {database_module.USER_VERSION + 1}")
    connection.close()
    with pytest.raises(Fault, match="newer than this program"):
        opened()
    assert path.exists()
    assert files_set_aside(path) == []


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Fault, match="DATABASE-BAD"):
        open_database(tmp_path / "file" / "cart.sqlite3", ManualClock(), lambda count: "0" * 16)


def test_a_second_process_may_look_while_the_first_one_writes(opened, path, identity):
    database = opened()
    database.commit_sale(commit(1, 1), identity)
    looking = look_into(path, ManualClock())
    assert [line.charge_id for line in looking.outbox_lines()] == [charge(1).charge_id]
    with pytest.raises(StoreFailed, match="readonly"):
        looking.save(Save(9, ENTRIES, TRIP))
    database.commit_sale(commit(2, 2), identity)
    assert len(looking.outbox_lines()) == 2
    looking.close()


def test_looking_for_a_database_that_is_not_there_does_not_make_one(path):
    with pytest.raises(Fault, match="DATABASE-MISSING"):
        look_into(path, ManualClock())
    assert not path.exists()


def test_a_command_number_is_taken_once_and_only_upwards_over_restarts_too(opened):
    assert [opened().take_command(seq) for seq in (5, 5, 4, 6, 6)] == [True, False, False, True, False]


def test_reading_and_writing_from_many_threads_loses_nothing(opened, identity):
    database, errors = opened(), []
    database.commit_sale(commit(1, 1), identity)

    def read():
        try:
            for _ in range(50):
                assert database.outbox_row(charge(1).charge_id) is not None
        except Exception as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for n in range(2, 12):
        database.commit_sale(commit(n, n), identity)
    for reader in readers:
        reader.join()
    assert errors == []
    assert len(database.outbox_lines()) == 11


def fill(database):
    """Let the file grow no further, as on a full disk: SQLite itself then says SQLITE_FULL."""
    (pages,) = database._connection.execute("PRAGMA page_count").fetchone()
    database._connection.execute(f"PRAGMA max_page_count = {pages}")


def rows_of(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_looking_into_a_file_changes_no_byte_of_it(tmp_path):
    other, empty = tmp_path / "other.sqlite3", tmp_path / "empty.sqlite3"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE other (one TEXT)")
    connection.close()
    empty.write_bytes(b"")
    for file in (other, empty):
        before = file.read_bytes()
        with pytest.raises(Fault, match="DATABASE-BAD"):
            look_into(file, ManualClock())
        assert file.read_bytes() == before


def test_a_trip_of_another_version_is_kept_beside_and_the_cart_starts(opened, identity, path):
    database = opened()
    database.commit_sale(commit(1, 1), identity)
    with database.transaction() as connection:
        connection.execute("UPDATE snapshot SET trip = ?", (b'{"k":"Trip","v":{"wheels":5}}',))
    restored = database.restored(1, 2)
    assert restored.trip is None
    assert [row.charge_id for row in restored.outbox] == [charge(1).charge_id]
    (kept,) = path.parent.glob("trip-unreadable-*.json")
    assert b"wheels" in kept.read_bytes()
