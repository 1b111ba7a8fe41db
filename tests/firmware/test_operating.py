"""The tables of docs/OPERATING.md are those of the code: wiring, lights, units; and its recipe makes a right record."""

import re

import pytest

from cart import config
from cart.core import out_of_service
from cart.core.effects import SetPanel
from cart.core.events import Restored
from cart.edge import crashes
from cart.edge.gpio import LIGHTS, SOUNDS
from cart.wire import calibration
from tests.conftest import REPOSITORY
from tools.imaging import cart_file
from tools.imaging.cart_file import COLUMNS
from tools.imaging.fleet_table import OWN_COLUMNS
from tools.units import exposure, systemd_analyze

TEXT = (REPOSITORY / "docs" / "OPERATING.md").read_text(encoding="utf-8")

# The 40 pins of a Raspberry Pi's header, by BCM number; ground is on the others named.
HEADER = {2: 3, 3: 5, 4: 7, 17: 11, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21, 25: 22, 11: 23, 8: 24, 7: 26,
          5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37, 20: 38, 21: 40, 14: 8, 15: 10, 18: 12}  # fmt: skip
GROUND = {6, 9, 14, 20, 25, 30, 34, 39}


def rows(title):
    """Return the cells of the first table below a heading, without its head."""
    table = re.search(r"^\|.*?(?=\n\n)", TEXT[TEXT.index(f"# {title}\n") :], re.MULTILINE | re.DOTALL)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_wiring_is_that_of_the_configuration_and_of_the_header():
    panel = config.default().panel
    wired = {}
    for key, pin, header, to in rows("Wiring"):
        number = int(pin.removeprefix("GPIO "))
        assert HEADER[number] == int(header), key
        assert {int(found) for found in re.findall(r"\(pin (\d+)\)", to)} <= GROUND
        wired[key.strip("`")] = number
    pins = {key: value for key, value in config.to_dict(config.default())["panel"].items() if key.endswith("_pin")}
    assert {key: wired[key] for key in pins} == pins
    assert len(set(wired.values())) == len(wired)
    assert panel.help_pin != panel.gate_pin


def test_every_light_is_explained_once_and_exists():
    explained = [light for light, *_ in rows("What the lights mean")]
    assert explained == list(LIGHTS)
    beeps = {"none": "", "three short": "attention"}
    for _, sound, _ in rows("What the lights mean"):
        assert len(SOUNDS[beeps[sound]]) == (3 if sound == "three short" else 0)


def test_the_fleets_table_has_columns_that_the_tool_takes():
    (table,) = re.findall(r"^```csv\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    first, *others = table.splitlines()[0].split(",")
    assert first == "cart"
    assert set(others) <= {*COLUMNS, *OWN_COLUMNS}


def test_the_cart_file_is_one_that_the_tool_takes(tmp_path):
    (told,) = re.findall(r"^```toml\n(# cart-0042.toml\n.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    own = {'passphrase = "..."': 'passphrase = "12345678"', "AAAA...": "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43}
    for gap, filled in own.items():
        assert gap in told
        told = told.replace(gap, filled)
    (tmp_path / "cart-0042.toml").write_text(told)
    assert cart_file.load(tmp_path / "cart-0042.toml").cart.id == "cart-0042"


def test_out_of_service_is_what_the_page_says():
    assert (crashes.CRASHES_MAX, crashes.WINDOW_NS) == (3, 60_000_000_000)
    assert "crashes three times within a minute, the cart starts out of service: red lamp" in TEXT
    _, effects = out_of_service.step("EUR", Restored(t_ns=0, wall_ms=0, incarnation="0" * 16))
    assert SetPanel("red", "attention") in effects


@pytest.mark.skipif(systemd_analyze() is None, reason="no systemd-analyze here: apt install systemd")
def test_the_exposures_are_those_that_systemd_sees():
    for unit, _, _, told in rows("The services"):
        if told:
            assert exposure(REPOSITORY / "systemd" / unit.strip("`")) == float(told)


def test_the_recipe_for_a_calibration_makes_a_record_that_the_cart_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(code, "OPERATING.md", "exec"), {})
    (record,) = calibration.decode((tmp_path / "cart-0042.jsonl").read_bytes())
    # The residual that it states is not smaller than the one its own points have.
    for point in record.points:
        mass_mg = (point.counts_mean - record.zero_counts) * 1_000_000 // record.counts_per_kg
        assert abs(mass_mg - point.mass_mg) <= record.residual_max_mg < record.e_mg, point
