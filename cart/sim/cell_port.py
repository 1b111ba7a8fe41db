"""The load cell's end of the cable: a pseudo-terminal that the daemon opens like a serial port."""

from __future__ import annotations

import os
import tty
from pathlib import Path

NAME = "loadcell"


class CellPort:
    """A pty whose slave is linked as <run_dir>/loadcell.

    dropped_bytes  what nobody read in time, as a real port would drop it
    """

    def __init__(self, run_dir: Path) -> None:
        """Plug in."""
        self.link = run_dir / NAME
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
        fresh = self.link.with_name(f".{NAME}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)
