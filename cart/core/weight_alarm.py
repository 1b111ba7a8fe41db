"""The standing alarm: something happens to a load that stood, said before it is known what.

Page's cumulative sum of how far the mean of the last 0.4 s lies from the level, in its own learned standard
deviations, less an allowance. It is quick (within a tenth of a second of the hand letting go, where a change is
believed after four) and knows no mass, so nothing is put into a basket by it: the light winks, and a bill that was
fixed is open until it is quiet again. In motion every kerb would raise it, so there it is switched off.

A hand that pushes down on goods before it takes them out drives the sum the other way first, and in a hum the little
that it took may be believed sooner than the sum has come back. So a change that is believed raises the alarm itself,
unless it was said: there is none without the other.

An alarm that no change follows ends when the load is back; until then it is said once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from cart.core.weight_detector import Detector
from cart.core.weight_noise import BOXES, FLOOR_MG
from cart.core.weight_values import DOWN, STANDING, UP, Alarm

SPAN = 32  # readings, 0.4 s
RANK = BOXES.index(12)
"""The window of 34 readings, whose learned variance stands for that of the span."""

ALLOWED_MILLI, ALARM_MILLI = 2_000, 40_000
"""k and h in thousandths of a standard deviation. With k = 1 the hum of a shop came near h within the hour."""

QUIET_MILLI = 1_000


@dataclass(frozen=True, slots=True)
class Watch:
    """Both sums in thousandths of a standard deviation; alarmed: it was said, and the load is not back yet."""

    up: int = 0
    down: int = 0
    alarmed: bool = False


def watched(
    watch: Watch, detector: Detector, t_ms: Sequence[int], counts_per_kg: int
) -> tuple[Watch, tuple[Alarm, ...]]:
    """Return the watch after the newest readings of the detector, and the alarm, if they raise one.

    detector  after these readings
    t_ms      time of each of them
    """
    history = detector.raw.history
    change = detector.change
    if change and t_ms[0] <= change.t_accept_ms and change.motion == STANDING and not watch.alarmed:
        return Watch(), (Alarm(change.t_accept_ms, UP if change.delta_mg > 0 else DOWN),)
    watching = detector.motion == STANDING and detector.anchored and detector.change is None
    if not watching or detector.level_ug is None or len(history) < SPAN + len(t_ms) or not detector.raw.learned:
        return Watch(), ()
    level_mg = detector.level_ug // 1_000 + detector.tilt_mg
    sigma_mg = isqrt(detector.raw.learned[RANK] + FLOOR_MG * FLOOR_MG)
    for number, at_ms in enumerate(t_ms):
        end = len(history) - len(t_ms) + number + 1
        mean_mg = sum(history[end - SPAN : end]) * 1_000_000 // (SPAN * counts_per_kg)
        away_milli = (mean_mg - level_mg) * 1_000 // sigma_mg
        if watch.alarmed:
            watch = Watch() if abs(away_milli) < QUIET_MILLI else watch
            continue
        up, down = max(0, watch.up + away_milli - ALLOWED_MILLI), max(0, watch.down - away_milli - ALLOWED_MILLI)
        watch = Watch(up, down)
        if max(up, down) > ALARM_MILLI:
            return Watch(alarmed=True), (Alarm(at_ms, UP if up > down else DOWN),)
    return watch, ()
