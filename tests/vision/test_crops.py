"""Pictures for review: sealed to the store's key or not kept at all, and never more than the spool may hold."""

import errno
import json
import logging
import os
import stat

import cv2
import numpy as np
import pytest

from cart import config
from cart.backoffice import keys as store_keys
from cart.backoffice.__main__ import main as backoffice
from cart.clock import ManualClock
from cart.core.effects import KeepCrop
from cart.edge.keys import PICTURES_NAME, picture_sealer
from cart.faults import Fault
from cart.vision import process, spool
from cart.vision.crops import PASSES_MAX, SIDE_PX_MAX, Crops
from cart.wire import sealed_picture

DAY_MS = 24 * 3_600 * 1_000


def picture(level=90, side=600):
    ramp = np.linspace(20, level, side, dtype=np.uint8)
    return np.dstack([np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), level, "u1")])


@pytest.fixture
def store(tmp_path):
    """The folder of the store's keys."""
    store_keys.make_store_key(tmp_path / "store")
    store_keys.make_picture_key(tmp_path / "store")
    return tmp_path / "store"


class Cart:
    """A cart that has the store's key for pictures, and saw one pass."""

    def __init__(self, folder, keys, passes=1):
        self.clock, self.folder = ManualClock(t_ns=10**9), folder
        self.crops = Crops(folder, picture_sealer(keys).seal, self.clock, "cart-7")
        for number in range(1, passes + 1):
            self.crops.offer(number, picture(), 1.0)

    def keep(self, track=1, reason="mismatch"):
        return self.crops.keep(KeepCrop(track, reason))

    def files(self):
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


def test_the_store_opens_what_a_cart_sealed(tmp_path, store, capsys):
    kept = Cart(tmp_path / "crops", store).keep(reason="line-3")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert backoffice(["picture", str(kept), "--keys", str(store), "--out", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cart"], told["track"], told["reason"]) == ("cart-7", 1, "line-3")
    shown = cv2.imread(told["picture"])
    assert max(shown.shape) == SIDE_PX_MAX
    small = cv2.resize(picture(), (SIDE_PX_MAX, SIDE_PX_MAX), interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - small).mean() < 3
    assert stat.S_IMODE(os.stat(told["picture"]).st_mode) == 0o600


def test_nothing_of_the_picture_or_its_story_is_in_the_file(tmp_path, store):
    data = Cart(tmp_path / "crops", store).keep(reason="mismatch").read_bytes()
    assert b"\xff\xd8\xff" not in data
    assert b"mismatch" not in data
    assert b"cart-7" not in data


def test_another_stores_key_does_not_open_it(tmp_path, store, capsys):
    kept = Cart(tmp_path / "crops", store).keep()
    other = store_keys.make_picture_key(tmp_path / "other")
    with pytest.raises(Fault, match="PICTURE-OTHER-KEY"):
        other.open(kept.read_bytes())
    # Even if the first line is changed to name that key.
    _, _, sealed = kept.read_bytes().partition(b"\n")
    with pytest.raises(Fault, match="PICTURE-BAD"):
        other.open(sealed_picture.head(other.key_id) + sealed)
    assert backoffice(["picture", str(kept), "--keys", str(tmp_path / "other"), "--out", str(tmp_path / "out")]) == 1
    assert "PICTURE-OTHER-KEY" in json.loads(capsys.readouterr().out)["error"]
    assert list((tmp_path / "out").iterdir()) == []


def test_no_single_changed_or_missing_byte_goes_unnoticed(tmp_path, store):
    key = store_keys.load_picture_key(store)
    data = Cart(tmp_path / "crops", store).keep().read_bytes()
    places = [*range(0, 120), *range(120, len(data), 997), len(data) - 1]
    for place in places:
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(Fault, match=r"PICTURE-(BAD|OTHER-KEY)"):
            key.open(changed)
    for torn in (b"", data[:20], data[:-1], data[: len(data) // 2], data + b"x"):
        with pytest.raises(Fault, match="PICTURE-BAD"):
            key.open(torn)


SOMEBODYS = [
    b"",
    b"{}\n\xff\xd8",
    b"[]\n\xff\xd8",
    b'{"cart":1,"reason":"","track":1,"wall_ms":1}\n\xff\xd8',
    b'{"cart":"","reason":"","track":-1,"wall_ms":1}\n\xff\xd8',
    b'{"cart":"","reason":"","track":1,"wall_ms":1}\n<script>',
]


@pytest.mark.parametrize("inside", SOMEBODYS)
def test_what_somebody_else_sealed_to_the_store_is_checked(store, inside):
    sealed = picture_sealer(store).seal(inside)
    with pytest.raises(Fault, match="PICTURE-BAD"):
        store_keys.load_picture_key(store).open(sealed)


def test_an_opened_picture_is_never_written_over_another(tmp_path, store, capsys):
    kept = Cart(tmp_path / "crops", store).keep()
    words = ["picture", str(kept), "--keys", str(store), "--out", str(tmp_path / "out")]
    assert backoffice(words) == 0
    (tmp_path / "out" / f"{kept.stem}.jpg").write_bytes(b"reviewed")
    capsys.readouterr()
    assert backoffice(words) == 1
    assert (tmp_path / "out" / f"{kept.stem}.jpg").read_bytes() == b"reviewed"
    assert "is there already: opened before" in json.loads(capsys.readouterr().out)["error"]


def test_a_folder_that_cannot_be_made_for_pictures_is_named_with_the_next_step(tmp_path, store, capsys):
    (tmp_path / "file").write_bytes(b"")
    kept = Cart(tmp_path / "crops", store).keep()
    assert backoffice(["picture", str(kept), "--keys", str(store), "--out", str(tmp_path / "file")]) == 2
    assert "name another folder with --out" in capsys.readouterr().err


def test_a_picture_is_kept_once_whatever_the_reasons(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    first = cart.keep(reason="mismatch")
    cart.clock.advance_ms(900)
    assert cart.keep(reason="line-3") == first
    assert len(cart.files()) == 1


def test_without_a_key_nothing_touches_the_disk_and_it_is_said_once(tmp_path, caplog):
    settings = config.simulated(tmp_path)
    with caplog.at_level(logging.INFO):
        crops = Crops(tmp_path / "crops", process.picture_seal(settings), ManualClock())
        crops.offer(1, picture(), 1.0)
        assert [crops.keep(KeepCrop(1, "mismatch")) for _ in range(5)] == [None] * 5
    assert caplog.text.count("CROP-NO-KEY") == 1
    assert not (tmp_path / "crops").exists()


def test_a_key_of_another_kind_is_said_and_nothing_is_kept(tmp_path, store, caplog):
    settings = config.simulated(tmp_path)
    folder = tmp_path / "keys"
    folder.mkdir()
    for content in ((store / "store.pub").read_bytes(), b"no key"):
        (folder / PICTURES_NAME).write_bytes(content)
        assert process.picture_seal(settings) is None
    assert caplog.text.count("KEY-BAD") == 2


def test_only_pictures_of_recent_passes_are_remembered(tmp_path, store):
    cart = Cart(tmp_path / "crops", store, passes=PASSES_MAX + 5)
    assert cart.keep(5) is None
    assert cart.keep(6) is not None


def test_the_pictures_of_passes_that_are_over_take_little_memory(tmp_path, store):
    cart = Cart(tmp_path / "crops", store, passes=PASSES_MAX)
    held = [best.jpeg if best.bgr is None else best.bgr for best in cart.crops._ring.values()]
    assert sum(len(one) if isinstance(one, bytes) else one.nbytes for one in held) < 4_000_000
    assert cv2.imdecode(np.frombuffer(held[0], np.uint8), cv2.IMREAD_COLOR).shape == (SIDE_PX_MAX, SIDE_PX_MAX, 3)


def test_a_better_picture_after_one_was_kept_can_still_be_kept(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    first = cart.keep()
    cart.clock.advance_ms(10)
    cart.crops.offer(1, picture(level=200), 2.0)
    assert cart.keep() not in (first, None)


def test_a_full_spool_keeps_what_it_has_and_drops_the_new(tmp_path, store, monkeypatch, caplog):
    monkeypatch.setattr(spool, "FILES_MAX", 2)
    cart = Cart(tmp_path / "crops", store, passes=3)
    first, second = cart.keep(1), cart.keep(2)
    assert cart.keep(3) is None
    assert "CROP-NOT-KEPT: pass 3" in caplog.text
    assert cart.files() == [first.name, second.name]
    first.unlink()  # the store fetched it
    assert cart.keep(3) is not None


def test_the_spool_has_a_limit_in_bytes(tmp_path, store, monkeypatch):
    cart = Cart(tmp_path / "crops", store, passes=3)
    first = cart.keep(1)
    monkeypatch.setattr(spool, "BYTES_MAX", 2 * first.stat().st_size + 100)
    assert cart.keep(2) is not None
    assert cart.keep(3) is None


def test_old_pictures_are_deleted_without_anybody_asking(tmp_path, store):
    cart = Cart(tmp_path / "crops", store, passes=2)
    old = cart.keep(1)
    cart.clock.advance_ms(spool.AGE_MS_MAX - DAY_MS)
    young = cart.keep(2)
    cart.crops.tend()
    assert old.exists()
    cart.clock.advance_ms(2 * DAY_MS)
    cart.crops.tend()
    assert cart.files() == [young.name]


def test_a_picture_from_before_the_clock_was_set_counts_from_then_on(tmp_path, store):
    cart = Cart(tmp_path / "crops", store, passes=2)
    set_ms = cart.clock.wall_ms()
    cart.clock.jump_wall_ms(-set_ms)
    cart.keep(1)
    cart.clock.advance_ns(2 * spool.SWEEP_NS)
    cart.crops.tend()
    assert len(cart.files()) == 1
    cart.clock.jump_wall_ms(set_ms)
    cart.clock.advance_ns(2 * spool.SWEEP_NS)
    cart.crops.tend()
    assert len(cart.files()) == 1
    cart.clock.advance_ms(spool.AGE_MS_MAX + DAY_MS)
    cart.crops.tend()
    assert cart.files() == []


def test_a_picture_from_the_future_grows_old_as_well(tmp_path, store):
    """Made while the clock was years ahead: it would hold its place in the spool for all these years."""
    cart = Cart(tmp_path / "crops", store)
    cart.clock.jump_wall_ms(3_650 * DAY_MS)
    cart.keep()
    cart.clock.jump_wall_ms(-3_650 * DAY_MS)
    for _ in range(3):
        cart.clock.advance_ms(spool.AGE_MS_MAX // 2 + DAY_MS)
        cart.crops.tend()
    assert cart.files() == []


def test_a_start_before_the_clock_is_set_makes_no_picture_younger(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    cart.keep()
    set_ms = cart.clock.wall_ms()
    for _ in range(4):
        cart.clock.advance_ms(spool.AGE_MS_MAX // 3)
        cart.clock.jump_wall_ms(-set_ms)
        cart.crops.tend()
        cart.clock.jump_wall_ms(set_ms)
        cart.crops.tend()
    cart.clock.advance_ns(spool.SWEEP_NS)
    cart.crops.tend()
    assert cart.files() == []


def test_one_file_that_cannot_be_deleted_does_not_keep_the_others(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    cart.keep()
    for name in ("0.part", "0000000000001-1.part", "0000000000001-2.part"):
        (tmp_path / "crops" / name).mkdir()
    cart.clock.advance_ms(spool.AGE_MS_MAX + DAY_MS)
    cart.crops.tend()
    assert [name for name in cart.files() if name.endswith(spool.SUFFIX)] == []


def test_a_clock_that_goes_back_deletes_nothing(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    cart.keep(1)
    cart.clock.jump_wall_ms(-cart.clock.wall_ms())
    cart.clock.advance_ns(2 * spool.SWEEP_NS)
    cart.crops.tend()
    assert len(cart.files()) == 1


def test_a_full_disk_leaves_nothing_half_and_the_next_one_works(tmp_path, store, monkeypatch, caplog):
    cart = Cart(tmp_path / "crops", store)
    real = os.fsync

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert cart.keep() is None
    assert "CROP-NOT-KEPT: pass 1: " in caplog.text
    assert "No space left" in caplog.text
    assert cart.files() == []
    monkeypatch.setattr(os, "fsync", real)
    assert cart.keep() is not None


def test_what_a_crash_left_half_is_removed(tmp_path, store):
    cart = Cart(tmp_path / "crops", store)
    cart.folder.mkdir()
    (cart.folder / "1767225600000-9.part").write_bytes(b"half")
    assert cart.files() == ["1767225600000-9.part"]
    kept = cart.keep()
    assert cart.files() == [kept.name]


def test_a_spool_that_cannot_be_made_costs_the_picture_and_nothing_else(tmp_path, store, caplog):
    (tmp_path / "crops").write_text("a file")
    assert Cart(tmp_path / "crops", store).keep() is None
    assert "CROP-NOT-KEPT" in caplog.text
