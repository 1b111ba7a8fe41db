"""Hardware profiles are overlays that the configuration takes."""

import tomllib

import pytest

from cart import config
from tests.firmware.said import FOLDER

PROFILES = sorted((FOLDER / "profiles").glob("*.toml"))


def test_there_is_a_profile_for_each_board_and_the_bench():
    assert [path.stem for path in PROFILES] == ["bench", "pi4", "pi5"]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_over_the_defaults_is_a_right_configuration(profile, tmp_path):
    overlay = tomllib.loads(profile.read_text(encoding="utf-8"))
    (tmp_path / "overlay.toml").write_text(profile.read_text(encoding="utf-8"))
    config.load(tmp_path / "overlay.toml")  # alone: every key is known and in range
    (tmp_path / "cart.toml").write_text(config.render(config.changed(config.default(), **overlay)))
    loaded = config.to_dict(config.load(tmp_path / "cart.toml"))
    assert {section: {key: loaded[section][key] for key in keys} for section, keys in overlay.items()} == overlay


def test_the_bench_profile_needs_no_device():
    devices = config.changed(config.default(), **tomllib.loads((FOLDER / "profiles" / "bench.toml").read_text()))
    assert {devices.scale.device, devices.camera.device, devices.panel.device} == {"simulated"}
