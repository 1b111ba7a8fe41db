"""A small image with the layout of Raspberry Pi OS, made in about a second without root: what the tests work on."""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.imaging import programs
from tools.imaging.facts import RELEASES
from tools.imaging.wheelhouse import list_file, read_list

EPOCH = 1_767_225_600
MIB = 1 << 20
BOOT_START, BOOT_BYTES = 4 * MIB, 40 * MIB
ROOT_START, ROOT_BYTES = 44 * MIB, 48 * MIB
UUID = "6c6b0b9e-1c57-4c8a-9b0e-0a8f4a1d5c11"
AARCH64, X86_64 = 183, 62

SYSTEMS = {"bookworm": ("12", "3.11"), "trixie": ("13", "3.13")}
PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\ndialout:x:20:\nvideo:x:44:\nnogroup:x:65534:\n"


@dataclass(frozen=True)
class System:
    """What is in the image: a release's name, and how it departs from the stock one."""

    codename: str = "bookworm"
    machine: int = AARCH64
    network: bool = True
    first_boot: bool = True


def needs_programs() -> None:
    """Skip the test where the programs that know file systems are not installed."""
    missing = programs.missing()
    if programs.find("mkfs.vfat") is None:
        missing.append("dosfstools")
    if missing:
        pytest.skip(f"needs {' '.join(missing)}: ./tools/test installs them")


def make(path: Path, system: System = System(), root_mb: int = ROOT_BYTES // MIB) -> Path:
    """Make an image at `path`, sparse, with a root partition of `root_mb` MiB, and return it."""
    needs_programs()
    tree = path.parent / f"{path.name}.tree"
    fill(tree, system)
    with path.open("wb") as file:
        file.truncate(ROOT_START + root_mb * MIB)
    table = f"label: dos\nlabel-id: 0xc0ffee01\n{BOOT_START // 512},{BOOT_BYTES // 512},c,*\n"
    table += f"{ROOT_START // 512},{root_mb * MIB // 512},83\n"
    programs.run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", str(path), stdin=table)
    fat = ("-F", "32", "-s", "1", "-n", "bootfs", "-i", "C0FFEE01", "--invariant", "--offset", str(BOOT_START // 512))
    run("mkfs.vfat", *fat, str(path), str(BOOT_BYTES // 1024))
    ext4 = f"offset={ROOT_START},hash_seed={UUID},root_owner=0:0"
    run(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-U",
        UUID,
        "-L",
        "rootfs",
        "-E",
        ext4,
        "-d",
        str(tree),
        str(path),
        f"{root_mb}M",
    )
    for name, text in boot_texts().items():
        source = tree / name
        source.write_text(text)
        os.utime(source, (EPOCH, EPOCH))
        programs.run("mcopy", "-m", "-i", f"{path}@@{BOOT_START}", str(source), f"::/{name}", epoch=EPOCH)
    shutil.rmtree(tree)
    return path


def with_gpt(path: Path) -> Path:
    """Give an image that `make` made a GPT in place of its MBR, and return it."""
    os.truncate(path, path.stat().st_size + MIB)  # for the second copy of the table
    basic, linux = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
    ids = [f"{UUID[:-2]}{number:02x}" for number in range(3)]
    table = f"label: gpt\nlabel-id: {ids[0]}\n"
    table += f"start={BOOT_START // 512}, size={BOOT_BYTES // 512}, type={basic}, uuid={ids[1]}\n"
    table += f"start={ROOT_START // 512}, size={ROOT_BYTES // 512}, type={linux}, uuid={ids[2]}\n"
    programs.run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", str(path), stdin=table)
    return path


def run(program: str, *words: str) -> None:
    """Run a program that the product does not need."""
    binary = programs.find(program)
    assert binary is not None
    subprocess.run([binary, *words], check=True, capture_output=True, env=programs.environment(EPOCH))


def boot_texts() -> dict[str, str]:
    """Return what is on the boot partition."""
    words = "console=serial0,115200 console=tty1 root=PARTUUID=c0ffee01-02 rootfstype=ext4 fsck.repair=yes rootwait"
    return {"config.txt": "# stock\ndtparam=audio=on\n", "cmdline.txt": f"{words} quiet splash\n"}


def fill(tree: Path, system: System) -> None:
    """Lay out the root file system."""
    number, python = SYSTEMS.get(system.codename, ("99", "3.99"))
    name = f'"Debian GNU/Linux {number} ({system.codename})"'
    release = f'PRETTY_NAME={name}\nVERSION_ID="{number}"\nVERSION_CODENAME={system.codename}\nID=debian\n'
    texts = {
        "usr/lib/os-release": release,
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
        "etc/shadow": "root:*:19000:0:99999:7:::\n",
        "etc/gshadow": "root:*::\n",
        "etc/hostname": "raspberrypi\n",
        "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/ssh/ssh_host_ed25519_key": "the same on every card\n",
        "etc/systemd/system/README": "",
        "var/lib/systemd/random-seed": "seed",
        "usr/share/zoneinfo/tzdata.zi": "# version 2025b\nZ Europe/Berlin 0:53 - LMT\nL Etc/UTC UTC\n",
        "usr/share/zoneinfo/iso3166.tab": "# codes\nDE\tGermany\nGB\tBritain (UK)\n",
    }
    if system.network:
        texts["usr/sbin/NetworkManager"] = ""
    if system.first_boot:
        mark = "usr/lib/raspberrypi-sys-mods/init_config" if system.codename == "bookworm" else "usr/bin/cloud-init"
        texts[mark] = ""
    for place, text in texts.items():
        file = tree / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    program = tree / f"usr/bin/python{python}"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, system.machine) + bytes(44))
    (tree / "usr/bin/python3").symlink_to(program.name)
    (tree / "bin").symlink_to("usr/bin")
    for file in [tree, *tree.rglob("*")]:
        os.utime(file, (EPOCH, EPOCH), follow_symlinks=False)


def wheel(
    folder: Path, name: str, version: str = "1.0", tag: str = "py3-none-any", needs: tuple[str, ...] = ()
) -> Path:
    """Make a wheel with one module, one script and the requirements `needs`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    told = "".join(f"Requires-Dist: {line}\n" for line in needs)
    members = {
        f"{name}/__init__.py": f"NAME = {name!r}\n",
        f"{name}-{version}.data/scripts/{name}-run": "#!python\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{told}",
        f"{name}-{version}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    hashes = [f"{place},sha256={_digest(text)},{len(text)}\n" for place, text in members.items()]
    members[f"{name}-{version}.dist-info/RECORD"] = "".join(hashes) + f"{name}-{version}.dist-info/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in members.items():
            archive.writestr(zipfile.ZipInfo(place, (2026, 1, 1, 0, 0, 0)), text)
    return path


def wheelhouse(folder: Path, codename: str) -> Path:
    """Make a folder with a stand-in for every wheel on the release's list, some of them compiled, and return it."""
    release = RELEASES[codename]
    compiled = "cp{0}{1}-cp{0}{1}-manylinux_2_34_aarch64".format(*release.python)
    for name, version in read_list(list_file(release)).items():
        tag = compiled if name in ("numpy", "tflite-runtime", "ai-edge-litert") else "py3-none-any"
        wheel(folder, name.replace("-", "_"), version, tag)
    return folder


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
