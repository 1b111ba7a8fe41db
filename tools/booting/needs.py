"""What the boot test needs of this machine, and what to run where something is missing."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tools.booting.board import PROGRAM
from tools.booting.mirror import KEYRING

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

ALWAYS = {PROGRAM: "qemu-system-arm", "mosquitto": "mosquitto"}
IMAGES = {"sfdisk": "fdisk", "mcopy": "mtools", "mkfs.vfat": "dosfstools", "mke2fs": "e2fsprogs"}
GUEST = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "arch-test": "arch-test",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
}
"""Program -> Debian package. GUEST is needed only while the guest's Debian is not in the cache."""

BINFMT = (
    "sudo mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc",
    "sudo /lib/systemd/systemd-binfmt qemu-aarch64.conf",
)
ARCH_TEST_S = 30


class Missing(NamedTuple):
    """What is not here: packages to install, and whether this machine's kernel cannot start arm64 programs."""

    packages: tuple[str, ...]
    no_arm64: bool

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return bool(self.packages or self.no_arm64)

    def remedy(self) -> str:
        """Return the commands to run, one a line."""
        lines = [f"sudo apt-get install --no-install-recommends {' '.join(self.packages)}"] if self.packages else []
        return "\n".join([*lines, *(BINFMT if self.no_arm64 else ())])


def missing(guest_cached: bool) -> Missing:
    """Return what has to be installed before the test can run here."""
    wanted = ALWAYS | IMAGES | ({} if guest_cached else GUEST)
    packages = {package for program, package in wanted.items() if shutil.which(program, path=SEARCH_PATH) is None}
    if not guest_cached and not Path(KEYRING).exists():
        packages.add("debian-archive-keyring")
    return Missing(tuple(sorted(packages)), not guest_cached and not packages and not _runs_arm64())


def _runs_arm64() -> bool:
    """Return whether an arm64 program starts here; asked by starting one."""
    done = subprocess.run(["arch-test", "arm64"], capture_output=True, timeout=ARCH_TEST_S, check=False)
    return done.returncode == 0
