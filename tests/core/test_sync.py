"""The outbox's rules as a table: every state of a charge x every event; then what many charges do together."""

from dataclasses import replace

import pytest

from cart.core.effects import CloseCharge, Note, Publish
from cart.core.events import BrokerDown, BrokerUp, Delivered, OutboxRow, Receipted, Restored, Saved
from cart.core.sync import (
    FIRST_RETRY_NS,
    JITTER_PERMILLE,
    PATIENT_ATTEMPTS,
    RETRY_LONG_NS,
    RETRY_MAX_NS,
    WINDOW,
    Outgoing,
    Sync,
    changed,
    committed,
    restored,
    retry_delay_ns,
    ticked,
)

T = 1_000_000_000_000
SHA, OTHER_SHA = "a" * 64, "b" * 64
ROW = Outgoing("c1", 1, SHA, 500, 7)
NEXT = T + retry_delay_ns("c1", 1)


def sent(attempts=1, next_ns=NEXT, in_flight=False):
    return replace(ROW, attempts=attempts, next_ns=next_ns, in_flight=in_flight)


STATES = {
    "none": Sync(online=True),
    "offline": Sync(online=False, outbox=(ROW,), down_since_ns=5),
    "offline, sent before": Sync(online=False, outbox=(sent(),), down_since_ns=5),
    "due": Sync(online=True, outbox=(replace(ROW, next_ns=T),)),
    "in flight": Sync(online=True, outbox=(sent(in_flight=True),)),
    "waiting": Sync(online=True, outbox=(sent(next_ns=T + 1),)),
}

UP = BrokerUp(T)
DOWN = BrokerDown(T, "gone")
ACKED = Delivered(T, "c1")
REFUSED = Delivered(T, "c1", False, "not authorised")
ACCEPTED = Receipted(T, "c1", SHA, "accepted", 9)
DUPLICATE = Receipted(T, "c1", SHA, "duplicate", 9)
REJECTED = Receipted(T, "c1", SHA, "rejected", 0, "sum")
ALTERED = Receipted(T, "c1", OTHER_SHA, "accepted", 9)
GARBLED = Receipted(T, "c1", SHA, "perhaps", 9)
FOREIGN = Receipted(T, "c2", SHA, "accepted", 9)
TICK = T  # a moment instead of an event: `ticked`

PUBLISH = (Publish("c1", 1),)
PUBLISH_AGAIN = (Publish("c1", 2),)
IN_FLIGHT = sent(in_flight=True)
CLOSED = {"accepted": (CloseCharge("c1", "accepted", 9),), "duplicate": (CloseCharge("c1", "duplicate", 9),)}
REJECTED_EFFECTS = (CloseCharge("c1", "rejected", 0), Note("CHARGE-REJECTED", "error", "charge c1: sum"))
SAME = "same"
DONE = ()

# event -> state -> (the charge afterwards, effects); MISMATCH and REFUSAL stand for one Note of that code.
MISMATCH, REFUSAL = "RECEIPT-MISMATCH", "PUBLISH-REFUSED"
WAITING_2 = sent(attempts=1, next_ns=NEXT)
TABLE = {
    "up": (UP, {
        "none": (DONE, ()),
        "offline": (IN_FLIGHT, PUBLISH),
        "offline, sent before": (sent(), ()),
        "due": (IN_FLIGHT, PUBLISH),
        "in flight": (sent(), ()),
        "waiting": (sent(), ()),
    }),
    "down": (DOWN, {
        "none": (DONE, ()),
        "offline": (SAME, ()),
        "offline, sent before": (SAME, ()),
        "due": (SAME, ()),
        "in flight": (sent(), ()),
        "waiting": (SAME, ()),
    }),
    "acknowledged": (ACKED, {
        "none": (DONE, ()),
        "offline": (SAME, ()),
        "offline, sent before": (SAME, ()),
        "due": (SAME, ()),
        "in flight": (WAITING_2, ()),
        "waiting": (SAME, ()),
    }),
    "refused": (REFUSED, {
        "none": (DONE, ()),
        "offline": (SAME, ()),
        "offline, sent before": (SAME, ()),
        "due": (SAME, ()),
        "in flight": (WAITING_2, REFUSAL),
        "waiting": (SAME, ()),
    }),
    "accepted": (ACCEPTED, {"none": (DONE, ())} | {s: (DONE, CLOSED["accepted"]) for s in STATES if s != "none"}),
    "duplicate": (DUPLICATE, {"none": (DONE, ())} | {s: (DONE, CLOSED["duplicate"]) for s in STATES if s != "none"}),
    "rejected": (REJECTED, {"none": (DONE, ())} | {s: (DONE, REJECTED_EFFECTS) for s in STATES if s != "none"}),
    "receipt for other bytes": (ALTERED, {"none": (DONE, ())} | {s: (SAME, MISMATCH) for s in STATES if s != "none"}),
    "receipt without a verdict": (GARBLED, {"none": (DONE, ())} | {s: (SAME, MISMATCH) for s in STATES if s != "none"}),
    "receipt for another charge": (FOREIGN, {"none": (DONE, ())} | {s: (SAME, ()) for s in STATES if s != "none"}),
    "tick": (TICK, {
        "none": (DONE, ()),
        "offline": (SAME, ()),
        "offline, sent before": (SAME, ()),
        "due": (IN_FLIGHT, PUBLISH),
        "in flight": (SAME, ()),
        "waiting": (SAME, ()),
    }),
}  # fmt: skip

CASES = [(event, state) for event in TABLE for state in STATES]


def apply(sync, event):
    return ticked(sync, event) if isinstance(event, int) else changed(sync, event)


@pytest.mark.parametrize(("name", "state"), CASES, ids=[f"{e} when {s}" for e, s in CASES])
def test_every_state_and_event(name, state):
    event, row = TABLE[name]
    wanted, wanted_effects = row[state]
    before = STATES[state]
    after, effects = apply(before, event)
    assert after.outbox == (before.outbox if wanted == SAME else () if wanted == DONE else (wanted,))
    if wanted_effects in (MISMATCH, REFUSAL):
        assert [effect.code for effect in effects] == [wanted_effects]
    else:
        assert effects == wanted_effects
    assert after.online == {"up": True, "down": False}.get(name, before.online)


def saved(number, t_ns=T):
    return Saved(t_ns, number, f"c{number}", SHA)


def outbox_of(count, online=True):
    rows = tuple(OutboxRow(f"c{n}", n, SHA, 100, 7) for n in range(1, count + 1))
    sync = restored(Restored(T, 7, "f" * 16, outbox=rows))
    return changed(sync, BrokerUp(T)) if online else (sync, ())


def published(effects):
    return [effect.charge_id for effect in effects if isinstance(effect, Publish)]


def test_a_charge_that_reaches_the_disk_while_online_is_published_at_once():
    sync, effects = committed(Sync(online=True), saved(1), 500, 7)
    assert effects == (Publish("c1", 1),)
    assert sync.outbox == (Outgoing("c1", 1, SHA, 500, 7, 1, NEXT, True),)


def test_a_charge_that_reaches_the_disk_while_offline_waits_for_the_broker():
    sync, effects = committed(Sync(online=False), saved(1), 500, 7)
    assert effects == ()
    assert published(changed(sync, BrokerUp(T + 5))[1]) == ["c1"]


def test_a_commit_that_is_confirmed_twice_is_queued_once():
    sync, _ = committed(Sync(online=True), saved(1), 500, 7)
    assert committed(sync, saved(1, T + 9), 500, 7) == (sync, ())


def test_after_a_restart_the_outbox_is_published_oldest_first_whatever_order_it_came_in():
    rows = tuple(OutboxRow(f"c{n}", n, SHA, 100, 7) for n in (3, 1, 2))
    _, effects = changed(restored(Restored(T, 7, "f" * 16, outbox=rows)), BrokerUp(T))
    assert published(effects) == ["c1", "c2", "c3"]


def test_no_more_than_the_window_is_under_way_and_each_receipt_lets_the_next_one_out():
    sync, effects = outbox_of(25)
    assert published(effects) == [f"c{n}" for n in range(1, WINDOW + 1)]
    sync, _ = changed(sync, Delivered(T, "c1"))
    sync, effects = ticked(sync, T + 1)
    assert published(effects) == [], "an acknowledgement frees no place: the store may be slow"
    sync, effects = changed(sync, Receipted(T, "c1", SHA, "accepted", 1))
    assert published(effects) == ["c11"]


def test_charges_that_never_get_a_receipt_do_not_block_those_behind_them():
    sync, effects = outbox_of(25)
    seen, t_ns = set(published(effects)), T
    for _ in range(120):
        for charge in sync.outbox:
            if charge.in_flight:
                sync, _ = changed(sync, Delivered(t_ns, charge.charge_id))
        t_ns += 100_000_000
        sync, effects = ticked(sync, t_ns)
        seen |= set(published(effects))
    assert len(seen) == 25


def test_a_charge_that_waits_for_its_third_try_holds_no_place():
    stuck = tuple(replace(ROW, charge_id=f"s{n}", seq=n, attempts=2, next_ns=T + 9) for n in range(WINDOW))
    _, effects = committed(Sync(online=True, outbox=stuck), saved(99), 500, 7)
    assert published(effects) == ["c99"]


def test_when_places_are_few_a_first_try_goes_before_a_retry():
    busy = tuple(replace(ROW, charge_id=f"b{n}", seq=n, attempts=1, in_flight=True) for n in range(WINDOW - 1))
    retry = replace(ROW, charge_id="retry", seq=50, attempts=3, next_ns=T)
    first = replace(ROW, charge_id="first", seq=51, next_ns=T)
    assert published(ticked(Sync(online=True, outbox=(*busy, retry, first)), T)[1]) == ["first"]


def test_nothing_is_published_again_while_the_client_holds_it():
    sync, _ = outbox_of(1)
    assert ticked(sync, T + 10 * RETRY_LONG_NS) == (sync, ())


def test_the_delay_doubles_from_two_seconds_to_thirty_and_becomes_five_minutes_in_the_end():
    delays = [retry_delay_ns("c1", attempt) for attempt in range(1, PATIENT_ATTEMPTS + 2)]
    wanted = [FIRST_RETRY_NS * 2**n for n in range(4)] + [RETRY_MAX_NS] * 4 + [RETRY_LONG_NS]
    for delay, base in zip(delays, wanted, strict=True):
        assert base <= delay <= base * (1_000 + JITTER_PERMILLE) // 1_000


def test_the_delays_of_many_charges_are_spread_and_repeatable():
    delays = [retry_delay_ns(f"0190a0b0-0000-7000-8000-{n:012x}", 1) for n in range(200)]
    assert delays == [retry_delay_ns(f"0190a0b0-0000-7000-8000-{n:012x}", 1) for n in range(200)]
    assert len(set(delays)) > 100
    middle = FIRST_RETRY_NS * (2_000 + JITTER_PERMILLE) // 2_000
    assert 60 < sum(delay < middle for delay in delays) < 140


def test_a_long_outage_does_not_leave_long_delays_behind():
    sync = Sync(online=False, outbox=(replace(ROW, attempts=20, next_ns=T + RETRY_LONG_NS),))
    sync, effects = changed(sync, BrokerUp(T))
    assert effects == (), "its receipt may be on the way"
    assert ticked(sync, NEXT)[1] == (Publish("c1", 2),), "and the delays start over"


def test_the_moment_the_broker_was_lost_is_kept_over_failed_reconnects():
    sync, _ = changed(Sync(online=True), BrokerDown(T))
    sync, _ = changed(sync, BrokerDown(T + 9))
    assert sync.down_since_ns == T
