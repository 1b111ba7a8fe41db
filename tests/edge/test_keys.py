import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from cart.backoffice import keys as store_keys
from cart.edge.keys import cart_signer, load_signer, load_verifier, make_pair, store_verifiers
from cart.faults import Fault


def test_a_pair_is_made_once_and_the_same_ever_after(tmp_path):
    first, again = make_pair(tmp_path / "keys", "cart"), make_pair(tmp_path / "keys", "cart")
    assert first.key_id == again.key_id == load_verifier(tmp_path / "keys" / "cart.pub").key_id
    assert len(first.key_id) == 16


def test_the_private_key_is_for_its_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        make_pair(tmp_path / "keys", "cart")
        store_keys.make_store_key(tmp_path / "store")
    finally:
        os.umask(old)
    for path in (tmp_path / "keys" / "cart.key", tmp_path / "store" / "store.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_private_key_that_others_may_read_is_refused(tmp_path, mode):
    make_pair(tmp_path, "cart")
    (tmp_path / "cart.key").chmod(mode)
    with pytest.raises(Fault, match="KEY-OPEN"):
        load_signer(tmp_path / "cart.key")
    store_keys.make_store_key(tmp_path)
    (tmp_path / "store.key").chmod(mode)
    with pytest.raises(Fault, match="KEY-OPEN"):
        store_keys.load_store_key(tmp_path)


def test_a_signature_holds_for_exactly_the_bytes_and_the_key(tmp_path):
    signer, other = make_pair(tmp_path, "cart"), make_pair(tmp_path, "other")
    signature = signer.sign(b"charge")
    assert signer.verifier.verify(b"charge", signature)
    assert not signer.verifier.verify(b"chargE", signature)
    assert not signer.verifier.verify(b"charge", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not signer.verifier.verify(b"charge", b"")
    assert not other.verifier.verify(b"charge", signature)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_holds_no_key_is_said_so(tmp_path, content):
    for name in ("cart.key", "cart.pub"):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    with pytest.raises(Fault, match="KEY-BAD"):
        load_signer(tmp_path / "cart.key")
    with pytest.raises(Fault, match="KEY-BAD"):
        load_verifier(tmp_path / "cart.pub")


def test_a_key_of_another_kind_is_refused(tmp_path):
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "cart.key").write_bytes(pem)
    (tmp_path / "cart.key").chmod(0o600)
    with pytest.raises(Fault, match="not an Ed25519 key"):
        load_signer(tmp_path / "cart.key")


def test_a_missing_key_is_said_so(tmp_path):
    with pytest.raises(Fault, match="KEY-MISSING"):
        store_verifiers(tmp_path)


def test_while_the_store_changes_its_key_both_are_believed(tmp_path):
    cart_signer(tmp_path)
    names = ("store", "store-next")
    assert [make_pair(tmp_path, name).key_id for name in names] == [key.key_id for key in store_verifiers(tmp_path)]


def test_cart_and_store_read_each_others_files_and_signatures(tmp_path):
    cart, store = cart_signer(tmp_path / "cart"), store_keys.make_store_key(tmp_path / "store")
    key_id = store_keys.register_cart(tmp_path / "store", "cart-1", tmp_path / "cart" / "cart.pub")
    assert key_id == cart.key_id
    store_keys.Registry(tmp_path / "store").verify("cart-1", cart.key_id, b"x", cart.sign(b"x"))
    public = load_verifier(tmp_path / "store" / "store.pub")
    assert public.key_id == store.key_id
    assert public.verify(b"y", store.sign(b"y"))


def test_the_registry_believes_a_cart_only_with_its_own_key_and_notices_changes_at_once(tmp_path):
    one, two = cart_signer(tmp_path / "one"), cart_signer(tmp_path / "two")
    registry = store_keys.Registry(tmp_path / "store")
    with pytest.raises(ValueError, match="no key is registered for cart-1"):
        registry.verify("cart-1", one.key_id, b"x", one.sign(b"x"))
    store_keys.register_cart(tmp_path / "store", "cart-1", tmp_path / "one" / "cart.pub")
    store_keys.register_cart(tmp_path / "store", "cart-2", tmp_path / "two" / "cart.pub")
    assert registry.carts() == {"cart-1": one.key_id, "cart-2": two.key_id}
    registry.verify("cart-1", one.key_id, b"x", one.sign(b"x"))
    with pytest.raises(ValueError, match="not registered for cart-1"):
        registry.verify("cart-1", two.key_id, b"x", two.sign(b"x"))
    with pytest.raises(ValueError, match="signature does not match"):
        registry.verify("cart-1", one.key_id, b"x", two.sign(b"x"))
    (tmp_path / "store" / "carts" / "cart-1.pub").unlink()
    with pytest.raises(ValueError, match="no key is registered"):
        registry.verify("cart-1", one.key_id, b"x", one.sign(b"x"))


@pytest.mark.parametrize("name", ["../store", "", ".", "a/b", "a\n", "ä"])
def test_a_name_that_is_no_cart_is_never_a_path(tmp_path, name):
    signer = make_pair(tmp_path, "store")
    with pytest.raises(ValueError, match="not a cart's name"):
        store_keys.Registry(tmp_path / "carts" / "..").verify(name, signer.key_id, b"x", signer.sign(b"x"))
    with pytest.raises(Fault, match="KEY-BAD"):
        store_keys.register_cart(tmp_path, name, tmp_path / "store.pub")


def test_a_key_folder_that_is_none_is_a_fault_with_a_code(tmp_path):
    signer = make_pair(tmp_path / "keys", "cart")
    folder = tmp_path / "file"
    folder.write_bytes(b"")
    for make in (
        lambda: cart_signer(folder),
        lambda: store_keys.make_store_key(folder),
        lambda: store_keys.register_cart(folder, "cart-1", tmp_path / "keys" / "cart.pub"),
    ):
        with pytest.raises(Fault, match=r"KEY-MISSING: .*/file: no key can be made here"):
            make()
    assert load_signer(tmp_path / "keys" / "cart.key").key_id == signer.key_id
