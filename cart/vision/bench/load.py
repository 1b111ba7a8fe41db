"""The vision process itself, in real time: frames a second, processor and memory, at rest and with things passing.

A process `cart vision` is started with a simulated camera of 1280x720 at 15 frames a second, and this bench is the
world around it: first nothing moves, then one thing after the other is carried through the view, two of three with a
code. What its camera spends on drawing counts, as what a real one spends on copying would.
"""

from __future__ import annotations

import json
import os
import queue
import random
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cart import config
from cart.clock import NS_PER_MS, SystemClock
from cart.core.events import Sighted, VisionAlive
from cart.edge.link import LinkReader
from cart.sim.pictures import Pictures, photo_folder
from cart.vision.bench.sections import NotThere, Plan, Progress, Result, Table
from cart.wire.gtin import check_digit

if TYPE_CHECKING:
    from cart.core.events import Event

START_S = 60
SETTLE_S = 3
REST_S, REST_S_QUICK = 20, 6
BUSY_S, BUSY_S_QUICK = 40, 12
LABELS = ("Banana", "Red-Delicious", "Cucumber", "Arla-Standard-Milk")
WAYS = (
    ((0, 640, -330), (250, 640, 330), (500, 665, 370), (750, 690, 1_050)),
    ((0, 690, 1_050), (250, 660, 370), (500, 640, 330), (750, 640, -330)),
    ((0, 560, -330), (300, 640, 330), (900, 690, 360), (1_200, 700, -330)),
)
"""Into the basket, out of it, and shown to the camera: (ms, x, y) of the thing's middle."""

EVENTS_MAX = 4_096
"""Events that wait to be taken, minutes of them; a full queue ends the link, and the next sign of life is missed."""

GAP_MS, LEAD_MS = 250, 80
"""Between two things; and from the world's word to the thing's begin, for the camera to draw it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One part of the run: processor time and frames in so many seconds."""

    seconds: float
    cpu_s: float
    frames: int

    @property
    def cpu_percent(self) -> float:
        """Share of one core."""
        return 100 * self.cpu_s / self.seconds

    @property
    def frames_per_s(self) -> float:
        """Frames that were taken, a second."""
        return self.frames / self.seconds


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the table of the process; NotThere where it does not come up, or dies."""
    rest_s, busy_s = (REST_S_QUICK, BUSY_S_QUICK) if plan.quick else (REST_S, BUSY_S)
    with tempfile.TemporaryDirectory(prefix="cart-vision-") as folder, _World(Path(folder), plan.seed) as world:
        progress("the vision process, at rest")
        world.wait_alive(START_S)
        world.pass_s(SETTLE_S)
        rest = world.measured(rest_s)
        progress("the vision process, things passing")
        with world.things_passing():
            world.pass_s(SETTLE_S)
            busy = world.measured(busy_s)
        rss_mb = world.rss_mb()
        sighted = {event.track for event in world.seen if isinstance(event, Sighted)}
    rows = tuple(
        (name, f"{part.frames_per_s:.1f}", f"{part.cpu_percent:.1f}")
        for name, part in (("nothing moves", rest), ("things pass", busy))
    )
    read = f"{len(sighted)} things were read, of {world.with_code} with a code"
    notes = (f"Memory at most: {rss_mb:.0f} MB resident. {read}.",)
    figures = {
        "rest": {"frames_per_s": rest.frames_per_s, "cpu_percent": rest.cpu_percent, "seconds": rest.seconds},
        "busy": {"frames_per_s": busy.frames_per_s, "cpu_percent": busy.cpu_percent, "seconds": busy.seconds},
        "rss_mb": rss_mb,
        "read": len(sighted),
        "with_code": world.with_code,
    }
    head = ("1280x720, 15 frames a second", "frames a second", "% of one core")
    return Result((Table("The vision process, in real time", head, rows, notes),), figures)


class _World:
    """The world around one vision process: its camera's socket, and the daemon's."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seen: list[Event] = []
        self.with_code = 0
        self._folder, self._random = folder, random.Random(seed)
        self._clock = SystemClock()
        self._pictures = Pictures(photo_folder())
        self._events: queue.Queue[Event] = queue.Queue(EVENTS_MAX)
        self._camera: socket.socket | None = None

    def __enter__(self) -> _World:
        settings = config.simulated(self._folder)
        run_dir = Path(settings.cart.run_dir)
        run_dir.mkdir(parents=True)
        file = self._folder / "cart.toml"
        file.write_text(config.render(settings), encoding="utf-8")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(run_dir / "world.sock"))
        self._listener.listen(1)
        self._listener.settimeout(START_S)
        self._link = LinkReader(run_dir, self._clock)
        self._link.start(self._events.put_nowait)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cart", "vision", "--config", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._link.stop()
        for held in (self._camera, self._listener):
            if held is not None:
                held.close()

    def wait_alive(self, timeout_s: int) -> None:
        """Let the camera connect and the first frames be seen; NotThere where that takes too long."""
        try:
            self._camera, _ = self._listener.accept()
            self._say(**{"pass": None, "camera": "well"})
            while not isinstance(self._events.get(timeout=timeout_s), VisionAlive):
                pass
        except (TimeoutError, queue.Empty):
            raise NotThere(f"cart vision did not come up in {timeout_s} s") from None

    def pass_s(self, seconds: float) -> None:
        """Take what is told for so long."""
        end_ns = self._clock.monotonic_ns() + int(seconds * 1e9)
        while (left_ns := end_ns - self._clock.monotonic_ns()) > 0:
            with suppress(queue.Empty):
                self.seen.append(self._events.get(timeout=left_ns / 1e9))

    def measured(self, seconds: int) -> Measured:
        """Return what the process spent between two signs of life, at least so many seconds apart."""
        t1_ns, cpu1_s, frames1 = self._at_sign_of_life()
        self.pass_s(seconds)
        t2_ns, cpu2_s, frames2 = self._at_sign_of_life()
        return Measured((t2_ns - t1_ns) / 1e9, cpu2_s - cpu1_s, frames2 - frames1)

    @contextmanager
    def things_passing(self) -> Iterator[None]:
        """Carry one thing after the other through the view meanwhile."""
        over = threading.Event()
        thread = threading.Thread(target=self._carry, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def rss_mb(self) -> float:
        """Return the most memory that the process held."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1_024 / 1e6

    def _at_sign_of_life(self) -> tuple[int, float, int]:
        while True:
            try:
                event = self._events.get(timeout=START_S)
            except queue.Empty:
                raise NotThere(f"cart vision gave no sign of life for {START_S} s") from None
            self.seen.append(event)
            if isinstance(event, VisionAlive):
                return self._clock.monotonic_ns(), _cpu_s(self._process.pid), event.frames

    def _carry(self, over: threading.Event) -> None:
        number = 0
        while not over.is_set():
            way = WAYS[number % len(WAYS)]
            self._say(**{"pass": self._thing(number, way)})
            number += 1
            over.wait((LEAD_MS + way[-1][0] + GAP_MS) / 1_000)

    def _thing(self, number: int, way: tuple[tuple[int, int, int], ...]) -> dict[str, Any]:
        code = ""
        if number % 3:
            digits = f"{self._random.randrange(10**11, 10**12)}"
            code = digits + check_digit(digits)
            self.with_code += 1
        return {
            "t0_ns": self._clock.monotonic_ns() + LEAD_MS * NS_PER_MS,
            "path": way,
            "picture": self._pictures.of(LABELS[number % len(LABELS)], number),
            "code": code,
            "turn_deg": round(self._random.uniform(0, 360), 1),
            "seed": number,
        }

    def _say(self, **words: Any) -> None:
        assert self._camera is not None
        with suppress(OSError):  # the process ended: the next sign of life says so
            self._camera.sendall(json.dumps(words).encode() + b"\n")


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
