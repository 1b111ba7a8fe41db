"""What is left to the first boot: accounts, ssh, locale; and the Wi-Fi where it cannot be put in beforehand.

The form is chosen by what the image contains, never by a name: cloud-init's three files where there is cloud-init,
custom.toml where there is Raspberry Pi OS's own mechanism, nothing else. The texts are templates in
firmware_config/firstboot, which say how they are filled.
"""

import json
import re
import uuid
from pathlib import Path

from tools.imaging.cart_file import CartFile, Wifi
from tools.imaging.device import CHECKOUT
from tools.imaging.entries import Entry
from tools.imaging.facts import CLOUD_INIT, CUSTOM_TOML

TEMPLATES = CHECKOUT / "firmware_config" / "firstboot"
FILES = {
    CUSTOM_TOML: {"custom.toml": "bookworm/custom.toml.template"},
    CLOUD_INIT: {
        "user-data": "trixie/user-data.template",
        "meta-data": "trixie/meta-data.template",
        "network-config": "trixie/network-config.template",
    },
}
CONNECTION = "/etc/NetworkManager/system-connections/cart-wifi.nmconnection"
RADIO_STATE = "/var/lib/NetworkManager/NetworkManager.state"
PLAIN_SSID = re.compile(r"[A-Za-z0-9_.-](?:[A-Za-z0-9 _.-]*[A-Za-z0-9_.-])?")


def boot_files(how: str, told: CartFile, *, with_wifi: bool) -> dict[str, bytes]:
    """Return the files for the boot partition by name.

    how        CUSTOM_TOML, CLOUD_INIT or NO_FIRST_BOOT
    with_wifi  the network is set up there, because the image has no NetworkManager to give it to beforehand
    """
    values = _values(told, with_wifi=with_wifi)
    texts = {name: (TEMPLATES / template).read_text(encoding="utf-8") for name, template in FILES.get(how, {}).items()}
    return {name: fill(text, values).encode() for name, text in texts.items()}


def fill(template: str, values: dict[str, str | list[str]]) -> str:
    """Return a template filled: @NAME@ becomes a quoted text or a list, `#@if NAME` to `#@end` goes without a value.

    JSON's quoting is also TOML's and YAML's. Comments that explain the template are left out of the file.
    """
    kept, leaving_out = [], False
    for line in template.splitlines():
        if line.startswith("#@if "):
            leaving_out = line.split()[1] not in values
        elif line.startswith("#@end"):
            leaving_out = False
        elif not leaving_out and (not line.startswith("#") or line == "#cloud-config"):
            kept.append(re.sub(r"@([A-Z_]+)@", lambda found: _quoted(values[found[1]]), line))
    return "\n".join(kept).strip("\n") + "\n"


def wifi_entries(wifi: Wifi, secret: str) -> list[Entry]:
    """Return NetworkManager's profile of the network, and its state with the radio switched on.

    secret  unknown to readers of the manifest; with it in the profile's id, the profile's hash tells nothing

    Raspberry Pi OS ships with the radio off until a country is set; the country itself is a word of cmdline.txt.
    """
    lines = ["[connection]", "id=cart-wifi", f"uuid={_uuid(wifi, secret)}", "type=wifi", "autoconnect-retries=0", ""]
    lines += ["[wifi]", "mode=infrastructure", f"ssid={_ssid(wifi.ssid)}", f"hidden={str(wifi.hidden).lower()}"]
    # A cart that sleeps between two beacons answers late; it is on a battery that is charged every night.
    lines += ["powersave=2", ""]
    if wifi.key():
        lines += ["[wifi-security]", "key-mgmt=wpa-psk", f"psk={wifi.key()}", ""]
    lines += ["[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""]
    state = "[main]\nNetworkingEnabled=true\nWirelessEnabled=true\nWWANEnabled=false\n"
    return [
        # NetworkManager passes over profiles that others than root can read.
        Entry(CONNECTION, mode=0o600, data="\n".join(lines).encode()),
        Entry(RADIO_STATE, data=state.encode()),
    ]


def country_word(wifi: Wifi) -> str:
    """Return the word for the kernel's command line that sets the country: without it no channel may be used."""
    return f"cfg80211.ieee80211_regdom={wifi.country}"


def hosts(old: str, hostname: str) -> str:
    """Return /etc/hosts with the machine's own name."""
    lines = [line for line in old.splitlines() if not re.match(r"127\.0\.1\.1\s", line)]
    return "\n".join([*lines, f"127.0.1.1\t{hostname}"]) + "\n"


def zone_entries(timezone: str) -> list[Entry]:
    """Return the time zone as Debian keeps it."""
    return [
        Entry("/etc/timezone", data=f"{timezone}\n".encode()),
        Entry("/etc/localtime", "link", target=str(Path("/usr/share/zoneinfo") / timezone)),
    ]


def _values(told: CartFile, *, with_wifi: bool) -> dict[str, str | list[str]]:
    values: dict[str, str | list[str]] = {
        "HOSTNAME": told.cart.id,
        "INSTANCE_ID": f"cart-{told.cart.chain}-{told.cart.store}-{told.cart.id}",
        "USER": told.admin.name,
        "PASSWORD_HASH": told.admin.password_hash,
        "SSH_KEYS": told.admin.ssh_keys,
        "KEYMAP": told.locale.keymap,
        "TIMEZONE": told.locale.timezone,
    }
    if told.wifi is not None and with_wifi:
        values |= {"WIFI_SSID": told.wifi.ssid, "WIFI_PSK": told.wifi.key(), "WIFI_COUNTRY": told.wifi.country}
    return values


def _quoted(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _uuid(wifi: Wifi, secret: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{wifi.ssid}\0{wifi.key()}\0{secret}"))


def _ssid(ssid: str) -> str:
    """Return the name as it is, or as a list of bytes where a keyfile would read it differently."""
    return ssid if PLAIN_SSID.fullmatch(ssid) else "".join(f"{byte};" for byte in ssid.encode())
