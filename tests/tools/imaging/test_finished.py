"""A card that the results call a cart's good one is known again, after a stop too, and not lost to the next cart."""

import csv
import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import loops
from tools.imaging import cart_file, cli, finished, fleet, fleet_table, results, stamp
from tools.imaging.card import Card
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options
from tools.imaging.results import CardResult

pytestmark = pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-")
MIB = loops.MIB
CARD_BYTES = 6 * MIB
QUIET = Progress(quiet=True)
OPTIONS = Options(allow_loop=True, machine="")


@pytest.fixture(autouse=True, scope="module")
def _only_loops():
    loops.guard_disks()


@pytest.fixture
def images(tmp_path):
    return [loops.make_image(tmp_path / f"cart-{n}.img", 4 * MIB, seed=n) for n in (1, 2)]


@pytest.fixture
def device(tmp_path):
    with loops.loop(tmp_path, CARD_BYTES) as path:
        yield path


def run(tmp_path, device, image, cart, options=OPTIONS, **how):
    """Run a fleet of one cart, as a process that remembers nothing; return its result."""
    plan = fleet.Plan((fleet_table.Row(cart, device, image=image),), options, tmp_path / "r", **how)
    (result,) = fleet.run(plan, lambda row: lambda target: True, fleet.no_wait, QUIET)
    return result


def verdicts(folder):
    """Return (cart, verdict) of every result, the same in all three forms."""
    with closing(sqlite3.connect(folder / "cards.sqlite3")) as database:
        rows = database.execute("SELECT cart, verdict FROM cards ORDER BY number").fetchall()
    with (folder / "cards.csv").open(newline="") as file:
        assert [(row["cart"], row["verdict"]) for row in csv.DictReader(file)] == rows
    files = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert sorted((row["cart"], row["verdict"]) for row in files) == sorted(rows)
    return rows


def looked_at(device, folder):
    with Card(device, write=False) as card:
        return finished.look(card, folder)


def test_a_second_run_does_not_write_over_the_card_that_the_first_one_finished(tmp_path, device, images):
    first = run(tmp_path, device, images[0], "cart-1")
    before = loops.contents(device)
    second = run(tmp_path, device, images[1], "cart-2")
    assert (first.verdict, second.verdict, second.code) == ("ok", "refused", "already-written")
    assert loops.contents(device) == before
    for words in ("card of cart-1", first.began_utc, "another card", "--overwrite cart-1"):
        assert words in second.detail
    assert verdicts(tmp_path / "r") == [("cart-1", "ok"), ("cart-2", "refused")]


def test_a_dry_run_says_that_the_card_is_finished(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    assert run(tmp_path, device, images[1], "cart-2", dry_run=True).code == "already-written"


def test_a_card_that_is_given_up_is_written_and_its_result_no_longer_calls_it_good(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    options = replace(OPTIONS, given_up=frozenset({"cart-1"}))
    result = run(tmp_path, device, images[1], "cart-2", options)
    assert result.verdict == "ok"
    assert verdicts(tmp_path / "r") == [("cart-1", "overwritten"), ("cart-2", "ok")]
    assert "with cart-2" in results.all_of(tmp_path / "r")[0].detail
    assert fleet.carts_done(tmp_path / "r") == {"cart-2"}
    met = looked_at(device, tmp_path / "r")
    assert (met.cart, met.by_name) == ("cart-2", False)


def test_giving_up_one_carts_card_does_not_give_up_anothers(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    options = replace(OPTIONS, given_up=frozenset({"cart-3"}))
    assert run(tmp_path, device, images[1], "cart-2", options).code == "already-written"


def test_who_writes_all_carts_again_may_use_their_own_cards_and_no_others(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    assert run(tmp_path, device, images[1], "cart-2", again=True).code == "already-written"
    assert run(tmp_path, device, images[0], "cart-1", again=True).verdict == "ok"
    assert verdicts(tmp_path / "r") == [("cart-1", "overwritten"), ("cart-2", "refused"), ("cart-1", "ok")]


def test_a_finished_card_put_in_after_the_prompt_is_refused_too(tmp_path, device, images):
    """Kernels before 5.15 do not number media: only what is on the open card tells it from the one that was shown."""
    run(tmp_path, device, images[0], "cart-1")
    kept = loops.contents(device)
    Path(device).write_bytes(bytes(CARD_BYTES))

    def change_the_card(_target):
        Path(device).write_bytes(kept)
        return True

    plan = fleet.Plan((fleet_table.Row("cart-2", device, image=images[1]),), OPTIONS, tmp_path / "r")
    (result,) = fleet.run(plan, lambda row: change_the_card, fleet.no_wait, QUIET)
    assert (result.code, loops.contents(device) == kept) == ("already-written", True)


def written(tmp_path, capsys, image, device, *words):
    """Run `write` as a person does; return its result."""
    common = ["--allow-loop", "--machine", "any", "--yes", device.removeprefix("/dev/"), "-o", "json"]
    cli.main(["write", str(image), device, *common, "--results", str(tmp_path / "r"), *words])
    return json.loads(capsys.readouterr().out)


def test_write_knows_the_cart_of_a_stamped_image_and_its_finished_card(tmp_path, capsys, device, images):
    for image in images:
        made = fleet.image_facts.gather(image, QUIET, look=False)[0]
        told = {"extract_size": made.size_bytes, "extract_sha256": made.sha256, "cart": {"id": image.stem}}
        image.with_name(f"{image.name}.manifest.json").write_text(json.dumps(told))
    first = written(tmp_path, capsys, images[0], device)
    assert (first["cart"], first["verdict"]) == ("cart-1", "ok")
    again = written(tmp_path, capsys, images[0], device)
    assert again["code"] == "already-written"
    assert f"already written: it is the card of cart-1 and was verified at {first['began_utc']}" in again["detail"]
    assert "put in another card" in written(tmp_path, capsys, images[1], device)["detail"]
    assert written(tmp_path, capsys, images[0], device, "--check")["mark"] == first["mark"] != ""
    # The check's result is one of the same card: both are marked.
    assert written(tmp_path, capsys, images[1], device, "--overwrite", "cart-1")["verdict"] == "ok"
    states = [verdict for _, verdict in verdicts(tmp_path / "r")]
    assert states == ["overwritten", "refused", "refused", "overwritten", "ok"]


def test_an_image_of_no_cart_does_not_go_over_a_carts_card_either(tmp_path, capsys, device, images):
    run(tmp_path, device, images[0], "cart-1")
    assert written(tmp_path, capsys, images[1], device)["code"] == "already-written"


def test_cards_of_no_cart_are_written_as_often_as_one_likes(tmp_path, capsys, device, images):
    assert [written(tmp_path, capsys, image, device)["verdict"] for image in images] == ["ok", "ok"]


def test_a_finished_card_of_another_folder_is_not_known(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    (tmp_path / "r").rename(tmp_path / "elsewhere")
    assert run(tmp_path, device, images[1], "cart-2").verdict == "ok"


def test_a_card_that_was_in_use_is_known_by_the_name_of_its_system(tmp_path, built):
    """The first start gives the disk another id and grows the root over the card's end, and trimming frees the rest."""
    base = built()
    told = cart_file.CartFile(cart=cart_file.Identity(id="cart-7", chain="demo", store="store-1"))
    image = tmp_path / "cart-7.img"
    stamp.stamp(stamp.Order(base, told, image), QUIET)
    other = loops.make_image(tmp_path / "other.img", 4 * MIB)
    with loops.loop(tmp_path, image.stat().st_size + 2 * MIB) as device:
        assert run(tmp_path, device, image, "cart-7").verdict == "ok"
        assert not looked_at(device, tmp_path / "r").by_name
        with open(device, "r+b") as file:
            file.seek(440)
            file.write(b"boot")
            file.seek(-MIB, os.SEEK_END)
            file.write(bytes(MIB))
        before = loops.contents(device)
        assert looked_at(device, tmp_path / "r").by_name
        result = run(tmp_path, device, other, "cart-8")
        assert (result.code, loops.contents(device) == before) == ("already-written", True)
        assert "its system calls itself cart-7" in result.detail
        options = replace(OPTIONS, given_up=frozenset({"cart-7"}))
        assert run(tmp_path, device, other, "cart-8", options).verdict == "ok"
    assert verdicts(tmp_path / "r") == [("cart-7", "overwritten"), ("cart-8", "refused"), ("cart-8", "ok")]


@pytest.mark.parametrize(
    "last", [b"", b"smart-cart finished card\n" + b"z" * 32, b"smart-cart finished card\n" + b"0" * 40]
)
def test_whatever_else_lies_on_a_card_is_no_finished_card(tmp_path, device, images, last):
    run(tmp_path, device, images[0], "cart-1")
    Path(device).write_bytes(loops.table(CARD_BYTES).ljust(CARD_BYTES - 4096, b"\x99") + last.ljust(4096, b"\0"))
    assert looked_at(device, tmp_path / "r") is None
    assert run(tmp_path, device, images[1], "cart-2").verdict == "ok"


@pytest.mark.parametrize("torn", [b"", b'{"cart": "cart-1", "ver', b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_torn_or_foreign_result_file_is_passed_over(tmp_path, device, images, torn):
    run(tmp_path, device, images[0], "cart-1")
    (file,) = (tmp_path / "r").glob("*.json")
    file.write_bytes(torn)
    assert run(tmp_path, device, images[1], "cart-2").code == "already-written"
    options = replace(OPTIONS, given_up=frozenset({"cart-1"}))
    assert run(tmp_path, device, images[1], "cart-2", options).verdict == "ok"
    assert file.read_bytes() == torn
    assert fleet.carts_done(tmp_path / "r") == {"cart-2"}


def test_results_that_cannot_be_read_are_a_fault_and_the_card_stays_as_it_is(tmp_path, device, images):
    run(tmp_path, device, images[0], "cart-1")
    (tmp_path / "r" / "cards.sqlite3").write_bytes(b"torn" * 1000)
    before = loops.contents(device)
    with pytest.raises(finished.Fault) as caught:
        run(tmp_path, device, images[1], "cart-2")
    assert (caught.value.code, loops.contents(device) == before) == ("CARD-RESULTS", True)


def test_results_of_a_version_without_marks_are_gone_on_with(tmp_path):
    old = CardResult("2026-01-01T00:00:00Z", "cart-1", "i.img", "", "/dev/x", "s", "", 0, "ok")
    results.add(tmp_path, old)
    with closing(sqlite3.connect(tmp_path / "cards.sqlite3")) as database:
        database.execute("ALTER TABLE cards DROP COLUMN mark")
        database.commit()
    (file,) = tmp_path.glob("*.json")
    file.write_text(json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != "mark"}))
    assert results.all_of(tmp_path) == [old]
    results.overwrite(tmp_path, old, "its card was overwritten")
    results.add(tmp_path, replace(old, cart="cart-2", mark="ab"))
    assert verdicts(tmp_path) == [("cart-1", "overwritten"), ("cart-2", "ok")]


def test_only_the_result_of_that_very_card_is_marked(tmp_path):
    first = CardResult("2026-01-01T00:00:00Z", "cart-1", "i.img", "", "/dev/x", "s", "", 0, "ok", mark="aa")
    second = replace(first, mark="bb")
    for result in (first, second):
        results.add(tmp_path, result)
    results.overwrite(tmp_path, second, "its card was overwritten")
    assert results.all_of(tmp_path)[0] == first
    assert verdicts(tmp_path) == [("cart-1", "ok"), ("cart-1", "overwritten")]


def test_a_card_that_is_pulled_at_once_does_not_mark_the_next_one(tmp_path, images, monkeypatch):
    """Between the end of the first card and the next look at the reader another card lies there."""
    reader = tmp_path / "reader"
    with loops.loop(tmp_path, CARD_BYTES, name="a") as first, loops.loop(tmp_path, CARD_BYTES, name="b") as second:
        reader.symlink_to(first)
        add = results.add

        def add_and_change(folder, result):
            reader.unlink()
            reader.symlink_to(second)
            return add(folder, result)

        monkeypatch.setattr(results, "add", add_and_change)
        rows = tuple(fleet_table.Row(image.stem, str(reader), image=image) for image in images)
        plan = fleet.Plan(rows, OPTIONS, tmp_path / "r")
        made = fleet.run(plan, lambda row: lambda target: True, fleet.no_wait, QUIET)
    assert [(result.verdict, result.code) for result in made] == [("ok", ""), ("ok", "")]
