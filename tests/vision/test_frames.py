"""From frames to events, and the life of the vision process around them."""

import itertools
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from cart.clock import ManualClock
from cart.core.events import TEXT_MAX, Classified, Sighted, VisionAlive
from cart.edge.systemd import Notifier
from cart.faults import Fault
from cart.ports import Frame, RawRead
from cart.sim.scene import Composer, Pass, background, bars_picture
from cart.vision import frames, process
from cart.vision.crops import Crops
from cart.vision.frames import LOOKS_A_PASS, Watcher
from cart.vision.motion import Box
from cart.vision.reader import Read, Verdict, available_engines, verdict
from cart.vision.track import TRIES_MAX

ENGINES = available_engines(thorough=False)
CODE = "9506000134352"
FRAME_NS = 66_666_667


def gradient(name):
    side = np.linspace(40, 220, 300, dtype=np.uint8)
    return np.dstack([np.tile(side, (300, 1)), np.tile(side[:, None], (1, 300)), np.full((300, 300), 90, np.uint8)])


class Bench:
    """A watcher, a drawn scene and what the watcher sent."""

    def __init__(self, engines=ENGINES, look=None, **more):
        self.clock, self.sent = ManualClock(t_ns=10**9), []
        self.crops = Crops(Path("nowhere"), None, self.clock)
        self.watcher = Watcher(engines, look, self.crops, self.clock, self.sent.append, **more)
        self.composer = Composer(1280, 720, gradient)

    def show(self, duration_ms, thing=None, covered=False):
        end_ns = self.clock.monotonic_ns() + duration_ms * 1_000_000
        while self.clock.monotonic_ns() < end_ns:
            t_ns = self.clock.monotonic_ns()
            self.watcher.see(Frame(t_ns, self.composer.frame(t_ns, thing, covered)))
            self.clock.advance_ns(FRAME_NS)
        return self

    def carry(self, code=CODE, turn_deg=0.0, number=0, ms=1_500, way=None):
        """Show a thing that is carried through the view, and the empty basket before and after."""
        self.show(400)
        t0_ns = self.clock.monotonic_ns()
        way = way or ((-250, 300), (560, 340), (700, 360), (1_550, 400))
        path = tuple((ms * step // (len(way) - 1), x, y) for step, (x, y) in enumerate(way))
        return self.show(ms + 800, Pass(t0_ns, path, f"thing {number}", code, turn_deg, number))

    def of(self, kind):
        return [event for event in self.sent if isinstance(event, kind)]


needs_engine = pytest.mark.skipif(not ENGINES, reason="no barcode engine is installed")


@needs_engine
@pytest.mark.parametrize("turn_deg", [0, 8, 30, 45, 60, 90, 180, 300])
def test_a_thing_that_is_carried_through_the_view_is_sighted_once_a_pass(turn_deg):
    bench = Bench().carry(turn_deg=turn_deg)
    sightings = bench.of(Sighted)
    assert {(event.symbology, event.text, event.gtin) for event in sightings} == {("EAN13", CODE, "0" + CODE)}
    assert {event.track for event in sightings} == {1}
    assert all(event.moved for event in sightings)
    # Read while it passes, not only from what it left unread.
    assert max(event.votes for event in sightings) >= 3
    assert [event.votes for event in sightings] == sorted({event.votes for event in sightings})
    assert all(event.t_frame_ns <= event.t_ns for event in sightings)


@needs_engine
def test_two_things_are_two_passes():
    bench = Bench().carry().carry(code="4003994155486", number=1)
    assert {(event.text, event.track) for event in bench.of(Sighted)} == {(CODE, 1), ("4003994155486", 2)}


@needs_engine
def test_what_a_frame_hardly_bears_out_is_told_when_a_second_one_reads_it(monkeypatch):
    sure = Bench().carry().of(Sighted)[0]
    monkeypatch.setattr(frames, "verdict", lambda grey, raw: Verdict.LOW)
    low = Bench().carry().of(Sighted)[0]
    assert low.text == sure.text
    assert low.t_frame_ns > sure.t_frame_ns


FAST = ((640, -330), (640, 360), (640, 1_050))
"""Through the view at 1.4 m/s, where a pixel is 0.22 mm: the thing is on three frames."""


@needs_engine
@pytest.mark.parametrize("turn_deg", [0, 30, 45, 90, 200])
def test_a_thing_that_passes_fast_is_read_too(turn_deg):
    bench = Bench().carry(turn_deg=turn_deg, way=FAST, ms=220)
    assert {event.text for event in bench.of(Sighted)} == {CODE}


@needs_engine
def test_a_code_that_only_the_very_first_frame_shows_whole_is_read():
    bench = Bench().carry(way=FAST, ms=150)
    assert {(event.text, event.moved) for event in bench.of(Sighted)} == {(CODE, True)}


def test_a_thing_that_passes_fast_is_looked_at_once():
    bench = Bench(engines=[], look=lambda picture: {"none": 0}).carry(way=FAST, ms=200)
    (look,) = bench.of(Classified)
    assert look.frames == 1


INTO, BACK = ((640, -330), (640, 330), (690, 1_040)), ((640, -330), (640, 330), (690, 360), (700, -330))


@pytest.mark.parametrize(("way", "side", "expected"), [
    (INTO, "bottom", "in"), (INTO[::-1], "bottom", "out"), (INTO, "top", "out"),
    (BACK, "bottom", ""), (INTO, "none", ""),
])  # fmt: skip
def test_the_last_look_says_whether_the_thing_went_in_or_out(way, side, expected):
    bench = Bench(engines=[], look=lambda picture: {"Apple": 900, "none": 0}, basket_side=side).carry(way=way)
    looks = bench.of(Classified)
    assert len(looks) >= 3
    assert looks[-1].direction == expected
    assert {look.direction for look in looks[:-1]} == {""}
    # The direction comes with the same opinion as the look before, not with another.
    assert not expected or (looks[-1].scores, looks[-1].frames) == (looks[-2].scores, looks[-2].frames)


def test_the_picture_for_review_is_the_whole_thing_and_not_a_corner_of_it():
    offered = []
    bench = Bench(engines=[], look=lambda picture: {"none": 0})
    bench.crops.offer = lambda track, picture, worth: offered.append((worth, picture.mean()))
    bench.carry(way=((640, -330), (640, 360), (640, 1_050)), ms=2_000)
    ranked = [worth for worth, _ in offered]
    assert len(ranked) >= 5
    assert 0 < ranked.index(max(ranked)) < len(ranked) - 1


def test_the_first_look_is_at_the_best_frame_so_far():
    looks = []
    bench = Bench(engines=[], look=lambda picture: looks.append(picture.mean()) or {"none": 0})
    bench.carry(way=((640, -330), (640, 360), (640, 1_050)), ms=300)
    # In the third frame this thing has half left the view: the square around it shows more of the dark basket.
    assert looks[0] > 108


def test_of_two_pictures_of_a_thing_the_sharp_whole_and_large_one_is_worth_more():
    sharp = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    soft = np.full((240, 320, 3), 120, np.uint8)
    whole, small, cut = Box(40, 40, 200, 200), Box(40, 40, 120, 120), Box(0, 40, 160, 200)
    assert frames.worth_of(sharp, whole) > 2 * frames.worth_of(soft, whole)
    assert frames.worth_of(sharp, whole) > 2 * frames.worth_of(sharp, small)
    assert frames.worth_of(sharp, whole) > 2 * frames.worth_of(sharp, cut)


def test_a_process_that_was_restarted_goes_on_with_higher_pass_numbers():
    bench = Bench(engines=[], look=lambda picture: {"none": 0}, after=7_000)
    assert {event.track for event in bench.carry().of(Classified)} == {7_001}


def test_with_nothing_moving_no_engine_is_asked():
    class Forbidden:
        name = "forbidden"

        def read(self, grey, symbologies):
            raise AssertionError("asked for a still picture")

    bench = Bench(engines=[Forbidden()]).show(3_000)
    assert bench.of(Sighted) == []
    assert bench.of(VisionAlive)[-1].engines == ("forbidden",)


def test_a_systematic_misread_is_refused_and_no_longer_checked(monkeypatch):
    checked = []
    monkeypatch.setattr(frames, "verdict", lambda grey, raw: checked.append(grey) or verdict(grey, raw))

    class Liar:
        name = "liar"

        def read(self, grey, symbologies):
            height, width = grey.shape
            corners = ((10, 10), (width - 10, 10), (width - 10, height - 10), (10, height - 10))
            return [RawRead("EAN13", "4003994155486", corners, "zxing")]

    bench = Bench(engines=[Liar()]).carry(code="")
    assert bench.of(Sighted) == []
    # In one frame it is held against several places; the pass has twenty frames and more.
    assert len({id(grey) for grey in checked}) == TRIES_MAX


class ReadsLinks:
    """An engine that reads a link beside the bars, and never the bars."""

    name = "links"

    def __init__(self, text):
        self.text = text

    def read(self, grey, symbologies):
        height, width = grey.shape
        corners = ((0, 0), (width // 3, 0), (width // 3, height // 3), (0, height // 3))
        return [RawRead("QR", self.text, corners, self.name)] if "QR" in symbologies else []


def test_a_link_beside_the_bars_does_not_keep_them_from_being_read_afterwards(monkeypatch):
    bars = Read("EAN13", CODE, "0" + CODE, ((0, 0), (90, 0), (90, 40), (0, 40)), "links")
    monkeypatch.setattr(frames.live, "read_leftover", lambda left, engines: [bars])
    bench = Bench(engines=[ReadsLinks("https://example.com/recipes")]).carry()
    texts = [event.text for event in bench.of(Sighted)]
    assert texts[0] == "https://example.com/recipes"
    assert texts.count(CODE) == 1  # the other leftovers of its pass are not read any more


def test_a_text_that_the_daemon_would_refuse_is_not_sent():
    assert Bench(engines=[ReadsLinks("x" * TEXT_MAX)]).carry().of(Sighted)
    assert Bench(engines=[ReadsLinks("x" * (TEXT_MAX + 1))]).carry().of(Sighted) == []


@needs_engine
def test_a_code_on_the_wall_behind_is_said_not_to_move():
    bench = Bench()
    poster = Composer(1280, 720, gradient)
    shown = Pass(0, ((0, 250, 500), (10**9, 250, 500)), "poster", "4003994155486", 0.0, 3)
    wall = poster.frame(1, shown)
    wall.flags.writeable = False
    bench.composer.empty = wall
    bench.carry()
    moved = {event.text: event.moved for event in bench.of(Sighted)}
    assert moved[CODE] is True
    assert moved.get("4003994155486", False) is False


def basket_with(label, x=560, y=300):
    """Return the empty basket with a label that lies in it, or hangs on the wall behind."""
    seen = background(1280, 720)
    seen[y : y + label.shape[0], x : x + label.shape[1]] = label
    return seen


def pass_over(bench, still, path):
    """Show hands without a code that pass over a still view: rectangles (left, top, right, bottom), a list a frame."""
    marks = np.random.default_rng(0).integers(30, 220, (9, 16, 3), np.uint8)
    skin = cv2.resize(marks, (1280, 720), interpolation=cv2.INTER_NEAREST)
    for hands in [*[[]] * 8, *path, *[[]] * 25]:
        seen = still.copy()
        for left, top, right, bottom in hands:
            window = np.s_[max(0, top) : max(0, bottom), left:right]
            seen[window] = skin[: seen[window].shape[0], : seen[window].shape[1]]
        bench.watcher.see(Frame(bench.clock.monotonic_ns(), seen))
        bench.clock.advance_ns(FRAME_NS)
    return bench.of(Sighted)


class Dim:
    """An engine that reads everything but the code of what is carried."""

    name = "dim"

    def read(self, grey, symbologies):
        return [raw for raw in ENGINES[0].read(grey, symbologies) if raw.text != CODE]


DOWN_OVER = [[(500, top, 900, top + 200)] for top in range(-200, 720, 40)]
ARM_AND_HAND = [[(1_050 - 6 * n, 0, 1_200 - 6 * n, 700), (500 - 6 * n, 560, 1_200 - 6 * n, 700)] for n in range(25)]
"""What lies between the arm and the hand is in the box around both, and is no part of either."""


@needs_engine
@pytest.mark.parametrize("rows", [1, 2])
def test_a_code_in_the_basket_that_a_hand_slides_over_does_not_move(rows):
    label = bars_picture("4003994155486")[8:100].repeat(rows, axis=0)
    sightings = pass_over(Bench(), basket_with(label), DOWN_OVER)
    # The hand hid parts of it: it was read whole, and again where it was half hidden.
    assert max(event.votes for event in sightings) >= 4
    assert {event.moved for event in sightings} == {False}


def basket_of_three(label):
    """Three pieces of one product that lie in the basket, their codes up."""
    seen = basket_with(label, 80, 60)
    for x, y in ((500, 330), (820, 560)):
        seen[y : y + label.shape[0], x : x + label.shape[1]] = label
    return seen


@needs_engine
@pytest.mark.parametrize("path", [
    [[(0, top, 1_280, top + 140)] for top in range(-140, 720, 30)],
    [[(900 - 20 * n, 30 * n - 300, 1_200 - 20 * n, 30 * n)] for n in range(30)],
    ARM_AND_HAND,
])  # fmt: skip
def test_three_pieces_in_the_basket_do_not_move_when_a_hand_passes_over_them(path):
    sightings = pass_over(Bench(), basket_of_three(bars_picture("4003994155486")), path)
    assert max(event.votes for event in sightings) >= 3
    assert {event.moved for event in sightings} == {False}


@needs_engine
def test_the_fourth_piece_that_is_laid_beside_three_moves():
    bench = Bench()
    bench.composer.empty = basket_of_three(bars_picture(CODE))
    bench.composer.empty.flags.writeable = False
    bench.carry()
    assert [event.moved for event in bench.of(Sighted)][-1] is True


@needs_engine
def test_a_pale_code_as_grey_as_what_is_behind_it_is_seen_to_move_by_its_places():
    label = bars_picture("4003994155486")
    bars = label[8:150].astype(float)
    pale = (bars - bars.mean()) * 0.2 + 128
    bench = Bench()
    for number in range(-8, 60):
        seen = np.full((720, 1280, 3), 128, np.uint8)
        seen[::80] = 90
        left = 900 - 25 * number
        if 0 <= left <= 900:
            seen[300 : 300 + len(pale), left : left + pale.shape[1]] = pale
            seen[460:640, left : left + 170] = 30  # what carries it
        bench.watcher.see(Frame(bench.clock.monotonic_ns(), seen))
        bench.clock.advance_ns(FRAME_NS)
    sightings = bench.of(Sighted)
    assert [event.moved for event in sightings[:3]] == [False, False, True]


@needs_engine
@pytest.mark.parametrize("light", [0.8, 0.65])
def test_a_code_in_the_basket_that_the_shadow_of_a_hand_falls_on_does_not_move(light):
    bench, still = Bench(), basket_with(bars_picture("4003994155486"))
    for number in range(-8, 60):
        left = 1_280 - 25 * number
        shadow = np.ones((720, 1280), np.float32)
        shadow[:, max(0, left - 350) : max(0, left + 250)] = light
        seen = (still * cv2.GaussianBlur(shadow, (0, 0), 12)[:, :, None]).astype(np.uint8)
        seen[:260, max(0, left) : max(0, left + 200)] = (60, 90, 140)  # the hand, beside the code
        bench.watcher.see(Frame(bench.clock.monotonic_ns(), seen))
        bench.clock.advance_ns(FRAME_NS)
    sightings = bench.of(Sighted)
    assert max(event.votes for event in sightings) >= 8
    assert {event.moved for event in sightings} == {False}


@needs_engine
def test_a_code_behind_the_hand_that_only_the_ladder_reads_does_not_move_either():
    still = cv2.GaussianBlur(basket_with(bars_picture("4003994155486")), (0, 0), 1.5)
    sightings = pass_over(Bench(), still, ARM_AND_HAND)
    assert {(event.text, event.votes, event.moved) for event in sightings} == {("4003994155486", 1, False)}


@needs_engine
def test_a_code_in_the_basket_does_not_keep_what_is_carried_over_it_from_being_read():
    bench = Bench(engines=[Dim(), *ENGINES])
    bench.composer.empty = basket_with(bars_picture("4003994155486"), 120, 80)
    bench.composer.empty.flags.writeable = False
    bench.carry()
    moved = {event.text: event.moved for event in bench.of(Sighted)}
    assert moved == {"4003994155486": False, CODE: True}


def test_the_classifiers_looks_are_pooled_and_few():
    looks = []

    def look(picture):
        looks.append(picture.shape)
        return {"Apple": 2_000, "Pear": -500, "none": -1_000}

    bench = Bench(engines=[], look=look).carry(ms=4_500)
    classified = bench.of(Classified)
    assert 3 <= len(classified) == len(looks) <= LOOKS_A_PASS
    assert [event.frames for event in classified] == list(range(1, len(looks) + 1))
    assert classified[-1].scores == (("Apple", 4_000), ("Pear", -1_000))
    assert all(height == width >= 224 for height, width, _ in looks)
    gaps = [b.t_frame_ns - a.t_frame_ns for a, b in itertools.pairwise(classified)]
    assert min(gaps) >= 199_000_000


def test_it_says_that_it_lives_once_a_second_and_when_it_is_blind():
    bench = Bench().show(3_500).show(2_500, covered=True)
    alive = bench.of(VisionAlive)
    assert 5 <= len(alive) <= 7
    assert [event.covered for event in alive][:3] == [False] * 3
    assert alive[-1].covered
    assert alive[-1].classifier is False


class Playing:
    """A camera that gives what it is told: frames, None for a timeout, an error."""

    def __init__(self, *items):
        self.items, self.closed = list(items), 0

    def next_frame(self, timeout_ms):
        if not self.items:
            raise OSError("unplugged")
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        self.closed += 1


class Counting:
    """A watcher that counts frames."""

    def __init__(self, stop=None, until=0):
        self.frames, self.stop, self.until = 0, stop, until

    def see(self, frame):
        self.frames += 1
        if self.stop and self.frames >= self.until:
            self.stop.set()


class Patient(threading.Event):
    """A stop signal that does not keep anyone waiting, but remembers for how long they would have."""

    def __init__(self):
        super().__init__()
        self.pauses = []

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        return self.is_set()


FRAME = Frame(1, np.zeros((8, 8, 3), np.uint8))


def test_a_camera_that_never_opens_is_tried_with_growing_pauses_and_then_given_up():
    stop = Patient()

    def nothing():
        raise OSError("no camera")

    with pytest.raises(Fault, match="CAMERA-MISSING: no camera"):
        process.watch(nothing, Counting(), lambda: None, stop, Notifier(""))
    assert len(stop.pauses) == process.OPENINGS_MAX - 1
    assert stop.pauses == sorted(stop.pauses)


def test_a_camera_that_is_lost_is_opened_again():
    stop = Patient()
    cameras = [Playing(FRAME, FRAME), Playing(OSError("still away")), Playing(FRAME), Playing(*[FRAME] * 5)]
    opened = list(cameras)
    watcher = Counting(stop, until=6)
    process.watch(lambda: opened.pop(0), watcher, lambda: None, stop, Notifier(""))
    assert watcher.frames == 6
    assert [camera.closed for camera in cameras] == [1, 1, 1, 1]


def test_a_camera_that_falls_silent_is_lost():
    stop = Patient()
    silent, fresh = Playing(FRAME, *[None] * 50, FRAME), Playing(FRAME)
    opened = [silent, fresh]
    watcher = Counting(stop, until=2)
    process.watch(lambda: opened.pop(0), watcher, lambda: None, stop, Notifier(""))
    assert silent.closed == 1
    assert len(silent.items) == 51 - process.SILENT_TIMEOUTS_MAX
