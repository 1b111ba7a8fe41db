"""How the cart moves, judged from the swing of its load (standing, rolling or rough), and what may be told then."""

from __future__ import annotations

from cart.core.weight_values import ROLLING, ROUGH, STANDING, Limits

MOVING_SWING_MG = 40_000
STILL_SWING_MG = 30_000
ROUGH_PERMILLE = 30  # of the moving mass: 0.03 g of shaking, tiles; smooth floors stay below half of it
EVEN_PERMILLE = 20
MOVING_BLOCKS, MOVING_OF = 12, 16  # so many noisy blocks of the last so many: a dropped item rings shorter
STILL_BLOCKS = 10  # 1 s

DRIFT_MOVING_MG_S = 50  # what the zero may have drifted for each second in motion
DRIFT_MOVING_MG_MAX = 9_000


def smallest_mg(limits: Limits, motion: str, away_s: int | None, *, corrected: bool) -> int:
    """Return the smallest change that may be told.

    motion     class of motion; of the one that has ended, until the standstill has settled
    away_s     seconds in motion since the level was seen standing; None when it is seen now
    corrected  the shaking is taken out: half as much may be told; standing, somebody shakes the cart
    """
    if motion == ROUGH:
        return limits.rough_step_mg // 2 if corrected else limits.rough_step_mg
    if motion == ROLLING:
        return limits.rolling_step_mg // 2 if corrected else limits.rolling_step_mg
    if corrected:
        return limits.rolling_step_mg
    if away_s is None:
        return limits.step_mg
    return limits.step_mg + min(DRIFT_MOVING_MG_MAX, DRIFT_MOVING_MG_S * away_s)


def motion_after(motion: str, blocks: tuple[int, ...], moving_mg: int) -> str:
    """Return how the cart moves, from the swing of the last blocks; a change of class needs most of them.

    moving_mg  platform and goods: the same ground swings a fuller cart harder

    Slowing down on tiles is still on tiles: rough becomes rolling only after 2.4 s.
    """
    if not blocks:  # a gap left none: nothing is known yet of how it moves now
        return motion
    last = blocks[-MOVING_OF:]
    if motion != STANDING and len(last) >= STILL_BLOCKS and max(last[-STILL_BLOCKS:]) < STILL_SWING_MG**2:
        return STANDING
    noisy = sum(block > MOVING_SWING_MG**2 for block in last)
    if motion == STANDING and noisy < MOVING_BLOCKS:
        return STANDING
    if motion == ROUGH:
        return ROUGH if _middle(blocks) > (moving_mg * EVEN_PERMILLE // 1_000) ** 2 else ROLLING
    return ROUGH if _middle(last) > (moving_mg * ROUGH_PERMILLE // 1_000) ** 2 else ROLLING


def _middle(blocks: tuple[int, ...]) -> int:
    return sorted(blocks)[len(blocks) // 2]
