"""Cards are written as designed, on loop devices that each test makes: order, zeros, read-back, cuts and resumption."""

import errno
import itertools
import lzma
import os
import random
from pathlib import Path

import pytest

from cart.faults import Fault
from tests.tools import loops
from tests.tools.imaging.cards import CutCard, FakeCard, ForgetfulCard, WornCard
from tools.imaging import journal, source, writer
from tools.imaging.card import Card
from tools.imaging.progress import Progress
from tools.imaging.source import HEAD_BYTES, PIECE_BYTES, examine

pytestmark = pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-")
MIB = loops.MIB
QUIET = Progress(quiet=True)


@pytest.fixture(autouse=True, scope="module")
def _only_loops():
    loops.guard_disks()


@pytest.fixture(autouse=True)
def _saves_often(monkeypatch):
    monkeypatch.setattr(writer, "JOURNAL_EVERY_S", 0)


def write(card, image, folder, serial="S1"):
    fresh = journal.begin(serial, card.size_bytes, image.plan_sha256)
    return writer.write_image(card, image, fresh, folder / "results", QUIET)


def test_the_guard_lets_a_test_open_no_other_disk():
    with pytest.raises(AssertionError, match="opens the disk"):
        loops.refuse_disks("open", (_some_disk(), None, 0))


def _some_disk():
    disks = [Path("/dev") / path.name for path in Path("/sys/class/block").iterdir() if "loop" not in path.name]
    found = [str(disk) for disk in disks if disk.exists()]
    if not found:
        pytest.skip("there is no other disk here")
    return found[0]


@pytest.mark.parametrize("size_bytes", [12 * MIB, 13 * MIB + 512, 9 * MIB + 7 * 512])
def test_a_card_holds_the_image_and_nothing_old_in_its_place(tmp_path, size_bytes):
    image = examine(loops.make_image(tmp_path / "i.img", size_bytes, holes=0.9))
    with loops.loop(tmp_path, 20 * MIB, fill=0xFF) as device:
        with Card(device) as card:
            done = write(card, image, tmp_path)
        after = loops.contents(device)
    assert after[:size_bytes] == image.path.read_bytes()
    assert not any(after[-MIB:-4096]), "an old second GPT at the end would shadow the new table"
    assert not any(after[-512:])
    assert after[-4096:].rstrip(b"\0") == b"smart-cart finished card\n" + done.mark.encode()
    assert len(done.mark) == 32
    assert done.resumed_bytes == 0
    assert not list((tmp_path / "results").iterdir()), "a finished card leaves no journal"


def test_a_packed_image_is_unpacked_on_the_way(tmp_path):
    raw = loops.make_image(tmp_path / "i.img", 10 * MIB, holes=0.9)
    packed = tmp_path / "i.img.xz"
    packed.write_bytes(lzma.compress(raw.read_bytes(), preset=0))
    image = examine(packed)
    assert (image.size_bytes, image.sha256) == (10 * MIB, examine(raw).sha256)
    with loops.loop(tmp_path, 16 * MIB) as device:
        with Card(device) as card:
            write(card, image, tmp_path)
        assert loops.contents(device)[: 10 * MIB] == raw.read_bytes()


def test_a_hole_in_the_image_is_zeros_on_the_card(tmp_path):
    """The bmap trap: a file full of zeros becomes a hole by xz or `cp --sparse`, and a card must not keep old bytes."""
    raw = loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0)
    with raw.open("r+b") as file:
        file.seek(4 * MIB)
        rest = raw.read_bytes()[10 * MIB :]
        file.truncate(4 * MIB)
        file.truncate(10 * MIB)  # six MiB of hole
        file.seek(10 * MIB)
        file.write(rest)
    with loops.loop(tmp_path, 12 * MIB, fill=0xFF) as device:
        with Card(device) as card:
            done = write(card, examine(raw), tmp_path)
        assert loops.contents(device) == raw.read_bytes(), "a card without room behind the image gets no mark"
    assert done.mark == ""
    assert done.zeroed_bytes == 4 * MIB, "one whole piece lies in the hole"


def test_only_a_map_leaves_blocks_out(tmp_path):
    raw = loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0)
    mapped = ((0, 3 * MIB), (7 * MIB, 7 * MIB + 8192), (11 * MIB, 12 * MIB))
    image = examine(raw, mapped=mapped)
    with loops.loop(tmp_path, 12 * MIB, fill=0xFF) as device:
        with Card(device) as card:
            write(card, image, tmp_path)
        after, wanted = loops.contents(device), raw.read_bytes()
    for start, end in mapped:
        assert after[start:end] == wanted[start:end]
    assert after[3 * MIB : 7 * MIB] == b"\xff" * 4 * MIB


@pytest.mark.slow
def test_one_flipped_byte_anywhere_is_found_and_its_offset_named(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 13 * MIB + 512))
    draw = random.Random(5)
    places = [0, 510, HEAD_BYTES - 1, HEAD_BYTES, 13 * MIB, 13 * MIB + 511]
    places += [draw.randrange(image.size_bytes) for _ in range(14)]
    with loops.loop(tmp_path, 16 * MIB) as device:
        with Card(device) as card:
            write(card, image, tmp_path)
        for place in places:
            loops.flip(device, place)
            with Card(device, write=False) as card:
                found = writer.check_card(card, image, QUIET)
            assert found is not None
            assert (found.first_bad_offset, found.bad_pieces) == (place, 1)
            assert "card or reader" in str(found)
            loops.flip(device, place)
        with Card(device, write=False) as card:
            assert writer.check_card(card, image, QUIET) is None


def test_what_the_kernel_remembers_of_a_card_is_not_taken_for_the_card(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 6 * MIB, holes=0))
    with loops.loop(tmp_path, 8 * MIB) as device:
        with Card(device) as card:
            write(card, image, tmp_path)
        with open(device, "rb") as kept:  # while it is open, the kernel keeps what was read
            assert kept.read(6 * MIB) == image.path.read_bytes()
            loops.flip(tmp_path / "card", 3_456_789)  # on the card itself, behind the kernel's back
            kept.seek(0)
            assert kept.read(6 * MIB) == image.path.read_bytes()
            with Card(device, write=False) as card:
                found = writer.check_card(card, image, QUIET)
    assert found is not None
    assert found.first_bad_offset == 3_456_789


def test_a_worn_card_is_told_with_the_first_bad_byte_and_does_not_boot(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0))
    with loops.loop(tmp_path, 16 * MIB) as device:
        with WornCard(device, 7_654_321) as card, pytest.raises(Fault, match="offset 7654321 ") as caught:
            write(card, image, tmp_path)
        assert caught.value.code == "CARD-WRONG"
        assert not any(loops.contents(device)[:HEAD_BYTES])
    assert not list((tmp_path / "results").iterdir()), "the next attempt begins at the start"


def test_a_worn_first_block_is_found_too(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 6 * MIB))
    with loops.loop(tmp_path, 16 * MIB) as device:
        with WornCard(device, 450) as card, pytest.raises(Fault, match="offset 450 "):
            write(card, image, tmp_path)
        assert not any(loops.contents(device)[:HEAD_BYTES])


@pytest.mark.parametrize(("says_mib", "has_mib"), [(256, 64), (130, 64), (108, 100)])
def test_a_fake_card_is_found_and_does_not_boot(tmp_path, says_mib, has_mib):
    image = examine(loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0))
    with loops.loop(tmp_path, says_mib * MIB) as device:
        with FakeCard(device, has_mib * MIB) as card, pytest.raises(Fault) as caught:
            write(card, image, tmp_path)
        assert caught.value.code == "CARD-FAKE"
        assert not any(loops.contents(device)[:512])


def test_an_image_that_changes_meanwhile_is_not_blamed_on_the_card(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0))
    loops.make_image(image.path, 12 * MIB, seed=2, holes=0)
    with loops.loop(tmp_path, 16 * MIB) as device:
        with Card(device) as card, pytest.raises(Fault) as caught:
            write(card, image, tmp_path)
        assert caught.value.code == "IMAGE-CHANGED"
        assert not any(loops.contents(device)[:HEAD_BYTES])
    assert not list((tmp_path / "results").iterdir()), "what is on the card is not gone on with"


def test_a_packed_image_that_is_cut_off_meanwhile_is_told_as_changed(tmp_path):
    packed = tmp_path / "i.img.xz"
    raw = loops.make_image(tmp_path / "i.img", 12 * MIB, holes=0)
    packed.write_bytes(lzma.compress(raw.read_bytes(), preset=0))
    image = examine(packed)
    with packed.open("r+b") as file:
        file.truncate(packed.stat().st_size // 2)
    with loops.loop(tmp_path, 16 * MIB) as device, Card(device) as card, pytest.raises(Fault) as caught:
        write(card, image, tmp_path)
    assert caught.value.code == "IMAGE-CHANGED"


def test_a_failing_disk_under_the_image_is_not_blamed_on_the_card(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 6 * MIB, holes=0))
    with pytest.raises(Fault, match=r"IMAGE-UNREADABLE.* at byte 1048576: Input/output error"):
        source.take(_FailingFile(), image.path, MIB, memoryview(bytearray(PIECE_BYTES)))


class _FailingFile:
    def seek(self, offset):
        pass

    def readinto(self, view):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CutCard, ForgetfulCard])
def test_a_cut_at_any_operation_leaves_no_card_that_boots_and_the_next_attempt_finishes_it(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(writer, "TAIL_BYTES", 0)  # what the journal says has to be on the card, looked at or not
    image = examine(loops.make_image(tmp_path / "i.img", 17 * MIB, holes=0.9))
    wanted = image.path.read_bytes()
    resumed = []
    with loops.loop(tmp_path, 24 * MIB) as device:
        for operations in itertools.count():
            Path(device).write_bytes(b"\xee" * 24 * MIB)
            if not _cut_after(kind(device, operations), image, tmp_path):
                break
            after = loops.contents(device)
            untouched = after == b"\xee" * 24 * MIB
            complete = after[: len(wanted)] == wanted
            assert untouched or complete or not any(after[:512]), f"bootable after {operations} operations"
            with Card(device) as card:
                resumed.append(write(card, image, tmp_path).resumed_bytes)
            assert loops.contents(device)[: len(wanted)] == wanted, f"wrong after a cut at operation {operations}"
    assert len(resumed) >= 15
    # The journal is saved beside the writing: where exactly each attempt went on is not fixed.
    assert min(resumed) == 0
    assert max(resumed) >= 9 * MIB


def _cut_after(card, image, tmp_path):
    """Write until the card loses power; return False when it had enough of it."""
    with card:
        try:
            write(card, image, tmp_path)
        except Fault as fault:
            card.lose_power()
            return "cut" in fault.detail
    return False


def _cut_in_the_body(device, image, tmp_path):
    """Write until some pieces are there, and lose power."""
    with CutCard(device, 10**9) as card:
        original, card.left = card.write, 10**9

        def write_some(view, offset):
            if offset >= 9 * MIB and len(view) > 4096 and offset < 16 * MIB:
                raise Fault("CARD-FAILED", "cut")
            original(view, offset)

        card.write = write_some
        with pytest.raises(Fault, match="cut"):
            write(card, image, tmp_path)


def test_an_interrupted_write_goes_on_where_it_stopped(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 17 * MIB, holes=0))
    with loops.loop(tmp_path, 24 * MIB) as device:
        _cut_in_the_body(device, image, tmp_path)
        with Card(device) as card:
            done = write(card, image, tmp_path)
        # The journal is saved beside the writing, so it may be one piece behind.
        assert done.resumed_bytes in (5 * MIB, 9 * MIB)
        assert done.written_bytes == 17 * MIB - done.resumed_bytes + HEAD_BYTES
        assert loops.contents(device)[: 17 * MIB] == image.path.read_bytes()


def test_another_card_in_the_same_reader_begins_at_the_start(tmp_path):
    """A USB reader shows its own serial for every card; the mark at the card's end tells them apart."""
    image = examine(loops.make_image(tmp_path / "i.img", 17 * MIB, holes=1.0))
    with loops.loop(tmp_path, 24 * MIB, name="first") as device:
        _interrupt_zeros(device, image, tmp_path)
        with loops.loop(tmp_path, 24 * MIB, name="second") as other, Card(other) as card:
            assert write(card, image, tmp_path).resumed_bytes == 0


def _interrupt_zeros(device, image, tmp_path):
    with CutCard(device, 10**9) as card:
        original = card.zero

        def zero_some(offset, length):
            if offset == 9 * MIB:
                raise Fault("CARD-FAILED", "cut")
            original(offset, length)

        card.zero = zero_some
        with pytest.raises(Fault, match="cut"):
            write(card, image, tmp_path)
    assert list((tmp_path / "results").iterdir())


def test_a_card_whose_written_part_changed_begins_at_the_start(tmp_path):
    image = examine(loops.make_image(tmp_path / "i.img", 17 * MIB, holes=0))
    with loops.loop(tmp_path, 24 * MIB) as device:
        _cut_in_the_body(device, image, tmp_path)
        loops.flip(device, 3 * MIB)
        with Card(device) as card:
            assert write(card, image, tmp_path).resumed_bytes == 0
        assert loops.contents(device)[: 17 * MIB] == image.path.read_bytes()


def test_two_writers_do_not_share_a_card(tmp_path):
    with loops.loop(tmp_path, 8 * MIB) as device, Card(device), pytest.raises(Fault) as caught:
        Card(device)
    assert caught.value.code == "CARD-BUSY"
