"""A scripted shopper of the live bench: reacts to what the screen says, and to nothing else of the cart.

The script is a text scenario; here its words happen in real time. After each
act the shopper waits for the screen, never for a length of time beyond a
person's pause. What was expected and did not come is noted, and the trip goes
on, as people do.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cart.core.catalog import Product
from cart.core.effects import Screen
from cart.ports import Clock
from cart.sim import actions as act
from cart.sim.expect import View, shortfall
from cart.sim.screen_stream import ScreenStream
from cart.sim.shelf import Shelf
from cart.sim.told import told
from cart.sim.world_link import WorldTalk

PAUSE_S = 0.7
"""A person's pause between two acts."""

REACT_S = 2.0
"""How long a shopper waits for the screen before trying again, or going on."""

EXPECT_S = 8.0
VERDICT_S = 4.0
START_TRIES, SCAN_TRIES = 5, 3
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Diary:
    """What happened, for the report; delays in ms.

    timeline   (seconds since the start, what the shopper did, what the screen said)
    unmet      what was expected in vain
    """

    timeline: list[tuple[float, str, str]] = field(default_factory=list)
    verdict_ms: list[float] = field(default_factory=list)
    scan_ms: list[float] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)


class Shopper:
    """One person on one trip.

    say  called with each entry of the timeline as it is made
    """

    def __init__(self, screen_port: int, world: WorldTalk, shelf: Shelf, clock: Clock, say: Any) -> None:
        self.diary = Diary()
        self._world = world
        self._shelf = shelf
        self._clock = clock
        self._say = say
        self._mine: Counter[str] = Counter()
        self._decided: list[tuple[int, int]] = []
        self._scans_seen: set[int] = set()
        self._pause = threading.Event()
        self._narrated = Screen(0, "idle")
        self._start_ns = clock.monotonic_ns()
        self.stream = ScreenStream(screen_port, clock, self._see)

    @property
    def screen(self) -> Screen:
        """The newest screen; there is one as soon as `arrive` returned."""
        assert self.stream.screen is not None
        return self.stream.screen

    def arrive(self, timeout_s: float) -> bool:
        """Wait for the first screen of a cart whose scale and camera are well."""
        until_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        lost = {"scale_lost", "camera_lost", "offline"}
        while not {"camera", "panel"} <= set(self._world.act(act="tell")["connected"]):
            if self._clock.monotonic_ns() > until_ns:
                return False
            self._rest()
        left_s = (until_ns - self._clock.monotonic_ns()) / NS_PER_S
        return self.stream.wait(lambda screen: not lost & set(screen.notices), left_s)

    def play(self, lines: tuple[act.Line, ...]) -> Diary:
        """Do what the script says, and return what happened."""
        self._start_ns = self._clock.monotonic_ns()
        self._narrated = self.screen
        for line in lines:
            try:
                did = self._do(line.action)
            except LookupError as error:  # what cannot be done: the trip went another way than its author meant
                did = f"cannot: {error.args[0]}"
                self.diary.unmet.append(f"line {line.number}: {error.args[0]}")
            if did or told(self._narrated, self.screen):
                self._note(did or "waits")
        self.stream.stop()
        return self.diary

    # -- acts ----------------------------------------------------------------------------

    def _do(self, action: act.Action) -> str:
        """Carry one line out and return it in words, "" for nothing worth telling."""
        match action:
            case act.Scan(name):
                return self._scan(self._shelf.find(name))
            case act.Put(things):
                return self._put([(self._shelf.find(x.name), x.mass_mg) for x in things for _ in range(x.count)])
            case act.Take(things):
                return self._take([self._shelf.find(x.name) for x in things for _ in range(x.count)])
            case act.Tap("pick", name):
                return self._pick(self._shelf.find(name))
            case act.Tap("answer", words):
                return self._answer(words)
            case act.Tap("start"):
                return self._start()
            case act.Tap(name, value):
                return self._tap(name, value)
            case act.Expect():
                return self._expect(action)
            case act.Wait(for_ms):
                self._until(self._clock.monotonic_ns() + for_ms * NS_PER_MS)
                return ""
        return self._world_act(action)

    def _world_act(self, action: act.Action) -> str:
        match action:
            case act.Label(code_of, on):
                self._world.act(act="label", code_of=code_of, on=on)
                return f"sticks the code of {code_of} on {on}"
            case act.Device(name, state):
                state = "cut" if name == "network" and state == "unplugged" else state
                self._world.act(act="device", name=name, state=state)
                return f"the {name} is {state}"
            case act.Lean(mass_mg, for_ms) if for_ms:
                done = self._world.act(act="lean", mass_mg=mass_mg, for_ms=for_ms)
                self._until(done["done_ns"])
                return f"leans on the cart for {for_ms} ms"
            case act.Press(button):
                self._world.act(act="contact", name=button)
                return f"presses {button}"
            case act.Exit("gate"):
                self._world.act(act="contact", name="gate")
                return "passes the gate"
        raise LookupError(f"a live trip has no {type(action).__name__.lower()}")

    def _scan(self, product: Product) -> str:
        before, tries, reacted = self.screen, 0, False
        while not reacted and tries < SCAN_TRIES:
            tries += 1
            done = self._world.act(act="scan", product=product.id)
            reacted = self.stream.wait(lambda screen: _reacted(before, screen), REACT_S)
            self._until(done["done_ns"])
        self._rest()
        return f"holds the code of {product.name} into view" + (f", {tries} times" if tries > 1 else "")

    def _put(self, pieces: list[tuple[Product, int | None]]) -> str:
        for product, mass_mg in pieces:
            before = self.screen.decided
            done = self._world.act(act="put", product=product.id, mass_mg=mass_mg)
            self._mine[product.id] += 1
            self._verdict(before, done["t_release_ns"])
        return "puts " + " and ".join(product.name for product, _ in pieces) + " in"

    def _take(self, products: list[Product]) -> str:
        for product in products:
            before = self.screen.decided
            done = self._world.act(act="take", product=product.id)
            self._mine[product.id] -= 1
            self._verdict(before, done["t_release_ns"])
            self._until(done["done_ns"])
        return "takes " + " and ".join(product.name for product in products) + " out"

    def _verdict(self, before: int, release_ns: int) -> None:
        """Wait until the screen shows one more decision than before, and note how long after the hand let go."""
        self._until(release_ns)
        if not self.stream.wait(lambda screen: screen.decided != before, VERDICT_S):
            self.diary.unmet.append(f"no verdict on a change within {VERDICT_S} s")
            return
        shown_ns = next((t_ns for t_ns, decided in self._decided if decided > before), None)
        if shown_ns is not None:  # a daemon that restarted meanwhile counts anew
            self.diary.verdict_ms.append(max(0.0, (shown_ns - release_ns) / NS_PER_MS))
        self._rest()

    def _pick(self, product: Product) -> str:
        """Choose a picture where the cart shows the right one, else look for the name."""
        self.stream.wait(lambda screen: product.id in _pictures(screen), REACT_S)
        before, how = self.screen, "by its picture, which the camera suggests"
        option = _option(before, product)
        if option:
            self.stream.tap("answer", option)
        elif product.id in _pictures(before):
            self.stream.tap("pick", product.id)
        else:
            how = "by its name"
            found = [row["id"] for row in self.stream.search(product.name)]
            if product.id not in found:
                self.diary.unmet.append(f"the search for {product.name} finds {found[:3]}")
            self.stream.tap("pick", product.id)
        self.stream.wait(lambda screen: _reacted(before, screen), REACT_S)
        self._rest()
        return f"chooses {product.name} {how}"

    def _answer(self, words: str) -> str:
        prompt = self.screen.prompt
        values = [option.value for option in prompt.options] if prompt else []
        named = words if words in ("own", "out", "help") else ""
        if not named and prompt is not None:
            named = _option(self.screen, self._shelf.find(words))
        if not named:
            self.diary.unmet.append(f"no answer '{words}' among {values}")
            return ""
        return self._tap("answer", named)

    def _start(self) -> str:
        """Touch start, and again if no list appears: an empty cart is weighed first."""
        for _ in range(START_TRIES):
            self._tap("start", "")
            if self.stream.wait(lambda screen: screen.phase != "idle", REACT_S):
                break
        return "touches start"

    def _tap(self, name: str, value: str) -> str:
        before = self.screen.revision
        if not self.stream.tap(name, value):
            self.diary.unmet.append(f"the touch {name} {value} was refused")
        self.stream.wait(lambda screen: screen.revision != before, REACT_S)
        self._rest()
        return f"touches {name} {value}".rstrip()

    def _expect(self, expected: act.Expect) -> str:
        timeout_s = expected.within_ms / 1_000 or EXPECT_S
        until_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        honest = expected.what in ("basket", "phase", "total")
        while self._clock.monotonic_ns() < until_ns:
            left_s = (until_ns - self._clock.monotonic_ns()) / NS_PER_S
            if self.stream.wait(lambda screen: self._is_so(screen, expected), min(left_s, REACT_S)):
                return ""
            if honest:
                self._answer_honestly()
        missing = shortfall(self._view(self.screen), expected)
        if missing:
            self.diary.unmet.append(missing)
            self._note("waits in vain", missing)
        return ""

    def _answer_honestly(self) -> None:
        """Answer a question with what is in the cart and not on the bill; about what left, the reverse."""
        screen = self.screen
        if screen.prompt is None:
            return
        if screen.prompt.kind == "weigh_again":
            product = self._shelf.find(screen.prompt.args[0])
            self._note("is asked weigh_again", f"lifts {product.name} out and puts it back in")
            self._take([product])
            self._put([(product, None)])
            return
        billed = Counter({line.product_id: 0 for line in screen.lines})
        for line in screen.lines:
            billed[line.product_id] += line.count
        waiting = Counter(x.product_id for x in screen.waiting)  # named already: the list shows it
        removed = screen.prompt.kind == "what_removed"
        missing = billed - self._mine if removed else self._mine - billed - waiting
        wanted = [x for n in sorted(missing.elements()) if (x := self._shelf.catalog.product(n)) is not None]
        asked = f"is asked {screen.prompt.kind}"
        for product in wanted:
            if option := _option(screen, product):
                self._note(asked, f"answers {product.name}")
                self.stream.tap("answer", option)
                self.stream.wait(lambda after: after.prompt != screen.prompt, REACT_S)
                return
        if wanted and not removed:
            self._note(asked, self._scan(wanted[0]) if wanted[0].gtins else self._pick(wanted[0]))

    # -- inside ----------------------------------------------------------------------------

    def _is_so(self, screen: Screen, expected: act.Expect) -> bool:
        return not shortfall(self._view(screen), expected)

    def _view(self, screen: Screen) -> View:
        return View(screen, tuple(self.stream.asked), self._shelf)

    def _see(self, t_ns: int, screen: Screen) -> None:
        """Note the moments that are measured; called on the stream's thread."""
        self._decided.append((t_ns, screen.decided))
        for waiting in screen.waiting:
            if waiting.t_frame_ns and waiting.t_frame_ns not in self._scans_seen:
                self._scans_seen.add(waiting.t_frame_ns)
                self.diary.scan_ms.append((t_ns - waiting.t_frame_ns) / NS_PER_MS)

    def _note(self, did: str, said: str = "") -> None:
        """Add to the timeline what was done, and what the screen said since the entry before unless `said` says it."""
        screen = self.screen
        said = said or told(self._narrated, screen)
        self._narrated = screen
        entry = (round((self._clock.monotonic_ns() - self._start_ns) / NS_PER_S, 1), did, said)
        self.diary.timeline.append(entry)
        self._say(entry)

    def _until(self, t_ns: int) -> None:
        left_ns = t_ns - self._clock.monotonic_ns()
        if left_ns > 0:
            self._pause.wait(left_ns / NS_PER_S)

    def _rest(self) -> None:
        self._pause.wait(PAUSE_S)


def _reacted(before: Screen, after: Screen) -> bool:
    """Return whether the screen shows that something was recognised."""
    return (after.lines, after.waiting) != (before.lines, before.waiting)


def _pictures(screen: Screen) -> set[str]:
    """Return the products that can be chosen with one touch."""
    options = screen.prompt.options if screen.prompt is not None else ()
    return {suggestion.product_id for suggestion in screen.suggestions} | {option.picture for option in options}


def _option(screen: Screen, product: Product) -> str:
    """Return the value of the answer that names this product, "" where there is none."""
    options = screen.prompt.options if screen.prompt is not None else ()
    return next((x.value for x in options if product.id == x.picture or product.name == x.name), "")
