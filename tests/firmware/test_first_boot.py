"""Settings of the first boot: what the templates become is what the two systems read."""

import tomllib

import pytest

from tests.firmware.said import FOLDER
from tools.imaging.firstboot import fill

TEMPLATES = FOLDER / "firstboot"
WITHOUT_WIFI = {
    "HOSTNAME": "cart-0042",
    "INSTANCE_ID": "cart-0042",
    "USER": "operator",
    "PASSWORD_HASH": '$6$salt$with"quote',
    "SSH_KEYS": ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"],
    "KEYMAP": "us",
    "TIMEZONE": "Europe/Berlin",
}
VALUES = WITHOUT_WIFI | {"WIFI_SSID": "carts: 5 GHz", "WIFI_PSK": "0" * 64, "WIFI_COUNTRY": "DE"}


def filled(name, values=VALUES):
    return fill((TEMPLATES / name).read_text(encoding="utf-8"), values)


def as_yaml(text):
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra dev")
    return yaml.safe_load(text)


def test_bookworm_reads_every_section_and_no_other():
    told = tomllib.loads(filled("bookworm/custom.toml.template"))
    # Those of Raspberry Pi OS's init_config; it refuses another version and only warns of an unknown key.
    assert told.pop("config_version") == 1
    assert told == {
        "system": {"hostname": "cart-0042"},
        "user": {"name": "operator", "password": VALUES["PASSWORD_HASH"], "password_encrypted": True},
        "ssh": {"enabled": True, "password_authentication": False, "authorized_keys": VALUES["SSH_KEYS"]},
        "wlan": {
            "ssid": "carts: 5 GHz", "password": "0" * 64, "password_encrypted": True, "hidden": False, "country": "DE",
        },
        "locale": {"keymap": "us", "timezone": "Europe/Berlin"},
    }  # fmt: skip


def test_trixie_takes_user_data_only_with_its_first_line():
    text = filled("trixie/user-data.template")
    assert text.startswith("#cloud-config\n")
    told = as_yaml(text)
    (user,) = told["users"]
    assert (user["name"], user["ssh_authorized_keys"]) == ("operator", VALUES["SSH_KEYS"])
    assert user["hashed_passwd"] == VALUES["PASSWORD_HASH"]
    assert told["ssh_pwauth"] is False
    assert told["package_update"] is told["package_upgrade"] is False


def test_trixie_does_the_first_boot_once_since_the_instance_keeps_its_id():
    assert as_yaml(filled("trixie/meta-data.template"))["instance-id"] == "cart-0042"


def test_no_network_is_waited_for():
    told = as_yaml(filled("trixie/network-config.template"))["network"]
    ports = {**told["ethernets"], **told["wifis"]}
    assert all(port["optional"] is True for port in ports.values())
    assert told["wifis"]["wlan0"]["access-points"] == {"carts: 5 GHz": {"password": "0" * 64}}
    assert told["wifis"]["wlan0"]["regulatory-domain"] == "DE"


def test_without_wifi_its_part_is_left_out():
    assert "wlan" not in tomllib.loads(filled("bookworm/custom.toml.template", WITHOUT_WIFI))
    assert "wifis" not in as_yaml(filled("trixie/network-config.template", WITHOUT_WIFI))["network"]


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.template")), ids=lambda path: path.name)
def test_no_placeholder_and_no_command_for_the_filler_is_left(template):
    assert "@" not in filled(template.relative_to(TEMPLATES)).replace("ssh-ed25519", "")


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.template")), ids=lambda path: path.name)
def test_no_first_boot_runs_a_program_or_fetches_anything(template):
    text = filled(template.relative_to(TEMPLATES))
    assert not any(word in text for word in ("runcmd", "bootcmd", "packages:", "http", "phone_home"))
