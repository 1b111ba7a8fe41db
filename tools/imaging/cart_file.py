"""The file that says which cart an image is for: cart-0042.toml, or a row of a fleet's table.

profile = "pi5"                       # firmware_config/profiles, or a file
calibration = "cart-0042.jsonl"       # made by `cart scale calibrate`; beside this file
store_key = "store.pub"               # the store's public key, without which the daemon does not start

[cart]
id = "cart-0042"
chain = "demo"
store = "store-1"

[enrolment]
token = "..."                         # ./tools/image.py token; good for one enrolment

[wifi]
ssid = "carts"
passphrase = "..."
country = "DE"

[admin]                               # who may sign in; without it nobody may
name = "operator"
ssh_keys = ["ssh-ed25519 AAAA..."]

[locale]
timezone = "Europe/Berlin"

[config.broker]                       # any key of cart.toml
host = "broker.store-1"
"""

import copy
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from cart.faults import Fault

_NO_CONTROL = r"[^\x00-\x1f\x7f]"


def _matching(pattern: str) -> msgspec.Meta:
    return msgspec.Meta(pattern=rf"^(?:{pattern})$")


_Name = Annotated[str, _matching(r"[a-z0-9][a-z0-9-]{0,31}")]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Identity(_Table):
    """Who the cart is; the same rules as in cart.toml."""

    id: _Name
    chain: _Name
    store: _Name


class Enrolment(_Table):
    """The one-time token: 128 random bits and more, so that its hash may be told to anybody."""

    token: Annotated[str, _matching(r"[A-Za-z0-9_-]{22,128}")]


class Wifi(_Table, kw_only=True):
    """The store's network. The passphrase is kept as the key that is derived from it (IEEE 802.11i, annex H.4)."""

    ssid: Annotated[str, _matching(_NO_CONTROL + "{1,32}")]
    passphrase: Annotated[str, _matching(r"[\x20-\x7e]{8,63}")] | None = None
    psk: Annotated[str, _matching("[0-9a-f]{64}")] | None = None
    country: Annotated[str, _matching("[A-Z]{2}")]
    hidden: bool = False

    def key(self) -> str:
        """Return the network's key as 64 hex digits, "" for an open network."""
        if self.psk:
            return self.psk
        if not self.passphrase:
            return ""
        return hashlib.pbkdf2_hmac("sha1", self.passphrase.encode(), self.ssid.encode(), 4096, 32).hex()


class Admin(_Table):
    """The account of the operations staff. "!" locks the password: only keys sign in."""

    name: Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,30}")] = "operator"
    password_hash: Annotated[str, _matching(r"!|\$(?:5|6|y|7)\$[./A-Za-z0-9$=,]{20,200}")] = "!"
    ssh_keys: list[Annotated[str, _matching(r"(?:ssh|ecdsa|sk)-\S+ \S+(?: " + _NO_CONTROL + "*)?")]] = []


class Locale(_Table):
    """Where the cart is."""

    keymap: Annotated[str, _matching("[a-z]{2,8}")] = "us"
    timezone: Annotated[str, _matching(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){0,2}")] = "UTC"


class CartFile(_Table, kw_only=True):
    """The whole of it. config holds tables of cart.toml, which are checked as such."""

    cart: Identity
    profile: str = ""
    calibration: str = ""
    store_key: str = ""
    enrolment: Enrolment | None = None
    wifi: Wifi | None = None
    admin: Admin = msgspec.field(default_factory=Admin)
    locale: Locale = msgspec.field(default_factory=Locale)
    config: dict[str, dict[str, int | str]] = {}


# Columns of a fleet's table that stand for a key in a table; the others of `COLUMNS` are keys of the file itself.
COLUMNS = {
    "cart": ("cart", "id"),
    "chain": ("cart", "chain"),
    "store": ("cart", "store"),
    "token": ("enrolment", "token"),
    "wifi_ssid": ("wifi", "ssid"),
    "wifi_passphrase": ("wifi", "passphrase"),
    "wifi_country": ("wifi", "country"),
    "profile": ("", "profile"),
    "calibration": ("", "calibration"),
    "store_key": ("", "store_key"),
    "timezone": ("locale", "timezone"),
}


def load(path: Path) -> CartFile:
    """Return what a cart file says; paths in it are taken from its own folder. IMAGE-CART-FILE for any fault in it."""
    return from_tables(load_tables(path), path.parent, path.name)


def load_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a cart file as they are, or of one that says what many carts have in common."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fault("IMAGE-CART-FILE", f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Fault("IMAGE-CART-FILE", f"{path.name}: {error}") from None


def from_row(row: Mapping[str, str], folder: Path, common: Mapping[str, Any] | None = None) -> CartFile:
    """Return the cart of one row of a fleet's table (see COLUMNS), over the tables that all carts have in common.

    An empty cell takes what is common. IMAGE-CART-FILE for any fault, or a column that means nothing.
    """
    tables: dict[str, Any] = copy.deepcopy(dict(common or {}))
    for column, text in row.items():
        if not text:
            continue
        if column not in COLUMNS:
            raise Fault("IMAGE-CART-FILE", f"column {column!r} means nothing; known are {', '.join(COLUMNS)}")
        table, key = COLUMNS[column]
        (tables.setdefault(table, {}) if table else tables)[key] = text
    return from_tables(tables, folder, f"cart {row.get('cart', '?')}")


def from_tables(tables: dict[str, Any], folder: Path, name: str) -> CartFile:
    """Return the cart that `tables` describe; secrets are not repeated in a fault."""
    try:
        told = msgspec.convert(tables, CartFile)
    except msgspec.ValidationError as error:
        raise Fault("IMAGE-CART-FILE", f"{name}: {error}") from None
    if len((told.wifi.ssid if told.wifi else "").encode()) > 32:
        raise Fault("IMAGE-CART-FILE", f"{name}: the ssid has more than 32 bytes")
    if told.calibration and not Path(told.calibration).is_absolute():
        told = msgspec.structs.replace(told, calibration=str(folder / told.calibration))
    if told.store_key and not Path(told.store_key).is_absolute():
        told = msgspec.structs.replace(told, store_key=str(folder / told.store_key))
    if told.profile and re.search(r"[/.]", told.profile) and not Path(told.profile).is_absolute():
        told = msgspec.structs.replace(told, profile=str(folder / told.profile))
    return told
