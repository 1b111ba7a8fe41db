"""How often a photo gives away that another code was scanned, at a given share of false alarms.

A false alarm is a photo that disagrees with its own label. The limit for a share of them is taken on four fifths of the
photos and tried on the fifth that is left, in turn. A share is shown only where there are photos enough for one such
alarm to be expected three times (the rule of three): fewer cannot tell it from a smaller one.
"""

import math

import numpy as np

from cart.sim.weighing.intervals import Z, share_interval
from cart.vision.bench.figures import UNKNOWN, random_folds
from cart.vision.classify import Calibration, agreement_millinats, log_shares

SHARES = (0.001, 0.002, 0.01)
FOLDS = 5
EXPECTED_MIN = 3.0
Figures = dict[str, float | int | None]


def figures(cosines: np.ndarray, classes: np.ndarray, groups: np.ndarray, calibration: Calibration) -> Figures:
    """Return for each share in SHARES the alarms that came of it and the swaps caught, each with its 95 % interval.

    cosines  (photos, classes), UNKNOWN where the head does not know a product
    groups   (classes,) numbers of the coarse groups

    Keys are like "swap_group_10", with the share in permille for 0.001, 0.002 and 0.01: 1, 2, 10. All of one share are
    None where it cannot be shown, and those of pairs that fewer than two photos have.
    """
    values = agreement_millinats(log_shares(cosines, calibration))
    true = np.arange(cosines.shape[1]) == classes[:, None]
    sibling = (groups == groups[classes][:, None]) & ~true & (cosines > UNKNOWN)
    other = (groups != groups[classes][:, None]) & (cosines > UNKNOWN)
    folds = random_folds(classes, FOLDS)
    result: Figures = {"swap_photos": len(classes), "swap_photos_with_siblings": int(sibling.any(axis=1).sum())}
    for share in SHARES:
        limits = _limits(values[true], folds, share) if is_shown(share, len(classes)) else None
        result |= _at(share, limits, values, true, {"group": other, "sibling": sibling})
    return result


def is_shown(share: float, photos: int) -> bool:
    """Return whether that many photos can show a share of false alarms."""
    return share * photos >= EXPECTED_MIN


def permille_name(share: float) -> str:
    """Return a share as it stands in the keys: permille without a point."""
    return f"{share * 1000:g}"


def _limits(own: np.ndarray, folds: np.ndarray, share: float) -> np.ndarray:
    """Return for each photo the limit found without its fold."""
    limits = np.zeros(len(own))
    for fold in range(FOLDS):
        limits[folds == fold] = np.floor(np.quantile(own[folds != fold], share))
    return limits


def _at(
    share: float, limits: np.ndarray | None, values: np.ndarray, true: np.ndarray, swapped: dict[str, np.ndarray]
) -> Figures:
    name = permille_name(share)
    keys = [f"{what}_{name}{end}" for what in ("alarms", "swap_group", "swap_sibling") for end in ("", "_low", "_high")]
    if limits is None:
        return dict.fromkeys(keys)
    caught = values <= limits[:, None]
    alarms = caught[true]
    found: list[float | None] = [float(alarms.mean()), *share_interval(int(alarms.sum()), len(alarms))]
    for pairs in swapped.values():
        found += _mean_of_photos(caught, pairs)
    return dict(zip(keys, found, strict=True))


def _mean_of_photos(caught: np.ndarray, pairs: np.ndarray) -> list[float] | list[None]:
    """Return the share of pairs caught and its interval; a photo's pairs stand or fall together, so photos count."""
    some = pairs.any(axis=1)
    if some.sum() < 2:
        return [None] * 3
    shares = (caught & pairs)[some].sum(axis=1) / pairs[some].sum(axis=1)
    mean, half = float(shares.mean()), Z * float(shares.std(ddof=1)) / math.sqrt(len(shares))
    return [mean, max(0.0, mean - half), min(1.0, mean + half)]
