"""After a power cut the card holds what was flushed, and nothing that was only written."""

import struct

import pytest

from cart.faults import Fault
from tools.booting import power_cut
from tools.booting.power_cut import Left

SECTOR = 512


def _log(*writes: tuple[int, bytes], flushed: int) -> bytes:
    """A log by the kernel's description of dm-log-writes; b"" is a flush. `flushed`: entries that its head knows of."""
    head = struct.pack("<QQQL", 0x6A736677736872, 1, flushed, SECTOR).ljust(SECTOR, b"\0")
    entries = b""
    for sector, data in writes:
        entry = struct.pack("<QQQQ", sector, len(data) // SECTOR, 0 if data else 1, 0)
        entries += entry.ljust(SECTOR, b"\0") + data
    return head + entries


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card.img"
    path.write_bytes(b"." * SECTOR * 4)
    return path


def _replay(tmp_path, card, log: bytes) -> Left:
    path = tmp_path / "writes.log"
    path.write_bytes(log)
    return power_cut.replay(path, card)


def test_what_was_flushed_is_on_the_card_and_what_was_not_is_lost(tmp_path, card):
    log = _log((1, b"a" * SECTOR), (2, b"b" * SECTOR), (0, b""), (3, b"c" * SECTOR), flushed=3)
    assert _replay(tmp_path, card, log) == Left(kept=2, lost=1)
    assert card.read_bytes() == b"." * SECTOR + b"a" * SECTOR + b"b" * SECTOR + b"." * SECTOR


def test_a_later_write_to_the_same_place_wins_unless_it_is_lost(tmp_path, card):
    log = _log((1, b"a" * SECTOR), (1, b"b" * SECTOR), (0, b""), (1, b"c" * SECTOR), flushed=3)
    assert _replay(tmp_path, card, log) == Left(kept=2, lost=1)
    assert card.read_bytes()[SECTOR : 2 * SECTOR] == b"b" * SECTOR


def test_without_any_flush_everything_is_lost(tmp_path, card):
    before = card.read_bytes()
    assert _replay(tmp_path, card, b"") == Left(0, 0)
    assert _replay(tmp_path, card, _log((1, b"a" * SECTOR), flushed=0)) == Left(0, 1)
    assert card.read_bytes() == before


def test_a_discard_has_no_data_and_changes_nothing(tmp_path, card):
    discard = struct.pack("<QQQQ", 1, 2, 4, 0).ljust(SECTOR, b"\0")
    log = _log(flushed=3) + discard + _log((3, b"d" * SECTOR), (0, b""), flushed=0)[SECTOR:]
    assert _replay(tmp_path, card, log) == Left(kept=1, lost=0)
    assert card.read_bytes() == b"." * SECTOR * 3 + b"d" * SECTOR


def test_a_log_of_another_form_is_refused(tmp_path, card):
    with pytest.raises(Fault) as caught:
        _replay(tmp_path, card, b"x" * SECTOR)
    assert caught.value.code == "BOOT-WRONG"
