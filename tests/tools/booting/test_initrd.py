"""The initrd is a `newc` archive that the kernel unpacks, and loads each module after what it needs."""

import gzip
import shutil
import stat
import subprocess

import pytest

from tools.booting import initrd

DEP = """\
kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko
kernel/fs/jbd2/jbd2.ko: kernel/lib/crc16.ko
kernel/fs/mbcache.ko:
kernel/lib/crc16.ko:
kernel/drivers/char/hw_random/virtio-rng.ko:
"""
BUILTIN = "kernel/drivers/virtio/virtio.ko\nkernel/drivers/gpio/gpio-pl061.ko\n"


def test_a_module_is_loaded_after_all_that_it_needs_and_once():
    order = initrd.load_order(DEP, BUILTIN, ("ext4", "jbd2"))
    assert sorted(order) == sorted(line.split(":")[0] for line in DEP.splitlines()[:4])
    for line in DEP.splitlines()[:4]:
        path, needs = line.split(":")
        assert all(order.index(needed) < order.index(path) for needed in needs.split())


def test_a_file_with_a_dash_is_found_by_the_name_with_an_underscore():
    assert initrd.load_order(DEP, BUILTIN, ("virtio_rng",)) == ["kernel/drivers/char/hw_random/virtio-rng.ko"]


def test_what_is_in_the_kernel_itself_needs_no_loading():
    assert initrd.load_order(DEP, BUILTIN, ("gpio_pl061", "virtio")) == []


def test_a_module_that_the_kernel_does_not_have_is_said_by_name():
    with pytest.raises(LookupError, match="nosuch"):
        initrd.load_order(DEP, BUILTIN, ("nosuch",))


def test_every_member_of_the_archive_is_where_its_head_says():
    entries = [
        initrd.Entry("dev", stat.S_IFDIR | 0o755),
        initrd.Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
        initrd.Entry("init", stat.S_IFREG | 0o755, b"odd"),
    ]
    members = _members(initrd.archive(entries))
    assert [name for name, *_ in members] == ["dev", "dev/console", "init", "TRAILER!!!"]
    assert members[1][1:] == (stat.S_IFCHR | 0o600, (5, 1), b"")
    assert members[2][1:] == (stat.S_IFREG | 0o755, (0, 0), b"odd")


def test_cpio_itself_reads_the_archive(tmp_path):
    if shutil.which("cpio") is None:
        pytest.skip("there is no cpio here")
    archive = initrd.archive([initrd.Entry("bin", stat.S_IFDIR | 0o755), initrd.Entry("bin/x", 0o100755, b"12345")])
    done = subprocess.run(["cpio", "-i", "-d"], input=archive, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bin" / "x").read_bytes() == b"12345"


def test_the_whole_initrd_holds_busybox_the_script_and_the_modules_in_order(tmp_path):
    for line in DEP.splitlines():
        path = tmp_path / line.split(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    (tmp_path / "modules.dep").write_text(DEP)
    (tmp_path / "modules.builtin").write_text(BUILTIN)
    made = initrd.build(b"BUSYBOX", tmp_path, ("ext4",))
    assert made == initrd.build(b"BUSYBOX", tmp_path, ("ext4",))
    content = {name: data for name, _, _, data in _members(gzip.decompress(made))}
    assert content["bin/busybox"] == b"BUSYBOX"
    assert content["init"].startswith(b"#!/bin/busybox sh\n")
    order = content["modules/order"].decode().split()
    assert order[-1] == "ext4.ko"
    assert all(content[f"modules/{name}"] == name.encode() for name in order)


def _members(archive: bytes) -> list[tuple[str, int, tuple[int, int], bytes]]:
    """Read a `newc` archive by the kernel's description of it: name, mode, device, content."""
    found, at = [], 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        data_at = at + 110 + name_size
        data_at += -data_at % 4
        found.append((name, fields[1], (fields[9], fields[10]), archive[data_at : data_at + size]))
        at = data_at + size + -size % 4
        if name == "TRAILER!!!":
            break
    return found
