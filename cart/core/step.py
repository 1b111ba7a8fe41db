"""The whole cart as one pure function: `step(state, event) -> (state, effects)`.

Each type of event has one handler. After it, whatever it was, the trip is
saved if it changed, and the screen and the panel are brought up to date, so
that no handler can forget to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cart.core import (
    basket,
    cases,
    half_weighed,
    judge,
    lives,
    people,
    reminders,
    screen,
    session,
    sync,
    trade,
    weight,
)
from cart.core.effects import CloseCharge, CommitSale, Effect, Note, Save
from cart.core.events import (
    BrokerDown,
    BrokerUp,
    CellAccelerated,
    CellFault,
    CellIdentified,
    CellTemperature,
    Classified,
    Delivered,
    Event,
    ExitSeen,
    LoadSampled,
    MessageRefused,
    PanelPressed,
    Receipted,
    Restored,
    Saved,
    SaveFailed,
    Sighted,
    SourceBack,
    SourceLost,
    Tapped,
    Tick,
    VisionAlive,
)
from cart.core.evidence import looked
from cart.core.setup import Setup
from cart.core.state import State
from cart.core.trip import Charge, Scan, Trip
from cart.core.weight_values import Alarm, Told

Done = tuple[State, tuple[Effect, ...]]

SAME_ITEM_NS = 2_500_000_000
"""A code seen again so soon, in another pass, is still the item that was seen before."""


def initial(setup: Setup) -> State:
    """Return the state before the first event, which must be `Restored`."""
    return State(setup=setup, weight=weight.initial(setup.calibration, setup.weight))


def step(state: State, event: Event) -> Done:
    """Return the next state and what the world is asked to do.

    Same state, same event, same result: on any machine, at any time.
    """
    # What the database gave is what was before: a restart must not commit the sale of the open trip again.
    before = (event.trip or Trip()) if isinstance(event, Restored) else state.trip
    state = replace(state, t_ns=max(state.t_ns, event.t_ns))
    state, effects = _HANDLERS[type(event)](state, event)
    state, weighed = trade.followed(state, event)
    state, saves = _save(before, state)
    state, shows = screen.shown(state)
    return state, (*effects, *weighed, *saves, *shows)


# -- saving ----------------------------------------------------------------------


def _save(before: Trip, state: State) -> Done:
    anchor_mg, loose_mg = half_weighed.foreseen(state)
    state = replace(state, trip=replace(state.trip, loose_mg=loose_mg))
    records = state.alibis or state.legal_events
    if not records and replace(state.trip, scans=before.scans) == before and _same_scans(before, state.trip):
        return state, ()
    state = replace(state, trip=replace(state.trip, anchor_mg=anchor_mg))
    entries = basket.journal(before, state.trip)
    seq = state.save_seq + 1
    effect: Save | CommitSale = Save(seq, entries, state.trip, state.alibis, state.legal_events)
    if state.trip.charge_id and state.trip.charge_id != before.charge_id:
        effect = CommitSale(seq, entries, state.trip, _charge(state), state.alibis, state.legal_events)
    return replace(state, save_seq=seq, unsaved=(*state.unsaved, effect), alibis=(), legal_events=()), (effect,)


def _same_scans(before: Trip, after: Trip) -> bool:
    """Return True if the same scans wait: another vote for one of them is not worth a write."""
    return [scan.id for scan in before.scans] == [scan.id for scan in after.scans]


def _charge(state: State) -> Charge:
    trip = state.trip
    return Charge(
        charge_id=trip.charge_id,
        seq=trip.charge_seq,
        trip_id=trip.trip_id,
        wall_ms=state.wall_ms,
        currency=state.setup.catalog.currency,
        total_minor=basket.total_minor(trip),
        lines=trip.lines,
        flags=trip.flags,
        catalog_version=state.setup.catalog.version,
        not_for_trade=state.setup.not_for_trade,
    )


def _saved(state: State, event: Saved) -> Done:
    done = [effect for effect in state.unsaved if effect.seq <= event.seq]
    left = tuple(effect for effect in state.unsaved if effect.seq > event.seq)
    state = replace(state, unsaved=left, save_failed=False)
    effects: tuple[Effect, ...] = ()
    for effect in done:
        if effect.trip.trip_id == state.trip.trip_id:
            state = replace(state, safe_id=max(state.safe_id, effect.trip.next_id))
        if isinstance(effect, CommitSale):
            charge = effect.charge
            queue, effects = sync.committed(state.sync, event, charge.total_minor, charge.wall_ms)
            state = _receipt(replace(state, sync=queue), charge.charge_id, "saved")
    return state, effects


def _save_failed(state: State, event: SaveFailed) -> Done:
    """The writer tries again, in order, until the disk takes it: nothing is repeated from here."""
    return replace(state, save_failed=True), (Note("SAVE-FAILED", "error", event.reason),)


def _restored(state: State, event: Restored) -> Done:
    """Take up the trip that was open. Monotonic times of an earlier run mean nothing now."""
    trip = event.trip or Trip()
    if trip.phase == "locked":
        trip = replace(trip, phase=session.after(trip.phase, session.CHANGED))
    if trip.receipt in ("saving", "saved"):
        words = {"": "saved", "rejected": "rejected"}
        trip = replace(trip, receipt=words.get(event.verdict, "receipted"))
    scans = tuple(replace(x, t_ns=event.t_ns) for x in trip.scans)
    doubts = tuple(replace(x, t_ns=event.t_ns, step_id=-x.id) for x in trip.doubts)
    gone = tuple(replace(x, t_ns=event.t_ns) for x in trip.gone)
    state = replace(
        state,
        wall_ms=event.wall_ms,
        incarnation=event.incarnation,
        trip=replace(trip, scans=scans, doubts=doubts, gone=gone),
        sync=sync.restored(event),
        expected_mg=trip.anchor_mg,
        loose_mg=trip.loose_mg,
        recheck_ns=event.t_ns + reminders.RECHECK_NS if trip.phase in session.SHOPPING_PHASES else 0,
        save_seq=event.save_seq,
        charge_seq=event.charge_seq,
        safe_id=trip.next_id,
        changed_ns=event.t_ns,
    )
    state, effects = half_weighed.taken_up(state)
    return lives.with_doubts_taken_up(state), effects


# -- load ------------------------------------------------------------------------


def _load_sampled(state: State, event: LoadSampled) -> Done:
    cell, told = weight.sampled(state.weight, event)
    return _told(replace(state, weight=cell), told)


def _accelerated(state: State, event: CellAccelerated) -> Done:
    cell, told = weight.accelerated(state.weight, event)
    return _told(replace(state, weight=cell), told)


def _told(state: State, told: Iterable[Told]) -> Done:
    effects: tuple[Effect, ...] = ()
    for value in told:
        if isinstance(value, weight.Step):
            state, more = _stepped(state, value)
        elif isinstance(value, weight.Standstill):
            state, more = _stood(state, value), ()
        elif isinstance(value, weight.LoadState):
            state, more = _load_state(state, value)
        elif isinstance(value, Alarm):
            state, more = reminders.alarmed(state), ()
        else:
            state, more = cases.named(state, value)
        effects += more
    return state, effects


def _stepped(state: State, change: weight.Step) -> Done:
    if state.trip.phase not in session.SHOPPING_PHASES:
        return replace(state, changed_ns=state.t_ns, expected_mg=None), ()
    state = replace(state, alarm_ns=0)
    lasted_ns = (change.t_accept_ms - change.t_start_ms) * 1_000_000
    state, effects = judge.stepped(state, change, state.t_ns - lasted_ns, state.t_ns)
    return reminders.reopen(state), (*cases.landed(change), *effects)


def _stood(state: State, rest: weight.Standstill) -> State:
    state = replace(state, gross_mg=rest.gross_mg, standstill_ns=state.t_ns)
    idle = state.trip.phase not in session.SHOPPING_PHASES
    if idle or state.expected_mg is None:
        return replace(state, expected_mg=rest.gross_mg)
    small = abs(reminders.residual_mg(state)) <= reminders.tolerance_mg(state)
    if small and reminders.at_rest(state):
        return half_weighed.settled(state, rest)
    return state


def _load_state(state: State, value: weight.LoadState) -> Done:
    gross_mg = state.gross_mg if value.state == "ok" else None
    state = replace(state, load_state=value.state, gross_mg=gross_mg, changed_ns=state.t_ns, weighing_ns=state.t_ns)
    level = "info" if value.state == "ok" else "error"
    return _unweighed(state), (Note("SCALE-STATE", level, f"the scale is {value.state}"),)


def _unweighed(state: State) -> State:
    """Return the state in which a fixed bill is open again: nothing is paid while nobody can weigh."""
    weighs = state.load_state == "ok" and "scale" not in state.lost
    return state if weighs else reminders.reopen(state)


def _cell_identified(state: State, event: CellIdentified) -> Done:
    """Tell of a converter that the calibration is not of, once; trade weighing refuses it by itself."""
    known = state.setup.converter
    foreign = event.serial if known and event.serial != known else ""
    told = foreign in ("", state.foreign)
    note = Note("CALIBRATION-FOREIGN", "error", f"the record is of {known}, this is {foreign}")
    return replace(state, foreign=foreign), () if told else (note,)


def _cell_warmed(state: State, event: CellTemperature) -> Done:
    return state, ()


def _cell_fault(state: State, event: CellFault) -> Done:
    cell, told = weight.faulted(state.weight, event)
    state, effects = _told(replace(state, weight=cell), told)
    return state, (Note("SCALE-FAULT", "warning", f"{event.code} {event.text}".strip()), *effects)


# -- camera ----------------------------------------------------------------------


def _sighted(state: State, event: Sighted) -> Done:
    if state.trip.phase not in ("shopping", "closing"):
        return state, ()
    product = state.setup.catalog.of_gtin(event.gtin) if event.gtin else None
    if product is None:
        text = f"{event.symbology} {event.gtin or event.text[:40]!r} is not in the catalogue"
        note = Note("CODE-UNKNOWN", "info", text)
        known = any(code == "unknown_code" for code, _ in state.passing)
        return reminders.passing(state, "unknown_code"), () if known else (note,)
    old = _same_sighting(state, event, product.id)
    if old is not None:
        newer = replace(old, votes=max(old.votes, event.votes), moved=old.moved or event.moved)
        return replace(state, trip=basket.change_scan(state.trip, newer)), ()
    if _just_landed(state, event, product.id):
        return state, ()
    scan = Scan(0, product.id, "code", event.t_frame_ns, event.track, event.votes, event.moved)
    return judge.rejudge_unexplained(replace(state, trip=basket.add_scan(state.trip, scan)))


def _same_sighting(state: State, event: Sighted, product_id: str) -> Scan | None:
    for scan in state.trip.scans:
        soon = abs(event.t_frame_ns - scan.t_ns) < SAME_ITEM_NS
        same = scan.source == "code" and scan.product_id == product_id
        if same and (soon or scan.track == event.track):
            return scan
    return None


def _just_landed(state: State, event: Sighted, product_id: str) -> bool:
    """Return True if this code belongs to an item that is already explained.

    Pass numbers go on over restarts of either process, so this holds across them.
    """
    if any(x.track == event.track and x.product_id == product_id for x in state.trip.landed):
        return True
    for live in state.lives:
        for scan in live.scans:
            soon = event.t_frame_ns - scan.t_ns < SAME_ITEM_NS
            if scan.product_id == product_id and soon:
                return True
        if product_id in live.key[1:] and event.t_frame_ns - live.t_accept_ns < SAME_ITEM_NS:
            return True
    return False


def _classified(state: State, event: Classified) -> Done:
    state = replace(state, looks=looked(state.looks, event))
    if state.trip.phase not in session.SHOPPING_PHASES:
        return state, ()
    return judge.rejudge_recent(state)


def _vision_alive(state: State, event: VisionAlive) -> Done:
    return _lost(state, "view", event.covered), ()


# -- store, sources and time -------------------------------------------------------


def _store_answered(state: State, event: BrokerUp | BrokerDown | Delivered | Receipted) -> Done:
    queue, effects = sync.changed(state.sync, event)
    state = replace(state, sync=queue)
    for effect in effects:
        if isinstance(effect, CloseCharge):
            word = "rejected" if effect.verdict == "rejected" else "receipted"
            state = _receipt(state, effect.charge_id, word)
    return state, effects


def _receipt(state: State, charge_id: str, word: str) -> State:
    """Return the state whose trip shows how far its receipt is, if it is that charge's trip."""
    if state.trip.charge_id != charge_id:
        return state
    return replace(state, trip=replace(state.trip, receipt=word))


def _message_refused(state: State, event: MessageRefused) -> Done:
    return state, (Note("MESSAGE-REFUSED", "warning", f"{event.topic}: {event.reason}"),)


def _source_lost(state: State, event: SourceLost) -> Done:
    note = Note("SOURCE-LOST", "error", f"{event.name}: {event.reason}")
    return _unweighed(_lost(state, event.name, True)), (note,)


def _source_back(state: State, event: SourceBack) -> Done:
    return _lost(state, event.name, False), (Note("SOURCE-BACK", "info", event.name),)


def _lost(state: State, name: str, gone: bool) -> State:
    others = tuple(x for x in state.lost if x != name)
    lost = tuple(sorted((*others, name))) if gone else others
    return state if lost == state.lost else replace(state, lost=lost)


def _ticked(state: State, event: Tick) -> Done:
    state = replace(state, wall_ms=event.wall_ms)
    cell, told = weight.ticked(state.weight, event.t_ns)
    state, effects = _told(replace(state, weight=cell), told)
    queue, published = sync.ticked(state.sync, event.t_ns)
    state, reminded = reminders.remind(replace(state, sync=queue))
    state, begun = people.start_when_weighed(state)
    return state, (*effects, *published, *reminded, *begun)


_HANDLERS: dict[type[Any], Callable[[State, Any], Done]] = {
    Restored: _restored,
    Tick: _ticked,
    LoadSampled: _load_sampled,
    CellAccelerated: _accelerated,
    CellIdentified: _cell_identified,
    CellTemperature: _cell_warmed,
    CellFault: _cell_fault,
    Sighted: _sighted,
    Classified: _classified,
    VisionAlive: _vision_alive,
    Tapped: people.tapped,
    PanelPressed: people.pressed,
    ExitSeen: people.left,
    Saved: _saved,
    SaveFailed: _save_failed,
    BrokerUp: _store_answered,
    BrokerDown: _store_answered,
    Delivered: _store_answered,
    Receipted: _store_answered,
    MessageRefused: _message_refused,
    SourceLost: _source_lost,
    SourceBack: _source_back,
}
