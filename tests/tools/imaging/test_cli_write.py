"""`write` as a person runs it: what is refused leaves every byte as it was, what is written is kept on record."""

import csv
import json
import lzma
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import loops
from tests.tools.imaging import synthetic
from tools.imaging import cli, cli_write, image_facts, one_card, results
from tools.imaging.entries import Entry
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options
from tools.imaging.results import CardResult

pytestmark = pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-")
MIB = loops.MIB
OLD = 0xA5
ROOT = Path(__file__).resolve().parents[3]
QUIET = Progress(quiet=True)


@pytest.fixture(autouse=True, scope="module")
def _only_loops():
    loops.guard_disks()


@pytest.fixture
def image(tmp_path):
    return loops.make_image(tmp_path / "cart.img", 6 * MIB)


@pytest.fixture
def card(tmp_path):
    with loops.loop(tmp_path, 8 * MIB, fill=OLD) as device:
        yield device


def write(tmp_path, *words, yes=None, code=None, cwd=ROOT):
    """Run `write` in a process of its own; return its result, or what it said of a fault."""
    agreed = ["--yes", yes or words[1].removeprefix("/dev/")]
    if words[0].name in ("cart.img", "i.img"):
        agreed += ["--machine", "any"]  # these hold nothing that one could look into
    command = loops.write_command("write", *map(str, words), *agreed, "-o", "json", "--results", str(tmp_path / "r"))
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd, timeout=120)
    result = json.loads(done.stdout) if done.stdout.startswith("{") else {"verdict": "fault", "code": done.stderr}
    assert code is None or done.returncode == code, done.stderr + done.stdout
    return result


def refused(tmp_path, device, image, *words, trial=True, **how):
    """Write, and return the refusal's code; the device must be as it was."""
    before = loops.contents(device)
    result = write(tmp_path, image, device, *(["--allow-loop"] if trial else []), *words, code=1, **how)
    assert result["verdict"] == "refused"
    assert loops.contents(device) == before, "a refused device was written to"
    return result["code"]


def test_a_device_that_is_no_card_is_refused(tmp_path, image, card):
    assert refused(tmp_path, card, image, trial=False) == "fixed-disk"


def test_a_card_that_is_too_small_is_refused(tmp_path, card):
    assert refused(tmp_path, card, loops.make_image(tmp_path / "i.img", 9 * MIB)) == "too-small"


def test_a_device_that_is_too_large_is_refused(tmp_path, image, card):
    assert refused(tmp_path, card, image, "--max-size", "7MB") == "too-large"


def test_a_card_that_can_only_be_read_is_refused(tmp_path, image):
    with loops.loop(tmp_path, 8 * MIB, fill=OLD, options=["--read-only"]) as device:
        assert refused(tmp_path, device, image) == "read-only"


def test_a_mounted_card_is_refused(tmp_path, image, card):
    subprocess.run([shutil.which("mke2fs") or "/sbin/mke2fs", "-q", "-F", card], check=True)
    place = tmp_path / "mounted"
    place.mkdir()
    # Only for reading: some seconds after it was mounted for more, ext4 writes to it by itself.
    if subprocess.run(["mount", "-o", "ro", card, str(place)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert refused(tmp_path, card, image) == "mounted"
    finally:
        # A program that walks through all folders of this machine (find, an indexer) may just be in it; then a plain
        # umount says busy. The loop device goes by itself once the walker has left.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_partition_is_refused(tmp_path, image, card):
    Path(card).write_bytes(loops.table(8 * MIB))
    partx = shutil.which("partx", path="/usr/bin:/usr/sbin:/bin:/sbin")
    if not partx or subprocess.run([partx, "--add", card], capture_output=True).returncode:
        pytest.skip("no partitions on loop devices here")
    try:
        assert refused(tmp_path, f"{card}p2", image, yes="x") == "partition"
    finally:
        subprocess.run([partx, "--delete", card], check=True)


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_what_is_no_device_is_refused(tmp_path, image, kind):
    places = {"file": tmp_path / "file", "folder": tmp_path, "nothing": tmp_path / "no"}
    places["file"].write_bytes(b"kept")
    assert write(tmp_path, image, places[kind], "--allow-loop", yes="x", code=1)["code"] == "not-block-device"
    assert places["file"].read_bytes() == b"kept"


def test_a_cut_off_image_is_refused(tmp_path, card):
    short = loops.make_image(tmp_path / "short.img", 6 * MIB, cut_bytes=512)
    assert refused(tmp_path, card, short) == "image-truncated"


def test_a_cut_off_packed_image_is_refused(tmp_path, card, image):
    packed = tmp_path / "cart.img.xz"
    packed.write_bytes(lzma.compress(image.read_bytes(), preset=0)[:-40])
    assert refused(tmp_path, card, packed) == "image-truncated"


def test_an_image_with_another_hash_is_refused(tmp_path, image, card):
    assert refused(tmp_path, card, image, "--sha256", "00" * 32) == "wrong-hash"


def test_an_image_that_is_not_what_its_manifest_says_is_refused(tmp_path, image, card):
    told = {"extract_size": image.stat().st_size, "extract_sha256": "ab" * 32}
    image.with_name("cart.img.manifest.json").write_text(json.dumps(told))
    assert refused(tmp_path, card, image) == "wrong-hash"


def test_an_image_for_another_processor_is_refused(tmp_path, stock):
    other = synthetic.make(tmp_path / "armhf.img", synthetic.System(machine=40))
    with loops.loop(tmp_path, other.stat().st_size + MIB) as device:
        assert refused(tmp_path, device, other) == "wrong-architecture"


@pytest.mark.parametrize(
    ("code", "feature"),
    [("dirty-ext4", "needs_recovery"), ("unknown-ext4-feature", "FEATURE_I30"), ("not-for-a-cart", None)],
)
def test_an_image_whose_root_cannot_be_trusted_is_refused(tmp_path, stock, copied, code, feature):
    damaged = copied(stock())
    root = image_facts.facts.opened(damaged).root
    if feature:
        synthetic.run("debugfs", "-w", "-R", f"feature {feature}", root.spec)
    else:
        with damaged.open("r+b") as file:
            file.seek(root.offset + 1024)
            file.write(bytes(1024))
    with loops.loop(tmp_path, damaged.stat().st_size + MIB) as device:
        assert refused(tmp_path, device, damaged) == code


def test_an_image_with_a_full_root_is_refused(tmp_path, stock, copied):
    full = copied(stock())
    root = image_facts.facts.opened(full).root
    root.write([Entry("/srv/large", data=b"x" * (root.header().free_bytes - 3 * MIB))])
    with loops.loop(tmp_path, full.stat().st_size + MIB) as device:
        assert refused(tmp_path, device, full) == "no-free-space"


@pytest.mark.parametrize("typed", ["loop99", ""])
def test_another_serial_is_no_confirmation(tmp_path, image, card, typed):
    assert refused(tmp_path, card, image, yes=typed or " ") == "not-confirmed"


def test_a_dry_run_writes_nothing(tmp_path, image, card):
    before = loops.contents(card)
    assert write(tmp_path, image, card, "--allow-loop", "--dry-run", code=0)["verdict"] == "dry-run"
    assert loops.contents(card) == before


def test_another_card_put_in_between_prompt_and_first_byte_is_refused(tmp_path, image):
    """The person says yes to one card and, before the writer opens it, another lies behind the same path."""
    folder = tmp_path / "r"
    made, facts = image_facts.gather(image, QUIET, look=False)
    with loops.loop(tmp_path, 8 * MIB, fill=OLD) as device:
        other = tmp_path / "other"
        other.write_bytes(bytes([OLD]) * 9 * MIB)

        def agree_and_swap(target):
            subprocess.run(["losetup", "--detach", device], check=True)
            subprocess.run(["losetup", device, str(other)], check=True)
            return True

        job = one_card.Job(made, facts, device, Options(allow_loop=True), folder)
        result = one_card.put(job, agree_and_swap, QUIET)
        assert (result.verdict, result.code) == ("refused", "identity-changed")
        assert other.read_bytes() == bytes([OLD]) * 9 * MIB


def test_a_card_is_written_checked_and_kept_on_record(tmp_path, image, card):
    result = write(tmp_path, image, card, "--allow-loop", code=0)
    assert result["verdict"] == "ok"
    assert loops.contents(card)[: 6 * MIB] == image.read_bytes()
    assert write(tmp_path, image, card, "--check", code=0)["verdict"] == "checked"
    loops.flip(card, 3_333_333)
    found = write(tmp_path, image, card, "--check", code=4)
    assert (found["verdict"], found["code"]) == ("failed", "CARD-WRONG")
    assert "offset 3333333 " in found["detail"]
    _same_in_all_forms(tmp_path / "r", ["ok", "checked", "failed"])


def _same_in_all_forms(folder, verdicts):
    """A JSON file a card, a row of SQLite, a row of CSV: all say the same."""
    with closing(sqlite3.connect(folder / "cards.sqlite3")) as database:
        assert [row[0] for row in database.execute("SELECT verdict FROM cards ORDER BY number")] == verdicts
    with (folder / "cards.csv").open(newline="") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == verdicts
    files = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert sorted(row["verdict"] for row in files) == sorted(verdicts)


@pytest.mark.parametrize("words", [("write", "none.img", "/dev/null"), ("fleet", "none.csv")])
def test_where_no_result_can_be_kept_nothing_is_begun(tmp_path, capsys, words):
    (tmp_path / "taken").write_text("a file")
    assert cli.main([*words, "--results", str(tmp_path / "taken"), "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["fault"], "taken" in told["detail"]) == ("CARD-RESULTS", True)


def test_two_readers_that_finish_at_once_write_the_table_one_after_the_other(tmp_path, monkeypatch):
    made = [CardResult("2026-01-01T00:00:00Z", f"c-{n}", "i.img", "", "/dev/x", str(n), "", 0, "ok") for n in range(24)]
    write_table, inside, met = results._write_table, [], []

    def watched(path, rows):
        met.extend(inside)
        inside.append(len(rows))
        write_table(path, rows)
        inside.pop()

    monkeypatch.setattr(results, "_write_table", watched)
    with ThreadPoolExecutor(4) as readers:
        list(readers.map(lambda result: results.add(tmp_path, result), made))
    assert met == [], "another result was on its way into the table"
    rows = list(csv.DictReader((tmp_path / "cards.csv").open(newline="")))
    assert sorted(row["cart"] for row in rows) == sorted(result.cart for result in made)
    assert len(list(tmp_path.glob("*.json"))) == len(made)


def test_a_devices_name_for_itself_is_not_calculated_by_a_spreadsheet(tmp_path):
    evil = '=HYPERLINK("http://x")'
    results.add(tmp_path, CardResult("2026-01-01T00:00:00Z", "", "i.img", "", "/dev/x", "-1", evil, 0, "ok"))
    (row,) = csv.DictReader((tmp_path / "cards.csv").open(newline=""))
    assert (row["model"], row["serial"]) == (f"'{evil}", "'-1")
    assert [result.model for result in results.all_of(tmp_path)] == [evil], "the record itself stays as it is"


def test_the_prompt_takes_the_serial_and_nothing_else(monkeypatch, capsys):
    target = _usb_card()
    for typed, agreed in (("000000001206\n", True), ("y\n", False), ("yes\n", False), ("sdb\n", False), ("", False)):
        monkeypatch.setattr("sys.stdin", _Terminal(typed))
        assert cli_write.confirmation([], "cart.img")(target) is agreed
    assert "31.9 GB" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked_and_nothing_is_written(monkeypatch):
    monkeypatch.setattr("sys.stdin", _Terminal("000000001206\n", terminal=False))
    assert cli_write.confirmation([], "cart.img")(_usb_card()) is False
    assert cli_write.confirmation(["000000001206"], "cart.img")(_usb_card()) is True
    assert cli_write.confirmation(["other"], "cart.img")(_usb_card()) is False


def test_a_device_without_serial_is_confirmed_by_its_name(monkeypatch):
    target = _usb_card()
    target = replace(target, identity=replace(target.identity, serial=""))
    assert cli_write.confirmation(["sdb"], "cart.img")(target) is True
    assert cli_write.confirmation([""], "cart.img")(replace(target, name="")) is False


def _usb_card():
    from tools.imaging.targets import read_record

    facts = Path(__file__).parent / "facts" / "usb-reader.json"
    return read_record(json.loads(facts.read_text(encoding="utf-8")))


class _Terminal:
    def __init__(self, line, terminal=True):
        self.line, self.terminal = line, terminal

    def isatty(self):
        return self.terminal

    def readline(self):
        return self.line


@pytest.mark.parametrize(
    ("text", "size"), [("64GB", 64 * 10**9), ("2T", 2 * 10**12), ("512", 512), ("7 mb", 7 * 10**6)]
)
def test_sizes_are_decimal_as_on_cards(text, size):
    assert cli_write._size(text) == size
