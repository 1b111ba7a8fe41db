"""The state of the core: values only, replaced and never changed in place."""

from __future__ import annotations

from dataclasses import dataclass, field

from cart.core.effects import CommitSale, Save, Screen
from cart.core.events import Tapped
from cart.core.evidence import Look
from cart.core.legal import LegalState
from cart.core.legal_record import Alibi, LegalEvent
from cart.core.setup import Setup
from cart.core.sync import Sync
from cart.core.trip import Doubt, Gone, Line, Scan, Trip
from cart.core.weighing import Weighing
from cart.core.weight import WeightState


@dataclass(frozen=True, slots=True)
class Live:
    """A change of load that is still under judgement, or still unexplained.

    key        what it was explained by: ("unknown", suspect), ("scan", products..., "#1"), ...
    lines      lines that it added
    gone       lines that it took out
    back       lines that it brought back, which had been taken out before
    scans      waiting scans that it used up
    cleared    doubts that it undid
    doubt_id   the doubt that it left, 0 for none
    settled    a person answered: evidence no longer changes it
    seen       False where it came to light at a standstill, and was no step that the scale saw
    refused    numbers of scans that did not explain it while the camera's opinion of it was still known
    """

    step_id: int
    delta_mg: int
    sigma_mg: int
    standing: bool
    final: bool
    t_start_ns: int
    t_accept_ns: int
    t_final_ns: int = 0
    key: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    gone: tuple[Line, ...] = ()
    back: tuple[Gone, ...] = ()
    scans: tuple[Scan, ...] = ()
    cleared: tuple[Doubt, ...] = ()
    doubt_id: int = 0
    settled: bool = False
    seen: bool = True
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """All that the core knows.

    t_ns          the latest time of any event
    gross_mg      load at the last standstill, None before the first and while the scale is lost
    expected_mg   load that the changes so far add up to
    loose_mg      after a restart: how much farther expected_mg may be off until the first standstill
    recheck_ns    after a restart, until the load was held against the books: how long a dead scale is waited for
    foreign       serial number of the converter that speaks where it is not the calibration's, else ""
    weighing_ns   since when the scale weighs without a break
    alarm_ns      when something began to happen to the load that stood, 0 once it is known what
    lost          names of sources that do not deliver
    passing       notices that vanish by themselves: (code, until)
    starting      a touch on start that came before the empty cart was weighed
    own_until_ns  the next thing to land before this is the shopper's own
    unsaved       transactions that the database has not confirmed, oldest first
    save_failed   it refused the oldest of them, and tries again by itself
    safe_id       lines with a smaller id are on disk
    legal         trade weighing;  weighing: the one that the shopper opened
    alibi_id      number of the last alibi record;  legal_counter: of the last change of what prices rest on
    alibis        records for the next transaction;  legal_events: the same
    decided       changes that got a verdict, and when the last of them landed
    """

    setup: Setup
    weight: WeightState
    t_ns: int = 0
    wall_ms: int = 0
    incarnation: str = ""
    trip: Trip = field(default_factory=Trip)
    looks: tuple[Look, ...] = ()
    lives: tuple[Live, ...] = ()
    sync: Sync = field(default_factory=Sync)
    load_state: str = "ok"
    gross_mg: int | None = None
    expected_mg: int | None = None
    loose_mg: int = 0
    recheck_ns: int = 0
    standstill_ns: int = 0
    weighing_ns: int = 0
    foreign: str = ""
    changed_ns: int = 0
    alarm_ns: int = 0
    lost: tuple[str, ...] = ()
    passing: tuple[tuple[str, int], ...] = ()
    starting: Tapped | None = None
    own_until_ns: int = 0
    save_seq: int = 0
    charge_seq: int = 0
    unsaved: tuple[Save | CommitSale, ...] = ()
    save_failed: bool = False
    safe_id: int = 1
    legal: LegalState = field(default_factory=LegalState)
    weighing: Weighing | None = None
    alibi_id: int = 0
    legal_counter: int = 0
    alibis: tuple[Alibi, ...] = ()
    legal_events: tuple[LegalEvent, ...] = ()
    decided: int = 0
    decided_drop_ns: int = 0
    screen: Screen = field(default_factory=lambda: Screen(0, "idle"))
    panel: tuple[str, str] = ("", "")
