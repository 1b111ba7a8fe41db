"""What is done with each frame: motion gate, codes, classifier; sightings go out at once.

Holds the only state of the vision process between frames. Barcodes come first: a scan is felt by the shopper, the
classifier's opinion is needed a second later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2

from cart.core.events import TEXT_MAX, Classified, Sighted, VisionAlive
from cart.vision import direction, live, locate, motion, overlap, pace, track
from cart.vision.classify import NONE
from cart.vision.reader import PLACES_A_CODE, Read, Verdict, covered, read_of, verdict

if TYPE_CHECKING:
    import numpy as np

    from cart.core.events import Event
    from cart.ports import BarcodeEngine, Clock, Frame, RawRead
    from cart.vision.crops import Crops

log = logging.getLogger("cart.vision")

Look = Callable[["np.ndarray"], Mapping[str, int]]
"""The classifier: a square BGR picture to millinats per label and for NONE."""

ALIVE_NS = 1_000_000_000
LOOKS_A_PASS = 10
LOOK_FROM_FRAME = 2
"""The first frames of a pass show a corner of the thing, so the third is the first that is worth a look."""

FAST_PERMILLE = 60
"""A thing that covers so much of the view in its very first frame came fast: that frame counts, too."""

ONLY_CODES = pace.Tasks(strips=True, matrix=False, look=False)

LEFTOVERS_A_PASS, LEFTOVERS_MAX = 3, 9
"""Regions kept to be read when nothing moves: the sharpest of each pass, the newest of all; the oldest are dropped."""

CUT_WORTH = 0.3
"""What a picture is worth that a side of the view cuts, of one that shows the thing whole."""


class _Unread(NamedTuple):
    """A region with bars that a pass left unread.

    corner   left and top of it in its frame
    whole    no side of the view cuts it
    view     what was known of the view when it was seen: whether it lay on the thing is asked once a code is read
    passing  the pass at its end
    """

    left: live.Leftover
    corner: tuple[int, int]
    whole: bool
    view: motion.View
    passing: track.Passing

    def worth(self) -> tuple[bool, bool, float]:
        """Return what orders them: what moved before what was behind it, then what is whole, then the sharper."""
        height, width = self.left.grey.shape
        return self._is_on_thing(((0, 0), (width - 1, height - 1))), self.whole, self.left.sharpness

    def shows_moving(self, read: Read) -> bool:
        """Return True if a code of this region lay on what moved, and not on what was behind it."""
        return self._is_on_thing(read.corners)

    def _is_on_thing(self, corners: tuple[tuple[int, int], ...]) -> bool:
        left, top = self.corner
        return motion.is_part_of_thing(self.view, tuple((x + left, y + top) for x, y in corners))


class Watcher:
    """Turns frames into events.

    engines      the first reads live frames, all of them what a pass left unread; may be empty
    look         the classifier, None where there is none
    send         takes events, never blocks
    after        number of the last pass that the daemon may have heard of
    basket_side  side of the view behind which the basket's inside lies, "none" where the view does not tell
    """

    def __init__(
        self,
        engines: Sequence[BarcodeEngine],
        look: Look | None,
        crops: Crops,
        clock: Clock,
        send: Callable[[Event], None],
        *,
        after: int = 0,
        frames_per_s: int = 15,
        basket_side: str = "none",
    ) -> None:
        self._engines, self._look, self._crops, self._clock, self._send = engines, look, crops, clock, send
        self._basket_side = basket_side
        self._view = motion.View(track=after)
        self._pace = pace.of_camera(frames_per_s)
        self._passing = track.Passing(0)
        self._way = direction.Way()
        self._thing_ns = 0
        self._first: tuple[Frame, motion.Box, motion.View] | None = None
        self._best: tuple[float, Frame, motion.Box] | None = None
        self._looked = False
        self._found: list[_Unread] = []
        self._waiting: deque[_Unread] = deque(maxlen=LEFTOVERS_MAX)
        self._frames = 0
        self._alive_ns = -ALIVE_NS

    def see(self, frame: Frame) -> None:
        """Take one frame."""
        began_ns = self._clock.monotonic_ns()
        self._frames += 1
        was_active = self._view.active
        self._view = motion.looked(self._view, motion.shrunk(frame.pixels), frame.t_ns)
        box, active = self._view.box, self._view.active
        if active and not was_active:
            self._begin()
        if active and box is not None:
            self._watch(frame, box)
            self._catch_up()
        elif was_active and not active:
            self._end()
        elif self._waiting and not active:
            self._read_leftover()
        # The frame in which something comes is kept for one more: whether a pass begins is known then.
        self._first = (frame, box, self._view) if box is not None and not active else None
        self._pace = pace.spent(self._pace, self._clock.monotonic_ns() - began_ns, in_pass=active)
        self._say_alive()

    def _begin(self) -> None:
        self._passing = track.Passing(self._view.track)
        self._pace = pace.begun(self._pace)
        self._way = direction.Way()
        self._best, self._looked = None, False
        self._found = []
        if self._first is not None:
            frame, box, _ = self._first
            self._way = direction.moved(self._way, box, frame.pixels.shape[1], frame.pixels.shape[0])

    def _catch_up(self) -> None:
        """Read the frame in which a fast thing came, if the next one, which made a pass of it, had no code."""
        first, self._first = self._first, None
        if first is None or track.is_read(self._passing):
            return
        frame, box, view = first
        height, width = frame.pixels.shape[:2]
        if 1_000 * (box.right - box.left) * (box.bottom - box.top) >= FAST_PERMILLE * width * height:
            self._passing = track.watched(self._passing)
            if self._engines:
                self._read(frame, box, view, ONLY_CODES)
            self._remember(frame, box)

    def _watch(self, frame: Frame, box: motion.Box) -> None:
        height, width = frame.pixels.shape[:2]
        self._thing_ns = frame.t_ns
        self._passing = track.watched(self._passing)
        self._way = direction.moved(self._way, box, width, height)
        wanted = pace.tasks(self._pace, frame.t_ns, read=track.is_read(self._passing))
        if self._engines:
            self._read(frame, box, self._view, wanted)
        if not self._looked:
            self._remember(frame, box)
        if self._passing.watched > LOOK_FROM_FRAME and wanted.look and self._passing.frames < LOOKS_A_PASS:
            self._pace = pace.looked(self._pace, frame.t_ns)
            self._classify(frame, box)

    def _read(self, frame: Frame, box: motion.Box, view: motion.View, wanted: pace.Tasks) -> None:
        """Read what a frame shows in the box; view is what was known of the view with that frame."""
        grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY)
        raws, regions = live.read_frame(grey, box, self._engines[0], wanted)
        reads = [self._accepted(grey, raw, raws) for raw in overlap.surviving(raws)]
        for read in reads:
            if read is not None:
                self._vote(read, frame, view)
        if track.is_read(self._passing) or not regions:
            return
        sightings = [read for read in reads if read is not None]
        for region in (region for region in regions if not covered(region, sightings)):
            left = live.leftover(grey, region, self._passing.track, frame.t_ns)
            self._found.append(_Unread(left, (region.left, region.top), _is_whole(region, grey), view, self._passing))
        self._found = sorted(self._found, key=_Unread.worth, reverse=True)[:LEFTOVERS_A_PASS]

    def _accepted(self, grey: np.ndarray, raw: RawRead, raws: Sequence[RawRead]) -> Read | None:
        """Return the read, or None where the picture does not bear it out; checked until it once was, in each pass.

        None, too, for a text that the daemon would refuse: no product's number is so long.

        raws  all of this frame: the same text may have been read in a place that is better known
        """
        if len(raw.text) > TEXT_MAX:
            return None
        if (raw.symbology, raw.text) in self._passing.codes:
            return read_of(raw)
        if track.is_given_up(self._passing, raw.symbology, raw.text):
            return None
        same = [other for other in raws if (other.symbology, other.text) == (raw.symbology, raw.text)]
        best_known = sorted(same, key=overlap.span_px, reverse=True)[:PLACES_A_CODE]
        said = max(verdict(grey, other) for other in best_known)
        if said is Verdict.REFUSED:
            self._passing = track.refused(self._passing, raw.symbology, raw.text)
            return None
        if said is Verdict.LOW:
            self._passing, believed = track.doubted(self._passing, raw.symbology, raw.text)
            return read_of(raw) if believed else None
        return read_of(raw)

    def _vote(self, read: Read, frame: Frame, view: motion.View) -> None:
        on_thing = motion.is_part_of_thing(view, read.corners)
        if on_thing:
            height, width = frame.pixels.shape[:2]
            self._way = direction.code_at(self._way, read.corners, width, height)
        tells_place = motion.tells_place(view, read.corners)
        self._passing, news = track.voted(self._passing, read, on_thing, tells_place)
        if news:
            code = self._passing.codes[(read.symbology, read.text)]
            self._send(self._sighted(self._passing.track, read, frame.t_ns, code.votes, code.moved))

    def _sighted(self, number: int, read: Read, t_frame_ns: int, votes: int, moved: bool) -> Sighted:
        now_ns = self._clock.monotonic_ns()
        return Sighted(now_ns, t_frame_ns, number, read.symbology, read.text, read.gtin, votes, moved)

    def _remember(self, frame: Frame, box: motion.Box) -> None:
        """Remember the best of the frames before the first look: a thing that passes fast may have no better one."""
        worth = worth_of(frame.pixels, box)
        if self._best is None or worth > self._best[0]:
            self._best = (worth, frame, box)

    def _classify(self, frame: Frame, box: motion.Box) -> None:
        if not self._looked and self._best is not None:
            _, frame, box = self._best
        self._looked, self._best = True, None
        picture = square_around(frame.pixels, box)
        self._crops.offer(self._passing.track, picture, worth_of(frame.pixels, box))
        if self._look is not None:
            self._passing = track.looked_at(self._passing, self._look(picture))
            self._send_scores(frame.t_ns, direction.UNKNOWN)

    def _send_scores(self, t_frame_ns: int, way: str) -> None:
        passing = self._passing
        scores, none, rest = track.pooled(passing, NONE)
        now_ns = self._clock.monotonic_ns()
        self._send(Classified(now_ns, t_frame_ns, passing.track, scores, none, rest, passing.frames, way))

    def _end(self) -> None:
        if self._best is not None:
            self._classify(*self._best[1:])
        way = direction.direction(self._way, self._basket_side)
        if way and self._passing.frames:
            self._send_scores(self._thing_ns, way)
        log.debug("pass %d ended %s: %s", self._passing.track, way, track.told(self._passing))
        if not track.is_read(self._passing):
            self._waiting.extend(unread._replace(passing=self._passing) for unread in self._found)
        self._found = []

    def _read_leftover(self) -> None:
        """Read one leftover; a pass whose product is known then needs no more of its leftovers."""
        unread = self._waiting.popleft()
        left, passing = unread.left, unread.passing
        reads = [read for read in live.read_leftover(left, self._engines) if track.bears_out(passing, read)]
        moved = [unread.shows_moving(read) for read in reads]
        for read, on_thing in zip(reads, moved, strict=True):
            self._send(self._sighted(passing.track, read, left.t_frame_ns, 1, on_thing))
        if any(on_thing and read.gtin for read, on_thing in zip(reads, moved, strict=True)):
            kept = [item for item in self._waiting if item.passing.track != passing.track]
            self._waiting.clear()
            self._waiting.extend(kept)

    def _say_alive(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._alive_ns < ALIVE_NS:
            return
        self._alive_ns = now_ns
        names = tuple(engine.name for engine in self._engines)
        self._send(VisionAlive(now_ns, self._frames, self._view.covered, self._look is not None, names))


def _is_whole(region: locate.Region, grey: np.ndarray) -> bool:
    height, width = grey.shape
    return region.left > 0 and region.top > 0 and region.right < width and region.bottom < height


def square_around(pixels: np.ndarray, box: motion.Box) -> np.ndarray:
    """Return the square of the frame, uint8 (side, side, 3), around the middle of the box and as large as it needs."""
    height, width = pixels.shape[:2]
    side = min(max(box.right - box.left, box.bottom - box.top), height, width)
    left = min(max(0, (box.left + box.right - side) // 2), width - side)
    top = min(max(0, (box.top + box.bottom - side) // 2), height - side)
    return pixels[top : top + side, left : left + side]


def worth_of(pixels: np.ndarray, box: motion.Box) -> float:
    """Return how good a picture of the thing in the box this frame is: large, sharp and whole."""
    height, width = pixels.shape[:2]
    cut = box.left <= 0 or box.top <= 0 or box.right >= width or box.bottom >= height
    # Every second pixel tells the sharpness of a picture that is shown much smaller.
    grey = cv2.cvtColor(pixels[box.top : box.bottom : 2, box.left : box.right : 2], cv2.COLOR_BGR2GRAY)
    area = (box.right - box.left) * (box.bottom - box.top)
    return area * (1.0 + live.sharpness(grey)) * (CUT_WORTH if cut else 1.0)
