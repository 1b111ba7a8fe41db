"""The simulated camera: a FrameSource in the vision process that draws what the world says is in view."""

from __future__ import annotations

import threading
from typing import Any

from cart.ports import Clock, Frame
from cart.sim.pictures import Pictures, photo_folder
from cart.sim.scene import PATH_MAX, Composer, Pass
from cart.sim.world_link import WorldLink

NS_PER_S = 1_000_000_000
FIRST_WORD_S = 2.0


class SimulatedCamera:
    """Frames at a steady rate, stamped when they are composed.

    The world says {"pass": {...}} for a thing in the hand, {"camera": "well" | "covered" | "dead"} for the camera
    itself. Dead: no frame comes any more, as with a wedged driver.

    Raises OSError from the start and from `next_frame` when the world is gone.
    """

    def __init__(self, socket_path: str, width_px: int, height_px: int, frames_per_s: int, clock: Clock) -> None:
        self._clock = clock
        self._period_ns = NS_PER_S // frames_per_s
        self._link = WorldLink(socket_path, "camera")
        self._link.wait("camera", FIRST_WORD_S)
        self._composer = Composer(width_px, height_px, Pictures(photo_folder()).load)
        self._pause = threading.Event()
        self._due_ns = clock.monotonic_ns()
        self._thing: tuple[Any, Pass | None] = (None, None)

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the frame that is due next, or None when it is not due, or never comes, within timeout_ms."""
        if self._pause.is_set():
            raise OSError("the simulated camera is closed")
        said = self._link.latest()
        thing = self._pass(said.get("pass"))
        dead = said.get("camera") == "dead"
        wait_ns = min(max(0, self._due_ns - self._clock.monotonic_ns()), timeout_ms * 1_000_000)
        if dead:
            wait_ns = timeout_ms * 1_000_000
        if wait_ns:
            self._pause.wait(wait_ns / NS_PER_S)
        t_ns = self._clock.monotonic_ns()
        if dead or t_ns < self._due_ns:
            return None
        # Frames that were not asked for in time are skipped, as a camera's own queue of one would do.
        self._due_ns += self._period_ns * max(1, -(-(t_ns - self._due_ns) // self._period_ns))
        return Frame(t_ns, self._composer.frame(t_ns, thing, said.get("camera") == "covered"))

    def close(self) -> None:
        """Leave the world; safe to call twice."""
        self._pause.set()
        self._link.close()

    def _pass(self, said: Any) -> Pass | None:
        """Return the pass that the world names; it is prepared once, when it is new."""
        if said != self._thing[0]:
            self._thing = (said, _parsed(said))
            if self._thing[1] is not None:
                self._composer.prepare(self._thing[1])
        return self._thing[1]


def _parsed(said: Any) -> Pass | None:
    """Return the pass of a line's value, None for nothing in view; ValueError where it is malformed."""
    if said is None:
        return None
    path = tuple((int(ms), int(x), int(y)) for ms, x, y in said["path"][:PATH_MAX])
    return Pass(int(said["t0_ns"]), path, said["picture"], said["code"], float(said["turn_deg"]), int(said["seed"]))
