"""Photos changed as a cart's camera would change them: turned, near, blurred, dazzled, half behind a hand.

`seen_in_cart` is one picture for one training step. The shares are of pictures; they were set from what a cart does to
a photo and not tuned. Everything comes from the generator that is passed in, so a step can be repeated.
"""

from dataclasses import dataclass

import cv2
import numpy as np

AREA_MIN = 0.3
ASPECT_MAX = 4 / 3
TURN_DEG = 20.0
ANY_TURN_SHARE = 0.08
AWAY_SHARE = 0.12
AWAY_MAX = 1.5
BLUR_SHARE = 0.15
GLARE_SHARE = 0.1
HAND_SHARE = 0.12
NOISE_SHARE = 0.1
SIGMA_PX_MIN = 0.3
GREY_WEIGHTS = (0.299, 0.587, 0.114)
SKINS_RGB = ((238, 207, 180), (222, 180, 145), (198, 149, 110), (150, 105, 75), (95, 65, 45), (60, 42, 32))


@dataclass(frozen=True, slots=True)
class Look:
    """What the picture is made of.

    side_px     of the picture
    mirrored    whether it may be mirrored: print on a carton never is
    background  a photo that fills what lies beyond this one's edge when it is shown small
    """

    side_px: int
    mirrored: bool
    background: np.ndarray


def seen_in_cart(rgb: np.ndarray, look: Look, draw: np.random.Generator) -> np.ndarray:
    """Return uint8 (side, side, 3), a random view of a square uint8 photo of any size."""
    picture = placed(rgb, look, draw)
    picture = recoloured(picture, draw)
    if draw.random() < HAND_SHARE:
        picture = behind_hand(picture, draw)
    if draw.random() < GLARE_SHARE:
        picture = dazzled(picture, draw)
    if draw.random() < BLUR_SHARE:
        picture = blurred(picture, draw)
    if draw.random() < NOISE_SHARE:
        picture = picture + draw.normal(0.0, draw.uniform(2.0, 10.0), picture.shape).astype(np.float32)
    return np.clip(picture, 0.0, 255.0).astype(np.uint8)


def placed(rgb: np.ndarray, look: Look, draw: np.random.Generator) -> np.ndarray:
    """Return the photo cropped, turned and perhaps mirrored, float32; or shown small before a background."""
    away = draw.random() < AWAY_SHARE
    share = draw.uniform(1.0, AWAY_MAX) if away else np.sqrt(draw.uniform(AREA_MIN, 1.0))
    aspect = np.exp(draw.uniform(-np.log(ASPECT_MAX), np.log(ASPECT_MAX)) / 2.0)
    limit = 180.0 if draw.random() < ANY_TURN_SHARE else TURN_DEG
    matrix = _affine(len(rgb), look, share * np.array([aspect, 1.0 / aspect]), draw.uniform(-limit, limit), draw)
    size = (look.side_px, look.side_px)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if not away:
        return cv2.warpAffine(rgb, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
    behind = cv2.GaussianBlur(cv2.resize(look.background, size), (0, 0), draw.uniform(0.5, 3.0))
    result = np.ascontiguousarray(behind)
    cv2.warpAffine(rgb, matrix, size, dst=result, flags=flags, borderMode=cv2.BORDER_TRANSPARENT)
    return result.astype(np.float32)


def recoloured(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the picture in another light: brightness, contrast, saturation, white balance."""
    picture = picture * draw.uniform(0.7, 1.3) * draw.uniform(0.88, 1.12, 3).astype(np.float32)
    grey = (picture @ np.array(GREY_WEIGHTS, np.float32))[..., None]
    picture = grey + (picture - grey) * np.float32(draw.uniform(0.7, 1.3))
    middle = picture.mean()
    return middle + (picture - middle) * np.float32(draw.uniform(0.75, 1.25))


def behind_hand(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the picture with two to four fingers, or a grey sleeve, reaching in from one edge."""
    side = len(picture)
    skin = np.array(SKINS_RGB[draw.integers(len(SKINS_RGB))], float) * draw.uniform(0.6, 1.1)
    angle = draw.uniform(0.0, 2.0 * np.pi)
    inward = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-inward[1], inward[0]])
    width = draw.uniform(0.06, 0.12) * side
    root = side / 2 - inward * side * 0.75 + across * draw.uniform(-0.3, 0.3) * side
    result = np.ascontiguousarray(picture)
    for finger in range(draw.integers(2, 5)):
        start = root + across * finger * width * 1.1
        tip = start + inward * draw.uniform(0.35, 0.65) * side
        tone = tuple(float(c) for c in skin * draw.uniform(0.85, 1.1))
        cv2.line(result, _point(start), _point(tip), tone, max(1, round(width)), cv2.LINE_AA)
    return result


def dazzled(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the picture with a soft bright spot, as of a lamp on foil or plastic."""
    side = len(picture)
    spot = np.zeros((side, side), np.float32)
    centre = _point(draw.uniform(0.1, 0.9, 2) * side)
    axes = _point(draw.uniform(0.03, 0.2, 2) * side)
    cv2.ellipse(spot, centre, axes, draw.uniform(0.0, 180.0), 0.0, 360.0, 1.0, -1)
    spot = cv2.GaussianBlur(spot, (0, 0), draw.uniform(0.01, 0.04) * side + 1.0)
    return picture + spot[..., None] * np.float32(draw.uniform(80.0, 255.0))


def blurred(picture: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the picture out of focus, or smeared along a line as by motion."""
    side = len(picture)
    if draw.random() < 0.5:
        return cv2.GaussianBlur(picture, (0, 0), draw.uniform(SIGMA_PX_MIN, max(SIGMA_PX_MIN, 0.009 * side)))
    length = round(draw.uniform(0.01, 0.05) * side) | 1
    kernel = np.zeros((length, length), np.float32)
    angle = draw.uniform(0.0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length // 2)
    cv2.line(kernel, _point(length // 2 - reach), _point(length // 2 + reach), 1.0, 1)
    return cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1.0))


def _affine(source_px: int, look: Look, share: np.ndarray, turn_deg: float, draw: np.random.Generator) -> np.ndarray:
    """Return the (2, 3) matrix from a pixel of the picture to one of the photo; `share` is of the photo's side."""
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sign = -1.0 if look.mirrored and draw.random() < 0.5 else 1.0
    linear = turn @ np.diag(share * np.array([sign, 1.0])) * source_px / look.side_px
    # A crop lies anywhere within the photo; a photo shown small lies anywhere within the picture.
    slack = np.abs(1.0 - share) / 2.0 * source_px
    centre = source_px / 2.0 + draw.uniform(-1.0, 1.0, 2) * slack
    offset = centre - linear @ np.full(2, look.side_px / 2.0)
    return np.column_stack([linear, offset])


def _point(xy: np.ndarray) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))
