"""`verify` and the block map: one wrong byte anywhere is found and named, and so is every changed file."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from cart.faults import Fault
from tests.tools.imaging import synthetic
from tools.imaging import bmap, cli, copying, facts, image_facts, manifest, programs, progress, verify
from tools.imaging.bmap import BLOCK_BYTES, RANGE_BYTES
from tools.imaging.entries import Entry
from tools.imaging.progress import Progress

QUIET = Progress(quiet=True)


def flip(image, offset, value=0x10):
    with image.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ value]))


def judged(image):
    told = manifest.load(manifest.beside(image, manifest.SUFFIX))
    return verify.verify(image, told, verify.load_map(image, told), QUIET)


# -- the map -------------------------------------------------------------------------------


@pytest.fixture
def noise(tmp_path):
    """Return a file with noise, zeros and holes, whose last block is not whole."""
    path = tmp_path / "noise.img"
    data = bytearray(random.Random(5).randbytes(3 * RANGE_BYTES + 1_234))
    data[RANGE_BYTES : 2 * RANGE_BYTES] = bytes(RANGE_BYTES)
    path.write_bytes(data)
    return path


def test_one_wrong_byte_is_found_at_its_offset_wherever_it_is(noise):
    block_map = bmap.measure(noise)
    size = noise.stat().st_size
    draw = random.Random(11)
    places = [0, 1, RANGE_BYTES - 1, RANGE_BYTES, RANGE_BYTES + 65_521, 2 * RANGE_BYTES, size - 1_234, size - 1]
    for offset in [*places, *(draw.randrange(size) for _ in range(40))]:
        value = draw.randrange(1, 256)
        was = noise.read_bytes()[offset]
        flip(noise, offset, value)
        (damage,) = bmap.find_damage(noise, block_map)
        assert (damage.offset, damage.exact, damage.was, damage.now) == (offset, True, was, was ^ value)
        flip(noise, offset, value)
    assert list(bmap.find_damage(noise, block_map)) == []


def test_more_than_one_wrong_byte_is_found_in_its_part(noise):
    block_map = bmap.measure(noise)
    flip(noise, RANGE_BYTES + 5)
    flip(noise, RANGE_BYTES + 900_000)
    (damage,) = bmap.find_damage(noise, block_map)
    assert (damage.offset, damage.length, damage.exact) == (RANGE_BYTES, RANGE_BYTES, False)


def test_two_bytes_that_are_exchanged_are_found_too(noise):
    block_map = bmap.measure(noise)
    data = bytearray(noise.read_bytes())
    data[7], data[900] = data[900], data[7]
    noise.write_bytes(data)
    assert [damage.offset for damage in bmap.find_damage(noise, block_map)] == [0]


def test_another_length_is_found(noise):
    block_map = bmap.measure(noise)
    noise.write_bytes(noise.read_bytes()[:-1])
    with pytest.raises(Fault, match="IMAGE-TRUNCATED"):
        list(bmap.find_damage(noise, block_map))


def test_a_map_is_read_back_as_it_was_written(noise):
    made = bmap.measure(noise)
    read = bmap.from_xml(bmap.to_xml(made, "noise.img"))
    assert (read.size_bytes, read.ranges) == (made.size_bytes, made.ranges)
    assert bmap.covers_all(read)
    assert made.sha256 == bmap.hashlib.sha256(noise.read_bytes()).hexdigest()


def test_a_map_that_was_changed_is_refused(noise):
    text = bmap.to_xml(bmap.measure(noise), "noise.img")
    for wrong in (text.replace(" 0-255 ", " 0-254 "), text[:-20], text.replace('version="2.0"', 'version="1.4"'), "no"):
        with pytest.raises(Fault, match="IMAGE-MAP"):
            bmap.from_xml(wrong)


def test_a_map_that_leaves_out_bytes_is_not_taken_for_a_whole_one(noise):
    made = bmap.measure(noise)
    assert not bmap.covers_all(bmap.BlockMap(made.size_bytes, made.ranges[1:]))
    assert not bmap.covers_all(bmap.BlockMap(made.size_bytes, made.ranges[:-1]))


def bmaptool():
    binary = programs.find("bmaptool")
    if binary is None:
        pytest.skip("needs bmaptool to compare with: apt install bmap-tools")
    return binary


def test_bmaptool_copies_by_our_map_and_finds_what_we_find(noise, tmp_path):
    whole = tmp_path / "whole.img"
    whole.write_bytes(noise.read_bytes())
    (tmp_path / "whole.bmap").write_text(bmap.to_xml(bmap.measure(whole), "whole.img"))
    target = tmp_path / "card"
    # Old bytes on the card, where the image has zeros.
    target.write_bytes(b"\xff" * whole.stat().st_size)
    command = [bmaptool(), "copy", "--bmap", str(tmp_path / "whole.bmap"), str(whole), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    assert target.read_bytes() == whole.read_bytes()
    flip(whole, 12_345)
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_a_map_made_by_bmaptool_is_read(noise, tmp_path):
    subprocess.run([bmaptool(), "create", "-o", str(tmp_path / "b"), str(noise)], check=True, capture_output=True)
    read = bmap.from_xml((tmp_path / "b").read_text())
    assert read.size_bytes == noise.stat().st_size
    assert list(bmap.find_damage(noise, read)) == []
    flip(noise, 100)
    (damage,) = bmap.find_damage(noise, read)
    assert (damage.offset % BLOCK_BYTES, damage.exact) == (0, False), "without Adler-32 the part is named"


# -- an image -------------------------------------------------------------------------------


def test_an_image_as_it_was_made_is_good(built):
    verdict = judged(built())
    assert verdict.problems == ()
    assert verdict.files > 200


def test_a_wrong_byte_is_named_with_its_partition_and_its_file(built, copied):
    image = copied(built())
    place = image.read_bytes().index(b"Controller of a smart cart", synthetic.ROOT_START)
    flip(image, place)
    verdict = judged(image)
    assert verdict.first_offset == place
    assert f"byte {place} " in verdict.problems[0]
    assert "partition 2, /usr/local/lib/cart/releases/" in verdict.problems[0]
    assert verdict.problems[0].endswith("cart/__main__.py")


@pytest.mark.parametrize(
    ("offset", "where"),
    [(440, "outside the partitions"), (synthetic.BOOT_START + 40_000_000, "partition 1"), (2_000_000, "outside")],
)
def test_a_wrong_byte_outside_of_files_is_named_too(built, copied, offset, where):
    image = copied(built())
    flip(image, offset)
    verdict = judged(image)
    assert verdict.first_offset == offset
    assert where in verdict.problems[0]


def test_a_wrong_byte_in_the_superblock_is_named_even_if_nothing_else_can_be_read(built, copied):
    image = copied(built())
    flip(image, synthetic.ROOT_START + 1024 + 0x38, 0xFF)  # the magic number
    verdict = judged(image)
    assert verdict.first_offset == synthetic.ROOT_START + 1024 + 0x38


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: root.write([Entry("/etc/machine-id", mode=0o444, data=b"x")]), "/etc/machine-id: its content"),
        (
            lambda root: root.write([Entry("/etc/cart", "dir", 0o755, 0, 880)]),
            "/etc/cart: mode is 0755, should be 0750",
        ),
        (
            lambda root: root.write([Entry("/usr/local/bin/cart", "link", target="/x")]),
            "/usr/local/bin/cart: target is",
        ),
        (lambda root: root.write([], ["/etc/cart/cart.toml"]), "/etc/cart/cart.toml: is not there"),
        (lambda root: root.write([Entry("/var/lib/systemd/random-seed")]), "random-seed: is there, and was taken away"),
    ],
)
def test_a_changed_entry_is_found_without_any_map(built, copied, change, said):
    image = copied(built())
    change(facts.opened(image).root)
    told = manifest.load(manifest.beside(image, manifest.SUFFIX))
    assert said in "\n".join(verify.differences(facts.opened(image), told))


def test_a_changed_file_of_the_firmware_and_a_changed_table_are_found(built, copied):
    image = copied(built())
    facts.opened(image).boot.write({"config.txt": b"other"})
    programs.run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", "--part-type", str(image), "1", "b")
    told = manifest.load(manifest.beside(image, manifest.SUFFIX))
    found = verify.differences(facts.opened(image), told)
    assert found == ["the partition table is another one", "boot:/config.txt: its content is another"]


def test_a_map_of_another_image_is_refused(built, copied):
    image = copied(built())
    shutil.copyfile(built("trixie").with_name("built-trixie.img.bmap"), manifest.beside(image, manifest.MAP_SUFFIX))
    with pytest.raises(Fault, match="IMAGE-MAP"):
        judged(image)


# -- the command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"removed": True},
        {"removed": [1]},
        {"files": [{"where": "root", "type": "file"}]},
        {"files": [{"path": "/a\nwrite /etc/passwd x", "where": "root", "type": "file"}]},
        {"files": "x"},
        {"epoch": "now"},
        {"extract_size": 1e999},
        {"partitions": None},
        {"kind": "other"},
        {"cart": {"id": 5}},
    ],
)
def test_a_manifest_of_another_form_is_a_fault(built, copied, change):
    image = copied(built())
    beside = manifest.beside(image, manifest.SUFFIX)
    beside.write_text(json.dumps(manifest.load(beside) | change))
    with pytest.raises(Fault) as met:
        manifest.load(beside)
    assert met.value.code == "IMAGE-MANIFEST"
    if "extract_size" in change:
        with pytest.raises(Fault):
            image_facts.expected(image)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "\0"])
def test_a_torn_manifest_is_a_fault(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(Fault) as met:
        manifest.load(tmp_path / "m.json")
    assert met.value.code == "IMAGE-MANIFEST"


def test_a_reader_that_goes_away_is_no_error_of_ours(stock, repository):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "tools/image.py", "inspect", str(stock())]
    done = subprocess.run(command, cwd=repository, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_that_was_closed_does_not_end_the_work(monkeypatch):
    class Closed:
        def write(self, _text):
            raise OSError(errno.EIO, "Input/output error")

        def flush(self):
            raise OSError(errno.EIO, "Input/output error")

        def isatty(self):
            return True

        def fileno(self):
            return 2

    monkeypatch.setattr(sys, "stderr", Closed())
    shown = []
    for step in (progress._lines, progress._bars):
        with step("writing", 10) as advance:
            advance(10)
        shown.append(step)
    Progress().say("next")
    assert len(shown) == 2


def test_a_place_that_cannot_be_written_is_told_as_that(built, tmp_path, capsys):
    out = tmp_path / "none" / "cart.img"
    words = ["stamp", str(built()), "--cart", str(tmp_path / "c.toml"), "--out", str(out), "-o", "json"]
    (tmp_path / "c.toml").write_text('[cart]\nid = "c"\nchain = "d"\nstore = "s"\n')
    assert cli.main(words) == 2
    assert json.loads(capsys.readouterr().out)["fault"] == "IMAGE-UNWRITABLE"


def test_the_command_says_good_or_bad_and_exits_accordingly(built, copied, capsys):
    image = copied(built())
    assert cli.main(["verify", str(image), "-o", "json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["ok"] is True
    assert told.err == "", "no progress with -o json"
    flip(image, 60_000_000)
    assert cli.main(["verify", str(image), "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_offset"] == 60_000_000
    assert cli.main(["verify", str(image)]) == 1
    assert "IMAGE-DAMAGED" in capsys.readouterr().err


def test_inspect_says_what_is_in_an_image_and_why_it_cannot_be_used(stock, tmp_path, capsys):
    assert cli.main(["inspect", str(stock("trixie")), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["codename"], told["python"], told["machine"]) == ("trixie", "3.13", "aarch64")
    assert (told["first_boot"], told["init_format"], told["boot_files"]) == (
        "cloud-init", "cloudinit", ["cmdline.txt", "config.txt"],
    )  # fmt: skip
    other = synthetic.make(tmp_path / "pc.img", synthetic.System(machine=synthetic.X86_64))
    assert cli.main(["inspect", str(other)]) == 1
    assert "no: IMAGE-MACHINE" in capsys.readouterr().out


def test_a_refusal_is_one_object_with_json_and_names_the_next_step_without(tmp_path, capsys):
    assert cli.main(["inspect", str(tmp_path / "none.img"), "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["fault"] == "IMAGE-UNREADABLE"
    assert cli.main(["inspect", str(tmp_path / "none.img")]) == 1
    assert "next:" in capsys.readouterr().err


def test_a_disk_that_is_full_is_said_and_leaves_nothing(stock, house, tmp_path, monkeypatch, capsys):
    def full(*_words):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying.os, "pwrite", full)
    words = ["build", str(stock()), "--wheels", str(house()), "--out", str(tmp_path / "cart.img"), "-o", "json"]
    assert cli.main(words) == 1
    assert json.loads(capsys.readouterr().out)["fault"] == "IMAGE-DISK-FULL"
    assert list(tmp_path.iterdir()) == []
