"""The parts that build and stamp are made of: ext4 and FAT, wheels and their lists, accounts, progress."""

import hashlib
import lzma
import os

import pytest

from cart.faults import Fault
from tests.tools.imaging import synthetic
from tools.imaging import accounts, copying, facts, partitions, programs, wheelhouse, wheels
from tools.imaging.entries import Entry
from tools.imaging.facts import RELEASES
from tools.imaging.progress import Progress, line

BOOKWORM, TRIXIE = RELEASES["bookworm"], RELEASES["trixie"]

# -- file systems ----------------------------------------------------------------------------


@pytest.fixture
def image(stock, copied):
    return facts.opened(copied(stock()), synthetic.EPOCH)


def test_names_with_spaces_quotes_and_accents_come_back_as_they_went_in(image):
    names = ["/srv/a b/c d", '/srv/say "hi"', "/srv/größe", "/srv/-x", "/srv/a'b", "/srv/#1", "/srv/<9>"]
    image.root.write([Entry(name, mode=0o640, gid=20, data=name.encode()) for name in names])
    assert image.root.read(names) == {name: name.encode() for name in names}
    assert {(row.mode, row.gid) for row in image.root.rows(names).values()} == {(0o100640, 20)}
    image.root.check("it")


def test_a_file_is_replaced_and_its_folder_kept(image):
    before = image.root.rows(["/etc", "/etc/hosts"])
    image.root.write([Entry("/etc/hosts", data=b"new")])
    assert image.root.read(["/etc/hosts"]) == {"/etc/hosts": b"new"}
    assert image.root.rows(["/etc"])["/etc"].mode == before["/etc"].mode
    image.root.check("it")


def test_a_path_over_a_link_is_refused_and_not_lost(image):
    before = image.path.read_bytes()
    with pytest.raises(Fault, match="/bin is a link"):
        image.root.write([Entry("/bin/hello", data=b"hi", mode=0o755)])
    assert image.path.read_bytes() == before


def test_links_are_resolved_over_folders_and_never_for_ever(image):
    image.root.write([Entry("/srv/a", "link", target="b"), Entry("/srv/b", "link", target="a")])
    image.root.write([Entry("/srv/far", "link", target="/etc/" + "x/../" * 20 + "hosts")])
    assert image.root.resolve("/bin/python3") == "/usr/bin/python3.11"
    assert image.root.resolve("/srv/a") is None
    assert image.root.links(["/srv/far"])["/srv/far"].endswith("hosts"), "a long target lies in a block of its own"


@pytest.mark.parametrize("path", ["/etc/a\nb", "/etc/a\rb", "etc/a", "/etc/../a", "/etc//a", "/a/"])
def test_a_name_that_would_be_misread_is_refused(path):
    with pytest.raises(Fault, match="IMAGE-NAME"):
        Entry(path)


def test_a_file_never_becomes_a_folder(image):
    with pytest.raises(Fault, match="IMAGE-NAME"):
        image.root.write([Entry("/etc/hosts", "dir")])


def test_what_debugfs_complains_about_is_an_error_though_it_exits_0(image):
    with pytest.raises(Fault, match="IMAGE-TOOL-FAILED"):
        image.root.write([], ["/etc"])


def test_no_room_is_said_before_anything_is_written(image):
    before = image.path.read_bytes()
    with pytest.raises(Fault, match="IMAGE-NO-SPACE"):
        image.root.write([Entry("/srv/large", data=bytes(60 << 20))])
    with pytest.raises(Fault, match="IMAGE-NO-SPACE"):
        image.boot.write({"large": bytes(60 << 20)})
    assert image.path.read_bytes() == before


def test_the_boot_partition_takes_replaces_and_loses_files(image):
    image.boot.write({"user-data": b"one", "config.txt": b"two"})
    image.boot.write({"user-data": b"three"})
    image.boot.remove({"config.txt", "never-there"})
    assert image.boot.names() == ("cmdline.txt", "user-data")
    assert image.boot.read("user-data") == b"three"
    assert image.boot.read("config.txt") is None


def test_a_program_that_is_missing_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(programs, "SEARCH_PATH", "/nowhere")
    with pytest.raises(Fault, match="apt install mtools"):
        programs.run("mcopy")
    assert programs.missing() == ["e2fsprogs", "fdisk", "mtools"]


@pytest.mark.parametrize("name", ["card.img", "card7"])
def test_a_partition_keeps_its_number_where_the_one_before_it_is_empty(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(16 << 20)
    table = "label: dos\n/dev/x1 : start=2048, size=2048, type=c\n/dev/x3 : start=8192, size=8192, type=83\n"
    programs.run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", str(path), stdin=table)
    before = partitions.read(path)
    assert [partition.number for partition in before.partitions] == [1, 3]
    partitions.grow_last(path, before, before.root, 20 << 20)
    after = partitions.read(path)
    assert [(p.number, p.size_bytes) for p in after.partitions] == [(1, 1 << 20), (3, 20 << 20)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_copy_is_whole_though_each_write_takes_only_a_part(tmp_path, monkeypatch, packed):
    data = bytes(5 << 20) + bytes(range(256)) * 20_000 + bytes(3 << 20)
    (tmp_path / "old").write_bytes(lzma.compress(data, preset=0) if packed else data)
    take = os.pwrite
    monkeypatch.setattr(copying.os, "pwrite", lambda fd, part, at: take(fd, part[:100_000], at))
    copied = copying.copy_hashed(tmp_path / "old", tmp_path / "new", Progress(quiet=True))
    assert (tmp_path / "new").read_bytes() == data
    assert (copied.size_bytes, copied.sha256) == (len(data), hashlib.sha256(data).hexdigest())


# -- wheels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "bookworm", "trixie"),
    [
        ("py3-none-any", True, True),
        ("cp311-cp311-manylinux_2_34_aarch64", True, False),
        ("cp313-cp313-manylinux_2_39_aarch64", False, True),
        ("cp39-abi3-manylinux_2_28_aarch64", True, True),
        ("cp311-abi3-manylinux_2_39_aarch64", False, True),
        ("py3-none-manylinux1_x86_64", False, False),
        ("cp311-cp311-musllinux_1_2_aarch64", False, False),
    ],
)
def test_a_wheel_fits_by_python_abi_libc_and_processor(tmp_path, tag, bookworm, trixie):
    (wheel,) = wheels.read_folder(synthetic.wheel(tmp_path, "thing", tag=tag).parent)
    assert bool(wheel.tags & wheels.fitting_tags(BOOKWORM)) == bookworm
    assert bool(wheel.tags & wheels.fitting_tags(TRIXIE)) == trixie


def test_what_a_wheel_needs_is_judged_for_the_cart_and_not_for_this_machine(tmp_path):
    needs = ('other; platform_machine == "aarch64"', 'never; platform_machine == "x86_64"', 'extra; extra == "all"')
    synthetic.wheel(tmp_path, "thing", needs=needs)
    with pytest.raises(Fault) as met:
        wheels.check_complete(wheels.read_folder(tmp_path), BOOKWORM)
    assert met.value.detail == "thing needs other"
    synthetic.wheel(tmp_path, "other")
    wheels.check_complete(wheels.read_folder(tmp_path), BOOKWORM)


def test_a_version_that_is_not_wanted_is_named(tmp_path):
    synthetic.wheel(tmp_path, "numpy", "2.0")
    with pytest.raises(Fault, match=r"the cart needs numpy<2, not 2\.0"):
        wheels.check_complete(wheels.read_folder(tmp_path), BOOKWORM, ["numpy<2"])


def test_a_wheel_that_reaches_out_of_its_environment_is_refused(tmp_path):
    path = synthetic.wheel(tmp_path / "w", "thing")
    with wheels.zipfile.ZipFile(path, "a") as archive:
        archive.writestr("thing-1.0.data/data/../../../../etc/passwd", "root::0:0::/:/bin/sh")
    (wheel,) = wheels.read_folder(path.parent)
    with pytest.raises(Fault, match="IMAGE-NAME"):
        list(wheels.entries(wheel, "/srv/e/lib/python3.11/site-packages", tmp_path))


def test_a_wheels_scripts_are_executable_and_lie_in_bin(tmp_path):
    (wheel,) = wheels.read_folder(synthetic.wheel(tmp_path / "w", "thing").parent)
    found = {entry.path: entry for entry in wheels.entries(wheel, "/e/lib/python3.11/site-packages", tmp_path)}
    assert found["/e/bin/thing-run"].mode == 0o755
    assert found["/e/bin/thing-run"].data.read_bytes() == b"#!/e/bin/python3\n"
    assert found["/e/lib/python3.11/site-packages/thing/__init__.py"].mode == 0o644


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.codename)
def test_the_lists_name_the_runtime_of_their_python(release):
    names = wheelhouse.read_list(wheelhouse.list_file(release))
    assert ("tflite-runtime" in names) == (release.python == (3, 11))
    assert ("ai-edge-litert" in names) == (release.python != (3, 11))
    assert names["numpy"].startswith("1." if release.python == (3, 11) else "2.")


@pytest.mark.parametrize("text", ["numpy", "numpy>=1", "numpy==1 ; x", "numpy==1\nNumPy==2", "-r other.txt"])
def test_a_list_says_exact_versions_once(tmp_path, text):
    (tmp_path / "list.txt").write_text(f"# comment\n\n{text}\n")
    with pytest.raises(Fault, match="IMAGE-WHEELS"):
        wheelhouse.read_list(tmp_path / "list.txt")


def test_a_wheel_that_is_not_the_recorded_one_is_refused(tmp_path):
    path = synthetic.wheel(tmp_path, "thing")
    (tmp_path / wheelhouse.RECORD).write_text(f'{{"wheels": [{{"file": "{path.name}", "sha256": "00"}}]}}')
    with pytest.raises(Fault, match="IMAGE-HASH"):
        wheelhouse.opened(tmp_path, BOOKWORM, [])


# -- accounts -----------------------------------------------------------------------------------

TEXTS = {
    accounts.PASSWD: "root:x:0:0::/root:/bin/sh\n",
    accounts.GROUP: "root:x:0:\nsys:x:999:\n",
    accounts.SHADOW: "root:*:1::::::\n",
    accounts.GSHADOW: "root:*::\n",
}
DECLARED = accounts.parse('g gpio -\nu cart - "Smart cart" /var/lib/cart /usr/sbin/nologin\n', {"cart": 880})


def test_users_and_groups_are_added_and_a_second_time_changes_nothing():
    once = accounts.added_texts(TEXTS, DECLARED, 86_400 * 5)
    assert once[accounts.PASSWD].endswith("\ncart:x:880:880:Smart cart:/var/lib/cart:/usr/sbin/nologin\n")
    assert once[accounts.GROUP] == "root:x:0:\nsys:x:999:\ncart:x:880:\ngpio:x:998:\n"
    assert once[accounts.SHADOW].endswith("\ncart:!*:5::::::\n")
    assert accounts.added_texts(once, DECLARED, 86_400 * 9) == once


@pytest.mark.parametrize("line", ["other:x:880:880::/:/bin/sh", "cart:x:1000:1000::/:/bin/sh"])
def test_a_name_or_number_that_is_taken_is_refused(line):
    texts = TEXTS | {accounts.PASSWD: TEXTS[accounts.PASSWD] + line + "\n"}
    with pytest.raises(Fault, match="IMAGE-ACCOUNT"):
        accounts.added_texts(texts, DECLARED, 0)


# -- progress -------------------------------------------------------------------------------------


def test_a_line_of_progress_has_share_rate_and_time_left():
    assert line("hash", 500_000_000, 2_000_000_000, 5.0) == "hash          25 %  500 of 2000 MB  100 MB/s  15 s left"


def test_nothing_is_shown_when_nothing_is_wanted(capsys):
    progress = Progress(quiet=True)
    with progress.step("copy", 10) as advance:
        advance(10)
    progress.say("hello")
    assert capsys.readouterr() == ("", "")
