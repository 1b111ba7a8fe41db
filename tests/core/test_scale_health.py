"""Whether readings may be used: of four cells, each is judged by itself."""

import pytest

from cart.core.events import LoadSampled
from cart.core.scale_health import COUNTS_MAX, COUNTS_MIN
from cart.core.weight import Calibration, LoadState, initial, sampled

PERIOD_US = 12_500
AT_REST = 335_432


def heard(cells_of, trims_ppm=()):
    """Return the states that a second of readings leads to, after two good ones."""
    state, told = initial(Calibration(52_429, 4 * AT_REST, trims_ppm)), []
    for number in range(240):
        good = tuple(AT_REST + (7 * number + cell) % 40 for cell in range(4))
        cells = cells_of(good) if number >= 160 else good
        event = LoadSampled(number * PERIOD_US * 1_000, number, (number * PERIOD_US,), (sum(cells),), (0,), 0, (cells,))
        state, found = sampled(state, event)
        told += [x.state for x in found if isinstance(x, LoadState)]
    return told, state


@pytest.mark.parametrize("trims_ppm", [(), (990_000, 1_010_000, 1_000_000, 1_000_000)])
@pytest.mark.parametrize("end", [COUNTS_MIN, COUNTS_MAX])
def test_one_cell_of_four_at_the_end_of_its_range_is_saturated_whatever_the_sum_says(end, trims_ppm):
    # The others move the other way, so that the sum is that of a load of nothing.
    def bent(good):
        rest = (4 * AT_REST - end) // 3
        return (end, rest + good[1] % 40, rest + good[2] % 40, rest + good[3] % 40)

    told, state = heard(bent, trims_ppm)
    assert told == ["saturated"]
    assert state.gross_mg is None


def test_four_cells_within_their_range_weigh():
    told, state = heard(lambda good: good)
    assert told == []
    assert state.gross_mg is not None
