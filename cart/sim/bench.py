"""The live bench: the same daemon and vision process as on a cart, against the simulated world."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from cart.clock import SystemClock
from cart.edge.catalog_file import load_catalog
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from cart.sim import actions as act
from cart.sim.scenario import ScenarioError, parse
from cart.sim.scorer import Score, score
from cart.sim.shelf import Shelf
from cart.sim.shopper import Diary, Shopper
from cart.sim.stack import Stack
from cart.sim.world_link import WorldTalk

ARRIVE_S = 30.0
SAMPLE_S = 0.5
EUR = 100


@dataclass(frozen=True, slots=True)
class TripResult:
    """One live trip: its score, what the store signed for, and the figures."""

    score: Score
    receipt: str
    charges: list[dict[str, Any]]
    diary: Diary
    asked: list[str]
    pictures: str
    duration_s: float
    rss_mb: dict[str, float]
    restarts: dict[str, int]

    @property
    def passed(self) -> bool:
        """Whether the store signed for exactly what the shopper really took."""
        return self.score.passed and self.receipt == "receipted"

    def as_dict(self, trip: str) -> dict[str, Any]:
        """Return it for programs."""
        charge = self.charges[-1] if self.charges else {}
        return {
            "trip": trip,
            "passed": self.passed,
            "truth_minor": self.score.truth_minor,
            "charged_minor": self.score.charged_minor,
            "wrong": list(self.score.wrong),
            "receipt": {"state": self.receipt, **charge},
            "verdict_ms_p95": percentile(self.diary.verdict_ms, 95),
            "verdict_ms_p50": percentile(self.diary.verdict_ms, 50),
            "scan_to_screen_ms_p95": percentile(self.diary.scan_ms, 95),
            "scan_to_screen_ms_p50": percentile(self.diary.scan_ms, 50),
            "asked": self.asked,
            "unmet": self.diary.unmet,
            "duration_s": self.duration_s,
            "rss_mb": round(sum(self.rss_mb.values()), 1),
            "rss_mb_by": self.rss_mb,
            "pictures": self.pictures,
            "restarts": self.restarts,
            "timeline": [{"t_s": t_s, "shopper": did, "screen": said} for t_s, did, said in self.diary.timeline],
        }


def percentile(values: list[float], percent: int) -> float | None:
    """Return the nearest-rank percentile with one decimal, None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    return round(ranked[max(0, -(-len(ranked) * percent // 100) - 1)], 1)


def run_trip(name: str, state: Path | None, seed: int, swap_labels: bool, as_json: bool) -> int:
    """Do one trip in real time; 0 when its charge is receipted and equals the truth, 1 when not, 2 for no such trip."""
    try:
        lines = parse(trip_text(name))
    except (OSError, UnicodeDecodeError, ScenarioError) as error:
        print(f"cart bench: trip {name}: {error}", file=sys.stderr)
        return EXIT_USAGE
    folder = state or Path(tempfile.mkdtemp(prefix="cart-bench-"))
    say = (lambda entry: None) if as_json else _print_entry
    signal.signal(signal.SIGTERM, _interrupted)
    with Stack(folder, seed, swap_labels) as stack:
        result = _trip(stack, lines, seed, say)
    if as_json:
        print(json.dumps(result.as_dict(name)))
    else:
        _print_result(result)
    if result.passed and state is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"state and logs: {folder}", file=sys.stderr)
    return EXIT_OK if result.passed else EXIT_FAILED


def play(state: Path | None, seed: int) -> int:
    """Run the bench until Ctrl-C or SIGTERM, for a person with a browser."""
    folder = state or Path(tempfile.mkdtemp(prefix="cart-bench-"))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Stack(folder, seed) as stack:
        talk = WorldTalk(str(stack.run_dir / "world.sock"))
        pictures = talk.act(act="tell")["pictures"]
        talk.close()
        print(_welcome(stack, pictures), flush=True)
        ended.wait()
        print("ending...", flush=True)
    return EXIT_OK


def trip_text(name: str) -> str:
    """Return the script of a trip: a packaged one by its name, else a file; OSError where there is none."""
    packaged = resources.files("cart.sim") / "data" / f"{name}.trip"
    if "/" not in name and packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return Path(name).read_text(encoding="utf-8")


def _trip(stack: Stack, lines: tuple[act.Line, ...], seed: int, say: Any) -> TripResult:
    clock = SystemClock()
    world = WorldTalk(str(stack.run_dir / "world.sock"))
    shopper = Shopper(stack.screen_port, world, Shelf(load_catalog(""), seed), clock, say)
    memory = _Memory(stack)
    try:
        if not shopper.arrive(ARRIVE_S):
            if shopper.stream.screen is None:
                raise stack.fault("cart", f"shows no screen in {ARRIVE_S} s")
            shopper.diary.unmet.append(f"the cart was not ready in {ARRIVE_S} s")
        began_ns = clock.monotonic_ns()
        diary = shopper.play(lines)
        duration_s = round((clock.monotonic_ns() - began_ns) / 1e9, 1)
        said = world.act(act="tell")
        charges = stack.ledger()
    finally:
        rss_mb = memory.stop()
        shopper.stream.stop()
        world.close()
    receipt = shopper.stream.screen.receipt if shopper.stream.screen else ""
    return TripResult(
        score=score(said["truth"], charges),
        receipt=receipt,
        charges=charges,
        diary=diary,
        asked=list(shopper.stream.asked),
        pictures=said["pictures"],
        duration_s=duration_s,
        rss_mb=rss_mb,
        restarts=stack.restarts,
    )


class _Memory:
    """Samples what daemon and vision hold, and keeps the most of each."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._most_kb = {"cart": 0, "vision": 0}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """Return the most seen of each, in MB."""
        self._stopped.set()
        self._thread.join()
        return {name: round(most_kb * 1_024 / 1e6, 1) for name, most_kb in self._most_kb.items()}

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            for name, most_kb in self._most_kb.items():
                self._most_kb[name] = max(most_kb, self._stack.rss_kb(name))


def _interrupted(*_: object) -> None:
    """End like Ctrl-C, so that the processes of the bench end, too."""
    raise KeyboardInterrupt


# -- words -----------------------------------------------------------------------------


def _print_entry(entry: tuple[float, str, str]) -> None:
    t_s, did, said = entry
    print(f"{t_s:6.1f} s  {did}" + (f"\n          the screen: {said}" if said else ""), flush=True)


def _print_result(result: TripResult) -> None:
    print(f"\npictures: {result.pictures}")
    for charge in result.charges:
        print(f"\nreceipt {result.receipt}: charge {charge['charge_id']}, ledger position {charge['position']}")
        for line in charge["lines"]:
            mass = f"{line['mass_mg'] / 1e6:.3f} kg" if line["sold_by"] == "weight" else ""
            print(f"  {line['name']:<44} {mass:>9} {line['amount_minor'] / EUR:>8.2f}")
        print(f"  {'total':<44} {'':>9} {charge['total_minor'] / EUR:>8.2f} {charge['currency']}")
    print(
        f"\nreally in the cart: {result.score.truth_minor / EUR:.2f}; charged: {result.score.charged_minor / EUR:.2f}"
    )
    asked = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(result.asked).items())) or "nothing"
    figures = result.diary
    memory = " + ".join(f"{name} {mb}" for name, mb in result.rss_mb.items())
    print(f"asked: {asked}; {result.duration_s} s; {memory} MB at most")
    print(f"drop to verdict p95: {percentile(figures.verdict_ms, 95)} ms of {len(figures.verdict_ms)} changes")
    print(f"frame to screen p95: {percentile(figures.scan_ms, 95)} ms of {len(figures.scan_ms)} scans")
    for words in (*result.score.wrong, *(f"(in vain: {unmet})" for unmet in figures.unmet)):
        print(f"  {words}")
    print("PASSED" if result.passed else "FAILED: the charge is not receipted, or is not what was really taken")


def _welcome(stack: Stack, pictures: str) -> str:
    return f"""the whole cart is running with simulated sensors ({pictures})

  the shopper's screen   {stack.screen_url}
  the world around it    {stack.page_url}

  running                broker on port {stack.broker_port}, back office, world, vision, cart
  everything it writes   {stack.folder}  (logs/ holds one log for each process)

try next: open both pages side by side, touch "start" on the screen, hold a code into view and put the thing in;
          then put something in without its code, or cut the network and pay.
          the store's ledger: cart-backoffice ledger --db sqlite:{stack.folder}/ledger.sqlite3

Ctrl-C ends all of it."""
