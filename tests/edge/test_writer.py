"""The writing thread: order, answers, and what a disk that refuses does."""

import queue
from dataclasses import replace

import pytest

from cart.clock import ManualClock
from cart.core.effects import CloseCharge, CommitSale, Save, SetPanel
from cart.core.events import Saved, SaveFailed, SourceLost
from cart.edge import writer as writer_module
from cart.edge.database import Identity, open_database
from cart.edge.keys import make_pair
from cart.edge.writer import DatabaseWriter
from cart.wire.messages import Origin
from tests.edge.test_database import BIG, ENTRIES, TRIP, charge, commit, fill

WAIT_S = 20


@pytest.fixture
def database(tmp_path):
    made = open_database(tmp_path / "cart.sqlite3", ManualClock(), lambda count: "0123456789abcdef")
    yield made
    made.close()


@pytest.fixture
def events():
    return queue.Queue()


@pytest.fixture
def writer(database, tmp_path, events, monkeypatch):
    monkeypatch.setattr(writer_module, "RETRY_FIRST_S", 0.01)
    identity = Identity(Origin("demo", "store-1", "cart-1"), make_pair(tmp_path / "keys", "cart"))
    made = DatabaseWriter(database, identity, ManualClock(7))
    made.start(events.put)
    yield made
    made.stop()


def test_effects_are_stored_in_order_and_each_is_answered(writer, events, database):
    writer.handle(Save(1, ENTRIES, TRIP))
    writer.handle(SetPanel("green"))
    writer.handle(commit(2, 1))
    writer.handle(CloseCharge(charge(1).charge_id, "accepted", 3))
    writer.handle(Save(3, ENTRIES, TRIP))
    first, second, third = (events.get(timeout=WAIT_S) for _ in range(3))
    assert (first, third) == (Saved(7, 1), Saved(7, 3))
    (line,) = database.outbox_lines()
    assert second == Saved(7, 2, line.charge_id, line.sha256)
    assert line.state == "done"
    assert events.empty()


def test_a_full_disk_is_told_and_the_charge_is_stored_once_there_is_room_with_nothing_overtaking_it(
    writer, events, database
):
    fill(database)
    writer.handle(commit(1, 1, entries=BIG))
    writer.handle(Save(2, ENTRIES, replace(TRIP, phase="cleared")))
    for _ in range(3):
        failed = events.get(timeout=WAIT_S)
        assert isinstance(failed, SaveFailed)
        assert (failed.seq, "full" in failed.reason) == (1, True)
    database._connection.execute("PRAGMA max_page_count = 1073741823")
    answers = [event for event in iter(lambda: events.get(timeout=WAIT_S), Saved(7, 2)) if isinstance(event, Saved)]
    assert [(saved.seq, saved.charge_id) for saved in answers] == [(1, charge(1).charge_id)]
    assert database.restored(0, 0).trip.phase == "cleared"


def test_stopping_writes_what_is_queued(writer, database):
    for seq in range(1, 20):
        writer.handle(Save(seq, ENTRIES, TRIP))
    writer.stop()
    assert database.restored(0, 0).save_seq == 19


def test_stopping_while_the_disk_refuses_does_not_let_later_effects_pass(writer, events, database):
    fill(database)
    writer.handle(commit(1, 1, entries=BIG))
    assert isinstance(events.get(timeout=WAIT_S), SaveFailed)
    writer.handle(CloseCharge("nobody", "accepted", 1))
    writer.handle(Save(2, (), TRIP))
    writer.stop()
    assert database.restored(0, 0).save_seq == 0


def test_more_than_the_queue_holds_is_refused_aloud(database, tmp_path):
    identity = Identity(Origin("demo", "store-1", "cart-1"), make_pair(tmp_path / "keys", "cart"))
    idle = DatabaseWriter(database, identity, ManualClock())
    for seq in range(1, writer_module.QUEUE_MAX + 1):
        idle.handle(Save(seq, (), TRIP))
    with pytest.raises(RuntimeError, match="wait for the disk"):
        idle.handle(Save(999, (), TRIP))


def test_a_mistake_ends_the_writer_and_the_next_effect_ends_the_process(writer, events):
    writer.handle(commit(1, 1))
    writer.handle(CommitSale(2, ENTRIES, TRIP, replace(charge(1), charge_id=charge(2).charge_id)))
    assert isinstance(events.get(timeout=WAIT_S), Saved)
    lost = events.get(timeout=WAIT_S)
    assert isinstance(lost, SourceLost)
    assert lost.name == "database"
    with pytest.raises(RuntimeError, match="the database writer ended"):
        writer.handle(Save(3, (), TRIP))
