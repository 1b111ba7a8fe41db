"""Training views: the same draw gives the same view, a package is never mirrored, every view is a picture."""

import numpy as np
import pytest

from tools.training import augment
from tools.training.augment import Look, seen_in_cart

SIDE_PX = 48


@pytest.fixture
def half_red() -> np.ndarray:
    """Red on the left, green on the right."""
    photo = np.zeros((96, 96, 3), np.uint8)
    photo[:, :48] = (250, 20, 20)
    photo[:, 48:] = (20, 250, 20)
    return photo


@pytest.fixture
def grey() -> np.ndarray:
    return np.full((96, 96, 3), 128, np.uint8)


@pytest.fixture
def upright(monkeypatch):
    """No view is turned by more than its usual share."""
    monkeypatch.setattr(augment, "ANY_TURN_SHARE", 0.0)


def test_every_view_is_a_picture_of_the_size_asked_for(half_red, grey):
    draw = np.random.default_rng(0)
    for _ in range(200):
        view = seen_in_cart(half_red, Look(SIDE_PX, True, grey), draw)
        assert view.shape == (SIDE_PX, SIDE_PX, 3)
        assert view.dtype == np.uint8


def test_the_same_draw_gives_the_same_view(half_red, grey):
    look = Look(SIDE_PX, True, grey)
    first, second = (seen_in_cart(half_red, look, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, seen_in_cart(half_red, look, np.random.default_rng(8)))


def red_is_left(view: np.ndarray) -> bool:
    red = view[..., 0].astype(int) - view[..., 1]
    columns = np.arange(view.shape[1])
    weight = np.maximum(red, 0).sum(axis=0)
    return bool((columns * weight).sum() < weight.sum() * (view.shape[1] - 1) / 2)


def test_what_carries_print_is_never_mirrored_and_other_photos_half_the_time(half_red, grey, upright):
    def mirrored(allowed: bool) -> int:
        draw = np.random.default_rng(1)
        views = [augment.placed(half_red, Look(SIDE_PX, allowed, grey), draw) for _ in range(100)]
        both = [view for view in views if view[..., 0].max() > 200 and view[..., 1].max() > 200]
        return sum(not red_is_left(view) for view in both)

    assert mirrored(False) == 0
    assert 20 < mirrored(True) < 80


def test_a_photo_shown_small_lies_before_the_background(half_red, monkeypatch, upright):
    monkeypatch.setattr(augment, "AWAY_SHARE", 1.0)
    blue = np.zeros((96, 96, 3), np.uint8)
    blue[..., 2] = 255
    draw = np.random.default_rng(2)
    shares = [
        float((augment.placed(half_red, Look(SIDE_PX, False, blue), draw)[..., 2] > 128).mean()) for _ in range(50)
    ]
    assert 0.2 < np.mean(shares) < 0.6
    assert max(shares) < 0.8


@pytest.mark.parametrize("change", [augment.behind_hand, augment.dazzled, augment.blurred])
def test_each_hardship_changes_the_picture_and_leaves_some_of_it(half_red, change):
    before = augment.placed(half_red, Look(SIDE_PX, False, half_red), np.random.default_rng(3))
    changed = [change(before.copy(), np.random.default_rng(seed)) for seed in range(30)]
    moved = [float((np.abs(after - before).max(axis=-1) > 4).mean()) for after in changed]
    assert sum(share > 0 for share in moved) > 15  # a very short smear moves nothing
    assert np.median(moved) < 0.8
