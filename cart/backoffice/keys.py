"""The store's keys: the back office's only owner of `cryptography`.

    KEYS/store.key     KEYS/store.pub     signs receipts and commands; carts get a copy of the .pub
    KEYS/pictures.key  KEYS/pictures.pub  opens pictures for review; carts get a copy of the .pub
    KEYS/carts/CART.pub                   the public key of each cart that may charge

Files and key ids are those of `cart/edge/keys.py`, which the carts use.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from cart.faults import Fault
from cart.wire import sealed_picture

_Private = Ed25519PrivateKey | X25519PrivateKey

CART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a cart may be called: its name comes from a topic and becomes a file name."""


class StoreKey:
    """The store's private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Take the key; `key_id` names its public half."""
        self._private = private
        self.key_id = _key_id(private.public_key())

    def sign(self, body: bytes) -> bytes:
        """Return the 64 bytes of the signature over `body`."""
        return self._private.sign(body)


class PictureKey:
    """The store's private key for pictures."""

    def __init__(self, private: X25519PrivateKey) -> None:
        """Take the key; `key_id` names its public half."""
        self._private = private
        self.key_id = _key_id(private.public_key())

    def open(self, data: bytes) -> tuple[sealed_picture.About, bytes]:
        """Return what a sealed file says of its picture, and the JPEG.

        Raises PICTURE-OTHER-KEY for one that was sealed to another key, PICTURE-BAD for one that was changed or torn.
        """
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        try:
            key_id, head, sealed = sealed_picture.split(data)
            if key_id != self.key_id:
                raise Fault("PICTURE-OTHER-KEY", f"sealed to {key_id}, this key is {self.key_id}")
            return sealed_picture.opened(suite.decrypt(sealed, self._private, head))
        except (ValueError, InvalidTag) as error:
            raise Fault("PICTURE-BAD", str(error) or "it does not open") from None


class Registry:
    """Which carts may charge, by the files in KEYS/carts."""

    def __init__(self, directory: Path) -> None:
        """Take KEYS; a key that is added or removed later counts at once."""
        self._directory = directory / "carts"
        self._cache: dict[str, tuple[int, Ed25519PublicKey]] = {}  # cart -> (mtime_ns, key)

    def verify(self, cart: str, key_id: str, body: bytes, signature: bytes) -> None:
        """Return quietly when this cart's registered key signed exactly `body`; ValueError with the reason if not."""
        public = self._key_of(cart)
        if _key_id(public) != key_id:
            raise ValueError(f"signed with the key {key_id}, which is not registered for {cart}")
        try:
            public.verify(signature, body)
        except InvalidSignature:
            raise ValueError("the signature does not match") from None

    def carts(self) -> dict[str, str]:
        """Return the key id of every registered cart; KEY-BAD for a file that holds no key."""
        return {path.stem: _key_id(_load_public(path)) for path in sorted(self._directory.glob("*.pub"))}

    def _key_of(self, cart: str) -> Ed25519PublicKey:
        path = self._directory / f"{cart}.pub"
        try:
            if not CART_NAME.fullmatch(cart):
                raise ValueError(f"not a cart's name: {cart[:80]!r}")
            mtime_ns = path.stat().st_mtime_ns
            if cart not in self._cache or self._cache[cart][0] != mtime_ns:
                self._cache[cart] = (mtime_ns, _load_public(path))
        except FileNotFoundError:
            raise ValueError(f"no key is registered for {cart}") from None
        except (Fault, OSError) as error:
            raise ValueError(f"the registered key of {cart} cannot be used: {error}") from None
        return self._cache[cart][1]


def make_store_key(directory: Path) -> StoreKey:
    """Return the store's key, made with its .pub file unless it is there already: receipts out there name it.

    KEY-MISSING where none can be made.
    """
    _make_pair(directory, "store", Ed25519PrivateKey.generate)
    return load_store_key(directory)


def make_picture_key(directory: Path) -> PictureKey:
    """Return the store's key for pictures, made as `make_store_key` does."""
    _make_pair(directory, "pictures", X25519PrivateKey.generate)
    return load_picture_key(directory)


def load_store_key(directory: Path) -> StoreKey:
    """Return the store's key; KEY-MISSING, KEY-OPEN where others may read it, or KEY-BAD."""
    path = directory / "store.key"
    key = _load_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise Fault("KEY-BAD", f"{path}: not an Ed25519 key")
    return StoreKey(key)


def load_picture_key(directory: Path) -> PictureKey:
    """Return the store's key for pictures; faults as for `load_store_key`."""
    path = directory / "pictures.key"
    key = _load_private(path)
    if not isinstance(key, X25519PrivateKey):
        raise Fault("KEY-BAD", f"{path}: not an X25519 key")
    return PictureKey(key)


def register_cart(directory: Path, cart: str, public_path: Path) -> str:
    """Let `cart` charge with the key in the file `public_path`; return the key's id.

    Raises KEY-MISSING or KEY-BAD; KEY-BAD too for a name that no cart can have.
    """
    if not CART_NAME.fullmatch(cart):
        raise Fault("KEY-BAD", f"{cart!r} is not a cart's name")
    public = _load_public(public_path)
    try:
        (directory / "carts").mkdir(parents=True, exist_ok=True)
        part = directory / "carts" / f"{cart}.part"
        part.write_bytes(_public_pem(public))
        part.replace(directory / "carts" / f"{cart}.pub")
    except OSError as error:
        raise _cannot_make(directory, error) from None
    return _key_id(public)


def _make_pair(directory: Path, name: str, generate: Callable[[], _Private]) -> None:
    """Make NAME.key and NAME.pub unless the key is there; KEY-MISSING where that cannot be done."""
    key_path, public_path = directory / f"{name}.key", directory / f"{name}.pub"
    try:
        if not key_path.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            private = generate()
            _write_new(key_path, private)
            public_path.write_bytes(_public_pem(private.public_key()))
    except OSError as error:
        raise _cannot_make(directory, error) from None


def _load_private(path: Path) -> object:
    """Return the private key in a file; KEY-MISSING, KEY-OPEN where others may read it, KEY-BAD where it holds none."""
    data = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Fault("KEY-OPEN", str(path))
    try:
        return serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise Fault("KEY-BAD", f"{path}: {error}") from None


def _cannot_make(directory: Path, error: OSError) -> Fault:
    return Fault("KEY-MISSING", f"{directory}: no key can be made here: {error.strerror}")


def _key_id(public: Ed25519PublicKey | X25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Fault("KEY-MISSING", f"{path}: {error.strerror}") from None


def _load_public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(_read(path))
    except ValueError as error:
        raise Fault("KEY-BAD", f"{path}: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Fault("KEY-BAD", f"{path}: not an Ed25519 key")
    return key


def _write_new(path: Path, private: _Private) -> None:
    """Write the key so that it is never there half, and never readable by others."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _public_pem(public: Ed25519PublicKey | X25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
