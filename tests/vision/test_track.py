"""Passes of things through the view: when they begin and end, and what they add up to."""

from dataclasses import replace

import numpy as np
import pytest

from cart.vision import motion, track
from cart.vision.reader import Read

FRAME_NS = 66_666_667
HEIGHT, WIDTH = 360, 640


def scene(x=None, y=180, side=120, level=200, light=0):
    """Return a frame of a textured floor, with a bright square thing about (x, y) if x is given."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    floor = 80 + 20 * ((rows // 40 + columns // 40) % 2) + light
    if x is not None:
        floor = np.where((abs(columns - x) < side / 2) & (abs(rows - y) < side / 2), level + light, floor)
    return np.repeat(np.clip(floor, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


class Watching:
    """A view that is shown frames, one after the other."""

    def __init__(self):
        self.view, self.t_ns, self.active = motion.View(), 0, []

    def see(self, *frames):
        for frame in frames:
            self.t_ns += FRAME_NS
            self.view = motion.looked(self.view, motion.shrunk(frame), self.t_ns)
            self.active.append(self.view.active)
        return self


def path(x1, x2, frames):
    return [scene(round(x)) for x in np.linspace(x1, x2, frames)]


def test_nothing_moves_nothing_begins():
    watching = Watching().see(*[scene()] * 40)
    assert watching.view.track == 0
    assert not any(watching.active)


def test_a_thing_that_passes_through_is_one_pass():
    watching = Watching().see(*[scene()] * 5, *path(-60, 700, 15), *[scene()] * 10)
    assert watching.view.track == 1
    assert not watching.view.active
    assert watching.active.count(True) >= 12


def test_a_thing_that_is_put_down_ends_its_pass_and_does_not_begin_another_by_lying_there():
    watching = Watching().see(*[scene()] * 5, *path(-60, 300, 8), *[scene(300)] * 60)
    assert watching.view.track == 1
    assert not watching.view.active


def test_taking_it_out_again_is_a_second_pass():
    watching = Watching().see(*[scene()] * 5, *path(-60, 300, 8), *[scene(300)] * 30)
    watching.see(*path(300, 700, 8), *[scene()] * 40)
    assert watching.view.track == 2
    assert not watching.view.active


def test_two_things_one_after_the_other_are_two_passes():
    watching = Watching().see(*[scene()] * 5, *path(-60, 700, 12), *[scene()] * 8, *path(-60, 700, 12), *[scene()] * 8)
    assert watching.view.track == 2


def test_a_change_of_light_is_no_pass():
    watching = Watching().see(*[scene()] * 5, *[scene(light=25)] * 10, *[scene()] * 10)
    assert watching.view.track == 0


def test_a_flash_is_no_pass():
    watching = Watching().see(*[scene()] * 5, scene(300, level=255), *[scene()] * 10)
    assert watching.view.track == 0


def test_a_thing_that_is_there_from_one_frame_to_the_next_is_a_pass():
    watching = Watching().see(*[scene()] * 5, *[scene(300)] * 10)
    assert watching.view.track == 1


def test_a_thing_shown_twice_is_two_passes_and_leaves_no_ghost():
    # A white thing over a dark floor: a tenth of its contrast would be enough for a ghost.
    empty, there = scene(light=-60), scene(320, side=330, level=315, light=-60)
    shown = [*[there] * 12, *[empty] * 9]
    watching = Watching().see(*[empty] * 9, *shown)
    assert not watching.view.active
    assert watching.see(*shown).view.track == 2


def test_a_thing_that_fills_most_of_the_view_is_no_change_of_light():
    watching = Watching().see(*[scene()] * 5, *[scene(320, side=500)] * 6)
    assert watching.view.track == 1
    assert watching.view.box.right - watching.view.box.left >= 480


def test_the_box_is_around_what_moves():
    watching = Watching().see(*[scene()] * 5, *path(-60, 300, 8))
    box = watching.view.box
    assert box is not None
    assert box.left <= 240
    assert box.right >= 360
    assert box.top <= 120
    assert box.bottom >= 240
    assert (box.right - box.left) * (box.bottom - box.top) < 3 * 120 * 120


def test_a_code_on_the_floor_is_not_part_of_the_thing_that_passes():
    watching = Watching().see(*[scene()] * 5, *path(-60, 300, 8))
    assert motion.is_part_of_thing(watching.view, ((260, 150), (340, 150), (340, 200), (260, 200)))
    assert not motion.is_part_of_thing(watching.view, ((500, 150), (580, 150), (580, 200), (500, 200)))


@pytest.mark.parametrize("level", [0, 128])
def test_a_covered_camera_is_known_after_a_while_and_uncovered_at_once(level):
    watching = Watching().see(*[scene()] * 5, *[np.full((HEIGHT, WIDTH, 3), level, np.uint8)] * 5)
    assert not watching.view.covered
    watching.see(*[np.full((HEIGHT, WIDTH, 3), level, np.uint8)] * 10)
    assert watching.view.covered
    assert watching.see(scene()).view.covered is False


def read_at(x, text="9506000134352"):
    return Read("EAN13", text, "0" + text, ((x, 0), (x + 100, 0), (x + 100, 50), (x, 50)), "zxing")


def test_a_code_that_names_no_product_is_told_and_leaves_the_pass_unread():
    link = Read("QR", "https://example.com/recipes", "", ((0, 0), (50, 0), (50, 50), (0, 50)), "zxing")
    passing, news = track.voted(track.Passing(1), link, on_thing=True)
    assert news
    assert not track.is_read(passing)
    passing, _ = track.voted(passing, read_at(0), on_thing=True)
    assert track.is_read(passing)


def test_votes_count_frames_and_news_thin_out():
    passing, told = track.Passing(1), []
    for _ in range(20):
        passing, news = track.voted(passing, read_at(0), on_thing=True)
        code = passing.codes[("EAN13", "9506000134352")]
        told += [code.votes] if news else []
    assert code.votes == 20
    assert told == [1, 2, 3, 4, 8, 16]


def short_at(x, text="04252614", symbology="UPCE"):
    return Read(symbology, text, "00042100005264", ((x, 0), (x + 50, 0), (x + 50, 50), (x, 50)), "zxing")


@pytest.mark.parametrize("symbology", ["UPCE", "EAN8"])
def test_a_short_code_is_told_only_when_a_second_frame_shows_it(symbology):
    passing, news = track.voted(track.Passing(1), short_at(0, symbology=symbology), on_thing=True)
    assert not news
    assert not track.is_read(passing)
    passing, news = track.voted(passing, short_at(8, symbology=symbology), on_thing=True)
    assert news
    assert track.is_read(passing)


def test_a_short_code_beside_a_longer_one_is_a_part_of_it():
    passing, _ = track.voted(track.Passing(1), short_at(0), on_thing=True)
    passing, news = track.voted(passing, read_at(0), on_thing=True)
    assert news
    for _ in range(5):
        passing, news = track.voted(passing, short_at(0), on_thing=True)
        assert not news


def test_after_the_pass_a_short_code_needs_to_have_been_read_in_it():
    seen, _ = track.voted(track.Passing(1), short_at(0), on_thing=True)
    assert track.bears_out(seen, short_at(0))
    assert not track.bears_out(seen, short_at(0, "01234565"))
    assert track.bears_out(seen, read_at(0))


def test_a_code_on_the_wall_does_not_make_a_pass_read():
    passing, news = track.voted(track.Passing(1), read_at(0), on_thing=False)
    assert news
    assert not track.is_read(passing)
    passing, _ = track.voted(passing, read_at(0), on_thing=True)
    assert track.is_read(passing)


@pytest.mark.parametrize(("dx", "dy", "moves"), [(30, 0, True), (0, 60, False), (30, 60, True), (10, 60, False)])
def test_a_code_of_which_rows_are_hidden_moves_only_across_its_bars(dx, dy, moves):
    passing = track.Passing(1)
    for times in range(3):
        shifted = tuple((x + times * dx, y + times * dy) for x, y in read_at(0).corners)
        passing, _ = track.voted(passing, replace(read_at(0), corners=shifted), on_thing=False)
    assert passing.codes[("EAN13", "9506000134352")].moved is moves


def test_a_matrix_code_moves_in_any_direction():
    code = Read("QR", "x", "", ((0, 0), (50, 0), (50, 50), (0, 50)))
    passing = track.Passing(1)
    for dy in (0, 30, 60):
        down = tuple((x, y + dy) for x, y in code.corners)
        passing, _ = track.voted(passing, replace(code, corners=down), on_thing=False)
    assert passing.codes[("QR", "x")].moved


def test_a_code_moves_with_its_thing_or_by_its_own_displacement():
    passing, _ = track.voted(track.Passing(1), read_at(0), on_thing=False)
    assert not passing.codes[("EAN13", "9506000134352")].moved
    passing, _ = track.voted(passing, read_at(5), on_thing=False)
    assert not passing.codes[("EAN13", "9506000134352")].moved
    passing, _ = track.voted(passing, read_at(60), on_thing=False)
    passing, news = track.voted(passing, read_at(120), on_thing=False)
    assert passing.codes[("EAN13", "9506000134352")].moved
    assert news


def test_two_pieces_of_one_product_that_lie_in_the_basket_do_not_move():
    passing = track.Passing(1)
    for x in (0, 300, 5, 295, 0, 300):
        passing, _ = track.voted(passing, read_at(x), on_thing=False)
    assert not passing.codes[("EAN13", "9506000134352")].moved


def test_however_many_pieces_lay_there_before_none_of_them_moves_and_one_that_came_does():
    passing = track.Passing(1)
    for x in (0, 300, 600, 900, 0, 300):
        passing, _ = track.voted(passing, read_at(x), on_thing=False, tells_place=False)
    assert not passing.codes[("EAN13", "9506000134352")].moved
    for x in (100, 200, 400):
        passing, _ = track.voted(passing, read_at(x), on_thing=False)
    assert passing.codes[("EAN13", "9506000134352")].moved


def test_a_pass_keeps_a_limited_number_of_codes():
    passing = track.Passing(1)
    for number in range(100):
        passing, _ = track.voted(passing, read_at(0, f"{number:013d}"), on_thing=True)
        passing = track.refused(passing, "EAN13", f"{number:013d}")
    assert len(passing.codes) == track.CODES_MAX
    assert len(passing.refused) == track.CODES_MAX


def test_a_text_that_is_refused_again_and_again_is_given_up():
    passing = track.Passing(1)
    tries = 0
    while not track.is_given_up(passing, "EAN13", "9"):
        passing, tries = track.refused(passing, "EAN13", "9"), tries + 1
    assert tries == track.TRIES_MAX
    assert not track.is_given_up(passing, "EAN13", "8")


def test_what_the_picture_hardly_bears_out_is_believed_from_the_second_frame_on():
    passing, believed = track.doubted(track.Passing(1), "EAN13", "9506000134352")
    assert not believed
    _, other = track.doubted(passing, "EAN13", "4003994155486")
    assert not other
    _, believed = track.doubted(passing, "EAN13", "9506000134352")
    assert believed


def test_doubts_of_a_pass_are_limited():
    passing = track.Passing(1)
    for number in range(100):
        passing, believed = track.doubted(passing, "EAN13", f"{number:013d}")
        assert not believed
    assert len(passing.low) == track.CODES_MAX


def test_frames_of_one_pass_are_worth_two_looks_at_most():
    once = track.looked_at(track.Passing(1), {"Apple": 3_000, "Pear": -1_000, "none": -2_000})
    assert track.pooled(once, "none")[0] == (("Apple", 3_000), ("Pear", -1_000))
    often = track.Passing(1)
    for _ in range(9):
        often = track.looked_at(often, {"Apple": 3_000, "Pear": -1_000, "none": -2_000})
    scores, none, _ = track.pooled(often, "none")
    assert scores == (("Apple", 6_000), ("Pear", -2_000))
    assert none == -4_000


def test_labels_that_are_not_listed_share_their_mean_likelihood():
    evidence = {f"label{n:02d}": -100 * n for n in range(10)} | {"none": 0}
    scores, _, rest = track.pooled(track.looked_at(track.Passing(1), evidence), "none")
    assert [label for label, _ in scores] == [f"label{n:02d}" for n in range(8)]
    assert rest == pytest.approx(1_000 * np.log((np.exp(-0.8) + np.exp(-0.9)) / 2), abs=1)


def test_pooled_evidence_stays_within_its_limits():
    evidence = {"a": 20_000, "none": -20_000}
    passing = track.looked_at(track.looked_at(track.Passing(1), evidence), evidence)
    scores, none, rest = track.pooled(passing, "none")
    assert (scores, none, rest) == ((("a", 20_000),), -20_000, -20_000)
