"""`stamp`: a built image becomes the image of one cart. Two stamps of the same cart are the same, bit for bit."""

import hashlib
import json
import re
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cart import config
from cart.faults import Fault
from tools.imaging import bmap, build, copying, device, facts, firstboot, manifest, verify
from tools.imaging.bmap import BlockMap
from tools.imaging.cart_file import CartFile
from tools.imaging.entries import Entry
from tools.imaging.facts import Facts, Image
from tools.imaging.manifest import Manifest
from tools.imaging.progress import Progress

TOKEN_FILE = f"{device.STATE_DIR}/enrolment.json"
TOKEN_BYTES = 24


@dataclass(frozen=True)
class Order:
    """What to stamp: a built image with manifest and map beside it, for which cart, and where to."""

    base: Path
    cart: CartFile
    out: Path


def new_token() -> str:
    """Return a new enrolment token: 192 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def stamp(order: Order, progress: Progress) -> Manifest:
    """Make the image of one cart and return its manifest; the base is only read, the result is whole or not there.

    Raises IMAGE-MANIFEST for a base that was not built, IMAGE-DAMAGED for one that is not as it was built,
    IMAGE-CART-FILE and CONFIG-FAULTS for what the cart's file asks for.
    """
    if order.out.exists() and order.out.samefile(order.base):
        raise Fault("IMAGE-NAME", f"{order.out} is the base itself, which is never changed: choose another name")
    built = manifest.load(manifest.beside(order.base, manifest.SUFFIX))
    if built.get("kind") != "build":
        raise Fault("IMAGE-MANIFEST", f"{order.base.name} is a {built.get('kind')}: stamp an image that `build` made")
    base_map = verify.load_map(order.base, built)
    with copying.unfinished(order.out) as part:
        part.touch(0o600)  # it will hold the cart's token and the network's key
        copying.copy(order.base, part, progress)
        image = facts.opened(part, built["epoch"])
        found = facts.gather(image)
        facts.check_usable(found)
        entries, boot = _contents(image, found, order.cart)
        put = [*image.root.write(entries), *device.boot_entries(boot)]
        image.boot.write(boot)
        with progress.step("hash", part.stat().st_size) as advance:
            made = bmap.measure(part, advance)
        check_base(order.base, base_map, made)
        return build.finish(image, order.out, _described(order, built, put), progress, made)


def check_base(base: Path, expected: BlockMap, made: BlockMap) -> None:
    """Refuse a base that is not as it was built: IMAGE-DAMAGED names the place.

    A part that is the same in the copy as in the base's map shows that the base was right there. So only those parts
    of the base are read again that the stamp changed: the whole check costs nothing beyond hashing the copy once.
    """
    if expected.size_bytes != made.size_bytes:
        raise Fault("IMAGE-TRUNCATED", f"{base.name} has {made.size_bytes} bytes, its map says {expected.size_bytes}")
    right = {(row.start, row.sha256) for row in made.ranges}
    doubtful = tuple(row for row in expected.ranges if (row.start, row.sha256) not in right)
    for damage in bmap.find_damage(base, BlockMap(expected.size_bytes, doubtful)):
        raise Fault("IMAGE-DAMAGED", f"{base.name} is not as it was built: {damage}")


def _contents(image: Image, found: Facts, told: CartFile) -> tuple[list[Entry], dict[str, bytes]]:
    """Return what makes the image this cart's: entries of the root file system, files of the boot partition."""
    cart_id = device.places().owners["cart"]
    settings = cart_config(image, told)
    names = image.root.read(["/etc/hosts"])
    entries = [
        device.config_entry(settings, cart_id),
        Entry("/etc/hostname", data=f"{told.cart.id}\n".encode()),
        Entry("/etc/hosts", data=firstboot.hosts(names.get("/etc/hosts", b"").decode(), told.cart.id).encode()),
        *firstboot.zone_entries(told.locale.timezone),
    ]
    if told.calibration:
        entries.append(calibration_entry(Path(told.calibration), settings, cart_id))
    if told.store_key:
        entries.append(store_key_entry(Path(told.store_key), settings, cart_id))
    if told.enrolment is not None:
        entries.append(token_entry(told, cart_id))
    injected = told.wifi is not None and bool(found.network)
    boot = firstboot.boot_files(found.first_boot, told, with_wifi=not injected)
    if told.wifi is not None:
        if not found.network and not boot:
            raise Fault("IMAGE-CART-FILE", "the image has neither NetworkManager nor a first boot to set up Wi-Fi with")
        if injected:
            secret = told.enrolment.token if told.enrolment else ""
            entries += firstboot.wifi_entries(told.wifi, secret)
        line = image.boot.read("cmdline.txt")
        if line is not None:
            changed = device.changed_cmdline(
                line.decode(), [firstboot.country_word(told.wifi)], ["cfg80211.ieee80211_regdom="]
            )
            boot["cmdline.txt"] = changed.encode()
    return entries, boot


def cart_config(image: Image, told: CartFile) -> config.Config:
    """Return cart.toml of this cart: the built one, with the profile and then the cart's own values over it."""
    data = image.root.read([device.CONFIG_FILE]).get(device.CONFIG_FILE)
    if data is None:
        raise Fault("IMAGE-MANIFEST", f"the image has no {device.CONFIG_FILE}: stamp an image that `build` made")
    tables = tomllib.loads(data.decode())
    overlays = [told.config, {"cart": msgspec.to_builtins(told.cart)}]
    if told.profile:
        overlays.insert(0, tomllib.loads(device.profile_path(told.profile).read_text(encoding="utf-8")))
    for overlay in overlays:
        for section, values in overlay.items():
            tables.setdefault(section, {}).update(values)
    try:
        return msgspec.convert(tables, config.Config)
    except msgspec.ValidationError as error:
        raise Fault("IMAGE-CART-FILE", f"cart.toml of {told.cart.id}: {error}") from None


def calibration_entry(path: Path, settings: config.Config, cart_id: int) -> Entry:
    """Return the calibration record where the configuration looks for it; the cart adds to it later."""
    try:
        data = path.read_bytes()
        lines = [json.loads(line) for line in data.splitlines()]
    except (OSError, ValueError) as error:
        raise Fault("IMAGE-CART-FILE", f"calibration {path.name}: {error}") from None
    if not lines:
        raise Fault("IMAGE-CART-FILE", f"calibration {path.name} is empty")
    return Entry(settings.scale.calibration, mode=0o600, uid=cart_id, gid=cart_id, data=data)


def store_key_entry(path: Path, settings: config.Config, cart_id: int) -> Entry:
    """Return the store's public key where the cart looks for it: only what it signs ends the retries of a charge."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Fault("IMAGE-CART-FILE", f"store_key {path.name}: {error.strerror}") from None
    if not data.startswith(b"-----BEGIN PUBLIC KEY-----"):
        raise Fault("IMAGE-CART-FILE", f"store_key {path.name} is no public key")
    return Entry(f"{settings.keys.dir}/store.pub", uid=cart_id, gid=cart_id, data=data)


def token_entry(told: CartFile, cart_id: int) -> Entry:
    """Return the one-time token where the cart may read it, and delete it once it has its certificate."""
    assert told.enrolment is not None
    row = {**msgspec.to_builtins(told.cart), "token": told.enrolment.token}
    text = json.dumps(row, sort_keys=True) + "\n"
    return Entry(TOKEN_FILE, mode=0o600, uid=cart_id, gid=cart_id, data=text.encode())


def _described(order: Order, built: Manifest, put: list[Entry]) -> Manifest:
    """Return the manifest: what the base had, with the rows of what the stamp put in over it. Secrets stay hashes."""
    told = {key: value for key, value in built.items() if not re.match(r"extract_|bmap_|base$|wheels$", key)}
    token = order.cart.enrolment.token if order.cart.enrolment else None
    return told | {
        "kind": "stamp",
        "name": order.out.name,
        "cart": msgspec.to_builtins(order.cart.cart),
        "enrolment_token_sha256": hashlib.sha256(token.encode()).hexdigest() if token else None,
        "base": {key: built[key] for key in ("name", "extract_size", "extract_sha256")},
        "files": manifest.rows(put, built["files"]),
    }
