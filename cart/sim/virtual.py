"""The whole cart in one process and no real time: world -> wire bytes -> decoder -> step.

    Platform -> Converter -> bytes -> Decoder -> LoadSampled ─┐
    Eyes -> sightings ────────────────────────────────────────┤ in order of time -> step -> effects
    taps, ticks, replies of the database and the store ───────┘

Nothing here knows what a shopper does: `runner.py` does. Same seed and same calls: same bytes, same effects.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256

from cart.clock import NS_PER_MS, ManualClock
from cart.core.catalog import Catalog
from cart.core.effects import CommitSale, Effect, Screen, SetPanel, Show
from cart.core.events import BrokerDown, BrokerUp, Event, SourceBack, SourceLost, Tick, VisionAlive
from cart.core.setup import Setup
from cart.core.step import initial, step
from cart.core.weight import Calibration
from cart.sim.backstore import Backstore
from cart.sim.physics import Params, Platform
from cart.sim.wire_out import Converter
from cart.wire import codec
from cart.wire.cell_events import CellEvents

SLICE_NS = 50_000_000
"""The world advances in slices of this length: what a serial port hands over at once, four conversions."""

TICK_NS = 100_000_000
ALIVE_NS = 1_000_000_000
START_NS = 1_000_000_000

VISION_LOST_NS = 3_000_000_000
"""Silence of the camera after which the daemon's link reader reports it."""


def setup_of(catalog: Catalog) -> Setup:
    """Return the setup of a cart with the simulated cell's calibration and this catalogue."""
    return Setup(calibration=calibration(), catalog=catalog)


def calibration() -> Calibration:
    """Return the calibration that the simulated platform has by construction."""
    params = Params()
    return Calibration(zero_counts=params.zero_counts, counts_per_kg=params.counts_per_kg)


class Virtual:
    """A cart and its devices on a clock that is told.

    effects  all that `step` returned, in order
    screen   the newest one
    light    the newest one
    """

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup = setup
        self.clock = ManualClock(START_NS)
        self.platform = Platform(seed)
        self.backstore = Backstore()
        self.effects: list[Effect] = []
        self.screen = Screen(0, "idle")
        self.light = "off"
        self.scale, self.camera = "well", "well"
        self.wire = sha256()
        self._converter = Converter(self.platform)
        self._cell = CellEvents()
        self._ids = random.Random(f"ids {seed}")
        self._due: list[tuple[int, int, Callable[[int], Event]]] = []
        self._order = 0
        self._state = initial(setup)
        self._up_ns = 0
        self._boot()
        self._every(TICK_NS, lambda t_ns: Tick(t_ns, self.clock.wall_ms()))

    # -- time ----------------------------------------------------------------------

    def advance_ms(self, duration_ms: int) -> None:
        """Let time pass; whole slices, so the rest of a slice is passed, too."""
        end_ns = self.clock.monotonic_ns() + duration_ms * NS_PER_MS
        while self.clock.monotonic_ns() < end_ns:
            self._slice()

    def at(self, t_ns: int, make: Callable[[int], Event]) -> None:
        """Plan an event for a moment; it is made when the moment comes."""
        self._order += 1
        heapq.heappush(self._due, (max(t_ns, self.clock.monotonic_ns()), self._order, make))

    def send(self, events: Iterable[Event]) -> None:
        """Plan events of the world for the moments that they carry: a restart does not undo them."""
        for event in events:
            self.at(event.t_ns, _of_world(lambda t_ns, event=event: replace(event, t_ns=t_ns)))

    def now(self, make: Callable[[int], Event]) -> None:
        """Let an event happen at once."""
        self._feed(make(self.clock.monotonic_ns()))

    def fresh_id(self) -> str:
        """Return a new UUIDv7 from the seed and the told clock."""
        value = self.clock.wall_ms() << 80 | 0x7 << 76 | self._ids.getrandbits(12) << 64
        value |= 0b10 << 62 | self._ids.getrandbits(62)
        text = f"{value:032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    # -- faults ----------------------------------------------------------------------

    def set_scale(self, state: str) -> None:
        """Set the scale "well", "unplugged" (the port is gone) or "silent" (the port stays, nothing comes)."""
        was, self.scale = self.scale, state
        if state == "unplugged":
            self.now(lambda t_ns: SourceLost(t_ns, "scale", "unplugged"))
        elif was != "well" and state == "well":
            self._converter.reboot()
            self._cell = CellEvents()
            if was == "unplugged":
                self.now(lambda t_ns: SourceBack(t_ns, "scale"))

    def set_camera(self, state: str) -> None:
        """Set the camera "well", "unplugged" (the process is silent) or "covered" (alive, and it says so)."""
        was, self.camera = self.camera, state
        if state == "unplugged":
            self.at(self.clock.monotonic_ns() + VISION_LOST_NS, self._camera_gone)
        elif was == "unplugged":
            self.now(lambda t_ns: SourceBack(t_ns, "vision"))

    def set_network(self, connected: bool) -> None:
        """Cut or restore the way to the broker."""
        self.backstore.connected = connected
        self.now(lambda t_ns: BrokerUp(t_ns) if connected else BrokerDown(t_ns, "cut"))

    def restart(self, outage_ms: int = 0, *, unsaved: bool = False) -> None:
        """Kill the daemon between two events and start it, after an outage, on what its database holds.

        unsaved  a transaction that the database has not confirmed yet did not reach the disk
        """
        if unsaved and not self.down:
            self.backstore.forget_unconfirmed(self.clock.monotonic_ns())
        self._due = [entry for entry in self._due if getattr(entry[2], "of_world", False)]
        heapq.heapify(self._due)
        self._state = initial(self.setup)
        self._cell = CellEvents()
        self._up_ns = self.clock.monotonic_ns() + outage_ms * NS_PER_MS
        if not self.down:
            self._boot()

    @property
    def down(self) -> bool:
        """Whether the daemon is dead just now: nothing reaches it, and the world goes on."""
        return self.clock.monotonic_ns() < self._up_ns

    # -- inside ----------------------------------------------------------------------

    def _boot(self) -> None:
        self.now(lambda t_ns: self.backstore.restored(t_ns, self.clock.wall_ms()))
        if self.backstore.connected:
            self.now(BrokerUp)

    def _camera_gone(self, t_ns: int) -> Event:
        reason = "no picture" if self.camera == "unplugged" else ""
        return SourceLost(t_ns, "vision", reason) if reason else VisionAlive(t_ns, 1)

    def _every(self, period_ns: int, make: Callable[[int], Event]) -> None:
        def again(t_ns: int) -> Event:
            self.at(t_ns + period_ns, _of_world(again))
            return make(t_ns)

        self.at(self.clock.monotonic_ns() + period_ns, _of_world(again))

    def _slice(self) -> None:
        """Let one slice pass: planned events at their moments, then what the serial port brings."""
        end_ns = self.clock.monotonic_ns() + SLICE_NS
        while self._due and self._due[0][0] <= end_ns:
            t_ns, _, make = heapq.heappop(self._due)
            self._pass_to(max(t_ns, self.clock.monotonic_ns()))
            self._feed(make(self.clock.monotonic_ns()))
        self._pass_to(end_ns)
        data, _ = self._converter.advance_to((end_ns - START_NS) // 1_000)
        if self.scale == "well" and not self.down:
            self.wire.update(data)
            for event in self._cell.feed(data, end_ns):
                self._feed(event)
        if self.camera != "unplugged" and end_ns % ALIVE_NS < SLICE_NS:
            self._feed(VisionAlive(end_ns, end_ns // ALIVE_NS, self.camera == "covered", True, ("zxing",)))

    def _pass_to(self, t_ns: int) -> None:
        was_down = self.down
        self.clock.advance_to_ns(t_ns)
        if was_down and not self.down:
            self._boot()

    def _feed(self, event: Event) -> None:
        if self.down:
            return
        self._state, effects = step(self._state, event)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        self.effects.append(effect)
        if isinstance(effect, Show):
            self.screen = effect.screen
        elif isinstance(effect, SetPanel):
            self.light = effect.light
        for delay_ns, make in self.backstore.answer(effect, self.clock.monotonic_ns()):
            self.at(self.clock.monotonic_ns() + delay_ns, make)

    # -- results ----------------------------------------------------------------------

    @property
    def charges(self) -> list[CommitSale]:
        """The sales that were committed, in order."""
        return [effect for effect in self.effects if isinstance(effect, CommitSale)]

    def effects_sha256(self) -> str:
        """Return the hash over the canonical lines of all effects."""
        digest = sha256()
        for effect in self.effects:
            digest.update(codec.encode(effect) + b"\n")
        return digest.hexdigest()


def _of_world(make: Callable[[int], Event]) -> Callable[[int], Event]:
    """Return `make`, marked as what happens whether the daemon lives or not."""
    make.of_world = True  # type: ignore[attr-defined]
    return make
