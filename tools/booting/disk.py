"""The image that stands for a stock one: FAT and ext4 as Raspberry Pi OS lays them out, with Debian and no cart in it.

What makes it the emulated board's own, and not a Raspberry Pi's, is in the folder guest/: the name of its serial
port, its network, a way to the screen from outside, and a unit that reports to the test. Our `build` and `stamp` find
it as they find any stock image.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from cart.faults import Fault
from tools.booting import debian
from tools.imaging import facts

GUEST = Path(__file__).with_name("guest")

SECTOR_BYTES = 512
BOOT_START, BOOT_SECTORS = 8_192, 524_288
ROOT_START, ROOT_SECTORS = BOOT_START + BOOT_SECTORS, 3_145_728
"""In sectors: 256 MiB of FAT from 4 MiB on, then 1.5 GiB of ext4, most of it free for the cart."""

DISK_ID = "b0072e57"

TABLE = f"""\
label: dos
label-id: 0x{DISK_ID}
start={BOOT_START}, size={BOOT_SECTORS}, type=c, bootable
start={ROOT_START}, size={ROOT_SECTORS}, type=83
"""

FSTAB = f"""\
proc /proc proc defaults 0 0
PARTUUID={DISK_ID}-01 /boot/firmware vfat defaults 0 0
PARTUUID={DISK_ID}-02 / ext4 defaults,noatime 0 1
"""
CMDLINE = f"console=serial0,115200 console=tty1 root=PARTUUID={DISK_ID}-02 rootfstype=ext4 fsck.repair=yes rootwait\n"
CONFIG = "# The emulated board has no firmware that reads this; a stock image has it.\narm_64bit=1\n"

# Raspberry Pi OS has these groups beside Debian's; units name them.
PI_GROUPS = {"gpio": 986, "i2c": 987, "spi": 988}

FILES = {
    "etc/udev/rules.d/60-boot-test-cell.rules": "cell.rules",
    "etc/systemd/network/10-boot-test.network": "ethernet.network",
    "etc/systemd/system/cart.service.d/50-boot-test.conf": "board.conf",
    "etc/systemd/system/cart-vision.service.d/50-boot-test.conf": "not-here.conf",
    "etc/systemd/system/cart-kiosk.service.d/50-boot-test.conf": "not-here.conf",
    "etc/systemd/system/boot-test-report.service": "boot-test-report.service",
    "etc/systemd/system/boot-test-screen.socket": "boot-test-screen.socket",
    "etc/systemd/system/boot-test-screen.service": "boot-test-screen.service",
    "usr/local/lib/boot-test/report.py": "report.py",
}
"""Place in the guest -> file in guest/."""

ENABLED = {
    "boot-test-report.service": "multi-user.target.wants",
    "boot-test-screen.socket": "sockets.target.wants",
}
TIMEOUT_S = 900
GUEST_DISK = "/dev/vda"


def kernel_words(card: Path) -> str:
    """Return what the firmware of a Pi would give the kernel from the card, for the emulated board; BOOT-WRONG if none.

    The board has no firmware: so the card's own cmdline.txt is read here, and its root must be on this very card.
    """
    image = facts.opened(card)
    line = image.boot.read("cmdline.txt")
    if line is None:
        raise Fault("BOOT-WRONG", "the card's boot partition has no cmdline.txt")
    return words_for_board(line.decode(), image.table.disk_id)


def words_for_board(cmdline: str, disk_id: str) -> str:
    """Return the words of cmdline.txt as the board takes them; BOOT-WRONG where their root is not on the disk.

    disk_id  the table's own number, from which its PARTUUIDs are made

    Consoles are the board's own, and so is the name of the disk.
    """
    words = cmdline.split()
    root = next((word.removeprefix("root=PARTUUID=") for word in words if word.startswith("root=")), "")
    disk, _, number = root.rpartition("-")
    if disk.lower() != disk_id.lower().removeprefix("0x") or not number.isdecimal():
        raise Fault("BOOT-WRONG", f"cmdline.txt has its root at {root!r}, but the card's disk is {disk_id}")
    kept = [word for word in words if not word.startswith(("root=", "console=", "quiet"))]
    return " ".join([f"cartroot={GUEST_DISK}{int(number)}", *kept])


def stock_image(cache: Path, screen_port: int, say: Callable[[str], None]) -> Path:
    """Return the image without a cart; made once. BOOT-BUILD where that fails, BOOT-NOT-ROOT where root is needed.

    screen_port  on which the guest is asked for its screen from outside
    """
    path = cache / "stock.img"
    inputs = "".join((GUEST / name).read_text(encoding="utf-8") for name in FILES.values())
    inputs += f"{TABLE}{FSTAB}{CMDLINE}{CONFIG}{PI_GROUPS}{FILES}{ENABLED}{screen_port}{' '.join(debian.PACKAGES)}"
    if debian.fresh(path, inputs):
        return path
    if os.geteuid():
        raise Fault("BOOT-NOT-ROOT", "files of the guest belong to its own users, and only root can set that")
    tar = debian.root_tar(cache, say)
    say("making the stock image")
    with tempfile.TemporaryDirectory(prefix="tree-", dir=cache) as work:
        tree, boot = Path(work) / "root", Path(work) / "boot"
        tree.mkdir()
        _run(["tar", "-xf", str(tar), "-C", str(tree), "--numeric-owner", "--xattrs", "--xattrs-include=*"])
        _furnish(tree, screen_port)
        boot.mkdir()
        (boot / "cmdline.txt").write_text(CMDLINE, encoding="ascii")
        (boot / "config.txt").write_text(CONFIG, encoding="ascii")
        _make(path, tree, boot)
    debian.keep(path, inputs)
    return path


def _furnish(tree: Path, screen_port: int) -> None:
    """Turn Debian's root into this board's stock system."""
    (tree / "boot" / "firmware").mkdir(parents=True, exist_ok=True)
    (tree / "etc" / "fstab").write_text(FSTAB, encoding="ascii")
    (tree / "etc" / "hostname").write_text("raspberrypi\n", encoding="ascii")
    (tree / "etc" / "resolv.conf").unlink(missing_ok=True)
    (tree / "etc" / "machine-id").write_bytes(b"")
    with (tree / "etc" / "group").open("a", encoding="ascii") as groups:
        groups.write("".join(f"{name}:x:{number}:\n" for name, number in PI_GROUPS.items()))
    for place, name in FILES.items():
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (GUEST / name).read_text(encoding="utf-8").replace("@PORT@", str(screen_port))
        target.write_text(text, encoding="utf-8")
        target.chmod(0o644)
    units = tree / "etc" / "systemd" / "system"
    for name, wants in ENABLED.items():
        (units / wants).mkdir(exist_ok=True)
        (units / wants / name).symlink_to(f"../{name}")
    (units / "multi-user.target.wants" / "systemd-networkd.service").symlink_to(
        "/lib/systemd/system/systemd-networkd.service"
    )


def _make(path: Path, tree: Path, boot: Path) -> None:
    """Write table and file systems; the root's files are copied in by mke2fs itself, so nothing is mounted."""
    path.unlink(missing_ok=True)
    with path.open("wb") as image:
        image.truncate((ROOT_START + ROOT_SECTORS) * SECTOR_BYTES)
    _run(["sfdisk", "-q", "--no-reread", "--no-tell-kernel", str(path)], TABLE)
    boot_kib = BOOT_SECTORS * SECTOR_BYTES // 1_024
    fat = ["mkfs.vfat", "-F", "32", "-s", "4", "-n", "bootfs", "--offset", str(BOOT_START), str(path), str(boot_kib)]
    _run(fat)
    files = [str(file) for file in sorted(boot.iterdir())]
    _run(["mcopy", "-i", f"{path}@@{BOOT_START * SECTOR_BYTES}", *files, "::/"])
    offset, root_kib = ROOT_START * SECTOR_BYTES, ROOT_SECTORS * SECTOR_BYTES // 1_024
    ext4 = ["mke2fs", "-q", "-t", "ext4", "-L", "rootfs", "-E", f"offset={offset},root_owner=0:0", "-d", str(tree)]
    _run([*ext4, str(path), f"{root_kib}k"])


def _run(command: list[str], said: str = "") -> None:
    """Run a program; BOOT-BUILD with what it complained of where it fails."""
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise Fault("BOOT-BUILD", f"there is no {command[0]} here")
    done = subprocess.run(
        [program, *command[1:]], input=said, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise Fault("BOOT-BUILD", f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
