"""The emulated board: an arm64 machine with a disk, a network of its own, a GPIO chip, and the scale's serial line.

The processor is emulated, so the guest is some twenty times slower than the machine it runs on. Two things were found
by trying and are kept: two processors on two threads, and the scale on a virtio console; with a PCI serial port the
guest's clock stalls for minutes as soon as the daemon opens it.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import IO, NamedTuple

from tools.booting.console import Console
from tools.booting.debian import Kernel

PROGRAM = "qemu-system-aarch64"
MEMORY_MB = 1_024
GUEST_ADDRESS = "10.0.2.15"
HOST_SEEN_FROM_GUEST = "10.0.2.2"
"""How the guest reaches this machine's own loopback address, where broker and back office listen."""

QMP_TIMEOUT_S = 10.0


class Sockets(NamedTuple):
    """Where the board's lines end on this machine: Unix sockets."""

    cell: Path
    control: Path


def sockets(folder: Path) -> Sockets:
    """Return the board's sockets in `folder`, whose path must be short: a socket's name has 107 bytes."""
    found = Sockets(folder / "cell.sock", folder / "control.sock")
    assert all(len(str(path)) < 100 for path in found), folder
    return found


class Card(NamedTuple):
    """The board's disk: an image that the guest changes, and the file that logs each write and each flush."""

    image: Path
    write_log: Path


def command(kernel: Kernel, card: Card, kernel_words: str, screen_port: int, lines: Sockets) -> list[str]:
    """Return the words that start the board.

    kernel_words  what the card tells the kernel, its root among it
    screen_port   of this machine, led to the same port of the guest

    Flushes of the guest are honoured, and are in the log of writes: see power_cut.py.
    """
    return [
        PROGRAM,
        *("-M", "virt,gic-version=3", "-cpu", "cortex-a53", "-smp", "2", "-m", str(MEMORY_MB)),
        *("-accel", "tcg,thread=multi"),
        *("-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-qmp", f"unix:{lines.control},server=on,wait=off"),
        *("-blockdev", _blockdev(card)),
        *("-device", "virtio-blk-pci,drive=card"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{screen_port}-{GUEST_ADDRESS}:{screen_port}"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=cell,path={lines.cell},server=on,wait=off"),
        *("-device", "virtio-serial-pci", "-device", "virtconsole,chardev=cell"),
        *("-kernel", str(kernel.image), "-initrd", str(kernel.initrd)),
        *("-append", f"console=ttyAMA0,115200 {kernel_words} systemd.getty_auto=no"),
    ]


class Board:
    """One time that the board is switched on.

    lines    where its lines end
    console  what it says
    """

    def __init__(self, words: list[str], lines: Sockets, log: IO[str]) -> None:
        """Switch it on."""
        self.lines = lines
        self._process = subprocess.Popen(
            [*_with_us(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout is not None
        self.console = Console(self._process.stdout, log)

    def cut_power(self) -> None:
        """Take the power away at once: nothing in the guest, nor the emulator itself, can still do anything."""
        self._process.kill()
        self._process.wait()

    def push_button(self) -> None:
        """Push the power button, which is line 3 of the board's GPIO chip: it changes for a tenth of a second."""
        self._control("system_powerdown")

    def cpu_s(self) -> float:
        """Return the processor time that the emulator has used so far, 0 when it has ended."""
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def _control(self, what: str) -> None:
        """Tell the emulator something; OSError where it does not answer."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(QMP_TIMEOUT_S)
            link.connect(str(self.lines.control))
            with link.makefile("rb") as answers:
                answers.readline()
                for word in ("qmp_capabilities", what):
                    link.sendall(json.dumps({"execute": word}).encode())
                    while b'"return"' not in (line := answers.readline()):
                        if not line or b'"error"' in line:
                            raise OSError(f"{what}: {line!r}")


def _blockdev(card: Card) -> str:
    """Return the disk as the emulator's block layer takes it; a comma in a path is doubled."""
    image, log = (str(path).replace(",", ",,") for path in card)
    options = "driver=blklogwrites,node-name=card,log-sector-size=512"
    return f"{options},file.driver=file,file.filename={image},log.driver=file,log.filename={log}"


def _with_us() -> list[str]:
    """Return the words before a command that let it end when the test is killed, where the system knows how."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
