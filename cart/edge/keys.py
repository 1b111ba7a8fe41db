"""Keys as files, signatures over exact bytes, pictures sealed for the store: the cart's only owner of `cryptography`.

A pair is two PEM files, NAME.key (mode 0600, PKCS #8) and NAME.pub. A key's id is the first 16 hex digits of the
SHA-256 of its 32 public bytes: it names the key, and proves nothing. A cart holds cart.key, cart.pub and store.pub
(Ed25519), and pictures.pub (X25519) where the store reviews pictures; the back office, a program of its own, reads the
same files with `cart/backoffice/keys.py`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from cart.faults import Fault
from cart.wire import sealed_picture

KEY_MODE = 0o600
KEY_FILE_BYTES_MAX = 4_096
PICTURES_NAME = "pictures.pub"
"""The store's public key for pictures, in the key directory."""


class Verifier:
    """A public key: who signed this?"""

    def __init__(self, public: Ed25519PublicKey) -> None:
        """Take the key; `key_id` names it."""
        self._public = public
        self.key_id = hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]

    def verify(self, body: bytes, signature: bytes) -> bool:
        """Return True when `signature` was made over exactly `body` with this key's private half."""
        try:
            self._public.verify(signature, body)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """Return the key as its .pub file holds it."""
        return self._public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class Signer:
    """A private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Take the key; `verifier` and `key_id` are those of its public half."""
        self._private = private
        self.verifier = Verifier(private.public_key())
        self.key_id = self.verifier.key_id

    def sign(self, body: bytes) -> bytes:
        """Return the 64 bytes of the signature over `body`."""
        return self._private.sign(body)


class PictureSealer:
    """The store's public key for pictures: what is sealed to it, this cart cannot open again."""

    def __init__(self, public: X25519PublicKey) -> None:
        """Take the key; `key_id` names it."""
        self._public = public
        self.key_id = hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]

    def seal(self, inside: bytes) -> bytes:
        """Return the bytes of a sealed file, see `cart.wire.sealed_picture`."""
        # Imported here: the daemon signs, and has no use for it.
        from cryptography.hazmat.primitives import hpke

        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        head = sealed_picture.head(self.key_id)
        return head + suite.encrypt(inside, self._public, head)


def make_pair(directory: Path, name: str) -> Signer:
    """Return the pair NAME.key and NAME.pub in `directory`, made now unless the key is there already.

    An existing key is never replaced: charges that wait were signed with it. KEY-MISSING where none can be made.
    """
    key_path = directory / f"{name}.key"
    try:
        if not key_path.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(key_path, _private_pem(Ed25519PrivateKey.generate()))
        signer = load_signer(key_path)
        public_path = directory / f"{name}.pub"
        if not public_path.exists():
            public_path.write_bytes(signer.verifier.pem())
    except OSError as error:
        raise Fault("KEY-MISSING", f"{directory}: no key can be made here: {error.strerror}") from None
    return signer


def cart_signer(directory: Path) -> Signer:
    """Return this cart's key in the key directory, made at the first start."""
    return make_pair(directory, "cart")


def store_verifiers(directory: Path) -> tuple[Verifier, ...]:
    """Return the store's public keys: store.pub, and store-next.pub while the store changes to a new key.

    Raises KEY-MISSING without store.pub, KEY-BAD for a file that holds no key.
    """
    coming = directory / "store-next.pub"
    first = load_verifier(directory / "store.pub")
    return (first, load_verifier(coming)) if coming.exists() else (first,)


def picture_sealer(directory: Path) -> PictureSealer | None:
    """Return the store's key for pictures, None where the store gave none; KEY-BAD where its file holds none.

    Also None where the directory may not be looked into: the camera process sees this one file of it, or nothing.
    """
    path = directory / PICTURES_NAME
    try:
        if not path.exists():
            return None
    except OSError:
        return None
    try:
        key = serialization.load_pem_public_key(_read(path))
    except ValueError as error:
        raise Fault("KEY-BAD", f"{path}: {error}") from None
    if not isinstance(key, X25519PublicKey):
        raise Fault("KEY-BAD", f"{path}: not an X25519 key")
    return PictureSealer(key)


def load_signer(path: Path) -> Signer:
    """Return the private key in the file at `path`.

    Raises KEY-MISSING where it cannot be read, KEY-OPEN where others than its owner may read it, KEY-BAD where it is no
    Ed25519 key.
    """
    data = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Fault("KEY-OPEN", str(path))
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise Fault("KEY-BAD", f"{path}: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Fault("KEY-BAD", f"{path}: not an Ed25519 key")
    return Signer(key)


def load_verifier(path: Path) -> Verifier:
    """Return the public key in the file at `path`; KEY-MISSING or KEY-BAD as for `load_signer`."""
    data = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError as error:
        raise Fault("KEY-BAD", f"{path}: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Fault("KEY-BAD", f"{path}: not an Ed25519 key")
    return Verifier(key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise Fault("KEY-MISSING", f"{path}: {error.strerror}") from None


def _write_new(path: Path, data: bytes) -> None:
    """Write the file so that it is never there half, and never readable by others, not even for a moment."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _private_pem(private: Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
