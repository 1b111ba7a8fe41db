"""What every clock and every network keeps to."""

import numpy as np
import pytest

from cart.clock import ManualClock, SystemClock
from cart.edge.classifier import INPUT_SHAPE, Classifier, model_dir_of
from cart.faults import Fault


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(5)], ids=["system", "manual"])
def test_time_is_whole_and_never_goes_back(clock):
    readings = [clock.monotonic_ns() for _ in range(1_000)]
    assert all(isinstance(reading, int) for reading in readings)
    assert readings == sorted(readings)
    assert isinstance(clock.wall_ms(), int)


def test_the_network_gives_the_same_numbers_for_the_same_picture():
    try:
        network = Classifier(model_dir_of(""))
    except Fault as fault:
        pytest.skip(str(fault))
    picture = np.random.default_rng(1).integers(0, 256, INPUT_SHAPE, np.uint8)
    first = network.embed(picture)
    assert first.shape == (1280,)
    assert first.dtype == np.float32
    assert np.array_equal(first, network.embed(picture.copy()))
    assert not np.array_equal(first, network.embed(255 - picture))
