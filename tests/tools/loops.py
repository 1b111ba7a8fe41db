"""Loop devices that a test makes itself, the images it writes to them, and the guard that lets it open nothing else."""

import json
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1 << 20
WRITING = os.O_WRONLY | os.O_RDWR


def why_none() -> str:
    """Return why no loop device can be made here, or an empty text."""
    if os.geteuid() != 0:
        return "loop devices take root"
    if not shutil.which("losetup", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        return "there is no losetup"
    if not Path("/dev/loop-control").exists():
        return "the kernel has no loop devices"
    return ""


def guard_disks() -> None:
    """From here on this process cannot open a block device that is not a loop device, for reading or writing.

    An audit hook sees every open() of the interpreter and cannot be taken off again.
    """
    sys.addaudithook(refuse_disks)


def refuse_disks(event: str, arguments: tuple) -> None:
    """Raise for the opening of a block device other than a loop device."""
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path = os.fsdecode(arguments[0])
    if not os.path.realpath(path).startswith("/dev/"):
        return
    try:
        status = os.stat(path)
    except OSError:
        return
    if not stat.S_ISBLK(status.st_mode):
        return
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    if "/block/loop" not in os.path.realpath(f"/sys/dev/block/{number}"):  # so also partitions of loop devices
        raise AssertionError(f"a test opens the disk {path}")


@contextmanager
def loop(folder: Path, size_bytes: int, *, name: str = "card", fill: int | None = None, options=()) -> Iterator[str]:
    """Yield the path of a loop device on a new file.

    fill  the byte that the old card is full of; None leaves it empty
    """
    backing = folder / name
    with backing.open("wb") as file:
        if fill is not None:
            for start in range(0, size_bytes, MIB):
                file.write(bytes([fill]) * min(MIB, size_bytes - start))
        file.truncate(size_bytes)
    command = ["losetup", "--find", "--show", *options, str(backing)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert device.startswith("/dev/loop")
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        backing.unlink()


def contents(device: str) -> bytes:
    """Return all bytes of a loop device, through the page cache."""
    return Path(device).read_bytes()


def flip(device: str, offset: int) -> None:
    """Flip one bit of one byte."""
    with open(device, "r+b", buffering=0) as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x10]))
        os.fsync(file.fileno())


def make_image(path: Path, size_bytes: int, *, seed: int = 1, holes: float = 0.3, cut_bytes: int = 0) -> Path:
    """Write an image: a partition table, random pieces, and pieces of zeros; return its path.

    holes      share of the 256 KiB blocks that are zeros
    cut_bytes  so much is missing at its end
    """
    draw = random.Random(seed)
    block = 256 << 10
    with path.open("wb") as file:
        for start in range(0, size_bytes, block):
            length = min(block, size_bytes - start)
            zeros = start >= MIB and draw.random() < holes
            file.write(bytes(length) if zeros else draw.randbytes(length))
        file.seek(0)
        file.write(table(size_bytes))
        file.truncate(size_bytes - cut_bytes)
    return path


def table(size_bytes: int) -> bytes:
    """Return an MBR with a FAT partition in the second MiB and a Linux one up to the end."""
    sectors = size_bytes // 512
    entries = struct.pack("<B3sB3sII", 0, b"", 0x0C, b"", 2048, 2048)
    entries += struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 4096, sectors - 4096)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


def write_command(*words: str, steps: bool = False) -> list[str]:
    """Return the command that runs `write WORDS...` in a process with the guard; `steps` prints each one as it ends."""
    return [sys.executable, "-m", "tests.tools.loops", *(["--steps"] if steps else []), *words]


class Steps:
    """A progress that prints what is done, so that a test can kill the writer at a chosen point."""

    @contextmanager
    def step(self, name, total_bytes):
        done = 0

        def advance(more_bytes):
            nonlocal done
            done += more_bytes
            print(json.dumps([name, done, total_bytes]), flush=True)

        print(json.dumps([name, 0, total_bytes]), flush=True)
        yield advance

    def say(self, line):
        """Print nothing."""


def main(words: list[str]) -> int:
    """Run a verb as tools/image.py does, guarded."""
    import argparse

    from cart.faults import Fault
    from tools.imaging import cli_write, writer

    guard_disks()
    if words[0] == "--steps":
        words = words[1:]
        cli_write.Progress = lambda quiet: Steps()
        writer.JOURNAL_EVERY_S = 0
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)
    cli_write.add_write(verbs)
    cli_write.add_fleet(verbs)
    args = parser.parse_args(words)
    try:
        return args.run(args)
    except Fault as fault:
        print(f"{fault.code}: {fault.detail}", file=sys.stderr)
        return fault.text.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
