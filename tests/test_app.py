import subprocess
import sys

import msgspec

from cart import app, config
from cart.core.catalog import Catalog
from tests.test_doctor_scale import RECORD

VENDOR = {"RPi", "cryptography", "cv2", "numpy", "paho", "picamera2", "serial", "sqlite3", "starlette", "uvicorn"}


def test_the_wiring_itself_imports_no_vendor_package():
    told = "import sys, cart.app; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) & VENDOR == set()


def test_every_cost_and_weight_limit_of_the_configuration_reaches_the_core():
    settings = config.default()
    costs = {name: number for number, name in enumerate(config.to_dict(settings)["decision"], start=1)}
    limits = {name: 80 * number for number, name in enumerate(config.to_dict(settings)["weight"], start=1)}
    settings = msgspec.structs.replace(
        settings,
        decision=msgspec.structs.replace(settings.decision, **costs),
        weight=msgspec.structs.replace(settings.weight, **limits),
    )
    setup = app.setup_of(settings, Catalog("1", "EUR", []), None)
    assert {name: getattr(setup.costs, name) for name in costs} == costs
    assert {name: getattr(setup.weight, name) for name in limits} == limits
    assert len(costs) >= 3
    assert len(limits) >= 5


def test_the_core_is_told_which_converter_the_calibration_is_of():
    setup = app.setup_of(config.default(), Catalog("1", "EUR", []), RECORD)
    assert (setup.converter, setup.calibration) == ("E661", RECORD.calibration())
    assert app.setup_of(config.default(), Catalog("1", "EUR", []), None).converter == ""
