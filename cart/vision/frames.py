"""What is done with each frame: motion gate, codes, classifier; sightings go out at once.

Holds the only state of the vision process between frames. Barcodes come first: a scan is felt by the shopper, the
classifier's opinion is needed a second later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import cv2

from cart.core.events import Classified, Sighted, VisionAlive
from cart.vision import live, motion, overlap, track
from cart.vision.classify import NONE
from cart.vision.reader import Read, covered, holds, read_of

if TYPE_CHECKING:
    import numpy as np

    from cart.core.events import Event
    from cart.ports import BarcodeEngine, Clock, Frame
    from cart.vision.crops import Crops

log = logging.getLogger("cart.vision")

Look = Callable[["np.ndarray"], Mapping[str, int]]
"""The classifier: a square BGR picture to millinats per label and for NONE."""

ALIVE_NS = 1_000_000_000
LOOK_NS, LOOKS_A_PASS = 200_000_000, 10
"""The classifier sees a frame at most every 200 ms, and at most ten of a pass."""

BUDGET_NS = 60_000_000
"""A frame that takes longer makes the next one hurried: it gets only what every frame gets."""

LEFTOVERS_A_PASS, LEFTOVERS_MAX = 3, 9


class Watcher:
    """Turns frames into events.

    engines  the first reads live frames, all of them what a pass left unread; may be empty
    look     the classifier, None where there is none
    send     takes events, never blocks
    after    number of the last pass that the daemon may have heard of
    """

    def __init__(
        self,
        engines: Sequence[BarcodeEngine],
        look: Look | None,
        crops: Crops,
        clock: Clock,
        send: Callable[[Event], None],
        after: int = 0,
    ) -> None:
        self._engines, self._look, self._crops, self._clock, self._send = engines, look, crops, clock, send
        self._view = motion.View(track=after)
        self._passing = track.Passing(0)
        self._frame_of_pass = 0
        self._looked_ns = 0
        self._hurried = False
        self._found: list[live.Leftover] = []
        self._waiting: deque[tuple[live.Leftover, track.Passing]] = deque(maxlen=LEFTOVERS_MAX)
        self._frames = 0
        self._alive_ns = -ALIVE_NS

    def see(self, frame: Frame) -> None:
        """Take one frame."""
        began_ns = self._clock.monotonic_ns()
        self._frames += 1
        was_active = self._view.active
        self._view = motion.looked(self._view, motion.shrunk(frame.pixels), frame.t_ns)
        if self._view.active and not was_active:
            self._begin()
        if self._view.active and self._view.box is not None:
            self._watch(frame, self._view.box)
        elif was_active and not self._view.active:
            self._end(frame.t_ns)
        elif self._waiting and not self._view.active:
            self._read_leftover()
        self._hurried = self._clock.monotonic_ns() - began_ns > BUDGET_NS
        self._say_alive()

    def _begin(self) -> None:
        self._passing = track.Passing(self._view.track)
        self._frame_of_pass = 0
        self._looked_ns = 0
        self._found = []

    def _watch(self, frame: Frame, box: motion.Box) -> None:
        grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY)
        if self._engines:
            self._read(grey, frame.t_ns, box)
        self._frame_of_pass += 1
        # The first frames of a pass show a corner of the thing, so the third is the first that is worth a look.
        due = frame.t_ns - self._looked_ns >= LOOK_NS and self._frame_of_pass > 2
        if due and self._passing.frames < LOOKS_A_PASS:
            self._looked_ns = frame.t_ns
            self._classify(frame, box)

    def _read(self, grey: np.ndarray, t_frame_ns: int, box: motion.Box) -> None:
        raws, regions = live.read_frame(grey, box, self._frame_of_pass, self._engines[0], hurried=self._hurried)
        reads = [self._accepted(grey, raw) for raw in overlap.surviving(raws)]
        for read in reads:
            if read is not None:
                self._vote(read, t_frame_ns)
        if self._passing.codes or not regions:
            return
        sightings = [read for read in reads if read is not None]
        unread = (region for region in regions if not covered(region, sightings))
        self._found += (live.leftover(grey, region, self._passing.track, t_frame_ns) for region in unread)
        self._found = sorted(self._found, key=lambda left: -left.sharpness)[:LEFTOVERS_A_PASS]

    def _accepted(self, grey: np.ndarray, raw: overlap.RawRead) -> Read | None:
        """Return the read, or None where the picture does not bear it out; checked until it once was, in each pass."""
        if (raw.symbology, raw.text) in self._passing.codes:
            return read_of(raw)
        if track.is_given_up(self._passing, raw.symbology, raw.text):
            return None
        if not holds(grey, raw):
            self._passing = track.refused(self._passing, raw.symbology, raw.text)
            return None
        return read_of(raw)

    def _vote(self, read: Read, t_frame_ns: int) -> None:
        on_thing = motion.is_part_of_thing(self._view, read.corners)
        self._passing, news = track.voted(self._passing, read, on_thing)
        if news:
            code = self._passing.codes[(read.symbology, read.text)]
            self._send(self._sighted(self._passing.track, read, t_frame_ns, code.votes, code.moved))

    def _sighted(self, number: int, read: Read, t_frame_ns: int, votes: int, moved: bool) -> Sighted:
        now_ns = self._clock.monotonic_ns()
        return Sighted(now_ns, t_frame_ns, number, read.symbology, read.text, read.gtin, votes, moved)

    def _classify(self, frame: Frame, box: motion.Box) -> None:
        picture = square_around(frame.pixels, box)
        # A large box shows the thing whole.
        self._crops.offer(self._passing.track, picture, float((box.right - box.left) * (box.bottom - box.top)))
        if self._look is None:
            return
        self._passing = track.looked_at(self._passing, self._look(picture))
        scores, none, rest = track.pooled(self._passing, NONE)
        now_ns = self._clock.monotonic_ns()
        self._send(Classified(now_ns, frame.t_ns, self._passing.track, scores, none, rest, frames=self._passing.frames))

    def _end(self, t_frame_ns: int) -> None:
        log.debug("pass %d ended at %d: %s", self._passing.track, t_frame_ns, list(self._passing.codes))
        if not self._passing.codes:
            self._waiting.extend((left, self._passing) for left in self._found)
        self._found = []

    def _read_leftover(self) -> None:
        """Read one leftover; a pass that is read needs no more of its leftovers."""
        left, passing = self._waiting.popleft()
        reads = live.read_leftover(left, self._engines)
        for read in reads:
            self._send(self._sighted(passing.track, read, left.t_frame_ns, 1, True))
        if reads:
            kept = [item for item in self._waiting if item[1].track != passing.track]
            self._waiting.clear()
            self._waiting.extend(kept)

    def _say_alive(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._alive_ns < ALIVE_NS:
            return
        self._alive_ns = now_ns
        names = tuple(engine.name for engine in self._engines)
        self._send(VisionAlive(now_ns, self._frames, self._view.covered, self._look is not None, names))


def square_around(pixels: np.ndarray, box: motion.Box) -> np.ndarray:
    """Return the square of the frame, uint8 (side, side, 3), around the middle of the box and as large as it needs."""
    height, width = pixels.shape[:2]
    side = min(max(box.right - box.left, box.bottom - box.top), height, width)
    left = min(max(0, (box.left + box.right - side) // 2), width - side)
    top = min(max(0, (box.top + box.bottom - side) // 2), height - side)
    return pixels[top : top + side, left : left + side]
