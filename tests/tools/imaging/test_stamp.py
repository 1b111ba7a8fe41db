"""`stamp`: what makes an image one cart's, in the form that the image understands, and no secret beside it."""

import hashlib
import json
import tomllib
from dataclasses import replace

import msgspec
import pytest

from cart import config
from cart.backoffice import keys as store_keys
from cart.faults import Fault
from cart.sim.stack import exact_calibration
from cart.wire import calibration
from tests.tools.imaging import synthetic
from tests.tools.imaging.conftest import SPARE_BYTES
from tools.imaging import build, cart_file, device, facts, firstboot, identity, manifest, stamp, verify
from tools.imaging.progress import Progress

QUIET = Progress(quiet=True)
TOKEN = "q9Jm2xkqzvWQ4o1cZK8m7tT0bY3nR5sL"
PASSPHRASE = "correct horse battery"
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0sGJ3nXJm2eN0o1R5bG8Yz4c7W9dQ6tT1uVxYpLkh ops"
TABLES = {
    "profile": "pi5",
    "cart": {"id": "cart-0042", "chain": "demo", "store": "store-7"},
    "enrolment": {"token": TOKEN},
    "wifi": {"ssid": "carts", "passphrase": PASSPHRASE, "country": "DE"},
    "admin": {"name": "ops", "ssh_keys": [SSH_KEY], "password_hash": "$6$saltsalt$" + "h" * 86},
    "locale": {"timezone": "Europe/Berlin"},
    "config": {"broker": {"host": "broker.store-7"}},
}


def told(**changes):
    tables = {key: value for key, value in (TABLES | changes).items() if value is not None}
    return cart_file.from_tables(tables, synthetic.Path("."), "cart.toml")


@pytest.fixture
def order(built, tmp_path):
    return stamp.Order(built(), told(), tmp_path / "cart-0042.img")


def stamped(order):
    return stamp.stamp(order, QUIET), facts.opened(order.out)


def bare(tmp_path, house, **departs):
    """Build on an image that lacks something the stock ones have."""
    base = synthetic.make(tmp_path / "bare.img", synthetic.System(**departs))
    out = tmp_path / "built.img"
    build.build(build.Order(base, house(), out, spare_bytes=SPARE_BYTES), QUIET)
    return out


def calibrated(folder, cart, times=1, operator="ops"):
    """Write a calibration record with so many lines."""
    path, before = folder / f"{cart}.jsonl", None
    with path.open("wb") as file:
        for _ in range(times):
            before = calibration.chained(msgspec.structs.replace(exact_calibration(cart), operator=operator), before)
            file.write(calibration.encode(before))
    return path


def refused(order, code):
    with pytest.raises(Fault) as met:
        stamp.stamp(order, QUIET)
    assert met.value.code == code, met.value
    assert list(order.out.parent.glob(f"{order.out.name}*")) == [], "nothing may be left behind"
    return met.value.detail


# -- identity ------------------------------------------------------------------------------


def test_the_cart_finds_its_own_configuration(order, tmp_path):
    _, image = stamped(order)
    (tmp_path / "cart.toml").write_bytes(image.root.read(["/etc/cart/cart.toml"])["/etc/cart/cart.toml"])
    settings = config.load(tmp_path / "cart.toml")
    assert (settings.cart.id, settings.cart.chain, settings.cart.store) == ("cart-0042", "demo", "store-7")
    assert settings.broker.host == "broker.store-7"
    assert settings.camera.frames_per_s == 30, "the profile pi5"
    texts = image.root.read(["/etc/hostname", "/etc/hosts", "/etc/timezone"])
    assert texts["/etc/hostname"] == b"cart-0042\n"
    assert texts["/etc/hosts"] == b"127.0.0.1\tlocalhost\n127.0.1.1\tcart-0042\n"
    assert image.root.links(["/etc/localtime"]) == {"/etc/localtime": "/usr/share/zoneinfo/Europe/Berlin"}


@pytest.mark.parametrize(
    ("kiosk", "page"),
    [
        ({}, "http://127.0.0.1:8080/"),
        ({"port": 9000}, "http://127.0.0.1:9000/"),
        ({"host": "::1"}, "http://[::1]:8080/"),
    ],
)
def test_the_screen_is_told_where_the_page_is(order, kiosk, page):
    _, image = stamped(replace(order, cart=told(config={"kiosk": kiosk})))
    assert image.root.read([device.PAGE_FILE]) == {device.PAGE_FILE: f"CART_PAGE={page}\n".encode()}


def test_the_token_is_the_carts_alone(order):
    _, image = stamped(order)
    row = image.root.rows([identity.TOKEN_FILE])[identity.TOKEN_FILE]
    assert (oct(row.mode), row.uid, row.gid) == ("0o100600", 880, 880)
    assert json.loads(image.root.read([identity.TOKEN_FILE])[identity.TOKEN_FILE])["token"] == TOKEN


def test_the_calibration_lies_where_the_configuration_looks_for_it(order, tmp_path):
    record = calibrated(tmp_path, "cart-0042")
    _, image = stamped(replace(order, cart=told(calibration=str(record))))
    place = config.default().scale.calibration
    assert image.root.read([place]) == {place: record.read_bytes()}
    assert image.root.rows([place])[place].uid == 880


def test_two_stamps_are_the_same_bit_for_bit_and_two_carts_are_not(order, tmp_path):
    first, _ = stamped(order)
    second, _ = stamped(replace(order, out=tmp_path / "again.img"))
    other = told(cart={"id": "cart-0043", "chain": "demo", "store": "store-7"})
    third, _ = stamped(replace(order, cart=other, out=tmp_path / "other.img"))
    assert first["extract_sha256"] == second["extract_sha256"] == hashlib.sha256(order.out.read_bytes()).hexdigest()
    assert third["extract_sha256"] != first["extract_sha256"]


def test_nothing_beside_the_image_tells_a_secret(order):
    stamped(order)
    beside = [path for path in order.out.parent.glob(f"{order.out.name}.*")]
    text = "".join(path.read_text() for path in beside)
    assert len(beside) == 3
    secrets = [TOKEN, PASSPHRASE, order.cart.wifi.key(), order.cart.admin.password_hash]
    assert [secret for secret in secrets if secret in text] == []
    assert hashlib.sha256(TOKEN.encode()).hexdigest() in text
    for path in (order.out, *beside):
        # The image holds them all; with the hashes beside it, a passphrase that is easily guessed could be guessed.
        assert oct(path.stat().st_mode) == "0o100600"


def test_a_stamp_is_as_its_manifest_says_and_keeps_what_was_built(order, built):
    made, image = stamped(order)
    assert verify.differences(image, made) == []
    before = manifest.load(manifest.beside(built(), manifest.SUFFIX))
    assert {row["path"] for row in before["files"]} <= {row["path"] for row in made["files"]}


# -- first boot, by what the image contains ---------------------------------------------------


def test_bookworm_gets_custom_toml(order):
    _, image = stamped(order)
    names = image.boot.names()
    assert "user-data" not in names
    read = tomllib.loads(image.boot.read("custom.toml").decode())
    assert read["config_version"] == 1
    assert read["system"] == {"hostname": "cart-0042"}
    assert read["user"] == {"name": "ops", "password": TABLES["admin"]["password_hash"], "password_encrypted": True}
    assert read["ssh"]["authorized_keys"] == TABLES["admin"]["ssh_keys"]
    assert "wlan" not in read, "it is in the image already"


def test_trixie_gets_the_three_files_of_cloud_init(order, built):
    _, image = stamped(replace(order, base=built("trixie")))
    assert "custom.toml" not in image.boot.names()
    assert image.boot.read("user-data").startswith(b"#cloud-config\n")
    assert b'hashed_passwd: "$6$saltsalt$' in image.boot.read("user-data")
    assert image.boot.read("meta-data").splitlines()[0] == b'instance-id: "cart-demo-store-7-cart-0042"'
    assert b"wifis" not in image.boot.read("network-config")
    assert b"@" not in image.boot.read("network-config")


def test_the_network_is_put_in_beforehand_where_networkmanager_is_there(order):
    _, image = stamped(order)
    row = image.root.rows([firstboot.CONNECTION])[firstboot.CONNECTION]
    assert (oct(row.mode), row.uid) == ("0o100600", 0), "NetworkManager passes over a profile that others can read"
    text = image.root.read([firstboot.CONNECTION])[firstboot.CONNECTION].decode()
    # The key as wpa_passphrase prints it for this name and passphrase.
    assert f"psk={hashlib.pbkdf2_hmac('sha1', PASSPHRASE.encode(), b'carts', 4096, 32).hex()}" in text
    assert PASSPHRASE not in text
    assert b"cfg80211.ieee80211_regdom=DE" in image.boot.read("cmdline.txt")
    assert b"WirelessEnabled=true" in image.root.read([firstboot.RADIO_STATE])[firstboot.RADIO_STATE]


def test_without_networkmanager_the_network_is_left_to_the_first_boot(order, tmp_path, house):
    made, image = stamped(replace(order, base=bare(tmp_path, house, network=False)))
    wlan = tomllib.loads(image.boot.read("custom.toml").decode())["wlan"]
    assert (wlan["ssid"], wlan["country"], wlan["password_encrypted"]) == ("carts", "DE", True)
    assert made["network"] == ""


def test_a_network_that_nothing_can_set_up_is_refused(order, tmp_path, house):
    base = bare(tmp_path, house, network=False, first_boot=False)
    assert "neither" in refused(replace(order, base=base), "IMAGE-CART-FILE")
    made, image = stamped(replace(order, base=base, cart=told(wifi=None)))
    assert made["init_format"] == "none"
    assert image.boot.names() == ("cmdline.txt", "config.txt")


def test_a_country_replaces_an_older_one(order):
    line = device.changed_cmdline(
        "quiet cfg80211.ieee80211_regdom=GB", ["cfg80211.ieee80211_regdom=DE"], ["cfg80211.ieee80211_regdom="]
    )
    assert line == "quiet cfg80211.ieee80211_regdom=DE\n"


@pytest.mark.parametrize(("ssid", "written"), [("Shop 1", "Shop 1"), (" x", "32;120;"), ("a;b", "97;59;98;")])
def test_a_network_name_that_a_keyfile_would_misread_is_written_as_bytes(ssid, written):
    wifi = cart_file.Wifi(ssid=ssid, country="DE")
    assert f"\nssid={written}\n" in firstboot.wifi_entries(wifi, "")[0].data.decode()


# -- refusals ------------------------------------------------------------------------------


def test_a_base_that_changed_since_it_was_built_is_refused_and_the_place_named(order, copied):
    base = copied(order.base)
    with base.open("r+b") as file:
        file.seek(70_000_001)
        old = file.read(1)[0]
        file.seek(70_000_001)
        file.write(bytes([old ^ 4]))
    assert "byte 70000001" in refused(replace(order, base=base), "IMAGE-DAMAGED")


def test_a_base_that_was_not_built_is_refused(order, stock):
    refused(replace(order, base=stock()), "IMAGE-MANIFEST")


def test_a_stamped_image_is_not_stamped_again(order, tmp_path):
    stamped(order)
    assert "stamp" in refused(replace(order, base=order.out, out=tmp_path / "second.img"), "IMAGE-MANIFEST")


def test_a_record_that_does_not_fit_is_refused(order, tmp_path):
    record = calibrated(tmp_path, "cart-0042", times=6_000, operator="x" * 8_000)
    refused(replace(order, cart=told(calibration=str(record))), "IMAGE-NO-SPACE")


def test_the_calibration_of_another_cart_is_refused(order, tmp_path):
    record = calibrated(tmp_path, "cart-0043")
    said = refused(replace(order, cart=told(calibration=str(record))), "IMAGE-CART-FILE")
    assert "that of cart-0043, not of cart-0042" in said


@pytest.mark.parametrize("text", ["", "{}\n", "1\n", "[" * 100_000 + "\n"])
def test_a_calibration_that_is_no_record_is_refused(order, tmp_path, text):
    record = tmp_path / "bad.jsonl"
    record.write_text(text)
    assert "bad.jsonl" in refused(replace(order, cart=told(calibration=str(record))), "IMAGE-CART-FILE")


def test_a_record_that_was_edited_is_refused(order, tmp_path):
    record = calibrated(tmp_path, "cart-0042")
    record.write_bytes(record.read_bytes().replace(b'"gain":128', b'"gain":64'))
    assert "edited" in refused(replace(order, cart=told(calibration=str(record))), "IMAGE-CART-FILE")


def test_only_a_public_key_that_the_daemon_can_use_is_the_stores(order, tmp_path):
    store_keys.make_store_key(tmp_path / "keys")
    _, image = stamped(replace(order, cart=told(store_key=str(tmp_path / "keys" / "store.pub"))))
    assert image.root.rows(["/var/lib/cart/keys/store.pub"])
    order.out.unlink()
    for beside in order.out.parent.glob(f"{order.out.name}.*"):
        beside.unlink()
    (tmp_path / "junk.pub").write_text("-----BEGIN PUBLIC KEY-----\nbm9uc2Vuc2U=\n-----END PUBLIC KEY-----\n")
    for name in ("junk.pub", "keys/store.key", "keys", "nothing\0.pub"):
        refused(replace(order, cart=told(store_key=str(tmp_path / name))), "IMAGE-CART-FILE")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cart": {"id": "cart\n42", "chain": "demo", "store": "s"}}, "id"),
        ({"cart": {"id": "cart-1", "chain": "demo"}}, "store"),
        ({"wifi": {"ssid": "a\nb", "country": "DE"}}, "ssid"),
        ({"wifi": {"ssid": "ü" * 20, "country": "DE"}}, "32 bytes"),
        ({"wifi": {"ssid": "carts", "passphrase": "short", "country": "DE"}}, "passphrase"),
        ({"enrolment": {"token": "too-short"}}, "token"),
        ({"admin": {"password_hash": "hunter2"}}, "password_hash"),
        ({"locale": {"timezone": "../../etc/passwd"}}, "timezone"),
        ({"colour": "red"}, "colour"),
        # "$" in a pattern lets a line end through.
        ({"cart": {"id": "cart-1\n", "chain": "demo", "store": "s"}}, "cart.id"),
        ({"wifi": {"ssid": "carts\n", "country": "DE"}}, "wifi.ssid"),
        ({"wifi": {"ssid": "carts", "passphrase": "12345678\n", "country": "DE"}}, "wifi.passphrase"),
        ({"wifi": {"ssid": "carts", "passphrase": "12345678", "psk": "a" * 64, "country": "DE"}}, "give one of them"),
        # What the documents show in place of one's own key.
        ({"admin": {"ssh_keys": ["ssh-ed25519 AAAA..."]}}, "id_ed25519.pub"),
        ({"admin": {"ssh_keys": [SSH_KEY, "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIKq0"]}}, "id_ed25519.pub"),
    ],
)
def test_a_cart_file_with_a_fault_is_refused(changes, complaint):
    with pytest.raises(Fault) as met:
        told(**changes)
    assert met.value.code == "IMAGE-CART-FILE"
    assert complaint in met.value.detail


def test_a_fault_says_what_the_key_has_to_be_and_never_its_value():
    with pytest.raises(Fault, match=r"wifi\.passphrase \(column wifi_passphrase\): has to be 8 to 63 letters") as met:
        told(wifi={"ssid": "carts", "passphrase": "s3cret", "country": "DE"})
    assert "s3cret" not in met.value.detail
    with pytest.raises(Fault, match=r"cart\.toml: cart\.store is missing"):
        told(cart={"id": "cart-1", "chain": "demo"})


@pytest.mark.parametrize("data", [b"\xff\xfec\0", b"a = " + b"[" * 100_000, b"a = " + b"9" * 5_000, b"[cart\n"])
def test_a_cart_file_that_cannot_be_read_is_a_fault_that_names_it(tmp_path, data):
    (tmp_path / "odd.toml").write_bytes(data)
    with pytest.raises(Fault, match=r"odd\.toml") as met:
        cart_file.load(tmp_path / "odd.toml")
    assert met.value.code == "IMAGE-CART-FILE"


def test_an_endless_cart_file_is_refused_and_one_that_windows_saved_is_read(tmp_path):
    with pytest.raises(Fault, match="not an ordinary file"):
        cart_file.load(synthetic.Path("/dev/zero"))
    text = '[cart]\r\nid = "cart-1"\r\nchain = "demo"\r\nstore = "s"\r\n'
    (tmp_path / "notepad.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert cart_file.load(tmp_path / "notepad.toml").cart.id == "cart-1"


@pytest.mark.parametrize(
    "text", ["[cart\n", "scale = 3\n", "[nosuch]\na = 1\n", "[panel]\nred_pin = 24\ngreen_pin = 24\n"]
)
def test_a_profile_of_ones_own_with_a_fault_is_refused(order, tmp_path, text):
    (tmp_path / "own.toml").write_text(text)
    refused(replace(order, cart=told(profile=str(tmp_path / "own.toml"))), "IMAGE-CART-FILE")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"locale": {"timezone": "Mars/Phobos"}}, "timezone"),
        ({"wifi": {"ssid": "carts", "country": "UK"}}, "GB"),
        ({"admin": {"name": "root"}}, "user of the system"),
        ({"admin": {"name": "cart"}}, "user of the system"),
    ],
)
def test_a_name_that_the_image_does_not_know_or_knows_otherwise_is_refused(order, changes, says):
    assert says in refused(replace(order, cart=told(**changes)), "IMAGE-CART-FILE")


def test_what_a_cart_will_not_do_for_want_of_something_is_said():
    assert cart_file.lacks(told(store_key="store.pub", calibration="c.jsonl")) == []
    lacking = cart_file.lacks(told(admin=None))
    assert [line.split(":")[0] for line in lacking] == [
        "no store_key",
        "no calibration",
        "no [admin] ssh_keys and no password_hash",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "pi9"},
        {"calibration": "/nowhere/calibration.jsonl"},
        {"config": {"broker": {"host": "a b"}}},
        {"config": {"no_such_section": {"a": 1}}},
    ],
)
def test_what_a_cart_file_asks_for_has_to_exist(order, changes):
    refused(replace(order, cart=told(**changes)), "IMAGE-CART-FILE")


def test_a_row_of_a_fleets_table_is_a_cart(tmp_path):
    common = {key: TABLES[key] for key in ("profile", "wifi", "locale", "config")}
    row = {"cart": "cart-9", "chain": "demo", "store": "store-1", "token": TOKEN, "wifi_ssid": "", "calibration": "c9"}
    cart = cart_file.from_row(row, tmp_path, common)
    assert (cart.cart.id, cart.wifi.ssid, cart.calibration) == ("cart-9", "carts", str(tmp_path / "c9"))
    with pytest.raises(Fault, match="colour"):
        cart_file.from_row({**row, "colour": "red"}, tmp_path, common)


def test_a_token_is_new_each_time_and_of_the_right_form():
    tokens = {stamp.new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert all(cart_file.from_tables({**TABLES, "enrolment": {"token": t}}, synthetic.Path("."), "x") for t in tokens)
