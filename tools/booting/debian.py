"""The guest's operating system: a small Debian for arm64, and its kernel. Built once, then taken from the cache.

The root takes five to nine minutes of processor time, for its packages are set up under emulation; the rest is quick.
The mirror's name is in none of what is kept.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cart.faults import Fault
from tools.booting import initrd, mirror

PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "kmod", "e2fsprogs", "python3")
"""What the guest needs beside Debian's smallest. No ca-certificates: its setting up takes minutes under emulation."""

LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
NO_MIRROR = 'echo "# The mirror that built this is left out on purpose." > "$1/etc/apt/sources.list"'
ROOT_TIMEOUT_S, FETCH_TIMEOUT_S = 3_600, 600
TAIL_CHARS = 600


class Kernel(NamedTuple):
    """What the emulated board starts with: two files, and the kernel's version."""

    image: Path
    initrd: Path
    version: str


def root_tar(cache: Path, say: Callable[[str], None]) -> Path:
    """Return the root file system as a tar file; BOOT-BUILD where mmdebstrap fails, its log is kept beside."""
    path = cache / "root.tar"
    if fresh(path, _ROOT_INPUTS):
        return path
    command = _mmdebstrap(f"{path}.part")
    say("building the guest's Debian, once: five to nine minutes of processor time")
    sources = mirror.sources_list(mirror.machine_sources())
    log = cache / "root.log"
    with log.open("wb") as output:
        done = subprocess.run(
            command, input=sources.encode(), stdout=output, stderr=output, timeout=ROOT_TIMEOUT_S, check=False
        )
    if done.returncode:
        raise Fault("BOOT-BUILD", f"mmdebstrap ended with {done.returncode}: {_tail(log.read_text(errors='replace'))}")
    Path(f"{path}.part").replace(path)
    keep(path, _ROOT_INPUTS)
    return path


def kernel(cache: Path, say: Callable[[str], None]) -> Kernel:
    """Return Debian's kernel and our initrd for it; BOOT-BUILD where they cannot be fetched."""
    folder = cache / "kernel"
    if not fresh(folder / "initrd.gz", _KERNEL_INPUTS):
        say("fetching the guest's kernel")
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="kernel-", dir=cache) as work:
            _fetch_kernel(Path(work), folder)
        keep(folder / "initrd.gz", _KERNEL_INPUTS)
    return Kernel(folder / "vmlinuz", folder / "initrd.gz", (folder / "version").read_text(encoding="ascii"))


def is_cached(cache: Path) -> bool:
    """Return whether nothing has to be fetched and set up any more."""
    return fresh(cache / "root.tar", _ROOT_INPUTS) and fresh(cache / "kernel" / "initrd.gz", _KERNEL_INPUTS)


def fresh(path: Path, inputs: str) -> bool:
    """Return whether the cached file is there and was made of exactly these inputs."""
    made_of = Path(f"{path}.made-of")
    return path.exists() and made_of.exists() and made_of.read_text(encoding="ascii") == _digest(inputs)


def keep(path: Path, inputs: str) -> None:
    """Note what the file was made of, last of all: a file without its note is made again."""
    Path(f"{path}.made-of").write_text(_digest(inputs), encoding="ascii")


def _digest(inputs: str) -> str:
    return hashlib.sha256(inputs.encode()).hexdigest()


def _mmdebstrap(target: str) -> list[str]:
    """Return the command that builds the root; the sources come on its standard input."""
    return [
        "mmdebstrap",
        "--architectures=arm64",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Languages "none"',
        # A machine whose mirror is a dated snapshot would otherwise refuse it.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        f"--customize-hook={NO_MIRROR}",
        mirror.RELEASE,
        target,
        "-",
    ]


_ROOT_INPUTS = " ".join(_mmdebstrap("root.tar"))
_KERNEL_INPUTS = initrd.INIT + " ".join(initrd.MODULES)
"""What the cached files are made of; a change of these makes them anew."""


def _fetch_kernel(work: Path, folder: Path) -> None:
    """Fetch kernel and busybox for arm64 without telling this machine's own apt, unpack them and write the initrd."""
    apt = _foreign_apt(work)
    _run(["apt-get", *apt, "update"], work)
    depends = _run(["apt-cache", *apt, "depends", "linux-image-arm64"], work)
    name = next((line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line), "")
    if not name:
        raise Fault("BOOT-BUILD", f"the mirror has no linux-image-arm64: {_tail(depends)}")
    _run(["apt-get", *apt, "download", name, "busybox-static"], work)
    for package in sorted(work.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(work / "tree")], work)
    version = name.removeprefix("linux-image-")
    _run(["depmod", "-b", str(work / "tree"), version], work)
    busybox = (work / "tree" / "bin" / "busybox").read_bytes()
    (folder / "initrd.gz").write_bytes(initrd.build(busybox, work / "tree" / "lib" / "modules" / version))
    shutil.copyfile(work / "tree" / "boot" / f"vmlinuz-{version}", folder / "vmlinuz")
    (folder / "version").write_text(version, encoding="ascii")


def _foreign_apt(work: Path) -> list[str]:
    """Return the options that give apt a view of arm64 of its own, in `work`."""
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "sources.list").write_text(mirror.sources_list(mirror.machine_sources()), encoding="ascii")
    return [
        "-oAPT::Architecture=arm64",
        "-oAPT::Architectures=arm64",
        "-oAcquire::Languages=none",
        "-oAcquire::Check-Valid-Until=false",
        "-oAPT::Sandbox::User=",
        f"-oDir::State::Lists={work}/lists",
        f"-oDir::Cache={work}/cache",
        f"-oDir::Etc::SourceList={work}/sources.list",
        "-oDir::Etc::SourceParts=/dev/null",
        "-oDir::State::status=/dev/null",
    ]


def _run(command: list[str], cwd: Path) -> str:
    """Return what the command printed; BOOT-BUILD with the end of what it said where it fails."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=FETCH_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise Fault("BOOT-BUILD", f"{command[0]} ended with {done.returncode}: {_tail(done.stderr)}")
    return done.stdout


def _tail(text: str) -> str:
    return text.strip()[-TAIL_CHARS:]
