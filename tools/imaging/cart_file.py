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

import base64
import binascii
import copy
import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec

from cart.faults import Fault
from tools.imaging import small

_NO_CONTROL = r"[^\x00-\x1f\x7f]"
SSID_BYTES_MAX = 32


def _matching(pattern: str) -> msgspec.Meta:
    # "$" would let a line end through behind the text.
    return msgspec.Meta(pattern=rf"^(?:{pattern})\Z")


NAME = r"[a-z0-9][a-z0-9-]{0,31}"
_Name = Annotated[str, _matching(NAME)]


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


@cache
def _derived_key(ssid: str, passphrase: str) -> str:
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), ssid.encode(), 4096, 32).hex()


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
        return _derived_key(self.ssid, self.passphrase) if self.passphrase else ""


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


# What a text that does not match has to be, in words.
_NAME_FORM = "1 to 32 small letters, digits and hyphens, such as cart-0042"
FORMS = {
    "cart.id": _NAME_FORM,
    "cart.chain": _NAME_FORM,
    "cart.store": _NAME_FORM,
    "enrolment.token": "what this prints: ./tools/image.py token",
    "wifi.ssid": "1 to 32 characters, no line end",
    "wifi.passphrase": "8 to 63 letters, digits and signs of ASCII",
    "wifi.psk": "64 of 0-9 and a-f",
    "wifi.country": "two capital letters, such as DE",
    "admin.name": "1 to 31 of a-z, 0-9, _ and -, beginning with a letter",
    "admin.password_hash": "what this prints: openssl passwd -6",
    "admin.ssh_keys": "the line of a file such as ~/.ssh/id_ed25519.pub",
    "locale.keymap": "2 to 8 small letters, such as de",
    "locale.timezone": "a name such as Europe/Berlin",
}

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
    text = small.read_text(path, "IMAGE-CART-FILE")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides TOMLDecodeError: endless numbers, endless nesting
        raise Fault("IMAGE-CART-FILE", f"{path}: {error}") from None


def load_common(path: Path) -> dict[str, Any]:
    """Return the tables of a file with what many carts have in common; paths in it are taken from its own folder."""
    tables = load_tables(path)
    for key in ("calibration", "store_key", "profile"):
        value = tables.get(key)
        if isinstance(value, str):
            tables[key] = _from_folder(value, path.parent, is_name=key == "profile")
    return tables


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
        place = tables.setdefault(table, {}) if table else tables
        if not isinstance(place, dict):
            raise Fault("IMAGE-CART-FILE", f"{table} has to be a table, written [{table}]")
        place[key] = text
    return from_tables(tables, folder, f"cart {row.get('cart', '?')!r}")


def from_tables(tables: dict[str, Any], folder: Path, name: str) -> CartFile:
    """Return the cart that `tables` describe; secrets are not repeated in a fault."""
    try:
        told = msgspec.convert(tables, CartFile)
    except msgspec.ValidationError as error:
        raise Fault("IMAGE-CART-FILE", f"{name}: {_in_words(str(error))}") from None
    for complaint in _complaints(told):
        raise Fault("IMAGE-CART-FILE", f"{name}: {complaint}")
    return msgspec.structs.replace(
        told,
        calibration=_from_folder(told.calibration, folder),
        store_key=_from_folder(told.store_key, folder),
        profile=_from_folder(told.profile, folder, is_name=True),
    )


def _from_folder(path: str, folder: Path, *, is_name: bool = False) -> str:
    """Return a path of the file as it is from here; with `is_name`, a plain word stays one."""
    if not path or (is_name and not re.search(r"[/.]", path)):
        return path
    return str(folder.absolute() / path)


def lacks(told: CartFile) -> list[str]:
    """Return what the cart will not do for want of something in its file: worth saying, and no fault."""
    found = []
    if not told.store_key:
        found.append("no store_key: cart.service does not start until store.pub lies in its key folder")
    if not told.calibration:
        found.append("no calibration: it does not weigh until it is calibrated")
    if not told.admin.ssh_keys and told.admin.password_hash == "!":
        found.append("no [admin] ssh_keys and no password_hash: nobody can sign in")
    return found


def _complaints(told: CartFile) -> list[str]:
    """Return what no pattern can say."""
    found = []
    if told.wifi is not None and len(told.wifi.ssid.encode()) > SSID_BYTES_MAX:
        found.append(f"wifi.ssid has more than {SSID_BYTES_MAX} bytes")
    if told.wifi is not None and told.wifi.passphrase and told.wifi.psk:
        found.append("wifi has both a passphrase and a psk: give one of them")
    if any(not _is_ssh_key(line) for line in told.admin.ssh_keys):
        found.append(f"admin.ssh_keys holds one that is none: a key is {FORMS['admin.ssh_keys']}")
    return found


def _is_ssh_key(line: str) -> bool:
    """Return True for a public key whose body names the same kind as the word before it (RFC 4253, 6.6)."""
    kind, body = line.split(" ")[:2]
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        return False
    return data[: 4 + len(kind)] == len(kind).to_bytes(4, "big") + kind.encode() and len(data) > 4 + len(kind)


def _in_words(told: str) -> str:
    """Return msgspec's complaint for people: which key, or which column of a table, and what it has to be."""
    what, _, place = told.partition(" - at ")
    path = re.sub(r"\[.*", "", place.strip("`").removeprefix("$").removeprefix("."))
    named = {f"{table}.{key}".lstrip("."): column for column, (table, key) in COLUMNS.items() if column != key}
    also = f" (column {named[path]})" if path in named else ""
    key = f"{path}{also}: " if path else ""
    if "matching regex" in what and path in FORMS:
        return f"{key}has to be {FORMS[path]}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if missing:
        return f"{f'{path}.' if path else ''}{missing[1]} is missing"
    return f"{key}unknown key `{unknown[1]}`" if unknown else f"{key}{what}"
