"""`build`: what it puts in, that it does so twice the same, and what it refuses before anything exists."""

import hashlib
import importlib.util
import json
import lzma
import os
import shutil
import tomllib
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cart.faults import Fault
from tests.tools.imaging import synthetic
from tests.tools.imaging.conftest import SPARE_BYTES
from tools.imaging import bmap, build, cli, copying, device, facts, from_apt, manifest, programs, verify
from tools.imaging.entries import Entry
from tools.imaging.facts import RELEASES
from tools.imaging.progress import Progress
from tools.imaging.wheelhouse import list_file, read_list

QUIET = Progress(quiet=True)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def order(stock, house, tmp_path):
    return build.Order(stock(), house(), tmp_path / "cart.img", spare_bytes=SPARE_BYTES)


def refused(order, code):
    with pytest.raises(Fault) as met:
        build.build(order, QUIET)
    assert met.value.code == code, met.value
    assert [path.name for path in order.out.parent.glob(f"{order.out.name}*")] == [], "nothing may be left behind"
    return met.value.detail


# -- what is not in it -------------------------------------------------------------------


def status(*installed, removed=()):
    rows = [f"Package: {name}\nStatus: install ok installed\nVersion: 1\n" for name in installed]
    return "\n".join(rows + [f"Package: {name}\nStatus: deinstall ok config-files\nVersion: 1\n" for name in removed])


SCREEN = ("chromium", "cage", "seatd", "xwayland")


def test_a_trixie_without_its_gpio_package_is_told_so_and_a_bookworm_gets_it_as_a_wheel():
    stock = status("python3-picamera2", "libzbar0t64", "python3-lgpio", *SCREEN, removed=["python3-rpi-lgpio"])
    assert from_apt.missing(stock, read_list(list_file(RELEASES["bookworm"]))) == []
    (line,) = from_apt.missing(stock, read_list(list_file(RELEASES["trixie"])))
    assert line == "the image lacks python3-rpi-lgpio: no lamp, buzzer, help button and gate contact"
    assert from_apt.missing(stock + "\n" + status("python3-rpi-lgpio"), []) == []


def test_build_says_what_the_image_lacks_and_what_to_do(order, stock, house, tmp_path, capsys):
    base = tmp_path / "trixie.img"
    shutil.copyfile(stock("trixie"), base)
    facts.opened(base).root.write([Entry(from_apt.STATUS, data=status("cage").encode())])
    words = ["build", str(base), "--wheels", str(house("trixie")), "--out", str(order.out)]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "lacks python3-rpi-lgpio" in said
    assert "cage" not in said
    assert "Packages from apt" in said
    assert len(manifest.load(manifest.beside(order.out, manifest.SUFFIX))["lacks"]) == 6


# -- what is in it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codename", "python", "runtime", "other"),
    [
        ("bookworm", "3.11", "tflite_runtime", "ai_edge_litert"),
        ("trixie", "3.13", "ai_edge_litert", "tflite_runtime"),
    ],
)
def test_the_runtime_is_chosen_by_the_images_own_python(built, codename, python, runtime, other):
    root = facts.opened(built(codename)).root
    site = f"{device.release_dir()}/lib/python{python}/site-packages"
    assert {f"{site}/{runtime}", f"{site}/cart"} <= set(root.rows([f"{site}/{runtime}", f"{site}/cart"]))
    assert root.rows([f"{site}/{other}"]) == {}
    assert root.resolve("/usr/local/lib/cart/current/bin/python3") == f"/usr/bin/python{python}"
    settings = root.read(["/usr/local/lib/cart/current/pyvenv.cfg", f"{device.release_dir()}/pyvenv.cfg"])
    assert b"include-system-site-packages = true" in settings[f"{device.release_dir()}/pyvenv.cfg"]


def test_an_independent_reader_finds_every_entry_as_the_manifest_says(built):
    if importlib.util.find_spec("ext4") is None:
        pytest.skip("needs the package ext4: pip install ext4")
    import ext4

    image = built()
    told = manifest.load(manifest.beside(image, manifest.SUFFIX))
    kinds = {"dir": 0o040000, "file": 0o100000, "link": 0o120000}
    with image.open("rb") as file:
        volume = ext4.Volume(file, offset=synthetic.ROOT_START)
        for row in told["files"]:
            if row["where"] == "boot":
                continue
            inode = volume.inode_at(row["path"])
            assert (inode.i_uid, inode.i_gid) == (row["uid"], row["gid"]), row
            assert inode.i_mode & 0o170000 == kinds[row["type"]], row
            if row["type"] != "link":
                assert f"{inode.i_mode & 0o7777:04o}" == row["mode"], row
            if row["type"] == "file":
                assert hashlib.sha256(inode.open().read()).hexdigest() == row["sha256"], row
            if row["type"] == "link":
                assert inode.readlink().decode() == row["target"], row


def test_every_placed_file_of_the_checkout_is_in_the_image_and_every_unit_is_enabled(built, checkout):
    root = facts.opened(built()).root
    where = tomllib.loads((checkout / "firmware_config" / "places.toml").read_text())
    assert root.read(where["files"].values()) == {
        path: (checkout / name).read_bytes() for name, path in where["files"].items()
    }
    assert root.links(where["links"]) == where["links"]


def test_the_carts_users_exist_before_the_first_boot(built):
    root = facts.opened(built()).root
    texts = root.read(["/etc/passwd", "/etc/group", "/etc/shadow"])
    assert texts["/etc/passwd"].decode().startswith(synthetic.PASSWD)
    assert b"\ncart:x:880:880:" in texts["/etc/passwd"]
    assert b"\ngpio:x:999:" in texts["/etc/group"]
    assert b"\ncart:!*:" in texts["/etc/shadow"]
    rows = root.rows(["/etc/cart/cart.toml", "/var/lib/cart"])
    assert (oct(rows["/etc/cart/cart.toml"].mode), rows["/etc/cart/cart.toml"].gid) == ("0o100640", 880)
    assert (oct(rows["/var/lib/cart"].mode), rows["/var/lib/cart"].uid) == ("0o40700", 880)


def test_no_two_cards_share_keys_or_identity(built, stock):
    assert "/etc/ssh/ssh_host_ed25519_key" in facts.opened(stock()).root.rows(device.REMOVED)
    root = facts.opened(built()).root
    assert root.rows(device.REMOVED) == {}
    assert root.read(["/etc/machine-id"]) == {"/etc/machine-id": b""}


def test_the_firmwares_files_keep_what_they_had_and_take_ours(built):
    boot = facts.opened(built()).boot
    config = boot.read("config.txt").decode()
    assert config.startswith("# stock\ndtparam=audio=on\n")
    assert "gpio=23,24,25=op,dl" in config
    words = boot.read("cmdline.txt").decode().split()
    assert "usbcore.autosuspend=-1" in words
    assert "root=PARTUUID=c0ffee01-02" in words
    assert not {"console=serial0,115200", "splash"} & set(words)


def test_our_section_is_replaced_and_not_added_twice():
    once = device.with_section("a=1\n", "ours=1")
    assert device.with_section(once, "ours=2") == once.replace("ours=1", "ours=2")


# -- reproducible, whole or not there -------------------------------------------------------


def test_two_builds_are_the_same_bit_for_bit(built, order):
    told = build.build(order, QUIET)
    assert sha256(order.out) == sha256(built()) == told["extract_sha256"]


def test_the_base_is_only_read(order):
    before = (sha256(order.base), order.base.stat().st_mtime_ns)
    build.build(order, QUIET)
    assert (sha256(order.base), order.base.stat().st_mtime_ns) == before


def test_a_packed_base_gives_the_same_image(built, order, tmp_path):
    packed = tmp_path / "stock.img.xz"
    packed.write_bytes(lzma.compress(order.base.read_bytes(), preset=0))
    (tmp_path / "stock.img.xz.sha256").write_text(f"{sha256(packed)}  stock.img.xz\n")
    told = build.build(replace(order, base=packed), QUIET)
    assert told["extract_sha256"] == sha256(built())
    assert told["base"]["checked"] == sha256(packed)


class Interrupted(Progress):
    def step(self, name, total_bytes):
        if name == "hash":
            raise KeyboardInterrupt
        return super().step(name, total_bytes)


def test_the_progress_of_unpacking_is_that_of_the_packed_file(stock, tmp_path):
    packed = tmp_path / "stock.img.xz"
    packed.write_bytes(lzma.compress(stock().read_bytes(), preset=0))
    seen = []

    class Watched:
        @contextmanager
        def step(self, name, total_bytes):
            done = []
            yield done.append
            seen.append((name, sum(done), total_bytes))

    copying.copy_hashed(packed, tmp_path / "out.img", Watched())
    assert seen == [("unpack", packed.stat().st_size, packed.stat().st_size)], "not of a guess that it outruns"


def test_an_interrupted_build_leaves_nothing_and_the_next_one_is_whole(built, order):
    with pytest.raises(KeyboardInterrupt):
        build.build(order, Interrupted(quiet=True))
    assert list(order.out.parent.glob("cart.img*")) == []
    order.out.with_name("cart.img.part").write_text("of a run that was killed")
    build.build(order, QUIET)
    assert sha256(order.out) == sha256(built())
    assert sorted(p.name for p in order.out.parent.glob("cart.img*")) == [
        "cart.img", "cart.img.bmap", "cart.img.imager.json", "cart.img.manifest.json",
    ]  # fmt: skip


def test_the_root_partition_grows_for_the_room_that_is_wanted(order):
    told = build.build(replace(order, spare_bytes=80 << 20), QUIET)
    image = facts.opened(order.out)
    assert image.table.root.size_bytes > synthetic.ROOT_BYTES
    assert image.table.disk_id == "0xc0ffee01"
    assert image.root.header().free_bytes >= 80 << 20
    assert verify.differences(image, told) == []
    with order.out.open("rb") as file:
        file.seek(synthetic.ROOT_START + 1024)
        superblock = file.read(1024)
    # s_mkfs_time, s_wtime and s_lastcheck: the present in one of them would make each build another.
    times = {int.from_bytes(superblock[at : at + 4], "little") for at in (0x108, 0x30, 0x40)}
    assert times == {synthetic.EPOCH}


def test_an_image_with_a_gpt_grows_with_both_copies_of_its_table(order, copied):
    base = synthetic.with_gpt(copied(order.base))
    told = build.build(replace(order, base=base, spare_bytes=80 << 20), QUIET)
    image = facts.opened(order.out)
    assert image.table.label == "gpt"
    assert image.table.root.size_bytes > synthetic.ROOT_BYTES
    assert verify.differences(image, told) == []
    checked = programs.run("sfdisk", "--verify", str(order.out))
    assert b"No errors detected" in checked.stdout
    assert checked.stderr == b"", "the second copy lies at the end of the image"


def test_imager_can_read_the_list(built):
    (row,) = json.loads(manifest.beside(built(), manifest.REPOSITORY_SUFFIX).read_text())["os_list"]
    required = "name description icon url extract_size extract_sha256 image_download_size release_date"
    assert set(required.split()) <= set(row)
    assert row["extract_sha256"] == sha256(built())


# -- refusals ------------------------------------------------------------------------------


def changed_stock(order, tmp_path, *commands):
    base = tmp_path / "changed.img"
    shutil.copyfile(order.base, base)
    words = [word for command in commands for word in ("-R", command)]
    programs.run("debugfs", "-w", *words, f"{base}?offset={synthetic.ROOT_START}")
    return replace(order, base=base)


def test_a_truncated_image_is_refused(order, tmp_path):
    base = tmp_path / "short.img"
    base.write_bytes(order.base.read_bytes()[:-4096])
    assert "4096 are missing" in refused(replace(order, base=base), "IMAGE-TRUNCATED")


def test_a_packed_image_that_is_cut_off_is_refused(order, tmp_path):
    packed = tmp_path / "stock.img.xz"
    packed.write_bytes(lzma.compress(order.base.read_bytes(), preset=0)[:-100])
    refused(replace(order, base=packed), "IMAGE-TRUNCATED")


def test_an_image_with_another_hash_is_refused(order):
    assert "expected 00" in refused(replace(order, base_sha256="00" * 32), "IMAGE-HASH")


def test_an_image_for_another_processor_is_refused(order, tmp_path):
    base = synthetic.make(tmp_path / "pc.img", synthetic.System(machine=synthetic.X86_64))
    assert "x86_64" in refused(replace(order, base=base), "IMAGE-MACHINE")


def test_a_system_nobody_tried_is_refused(order, tmp_path):
    base = synthetic.make(tmp_path / "forky.img", synthetic.System("forky"))
    assert "forky" in refused(replace(order, base=base), "IMAGE-RELEASE")


def test_a_file_system_with_a_journal_to_recover_is_refused(order, tmp_path):
    assert "needs_recovery" in refused(changed_stock(order, tmp_path, "feature needs_recovery"), "IMAGE-DIRTY")


def test_a_file_system_that_e2fsck_would_mend_is_refused(order, tmp_path):
    assert "e2fsck" in refused(changed_stock(order, tmp_path, "freei /etc/hosts"), "IMAGE-DIRTY")


@pytest.mark.parametrize("name", ["FEATURE_C20", "FEATURE_I27"])
def test_a_feature_that_the_programs_do_not_know_is_refused(order, tmp_path, name):
    base = tmp_path / "newer.img"
    shutil.copyfile(order.base, base)
    # s_feature_compat at 0x5C of the superblock, s_feature_incompat at 0x60; the checksum goes with them.
    place, bit = {"C": 0x5C, "I": 0x60}[name[8]], int(name[9:])
    with base.open("r+b") as file:
        file.seek(synthetic.ROOT_START + 1024)
        block = bytearray(file.read(1024))
        word = int.from_bytes(block[place : place + 4], "little") | 1 << bit
        block[place : place + 4] = word.to_bytes(4, "little")
        block[0x3FC:0x400] = crc32c(bytes(block[:0x3FC])).to_bytes(4, "little")
        file.seek(synthetic.ROOT_START + 1024)
        file.write(block)
    refused(replace(order, base=base), "IMAGE-FEATURE")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def test_a_wheel_for_another_python_is_refused(order, house):
    detail = refused(replace(order, wheels=house("trixie")), "IMAGE-WHEEL-TAG")
    assert "numpy-2" in detail
    assert "bookworm is cp311" in detail


def test_a_wheelhouse_that_lacks_what_the_cart_needs_is_refused(order, tmp_path):
    wheels = tmp_path / "wheels"
    shutil.copytree(order.wheels, wheels)
    next(wheels.glob("tflite_runtime-*")).unlink()
    assert "tflite-runtime" in refused(replace(order, wheels=wheels), "IMAGE-WHEELS")


def test_an_image_that_was_built_is_not_built_on_again(order, built):
    refused(replace(order, base=built()), "IMAGE-BUILT")


def test_the_result_may_not_take_the_place_of_the_base(order):
    with pytest.raises(Fault) as met:
        build.build(replace(order, out=order.base), QUIET)
    assert met.value.code == "IMAGE-NAME"
    assert order.base.exists()


@pytest.mark.parametrize(("start", "name"), [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2")])
def test_an_image_packed_otherwise_is_refused_by_name(order, tmp_path, capsys, start, name):
    base = tmp_path / "stock.img.packed"
    base.write_bytes(start + bytes(5_000))
    assert f"packed with {name}" in refused(replace(order, base=base), "IMAGE-UNREADABLE")
    assert cli.main(["inspect", str(base)]) == 1
    assert f"packed with {name}" in capsys.readouterr().err


def test_a_base_that_cannot_be_used_is_refused_before_it_is_copied(order, tmp_path, monkeypatch):
    other = synthetic.make(tmp_path / "x86.img", synthetic.System(machine=synthetic.X86_64))
    monkeypatch.setattr(copying, "copy_hashed", lambda *_: pytest.fail("gigabytes for nothing"))
    refused(replace(order, base=other), "IMAGE-MACHINE")


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b""])
def test_a_file_of_hashes_that_is_none_is_a_fault(order, tmp_path, stock, data):
    base = tmp_path / "stock.img"
    shutil.copyfile(stock(), base)
    (tmp_path / "stock.img.sha256").write_bytes(data)
    refused(replace(order, base=base), "IMAGE-HASH")


@pytest.mark.parametrize(
    "words",
    [("--epoch", "-1"), ("--epoch", "9" * 14), ("--spare-mb", "-5"), ("--spare-mb", "x"), ("--base-sha256", "x")],
)
def test_a_number_that_means_nothing_is_wrong_usage(order, capsys, words):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["build", str(order.base), "--wheels", "w", "--out", str(order.out), *words])
    assert words[0] in capsys.readouterr().err


def test_a_broken_epoch_of_the_environment_is_of_no_concern_to_other_verbs(monkeypatch, capsys):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "abc")
    assert cli.main(["token"]) == 0
    with pytest.raises(SystemExit, match="2"):
        cli.main(["build", "a.img", "--wheels", "w", "--out", "b.img"])
    assert "'abc'" in capsys.readouterr().err


def test_a_file_that_is_no_image_is_refused(order, tmp_path):
    base = tmp_path / "letter.img"
    base.write_bytes(b"Dear customer" * 1000)
    refused(replace(order, base=base), "IMAGE-LAYOUT")


def test_an_image_without_room_that_cannot_grow_is_refused(order, tmp_path):
    base = tmp_path / "three.img"
    shutil.copyfile(order.base, base)
    end = base.stat().st_size
    os.truncate(base, end + (8 << 20))
    programs.run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", "--append", str(base), stdin=f"{end // 512},+,83\n")
    assert "not the last" in refused(replace(order, base=base, spare_bytes=200 << 20), "IMAGE-NO-SPACE")


def test_a_map_covers_every_byte(built):
    told = manifest.load(manifest.beside(built(), manifest.SUFFIX))
    assert bmap.covers_all(verify.load_map(built(), told))
