"""Labels with bars, drawn for tests: what a camera would see of a package."""

import cv2
import numpy as np

from cart.wire import bars, databar
from cart.wire.gtin import check_digit


def with_check_digit(body):
    return body + check_digit(body)


def label(symbology, text, module_px=3, height_px=120, quiet_modules=11, grey=230, ink=30):
    """Return a uint8 picture of a retail code with its quiet zones and some paper above and below."""
    dark = np.array([bit == "1" for bit in bars.modules(symbology, text)])
    row = np.where(np.pad(dark, quiet_modules), ink, grey).astype(np.uint8)
    strip = np.repeat(np.repeat(row[None, :], height_px, axis=0), module_px, axis=1)
    return cv2.copyMakeBorder(strip, 30, 30, 10, 10, cv2.BORDER_CONSTANT, value=grey)


def turned(picture, angle_deg, side_px=720, background=90):
    """Return the picture turned about its middle, in the middle of a square frame."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    turn[:, 2] += (side_px - width) / 2, (side_px - height) / 2
    return cv2.warpAffine(picture, turn, (side_px, side_px), borderMode=cv2.BORDER_CONSTANT, borderValue=background)


def corners_of(picture, quiet_modules=11, module_px=3):
    """Return where the bars of an unturned label lie."""
    height, width = picture.shape
    left, right = 10 + quiet_modules * module_px, width - 10 - quiet_modules * module_px
    return ((left, 30), (right, 30), (right, height - 30), (left, height - 30))


def noisy(picture, sigma=4.0, seed=1):
    """Return the picture with a sensor's noise and a lens's blur."""
    seen = cv2.GaussianBlur(picture, (0, 0), 0.8) + np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


def databar_label(gtin, module_px=3, height_px=100, linked=False, blur_modules=0.0):
    """Return a uint8 picture of a DataBar code in one row, with paper around it, as a lens out of focus sees it."""
    dark = np.array([bit == "1" for bit in databar.modules(gtin, linked=linked)])
    row = np.where(np.pad(dark, 12), 30, 220).astype(np.uint8)
    strip = np.repeat(np.repeat(row[None, :], height_px, axis=0), module_px, axis=1)
    paper = cv2.copyMakeBorder(strip, 60, 60, 20, 20, cv2.BORDER_CONSTANT, value=220)
    return cv2.GaussianBlur(paper, (0, 0), blur_modules * module_px) if blur_modules else paper
