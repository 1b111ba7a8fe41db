"""What makes a built image that of one cart: names, network, token, calibration, keys, accounts.

What it takes from the image is read once, however many carts are stamped on it, and then nothing here opens the image:
a fleet's table is checked to its last row before the first card.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cart import config
from cart.config_text import find_faults
from cart.edge import keys
from cart.faults import Fault
from cart.wire import calibration
from tools.imaging import device, facts, firstboot, small
from tools.imaging.cart_file import CartFile
from tools.imaging.entries import Entry
from tools.imaging.facts import Facts, Image

TOKEN_FILE = f"{device.STATE_DIR}/enrolment.json"
HOSTS, PASSWD = "/etc/hosts", "/etc/passwd"
ZONES, COUNTRIES = "/usr/share/zoneinfo/tzdata.zi", "/usr/share/zoneinfo/iso3166.tab"
PERSON_ID_MIN = 1000
CALIBRATION_BYTES_MAX = 64 << 20
KEY_BYTES_MAX = 10_000


@dataclass(frozen=True)
class Built:
    """What a stamp has to know of the built image.

    texts    its small files by path, those that are there
    cmdline  the kernel's command line; None on an image that is not for a Raspberry Pi
    """

    found: Facts
    texts: dict[str, str]
    cmdline: bytes | None


def look(image: Image) -> Built:
    """Return what a stamp has to know of an image; the faults of `facts.check_usable`, IMAGE-MANIFEST."""
    found = facts.gather(image)
    facts.check_usable(found)
    read = image.root.read([device.CONFIG_FILE, HOSTS, PASSWD, ZONES, COUNTRIES])
    texts = {path: data.decode(errors="replace") for path, data in read.items()}
    if device.CONFIG_FILE not in texts:
        raise Fault("IMAGE-MANIFEST", f"the image has no {device.CONFIG_FILE}: stamp an image that `build` made")
    return Built(found, texts, image.boot.read("cmdline.txt"))


def contents(built: Built, told: CartFile) -> tuple[list[Entry], dict[str, bytes]]:
    """Return what makes the image this cart's: entries of the root file system, files of the boot partition.

    Raises IMAGE-CART-FILE for anything that the cart's file asks for and that cannot be.
    """
    for complaint in _strangers(built, told):
        raise Fault("IMAGE-CART-FILE", complaint)
    cart_id = device.places().owners["cart"]
    settings = cart_config(built, told)
    entries = [
        device.config_entry(settings, cart_id),
        device.page_entry(settings),
        Entry("/etc/hostname", data=f"{told.cart.id}\n".encode()),
        Entry(HOSTS, data=firstboot.hosts(built.texts.get(HOSTS, ""), told.cart.id).encode()),
        *firstboot.zone_entries(told.locale.timezone),
    ]
    if told.calibration:
        entries.append(calibration_entry(Path(told.calibration), settings, cart_id))
    if told.store_key:
        entries.append(store_key_entry(Path(told.store_key), settings, cart_id))
    if told.enrolment is not None:
        entries.append(token_entry(told, cart_id))
    injected = told.wifi is not None and bool(built.found.network)
    boot = firstboot.boot_files(built.found.first_boot, told, with_wifi=not injected)
    if told.wifi is not None:
        if not built.found.network and not boot:
            raise Fault("IMAGE-CART-FILE", "the image has neither NetworkManager nor a first boot to set up Wi-Fi with")
        if injected:
            entries += firstboot.wifi_entries(told.wifi, told.enrolment.token if told.enrolment else "")
        if built.cmdline is not None:
            country = firstboot.country_word(told.wifi)
            changed = device.changed_cmdline(built.cmdline.decode(), [country], ["cfg80211.ieee80211_regdom="])
            boot["cmdline.txt"] = changed.encode()
    return entries, boot


def cart_config(built: Built, told: CartFile) -> config.Config:
    """Return cart.toml of this cart: the built one, with the profile and then the cart's own values over it."""
    tables = tomllib.loads(built.texts[device.CONFIG_FILE])
    overlays: list[dict[str, Any]] = [told.config, {"cart": msgspec.to_builtins(told.cart)}]
    if told.profile:
        overlays.insert(0, _profile(told.profile))
    for overlay in overlays:
        for section, values in overlay.items():
            if not isinstance(values, dict):
                raise Fault("IMAGE-CART-FILE", f"profile {told.profile}: {section} has to be a section of cart.toml")
            tables.setdefault(section, {}).update(values)
    found = [complaint for _, complaint in find_faults(tables, "", config.key_texts())]
    if found:
        raise Fault("IMAGE-CART-FILE", f"cart.toml of {told.cart.id}: {'; '.join(found)}")
    return msgspec.convert(tables, config.Config)


def calibration_entry(path: Path, settings: config.Config, cart_id: int) -> Entry:
    """Return the calibration record where the configuration looks for it; the cart adds to it later.

    Another cart's record would weigh wrongly without a word: it is refused.
    """
    data = small.read_bytes(path, "IMAGE-CART-FILE", CALIBRATION_BYTES_MAX)
    try:
        newest = calibration.decode(data)[-1]
    except calibration.BadRecordError as error:
        raise Fault("IMAGE-CART-FILE", f"calibration {path}: {error}") from None
    if newest.cart != settings.cart.id:
        raise Fault("IMAGE-CART-FILE", f"calibration {path} is that of {newest.cart}, not of {settings.cart.id}")
    return Entry(settings.scale.calibration, mode=0o600, uid=cart_id, gid=cart_id, data=data)


def store_key_entry(path: Path, settings: config.Config, cart_id: int) -> Entry:
    """Return the store's public key where the cart looks for it: only what it signs ends the retries of a charge."""
    data = small.read_bytes(path, "IMAGE-CART-FILE", KEY_BYTES_MAX)
    try:
        keys.load_verifier(path)
    except Fault as fault:
        raise Fault("IMAGE-CART-FILE", f"store_key: {fault.detail}: name the store.pub of the store's keys") from None
    return Entry(f"{settings.keys.dir}/store.pub", uid=cart_id, gid=cart_id, data=data)


def token_entry(told: CartFile, cart_id: int) -> Entry:
    """Return the one-time token where the cart may read it, and delete it once it has its certificate."""
    assert told.enrolment is not None
    row = {**msgspec.to_builtins(told.cart), "token": told.enrolment.token}
    text = json.dumps(row, sort_keys=True) + "\n"
    return Entry(TOKEN_FILE, mode=0o600, uid=cart_id, gid=cart_id, data=text.encode())


def _profile(name: str) -> dict[str, Any]:
    text = small.read_text(device.profile_path(name), "IMAGE-CART-FILE")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault("IMAGE-CART-FILE", f"profile {name}: {error}") from None


def _strangers(built: Built, told: CartFile) -> list[str]:
    """Return names in the file that the image does not know, or knows as something else."""
    found = []
    zones = _zones(built.texts.get(ZONES, ""))
    if zones and told.locale.timezone not in zones:
        found.append(f"locale.timezone: the image knows no {told.locale.timezone}; `timedatectl list-timezones`")
    countries = {line.split("\t")[0] for line in built.texts.get(COUNTRIES, "").splitlines() if line[:1] != "#"}
    if countries and told.wifi is not None and told.wifi.country not in countries:
        found.append(f"wifi.country: {told.wifi.country} is no country of ISO 3166 (the United Kingdom is GB)")
    users = (line.split(":") for line in built.texts.get(PASSWD, "").splitlines())
    system = {user[0] for user in users if len(user) > 2 and int(user[2]) < PERSON_ID_MIN}
    if told.admin.name in system:
        found.append(f"admin.name: {told.admin.name} is a user of the system: choose another name")
    return found


def _zones(text: str) -> set[str]:
    """Return the names in tzdata.zi: its lines `Z NAME ...` and `L TARGET NAME`."""
    rows = [line.split() for line in text.splitlines()]
    return {row[1] if row[0] == "Z" else row[2] for row in rows if len(row) > 2 and row[0] in ("Z", "L")}
