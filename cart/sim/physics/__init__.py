"""The sprung basket on its load cells: what the converter would read, sample by sample.

    M x'' + c x' + k x = M (g cos(tilt) + a_floor) + f_hand,    M = platform + goods,    gauge force F = k x

    hand ──> mass and force at a place ─┐
    ground ─> shaking, tilt ────────────┴─> suspension ─> cell ─> adc ─> samples      (platform: all of it, by time)

Spring and damper are fixed, so a fuller basket swings slower and longer. Every number is a parameter with unit, limits
and source in `parameters.py`; a file may replace them (`world_file.py`). Nothing was measured on a real cart.
"""

from cart.sim.physics.parameters import G, Params
from cart.sim.physics.platform import STEP_US, STEPS_PER_S, Platform, Sample

__all__ = ["STEPS_PER_S", "STEP_US", "G", "Params", "Platform", "Sample"]
