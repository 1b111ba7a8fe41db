"""The facts of a device: read from a record, and from the system."""

import json
from pathlib import Path

import pytest

from tests.tools import loops
from tools.imaging import cli_write, targets

FACTS = Path(__file__).parent / "facts"


def target(name):
    return targets.read_record(json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8")))


def test_a_card_in_a_usb_reader_is_described():
    seen = target("usb-reader")
    assert (seen.type, seen.transport, seen.removable, seen.word) == ("disk", "usb", True, "000000001206")
    assert [(part.name, part.label) for part in seen.partitions] == [("sdb1", "bootfs"), ("sdb2", "rootfs")]
    assert seen.identity == targets.Identity("8:16", "000000001206", "Generic STORAGE DEVICE", 31_914_983_424, "9")


def test_a_card_in_a_built_in_reader_has_bus_and_serial_from_the_kernel():
    seen = target("mmc-reader")
    assert (seen.transport, seen.identity.serial, seen.identity.model) == ("mmc", "0x3b1f7a20", "SN64G")


def test_what_is_built_upon_a_partition_holds_the_disk():
    assert target("notebook-root").holders == ("luks-root", "vg-root", "vg-swap")


def test_a_mount_of_a_folder_and_one_of_another_number_are_seen():
    assert target("usb-bind-mount").mounts == (targets.Mount("/dev/sdb2", "/srv/data"),)
    assert target("usb-btrfs").mounts == (targets.Mount("/dev/sdb2", "/srv/media"),)


def test_a_person_sees_model_serial_size_partitions_and_labels():
    text = cli_write.described(target("usb-reader"))
    for word in ("/dev/sdb", "Generic STORAGE DEVICE", "000000001206", "31.9 GB", "sdb1", "bootfs", "sdb2", "rootfs"):
        assert word in text


def test_what_is_no_device_is_named(tmp_path):
    file = tmp_path / "card.img"
    file.write_bytes(b"")
    kinds = {str(file): "file", str(tmp_path): "directory", "/dev/null": "character", str(tmp_path / "no"): "missing"}
    assert {path: targets.collect(path).kind for path in kinds} == kinds


@pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-")
def test_a_real_device_is_read_and_its_record_says_the_same(tmp_path):
    with loops.loop(tmp_path, 8 * loops.MIB) as device:
        record = targets.record(device)
        seen = targets.read_record(json.loads(json.dumps(record)))
        assert (seen.kind, seen.type, seen.size_bytes, seen.mounts, seen.holders) == ("block", "loop", 8 << 20, (), ())
        assert seen.word == device.removeprefix("/dev/")
        assert seen == targets.collect(device)


def test_the_disk_of_this_machine_is_never_a_target():
    """Facts only: nothing is opened. Whatever / lies on here would be refused, twice over."""
    from tools.imaging.refusal import Options, decide

    source = next((row["source"] for row in _mounted() if row["target"] == "/"), "")
    if targets.collect(source).kind != "block":
        pytest.skip("/ is on no block device here")
    allowed = Options(max_size_bytes=10**18, allow_fixed=True, allow_loop=True)
    assert "root" in [found.code for found in decide(targets.collect(source), None, allowed)]


def _mounted():
    return targets._json_of(["findmnt", "--json", "--list", "--output", "TARGET,SOURCE,FSTYPE,MAJ:MIN"])["filesystems"]
