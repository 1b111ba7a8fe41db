"""How often a photo gives away that another code was scanned, as `cart bench vision` measures it, too."""

from cart.vision.bench.swaps import EXPECTED_MIN, FOLDS, SHARES, figures, is_shown, permille_name

__all__ = ["EXPECTED_MIN", "FOLDS", "SHARES", "figures", "is_shown", "permille_name"]
