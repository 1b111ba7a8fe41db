"""The small initrd that brings the guest from kernel to root: busybox, a few modules, one script.

update-initramfs would take minutes under emulation; this one is written byte by byte here, 2 MB, in a second. The
archive is cpio's `newc` form, which the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

import gzip
import stat
from pathlib import Path, PurePosixPath
from typing import NamedTuple

MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio_rng",
    # ext4 asks for this by name only once it mounts.
    "crc32c_generic",
    "ext4",
    # The boot partition, as Raspberry Pi OS mounts it.
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "autofs4",
)
"""What Debian's kernel does not have built in and the guest needs. The root has no modules at all."""

INIT = """\
#!/bin/busybox sh
# The board's disk takes a moment to appear; fifteen seconds under emulation are plenty.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do
    /bin/busybox insmod "/modules/$module" || echo "initrd: no $module"
done < /modules/order
for word in $(/bin/busybox cat /proc/cmdline); do
    case "$word" in cartroot=*) root="${word#cartroot=}" ;; esac
done
tries=0
while [ ! -b "$root" ] && [ $tries -lt 150 ]; do
    /bin/busybox usleep 100000
    tries=$((tries + 1))
done
/bin/busybox mount -t ext4 -o rw "$root" /system || exec /bin/busybox poweroff -f
for filesystem in proc sys dev; do
    /bin/busybox mount --move /$filesystem /system/$filesystem
done
exec /bin/busybox switch_root /system /sbin/init
"""


class Entry(NamedTuple):
    """One member of the archive: path without a leading slash, mode with its type, content, and a device's number."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def build(busybox: bytes, modules_dir: Path, names: tuple[str, ...] = MODULES) -> bytes:
    """Return the compressed initrd.

    busybox      the statically linked program, for the guest's processor
    modules_dir  lib/modules/VERSION of the guest's kernel, with modules.dep and modules.builtin
    """
    builtin = (modules_dir / "modules.builtin").read_text(encoding="ascii")
    order = load_order((modules_dir / "modules.dep").read_text(encoding="ascii"), builtin, names)
    entries = [Entry(name, stat.S_IFDIR | 0o755) for name in ("bin", "dev", "modules", "proc", "sys", "system")]
    # Without a console node the script would have nowhere to say what is wrong.
    entries.append(Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    entries.append(Entry("bin/busybox", stat.S_IFREG | 0o755, busybox))
    entries.append(Entry("init", stat.S_IFREG | 0o755, INIT.encode()))
    file_names = [PurePosixPath(path).name for path in order]
    for path, file_name in zip(order, file_names, strict=True):
        entries.append(Entry(f"modules/{file_name}", stat.S_IFREG | 0o644, (modules_dir / path).read_bytes()))
    entries.append(Entry("modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in file_names).encode()))
    return gzip.compress(archive(entries), compresslevel=6, mtime=0)


def load_order(modules_dep: str, modules_builtin: str, names: tuple[str, ...]) -> list[str]:
    """Return the files to load, each after what it needs; LookupError for a name that the kernel does not have.

    modules_dep      lines "FILE: FILE FILE...", as depmod writes them
    modules_builtin  files of what is in the kernel itself, which need no loading
    """
    needs = {}
    for line in modules_dep.splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {module_name(path): path for path in needs}
    builtin = {module_name(path) for path in modules_builtin.split()}
    order: list[str] = []

    def add(path: str) -> None:
        for needed in needs[path]:
            add(needed)
        if path not in order:
            order.append(path)

    for name in names:
        if name in by_name:
            add(by_name[name])
        elif name not in builtin:
            raise LookupError(f"the kernel has no module {name}")
    return order


def module_name(path: str) -> str:
    """Return the name by which the kernel knows a module's file: crc32c_generic for kernel/crypto/crc32c-generic.ko."""
    return PurePosixPath(path).name.split(".")[0].replace("-", "_")


def archive(entries: list[Entry]) -> bytes:
    """Return the entries as an uncompressed `newc` archive; everything belongs to root and is from 1970."""
    members = [*entries, Entry("TRAILER!!!", 0)]
    return b"".join(_member(number, entry) for number, entry in enumerate(members, start=1))


def _member(inode: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
