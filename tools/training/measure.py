"""The figures of a model on photos that it never saw, as `cart bench vision` measures them, too."""

from cart.sim.weighing.intervals import Z as WILSON_Z
from cart.sim.weighing.intervals import share_interval as wilson
from cart.vision.bench.figures import Figures, auroc, calibration_error, coverage, figures, random_folds

__all__ = ["WILSON_Z", "Figures", "auroc", "calibration_error", "coverage", "figures", "random_folds", "wilson"]
