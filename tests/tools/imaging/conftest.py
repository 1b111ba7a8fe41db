"""Images that several tests look at, made once: a stock one, a built one and a wheelhouse of each release."""

import shutil
from pathlib import Path

import pytest

from tests.tools.imaging import synthetic
from tools.imaging import build, device
from tools.imaging.progress import Progress

SPARE_BYTES = 4 << 20


PUT_IN = ("cart", "firmware_config", "systemd", "setup.py")


@pytest.fixture(scope="session", autouse=True)
def checkout(tmp_path_factory, repository):
    """Build from a copy of the checkout: two builds are compared, and somebody may be editing it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in PUT_IN:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(repository / name, copy / name)
    before, device.CHECKOUT = device.CHECKOUT, copy
    yield copy
    device.CHECKOUT = before


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="session")
def stock(workshop):
    """Return a function that gives the stock image of a release; nobody may change it."""

    def get(codename: str = "bookworm") -> Path:
        path = workshop / f"{codename}.img"
        return path if path.exists() else synthetic.make(path, synthetic.System(codename))

    return get


@pytest.fixture(scope="session")
def house(workshop):
    """Return a function that gives the wheelhouse of a release."""

    def get(codename: str = "bookworm") -> Path:
        folder = workshop / f"wheels-{codename}"
        return folder if folder.exists() else synthetic.wheelhouse(folder, codename)

    return get


@pytest.fixture(scope="session")
def built(workshop, stock, house):
    """Return a function that gives a built image of a release; nobody may change it."""

    def get(codename: str = "bookworm") -> Path:
        out = workshop / f"built-{codename}.img"
        if not out.exists():
            build.build(
                build.Order(stock(codename), house(codename), out, spare_bytes=SPARE_BYTES), Progress(quiet=True)
            )
        return out

    return get


@pytest.fixture
def copied(tmp_path):
    """Return a function that copies an image with what lies beside it, for a test that changes it."""

    def get(image: Path) -> Path:
        for file in image.parent.glob(f"{image.name}*"):
            shutil.copyfile(file, tmp_path / file.name)
        return tmp_path / image.name

    return get
