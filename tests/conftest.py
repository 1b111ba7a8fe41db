"""What every test may ask for."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def shared_data_dir() -> Path:
    """Return where the shared data would be: $CART_SHARED/data, else ../shared/data beside the checkout."""
    shared = os.environ.get("CART_SHARED")
    return (Path(shared) if shared else REPOSITORY.parent / "shared") / "data"


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder that holds grocery/ and barcodes/; skips the test where it is absent."""
    data = shared_data_dir()
    if not data.is_dir():
        pytest.skip("the shared data is not there: set CART_SHARED, or put it in ../shared beside the checkout")
    return data
