"""The parts of the boot test that need no emulator: sources, words for the kernel, the ledger's check."""

import json
from pathlib import Path

import pytest

from cart.faults import EXIT_OK, EXIT_USAGE, Fault
from cart.sim.scenario import parse
from tools.booting import board, carted, cli, disk, mirror, needs, shopping
from tools.booting.debian import Kernel
from tools.imaging import cart_file

DEBIAN_13 = """\
Debian|trixie|main|http://mirror.example/debian/
Debian|trixie|non-free-firmware|http://mirror.example/debian/
Debian|trixie-updates|main|http://mirror.example/debian/
Debian|trixie-backports|main|http://mirror.example/debian/
Debian|trixie-security|main|http://mirror.example/security/
. nodistro|nodistro|main|http://others.example/
"""
KERNEL = Kernel(Path("vmlinuz"), Path("initrd.gz"), "6.1")
GOODS = [
    {"product_id": "banana", "sold_by": "weight", "unit_price_minor": 189, "mass_mg": 850_000},
    {"product_id": "red-bell-pepper", "sold_by": "weight", "unit_price_minor": 449, "mass_mg": 410_000},
]


# -- where the guest's packages come from ----------------------------------------------------------


def test_the_guests_release_is_taken_from_this_machines_own_mirror():
    assert mirror.for_release(DEBIAN_13, "bookworm") == [
        mirror.Source("http://mirror.example/debian/", "bookworm"),
        mirror.Source("http://mirror.example/debian/", "bookworm-updates"),
        mirror.Source("http://mirror.example/security/", "bookworm-security"),
    ]


def test_a_machine_without_debian_has_no_mirror():
    assert mirror.for_release("Ubuntu|noble|main|http://mirror.example/ubuntu/\n", "bookworm") == []


def test_each_source_is_one_line_and_signed():
    text = mirror.sources_list([mirror.Source("http://mirror.example/debian/", "bookworm")])
    assert text == f"deb [signed-by={mirror.KEYRING}] http://mirror.example/debian/ bookworm main\n"


# -- what the board is started with ----------------------------------------------------------------


def test_the_kernel_gets_the_cards_own_words_with_the_boards_disk_and_console():
    line = "console=tty1 root=PARTUUID=B0072E57-02 rootfstype=ext4 quiet usbcore.autosuspend=-1\n"
    assert disk.words_for_board(line, "0xb0072e57") == "cartroot=/dev/vda2 rootfstype=ext4 usbcore.autosuspend=-1"


@pytest.mark.parametrize("root", ["", "root=/dev/mmcblk0p2", "root=PARTUUID=deadbeef-02", "root=PARTUUID=b0072e57-"])
def test_a_root_on_another_disk_is_a_fault_of_the_image(root):
    with pytest.raises(Fault) as caught:
        disk.words_for_board(f"rootwait {root}", "0xb0072e57")
    assert caught.value.code == "BOOT-WRONG"


def test_flushes_of_the_guest_are_honoured_and_logged():
    words = " ".join(_command())
    assert "driver=blklogwrites" in words
    assert "no-flush" not in words
    assert "unsafe" not in words


def test_a_comma_in_a_path_is_no_end_of_an_option():
    words = board.command(KERNEL, board.Card(Path("a,b.img"), Path("w.log")), "", 18_080, board.sockets(Path("run")))
    assert any("file.filename=a,,b.img," in word for word in words)


def test_nobody_but_this_machine_reaches_the_guest():
    forwards = [word for word in " ".join(_command()).split(",") if word.startswith("hostfwd=")]
    assert forwards
    assert all(word.startswith("hostfwd=tcp:127.0.0.1:") for word in forwards)


def test_the_first_partition_ends_where_the_second_begins_and_the_file_where_the_table_does():
    assert disk.BOOT_START + disk.BOOT_SECTORS == disk.ROOT_START
    assert f"start={disk.ROOT_START}, size={disk.ROOT_SECTORS}" in disk.TABLE


def test_every_file_for_the_guest_is_put_somewhere():
    assert {path.name for path in disk.GUEST.iterdir() if path.is_file()} == set(disk.FILES.values())


def _command() -> list[str]:
    card = board.Card(Path("card.img"), Path("writes.log"))
    return board.command(KERNEL, card, "cartroot=/dev/vda2", 18_080, board.sockets(Path("run")))


# -- the cart and its shopper ----------------------------------------------------------------------


def test_the_carts_file_is_one_that_stamp_takes(tmp_path):
    wanted = carted.Wanted("boot-1", "10.0.2.2", 1_883, 18_080, tmp_path / "store.pub")
    (tmp_path / "cart.toml").write_text(carted.cart_text(wanted))
    told = cart_file.load(tmp_path / "cart.toml")
    assert (told.cart.id, told.store_key) == ("boot-1", str(tmp_path / "store.pub"))
    assert told.config["broker"] == {"host": "10.0.2.2", "port": 1_883}
    assert told.config["kiosk"]["port"] == 18_080


SCRIPTS = (shopping.FIRST, shopping.PAID, shopping.EMPTIED, shopping.SECOND_BEGUN, shopping.SECOND_FINISHED)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_part_of_the_trips_is_a_scenario(script):
    assert parse(script.format(s=60))


def test_the_second_trip_is_cut_before_it_is_paid():
    assert "tap checkout" not in shopping.SECOND_BEGUN
    assert "tap checkout" in shopping.SECOND_FINISHED
    assert "tap start" not in shopping.SECOND_FINISHED


def test_one_right_charge_for_each_trip_is_right():
    assert shopping.faults([GOODS, GOODS], [_charge("a", GOODS), _charge("b", GOODS)]) == []


def test_a_missing_charge_is_told():
    assert any("1 charges, not 2" in wrong for wrong in shopping.faults([GOODS, GOODS], [_charge("a", GOODS)]))


def test_a_charge_that_came_twice_is_told():
    charges = [_charge("a", GOODS), _charge("a", GOODS)]
    assert any("twice" in wrong for wrong in shopping.faults([GOODS, GOODS], charges))
    assert any("2 charges, not 1" in wrong for wrong in shopping.faults([GOODS], charges))


def test_a_charge_for_what_was_not_taken_is_told():
    assert any("trip 2" in wrong for wrong in shopping.faults([GOODS, GOODS[:1]], [_charge("a", GOODS)] * 2))


def _charge(charge_id: str, goods: list[dict]) -> dict:
    """A row of the ledger for these goods, in whole divisions of the scale."""
    lines = [
        {
            "product_id": piece["product_id"],
            "name": piece["product_id"],
            "sold_by": piece["sold_by"],
            "mass_mg": piece["mass_mg"],
            "unit_price_minor": piece["unit_price_minor"],
            "amount_minor": (2 * piece["mass_mg"] * piece["unit_price_minor"] + 1_000_000) // 2_000_000,
        }
        for piece in goods
    ]
    total = sum(line["amount_minor"] for line in lines)
    return json.loads(json.dumps({"charge_id": charge_id, "currency": "EUR", "total_minor": total, "lines": lines}))


# -- a machine that lacks something ------------------------------------------------------------------


def test_what_is_missing_is_said_as_commands_to_run(capsys):
    lacking = needs.Missing(("mmdebstrap", "qemu-system-arm"), no_arm64=True)
    assert cli._lacks(lacking, optional=False) == EXIT_USAGE
    said = capsys.readouterr()
    assert "apt-get install --no-install-recommends mmdebstrap qemu-system-arm" in said.err
    assert "systemd-binfmt qemu-aarch64.conf" in said.err
    assert "SKIPPED" not in said.out


def test_as_an_optional_stage_it_says_that_it_was_skipped(capsys):
    assert cli._lacks(needs.Missing(("qemu-system-arm",), no_arm64=False), optional=True) == EXIT_OK
    assert capsys.readouterr().out == "SKIPPED: the boot test did not run\n"


def test_nothing_missing_is_nothing():
    assert not needs.Missing((), no_arm64=False)
    assert needs.Missing((), no_arm64=True)
