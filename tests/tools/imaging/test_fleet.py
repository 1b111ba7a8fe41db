"""A fleet: a table of carts becomes cards, one result each, and the exit code tells whether every cart has one."""

import errno
import json
import os

import pytest

from cart.faults import Fault
from tests.tools import loops
from tools.imaging import cli, facts, fleet, fleet_table, image_facts, results
from tools.imaging.progress import Progress
from tools.imaging.refusal import Options
from tools.imaging.results import CardResult
from tools.imaging.targets import collect

MIB = loops.MIB
QUIET = Progress(quiet=True)
loop_only = pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-")


@pytest.fixture(autouse=True, scope="module")
def _only_loops():
    loops.guard_disks()


def table(tmp_path, *rows, columns="cart,device,image"):
    path = tmp_path / "carts.csv"
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


COMMON = '[cart]\nid = "x"\nchain = "demo"\nstore = "store-1"\n'


@pytest.mark.parametrize(
    ("columns", "rows", "says"),
    [
        ("cart,image", ["cart-1,a.img"], "no device"),
        ("cart,device,image", [",/dev/sdx,a.img"], ":2: no value in the column `cart`"),
        ("cart,device,image", ["cart-1,/dev/sdx,a.img", "cart-1,/dev/sdy,b.img"], "twice: cart-1"),
        ("cart,device,image", ["cart-1,/dev/sdx"], ":2: it has more or fewer"),
        ("cart,device,image", ["cart-1,/dev/sdx,a.img,7"], ":2: it has more or fewer"),
        ("cart,device,image", [], "0 carts"),
        ("cart,device,colour", ["cart-1,/dev/sdx,red"], "colour"),
        ("cart,device,token", ["cart-1,/dev/sdx,short"], "cart-1"),
    ],
)
def test_a_table_with_a_fault_is_refused_before_any_card(tmp_path, columns, rows, says):
    common = tmp_path / "common.toml"
    common.write_text(COMMON)
    with pytest.raises(Fault, match=says):
        fleet_table.read_rows(table(tmp_path, *rows, columns=columns), "", common)


def test_a_row_over_what_all_carts_share_says_who_the_cart_is(tmp_path):
    common = tmp_path / "common.toml"
    common.write_text(COMMON)
    path = table(tmp_path, "cart-7,0001,store-9", columns="cart,serial,store")
    (row,) = fleet_table.read_rows(path, "/dev/sdb", common)
    assert (row.cart, row.device, row.serial) == ("cart-7", "/dev/sdb", "0001")
    assert (row.file.cart.id, row.file.cart.chain, row.file.cart.store) == ("cart-7", "demo", "store-9")


def plan(tmp_path, rows, **options):
    return fleet.Plan(tuple(rows), Options(allow_loop=True, machine=""), tmp_path / "r", **options)


def run(the_plan, wait=fleet.no_wait):
    return fleet.run(the_plan, lambda row: lambda target: True, wait, QUIET)


@loop_only
def test_a_disk_that_fails_under_one_image_does_not_keep_the_next_cart_from_its_card(tmp_path, monkeypatch):
    images = [loops.make_image(tmp_path / f"cart-{n}.img", 4 * MIB, seed=n) for n in (1, 2)]
    read = image_facts.gather

    def gather(path, *words, **options):
        if path == images[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "cart-1.img.part")
        return read(path, *words, **options)

    monkeypatch.setattr(image_facts, "gather", gather)
    with loops.loop(tmp_path, 6 * MIB) as device:
        rows = [fleet_table.Row(f"cart-{n}", device, image=image) for n, image in enumerate(images, 1)]
        made = run(plan(tmp_path, rows))
    assert [(result.verdict, result.code) for result in made] == [("failed", "IMAGE-DISK-FULL"), ("ok", "")]
    assert results.all_of(tmp_path / "r") == made


@loop_only
def test_each_cart_gets_its_card_and_its_result_and_a_second_run_has_nothing_to_do(tmp_path):
    images = [loops.make_image(tmp_path / f"cart-{n}.img", 4 * MIB, seed=n) for n in (1, 2)]
    with loops.loop(tmp_path, 6 * MIB, name="a") as first, loops.loop(tmp_path, 6 * MIB, name="b") as second:
        rows = [fleet_table.Row("cart-1", first, image=images[0]), fleet_table.Row("cart-2", second, image=images[1])]
        the_plan = plan(tmp_path, rows)
        assert [result.verdict for result in run(the_plan)] == ["ok", "ok"]
        for device, image in zip((first, second), images, strict=True):
            assert loops.contents(device)[: 4 * MIB] == image.read_bytes()
        assert run(the_plan) == []
        assert fleet.complete(the_plan, [])
    assert [result.cart for result in results.all_of(tmp_path / "r")] == ["cart-1", "cart-2"]


@loop_only
def test_a_card_that_fails_does_not_keep_the_next_cart_from_its_card(tmp_path):
    image = loops.make_image(tmp_path / "i.img", 4 * MIB)
    with loops.loop(tmp_path, 2 * MIB, name="a") as small, loops.loop(tmp_path, 6 * MIB, name="b") as good:
        the_plan = plan(
            tmp_path, [fleet_table.Row("cart-1", small, image=image), fleet_table.Row("cart-2", good, image=image)]
        )
        made = run(the_plan)
        assert [(result.verdict, result.code) for result in made] == [("refused", "too-small"), ("ok", "")]
        assert not fleet.complete(the_plan, made)


@loop_only
def test_a_card_that_nobody_changed_is_not_written_for_the_next_cart(tmp_path):
    images = [loops.make_image(tmp_path / f"cart-{n}.img", 4 * MIB, seed=n) for n in (1, 2)]
    with loops.loop(tmp_path, 6 * MIB) as device:
        made = run(plan(tmp_path, [fleet_table.Row(f"cart-{n}", device, image=images[n - 1]) for n in (1, 2)]))
        assert [result.code for result in made] == ["", "already-written"]
        assert loops.contents(device)[: 4 * MIB] == images[0].read_bytes()


@loop_only
def test_a_person_may_try_again_skip_or_stop(tmp_path):
    image = loops.make_image(tmp_path / "i.img", 4 * MIB)
    asked = []
    answers = iter([fleet.GO, fleet.GO, fleet.SKIP, fleet.SKIP, fleet.STOP])

    def wait(row, result):
        asked.append((row.cart, result.code if result else None))
        return next(answers)

    with loops.loop(tmp_path, 2 * MIB) as small:
        made = run(plan(tmp_path, [fleet_table.Row(f"cart-{n}", small, image=image) for n in (1, 2, 3, 4)]), wait)
    assert [result.cart for result in made] == ["cart-1", "cart-1"]
    assert asked == [("cart-1", None), ("cart-1", "too-small"), ("cart-1", "too-small"), ("cart-2", None),
                     ("cart-3", None)]  # fmt: skip


@loop_only
def test_a_fleet_is_stamped_from_its_base_and_leaves_no_secret_behind(tmp_path, built, capsys):
    """The whole way: `fleet carts.csv --base built.img` with two readers, read back by our own reader of images."""
    base = built()
    common = tmp_path / "common.toml"
    common.write_text(COMMON)
    size = base.stat().st_size + 2 * MIB
    with loops.loop(tmp_path, size, name="a") as first, loops.loop(tmp_path, size, name="b") as second:
        rows = [f"cart-{n},{device},{device.removeprefix('/dev/')},{'t' * 30}{n}"
                for n, device in ((1, first), (2, second))]  # fmt: skip
        path = table(tmp_path, *rows, columns="cart,device,serial,token")
        words = ["fleet", str(path), "--base", str(base), "--common", str(common), "--allow-loop", "--no-wait"]
        code = cli.main([*words, "--results", str(tmp_path / "r"), "-o", "json"])
        made = json.loads(capsys.readouterr().out)
        assert (code, [result["verdict"] for result in made]) == (0, ["ok", "ok"]), made
        for number, device in ((1, first), (2, second)):
            copy = tmp_path / "card.img"
            copy.write_bytes(loops.contents(device))
            names = facts.opened(copy).root.read(["/etc/hostname"])
            assert names["/etc/hostname"] == f"cart-{number}\n".encode()
        assert collect(first).size_bytes == size
    assert [path.name for path in base.parent.glob("cart-fleet-*")] == []
    kept = b"".join(path.read_bytes() for path in (tmp_path / "r").iterdir())
    assert b"ttttt" not in kept


def test_a_result_that_cannot_be_kept_is_a_fault(tmp_path):
    file = tmp_path / "r"
    file.write_bytes(b"")
    with pytest.raises(Fault) as caught:
        results.add(file, CardResult("2026-01-01T00:00:00Z", "", "i.img", "", "/dev/x", "", "", 0, "ok"))
    assert caught.value.code == "CARD-RESULTS"
