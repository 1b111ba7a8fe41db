"""The ways in which a photo is shown to the network while a head learns: what does not matter is shown differently."""

from dataclasses import dataclass

import numpy as np

from cart.vision.classify import preprocess


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a photo: the centred square of a share of its shorter side, perhaps mirrored."""

    share: float
    mirrored: bool

    @property
    def name(self) -> str:
        """A name for files and messages."""
        return f"square{round(self.share * 1000)}{'-mirrored' if self.mirrored else ''}"


# The first is how the cart looks. The others show the head what does not matter: which side, how near.
VIEWS = tuple(View(share, mirrored) for share in (1.0, 0.875, 0.65) for mirrored in (False, True))


def seen(bgr: np.ndarray, view: View) -> np.ndarray:
    """Return what the network takes of a photo in one view, uint8 (288, 288, 3) RGB."""
    height, width = bgr.shape[:2]
    side = max(1, round(min(height, width) * view.share))
    top, left = (height - side) // 2, (width - side) // 2
    rgb = preprocess(bgr[top : top + side, left : left + side])
    return np.ascontiguousarray(rgb[:, ::-1]) if view.mirrored else rgb
