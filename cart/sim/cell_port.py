"""The far end of a serial cable: a pseudo-terminal that the cart opens like a port."""

from __future__ import annotations

import os
import tty
from pathlib import Path

NAME = "loadcell"
READ_BYTES_MAX = 4_096


class CellPort:
    """A pty whose slave is linked as <run_dir>/<name>.

    dropped_bytes  what nobody read in time, as a real port would drop it
    """

    def __init__(self, run_dir: Path, name: str = NAME) -> None:
        """Plug in."""
        self.link = run_dir / name
        self.dropped_bytes = 0
        self._master = self._slave = -1
        self.replug()

    @property
    def plugged(self) -> bool:
        """Whether the port exists."""
        return self._master >= 0

    def write(self, data: bytes) -> None:
        """Send bytes; never blocks."""
        if not self.plugged or not data:
            return
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        self.dropped_bytes += len(data) - sent

    def read(self) -> bytes:
        """Return what the cart has sent, without waiting."""
        try:
            return os.read(self._master, READ_BYTES_MAX) if self.plugged else b""
        except BlockingIOError:
            return b""

    def unplug(self) -> None:
        """Take the port away: its reader gets an error at once."""
        if self.plugged:
            self.link.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1

    def replug(self) -> None:
        """Make a new port under the same link."""
        if self.plugged:
            return
        self._master, self._slave = os.openpty()
        # The slave stays open here, or the master fails while no daemon runs.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self.link.with_name(f".{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)
