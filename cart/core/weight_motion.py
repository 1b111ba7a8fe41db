"""How the cart moves, judged from the swing of its load: standing, rolling or rough."""

from __future__ import annotations

from cart.core.weight_values import ROLLING, ROUGH, STANDING

MOVING_SWING_MG = 40_000
STILL_SWING_MG = 30_000
ROUGH_SWING_MG = 600_000
MOVING_BLOCKS, MOVING_OF = 12, 16  # so many noisy blocks of the last so many: a dropped item rings shorter
STILL_BLOCKS = 10  # 1 s


def motion_after(motion: str, blocks: tuple[int, ...]) -> str:
    """Return how the cart moves, from the swing of the last blocks; a change of class needs most of them."""
    last = blocks[-MOVING_OF:]
    if motion != STANDING and len(last) >= STILL_BLOCKS and max(last[-STILL_BLOCKS:]) < STILL_SWING_MG**2:
        return STANDING
    noisy = sum(block > MOVING_SWING_MG**2 for block in last)
    if motion == STANDING and noisy < MOVING_BLOCKS:
        return STANDING
    middle = sorted(last)[len(last) // 2]
    return ROUGH if middle > ROUGH_SWING_MG**2 else ROLLING
