"""Photo files: what is transparent is white, whatever colour lies below it."""

import cv2
import numpy as np
import pytest

from cart.vision import photo


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_what_is_transparent_is_shown_on_white(suffix):
    drawn = np.zeros((4, 6, 4), np.uint8)
    drawn[:, 2:4, 3] = 255
    drawn[:, 4:, :3], drawn[:, 4:, 3] = 100, 128
    done, content = cv2.imencode(suffix, drawn, [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else [])
    assert done
    pixels = photo.decoded(content.tobytes())
    assert pixels.shape == (4, 6, 3)
    assert (pixels[:, :2] == 255).all()
    assert (pixels[:, 2:4] == 0).all()
    assert (np.abs(pixels[:, 4:].astype(int) - 177) <= 1).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_photo_without_transparency_stays_as_it_is(suffix):
    grey = np.full((8, 8, 3), 77, np.uint8)
    _, content = cv2.imencode(suffix, grey)
    assert (photo.decoded(content.tobytes()) == grey).all()
