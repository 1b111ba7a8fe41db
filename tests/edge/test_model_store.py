"""The folder of enrolled models: whole versions, one in use, others to go back to."""

import errno
import json
import multiprocessing
import os
import shutil

import pytest

from cart.edge import model_store
from cart.edge.classifier import MANIFEST_FILE, NETWORK_FILE, verified
from cart.edge.model_store import VERSIONS_KEPT, ModelStore
from cart.faults import Fault


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def a_model(text):
    return {NETWORK_FILE: b"network", "head.npz": text.encode()}


def test_before_the_first_there_is_none(store):
    assert store.current() is None
    assert store.versions() == ()


def test_each_change_is_a_version_that_its_manifest_vouches_for(store):
    first, second = store.add(a_model("one")), store.add(a_model("two"))
    assert [path.name for path in store.versions()] == ["0001", "0002"]
    assert store.current() == second
    assert (store.link / "head.npz").read_bytes() == b"two"
    assert verified(first) != verified(second)
    assert set(json.loads((first / MANIFEST_FILE).read_text())["sha256"]) == {NETWORK_FILE, "head.npz"}


def test_one_can_go_back_and_forth(store):
    first, second = store.add(a_model("one")), store.add(a_model("two"))
    assert store.use("0001") == first == store.current()
    assert store.use("0002") == second == store.current()
    with pytest.raises(Fault, match="no version 0009"):
        store.use("0009")


def test_the_last_versions_stay_also_after_going_back(store):
    for number in range(VERSIONS_KEPT + 2):
        store.add(a_model(str(number)))
    assert [path.name for path in store.versions()] == ["0003", "0004", "0005", "0006", "0007"]
    store.use("0003")
    store.add(a_model("after going back"))
    assert [path.name for path in store.versions()] == ["0004", "0005", "0006", "0007", "0008"]
    assert store.current().name == "0008"


def test_a_version_that_was_never_finished_is_not_one_and_its_number_is_taken_again(store):
    store.add(a_model("one"))
    half = store.folder / "0002"
    half.mkdir()
    (half / "head.npz").write_bytes(b"half")
    assert [path.name for path in store.versions()] == ["0001"]
    assert store.add(a_model("two")).name == "0002"


def test_what_is_left_of_a_version_whose_removal_was_interrupted_goes_with_the_next(store):
    for number in range(VERSIONS_KEPT):
        store.add(a_model(str(number)))
    (store.folder / "0001" / MANIFEST_FILE).unlink()
    store.add(a_model("next"))
    assert not (store.folder / "0001").exists()
    assert len(store.versions()) == VERSIONS_KEPT


class Died(BaseException):
    """The power went."""


@pytest.mark.parametrize("call", ["rename", "replace", "symlink_to"])
def test_whatever_is_interrupted_leaves_the_model_that_was(store, monkeypatch, call):
    store.add(a_model("one"))

    def dies(*_):
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(type(store.folder), call, dies)
        with pytest.raises(Died):
            store.add(a_model("two"))
    assert (store.link / "head.npz").read_bytes() == b"one"
    store.add(a_model("three"))
    assert (store.link / "head.npz").read_bytes() == b"three"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(Fault, match="MODEL-STORE"):
        ModelStore(tmp_path / "models").add(a_model("one"))


def hold(folder, held, done):
    with ModelStore(folder).alone():
        held.set()
        done.wait(20)


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_second_command_is_kept_out_while_one_writes(store):
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(store.folder, held, done))
    other.start()
    assert held.wait(20)
    with pytest.raises(Fault, match="another command"):
        store.add(a_model("one"))
    done.set()
    other.join(20)
    assert store.add(a_model("one")).name == "0001"


def test_a_version_is_named_by_its_number_too(store):
    first, _ = store.add(a_model("one")), store.add(a_model("two"))
    assert store.use("1") == first == store.current()


def test_a_damaged_version_is_not_gone_back_to(store):
    first, second = store.add(a_model("one")), store.add(a_model("two"))
    (first / "head.npz").write_bytes(b"torn")
    with pytest.raises(Fault, match="MODEL-HASH"):
        store.use("0001")
    assert store.current() == second


def test_asking_for_a_version_where_there_is_none_makes_nothing(store):
    with pytest.raises(Fault, match="MODEL-VERSION"):
        store.use("0001")
    assert not store.folder.exists()


def test_who_is_alone_writes_and_leaves_the_folder_to_others(store):
    with store.alone():
        store.add(a_model("one"))
        store.use("0001")
        with pytest.raises(Fault, match="another command"):
            ModelStore(store.folder).add(a_model("other"))
    assert ModelStore(store.folder).add(a_model("two")).name == "0002"


def test_a_full_disk_keeps_nothing_of_the_version_that_it_did_not_take(store, monkeypatch):
    store.add(a_model("one"))
    write = model_store._write

    def full(path, content):
        if path.name == MANIFEST_FILE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(model_store, "_write", full)
        with pytest.raises(Fault, match="No space left"):
            store.add(a_model("two"))
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "0001", "current"]
    assert (store.link / "head.npz").read_bytes() == b"one"


def test_a_link_to_a_version_that_is_gone_is_not_taken_for_no_version(store):
    first, second = store.add(a_model("one")), store.add(a_model("two"))
    shutil.rmtree(second)
    with pytest.raises(Fault, match=r"leads nowhere; versions to use: 0001"):
        store.current()
    store.use("0001")
    assert store.current() == first


def test_a_folder_that_cannot_be_read_is_a_fault_with_its_name(tmp_path):
    """A name that is too long stands for a folder of another user, which no test run by root would notice."""
    store = ModelStore(tmp_path / ("m" * 300))
    for asked in (store.current, store.versions, lambda: store.use("0001")):
        with pytest.raises(Fault, match=r"MODEL-STORE: .*mmm: "):
            asked()
